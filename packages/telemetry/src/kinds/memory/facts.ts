/** The fact of memory that becomes executable, and its rung. */

import type { Fact } from '../../facts/fact.js'
import type { Surroundings } from '../kind.js'
import { memoryProbes } from './kernel.js'
import type { MemorySettings } from './options.js'

export function memoryFacts({ settings }: Surroundings<MemorySettings>): Fact[] {
  if (!settings.executableMemory) return []
  return [
    {
      name: 'executableMemory',
      required: false,
      rungs: [
        {
          by: 'ebpf',
          probes: memoryProbes(),
          lacks: [
            {
              what: 'executableMemory by 32-bit calls',
              reason: 'calls of 32-bit programs, and those by int 0x80, have other numbers and are not seen',
            },
          ],
        },
      ],
      lacking: {
        kprobe: 'kprobe events see no results of system calls, and would report every mmap(2) of the machine',
        audit: 'the audit system would report every mmap(2) and mprotect(2) of the machine',
        procConnector: 'no message is about memory',
      },
    },
  ]
}
