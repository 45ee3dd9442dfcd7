/** What a summary says of memory that becomes executable. */

import type { SummarySpec } from '../../event/summary-spec.js'
import { programMember } from '../../process/summary.js'
import type { ExecutableMemoryEvent } from './events.js'

/** What a report says of memory that becomes executable; absent as long as there were none. */
export interface ExecutableMemorySummary {
  readonly executableMemory?: {
    /** First times that memory of a sort became executable. */
    readonly total: number
    /** Those that could be written to as well. */
    readonly writable: number
  }
  /** By programs that made memory executable. */
  readonly mostExecutableMemory?: readonly {
    /** The program, as in other lists. */
    readonly command: string
    readonly times: number
    readonly errorAtMost?: number
  }[]
}

export const executableMemorySummary: SummarySpec<ExecutableMemoryEvent, ExecutableMemorySummary> = {
  counts: [
    {
      at: 'executableMemory.total',
      doc: 'first times that memory of a sort became executable',
      of: () => 1,
      text: ['time memory became executable', 'times memory became executable'],
    },
    {
      at: 'executableMemory.writable',
      doc: 'those that could be written to as well',
      of: ({ writable }) => (writable ? 1 : 0),
      text: 'writable',
    },
  ],
  lists: [
    {
      type: 'sums',
      at: 'mostExecutableMemory',
      title: 'Made memory executable',
      doc: 'by programs that made memory executable',
      members: [programMember],
      numbers: [{ name: 'times', doc: 'how often', unit: 'count', of: () => 1 }],
    },
  ],
}
