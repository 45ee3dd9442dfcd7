/** What a summary says of shared memory. */

import type { SummarySpec } from '../../event/summary-spec.js'
import { programMember } from '../../process/summary.js'
import type { SharedMemoryEvent } from './events.js'

/** What a report says of shared memory; absent as long as there were none. */
export interface SharedMemorySummary {
  readonly sharedMemoryCalls?: {
    /** All events of shared memory. */
    readonly total: number
    /** Segments, memfds and files that were made. */
    readonly created: number
  }
  /** By uses of shared memory. */
  readonly mostSharedMemory?: readonly {
    /** The program, as in other lists. */
    readonly command: string
    readonly uses: number
    readonly errorAtMost?: number
  }[]
}

export const sharedMemorySummary: SummarySpec<SharedMemoryEvent, SharedMemorySummary> = {
  counts: [
    {
      at: 'sharedMemoryCalls.total',
      doc: 'all events of shared memory',
      of: () => 1,
      text: ['use of shared memory', 'uses of shared memory'],
    },
    {
      at: 'sharedMemoryCalls.created',
      doc: 'segments, memfds and files that were made',
      of: ({ created }) => (created === true ? 1 : 0),
      text: 'of them made some',
    },
  ],
  lists: [
    {
      type: 'sums',
      at: 'mostSharedMemory',
      title: 'Used shared memory most',
      doc: 'by uses of shared memory',
      members: [programMember],
      numbers: [{ name: 'uses', doc: 'how often', unit: 'count', of: () => 1 }],
    },
  ],
}
