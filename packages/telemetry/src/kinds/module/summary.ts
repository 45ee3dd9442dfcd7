/** What a summary says of kernel modules. */

import type { SummarySpec } from '../../event/summary-spec.js'
import type { ModuleEvent } from './events.js'

/** What a report says of kernel modules; absent as long as there were none. */
export interface ModuleSummary {
  readonly kernelModules?: {
    /** Modules that were loaded. */
    readonly loaded: number
    /** Modules that went. */
    readonly unloaded: number
    /** Modules whose initialisation failed. */
    readonly failed: number
  }
}

export const moduleSummary: SummarySpec<ModuleEvent, ModuleSummary> = {
  counts: [
    {
      at: 'kernelModules.loaded',
      doc: 'modules that were loaded',
      of: ({ action }) => (action === 'load' ? 1 : 0),
      text: ['kernel module loaded', 'kernel modules loaded'],
    },
    {
      at: 'kernelModules.unloaded',
      doc: 'modules that went',
      of: ({ action }) => (action === 'unload' ? 1 : 0),
      text: 'unloaded',
    },
    {
      at: 'kernelModules.failed',
      doc: 'modules whose initialisation failed',
      of: ({ initFailed }) => (initFailed ? 1 : 0),
      text: 'failed to initialise',
    },
  ],
}
