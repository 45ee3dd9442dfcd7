/** The fact of files that are written and then executed, and its rungs. */

import type { Fact } from '../../facts/fact.js'
import type { EbpfRung, Lack } from '../../facts/rungs.js'
import type { Surroundings } from '../kind.js'
import { callProbes, execChangeMaps, functionProbes } from './kernel.js'
import type { ExecChangeSettings } from './options.js'

const OTHER_OPENS: Lack = {
  what: 'execChanges.other opens',
  reason:
    'only files that system calls of 64-bit programs opened are known: not those of io_uring, nor of 32-bit programs',
}

const BY_NAME: Lack = {
  what: 'execChanges.scripts at once',
  reason:
    'a script is known when its interpreter opens it, by its name, and not if that maps it or reads it from elsewhere',
}

const WITHOUT_PROGRAMS = 'who wrote what is executed needs eBPF'

export function execChangeFacts({ settings }: Surroundings<ExecChangeSettings>): Fact[] {
  if (!settings.execChanges) return []
  const maps = execChangeMaps(settings.maxWrittenFiles)
  const functions = (['fentry', 'kprobe'] as const).map((by): EbpfRung => {
    return { by: 'ebpf', probes: functionProbes(by, maps) }
  })
  const calls: EbpfRung = { by: 'ebpf', probes: callProbes(maps), lacks: [OTHER_OPENS, BY_NAME] }
  return [
    {
      name: 'execChanges',
      required: false,
      // The record of an exec comes before what is added to it.
      order: 1,
      rungs: [...functions, calls],
      lacking: { kprobe: WITHOUT_PROGRAMS, procConnector: WITHOUT_PROGRAMS, audit: WITHOUT_PROGRAMS },
    },
  ]
}
