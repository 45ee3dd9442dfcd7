/** The fact of modules that come and go, and its rungs. */

import type { Fact } from '../../facts/fact.js'
import type { Surroundings } from '../kind.js'
import { moduleProbes } from './kernel.js'
import type { ModuleSettings } from './options.js'

export function moduleFacts({ settings }: Surroundings<ModuleSettings>): Fact[] {
  if (!settings.modules) return []
  const { withCalls, plain } = moduleProbes()
  return [
    {
      name: 'moduleLoads',
      required: false,
      // A kernel that has no modules.
      canBeMoot: true,
      rungs: [
        { by: 'ebpf', probes: withCalls },
        {
          by: 'ebpf',
          probes: plain,
          lacks: [
            {
              what: 'moduleLoads.files',
              reason: 'the files of modules, and whether they failed, need system calls',
            },
          ],
        },
      ],
      lacking: {
        kprobe: 'no function is called with a module at its load and its end in all kernels',
        audit: 'the audit system knows calls that load modules, and not modules that come and go',
        procConnector: 'no message is about modules',
      },
    },
  ]
}
