/** The fact of BPF programs of others, and its rung. */

import type { Fact } from '../../facts/fact.js'
import type { Surroundings } from '../kind.js'
import { bpfProbe } from './kernel.js'
import type { BpfSettings } from './options.js'

export function bpfFacts({ settings }: Surroundings<BpfSettings>): Fact[] {
  if (!settings.bpf) return []
  return [
    {
      name: 'bpf',
      required: false,
      rungs: [
        {
          by: 'ebpf',
          probes: [bpfProbe()],
          lacks: [
            {
              what: 'bpf by 32-bit calls',
              reason: 'calls of 32-bit programs, and those by int 0x80, have other numbers and are not seen',
            },
            {
              what: 'bpf programs attached without bpf(2)',
              reason:
                'perf events, sockets and netlink take programs by other calls: only their load is seen',
            },
          ],
        },
      ],
      lacking: {
        kprobe: 'kprobe events see no results of system calls',
        audit: 'the audit system reports numbers of programs and nothing more',
        procConnector: 'no message is about BPF',
      },
    },
  ]
}
