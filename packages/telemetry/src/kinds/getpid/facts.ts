/** The fact of calls of getpid(2), and its rung. */

import { probe, sysExit } from 'quark-ebpf/probe'
import type { Fact } from '../../facts/fact.js'
import { currentActor } from '../../process/actor.js'
import type { Surroundings } from '../kind.js'
import type { GetpidSettings } from './options.js'
import { getpidLayout } from './records.js'

function getpidProbe() {
  return probe({ name: 'quark_getpid', hook: sysExit(['getpid']), record: getpidLayout }, () => ({
    fill: currentActor(),
  }))
}

export function getpidFacts({ settings }: Surroundings<GetpidSettings>): Fact[] {
  if (!settings.getpid) return []
  const ONLY_EBPF = 'it is for benchmarks of the eBPF backend'
  return [
    {
      name: 'getpid',
      required: false,
      rungs: [
        {
          by: 'ebpf',
          probes: [getpidProbe()],
          lacks: [
            {
              what: 'getpid by 32-bit calls',
              reason: 'calls of 32-bit programs, and those by int 0x80, have other numbers and are not seen',
            },
          ],
        },
      ],
      lacking: { kprobe: ONLY_EBPF, audit: ONLY_EBPF, procConnector: ONLY_EBPF },
    },
  ]
}
