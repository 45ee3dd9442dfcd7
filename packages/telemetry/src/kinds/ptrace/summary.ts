/** What a summary says of calls of ptrace(2). */

import type { SummarySpec } from '../../event/summary-spec.js'
import { programMember } from '../../process/summary.js'
import type { PtraceEvent } from './events.js'

/** What a report says of calls of ptrace(2); absent as long as there were none. */
export interface PtraceSummary {
  readonly ptraceCalls?: {
    /** All calls. */
    readonly total: number
    /** Calls that failed. */
    readonly failed: number
  }
  /** By calls of a program about a target. */
  readonly mostTraced?: readonly {
    /** The program, as in other lists. */
    readonly command: string
    /** Name of the target, if it is known. */
    readonly target?: string
    readonly calls: number
    readonly errorAtMost?: number
  }[]
}

export const ptraceSummary: SummarySpec<PtraceEvent, PtraceSummary> = {
  counts: [
    { at: 'ptraceCalls.total', doc: 'all calls', of: () => 1, text: ['call of ptrace', 'calls of ptrace'] },
    {
      at: 'ptraceCalls.failed',
      doc: 'calls that failed',
      of: ({ action }) => (action === 'fail' ? 1 : 0),
      text: 'failed',
    },
  ],
  lists: [
    {
      type: 'sums',
      at: 'mostTraced',
      title: 'Called ptrace most',
      doc: 'by calls of a program about a target',
      members: [
        programMember,
        {
          name: 'target',
          doc: 'name of the target, if it is known',
          type: 'name',
          of: ({ target }) => target?.comm ?? (target === undefined ? undefined : String(target.pid)),
          label: 'of ',
        },
      ],
      numbers: [{ name: 'calls', doc: 'how often', unit: 'count', of: () => 1 }],
    },
  ],
}
