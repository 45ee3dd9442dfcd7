/** The fact of what is written to terminals, and its rungs. */

import type { Fact } from '../../facts/fact.js'
import type { EbpfRung, Lack } from '../../facts/rungs.js'
import type { Surroundings } from '../kind.js'
import { callProbes, functionProbes, type TtyProbeSettings } from './kernel.js'
import type { TtySettings } from './options.js'
import { findOwn } from './own.js'

/** What system calls do not show. */
const OTHER_CALLS: Lack = {
  what: 'ttyWrites.other calls',
  reason:
    'only write(2) and writev(2) of 64-bit programs are seen: not io_uring, splice(2), sendfile(2) or pwritev2(2), nor calls of 32-bit programs',
}

const WITHOUT_PROGRAMS = 'what is written to terminals needs eBPF'

export function ttyFacts({ settings }: Surroundings<TtySettings>): Fact[] {
  if (!settings.tty) return []
  const probes: TtyProbeSettings = { maxBytes: settings.maxTtyBytes, own: findOwn() }
  const functions = (['fentry', 'kprobe'] as const).map((by): EbpfRung => {
    return { by: 'ebpf', probes: functionProbes(by, probes) }
  })
  return [
    {
      name: 'ttyWrites',
      required: false,
      rungs: [...functions, { by: 'ebpf', probes: callProbes(probes), lacks: [OTHER_CALLS] }],
      lacking: { kprobe: WITHOUT_PROGRAMS, procConnector: WITHOUT_PROGRAMS, audit: WITHOUT_PROGRAMS },
    },
  ]
}
