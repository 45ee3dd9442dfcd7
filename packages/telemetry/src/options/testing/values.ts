/** Values of options, for tests that go over all of them. */

import { OPTIONS, type QuarkOptions } from '../../kinds/index.js'
import { rulesOf } from '../../rule-sets.js'
import type { OptionSpec, OptionSpecs } from '../spec.js'

/** What does not follow from the declarations. */
const CHOSEN: QuarkOptions = {
  backends: ['procConnector'],
  aggregation: 'none',
  ringSizeBytes: 64 << 10,
  btf: '/sys/kernel/btf/vmlinux',
  record: '/dev/null',
  signal: new AbortController().signal,
  rules: rulesOf('drop on process.pid 1'),
  where: { ppid: 1 },
  redactPatterns: ['x+'],
  fileAccess: ['/etc/shadow'],
  files: ['/etc'],
  fileOperations: ['names'],
}

/** For each option a value that is not its default. */
export const OTHER_VALUES: Required<QuarkOptions> = {
  ...(Object.fromEntries(
    Object.entries(OPTIONS as OptionSpecs).map(([name, spec]) => [name, otherValue(spec)]),
  ) as Required<QuarkOptions>),
  ...CHOSEN,
}

function otherValue(spec: OptionSpec): unknown {
  switch (spec.type) {
    case 'flag':
      return !spec.default
    case 'count':
    case 'bytes':
    case 'ms':
      return spec.min + 7 === spec.default ? spec.min + 8 : spec.min + 7
    case 'numbers':
      return [spec.min]
    case 'path':
      return '/dev/null'
    default:
      return undefined
  }
}
