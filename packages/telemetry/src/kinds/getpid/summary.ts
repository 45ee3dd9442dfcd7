/** What a summary says of getpid(2). */

import type { SummarySpec } from '../../event/summary-spec.js'
import { programMember } from '../../process/summary.js'
import type { GetpidEvent } from './events.js'

/** What a report says of getpid(2); absent as long as there were none. */
export interface GetpidSummary {
  readonly getpidCalls?: {
    /** All calls. */
    readonly total: number
  }
  /** By calls of getpid(2). */
  readonly mostGetpid?: readonly {
    /** The program, as in other lists. */
    readonly command: string
    readonly calls: number
    readonly errorAtMost?: number
  }[]
}

export const getpidSummary: SummarySpec<GetpidEvent, GetpidSummary> = {
  counts: [
    { at: 'getpidCalls.total', doc: 'all calls', of: () => 1, text: ['call of getpid', 'calls of getpid'] },
  ],
  lists: [
    {
      type: 'sums',
      at: 'mostGetpid',
      title: 'Called getpid most',
      doc: 'by calls of getpid(2)',
      members: [programMember],
      numbers: [{ name: 'calls', doc: 'how often', unit: 'count', of: () => 1 }],
    },
  ],
}
