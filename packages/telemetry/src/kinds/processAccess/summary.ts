/** What a summary says of access to other processes. */

import type { SummarySpec } from '../../event/summary-spec.js'
import { programMember } from '../../process/summary.js'
import type { ProcessAccessEvent } from './events.js'

/** What a report says of access to other processes; absent as long as there were none. */
export interface ProcessAccessSummary {
  readonly processAccesses?: {
    /** All of them. */
    readonly total: number
    /** Those that may write. */
    readonly writing: number
    /** Those that failed. */
    readonly failed: number
  }
  /** By accesses of a program to a target. */
  readonly mostAccesses?: readonly {
    /** The program, as in other lists. */
    readonly command: string
    /** Name of the target, if it is known. */
    readonly target?: string
    readonly accesses: number
    readonly errorAtMost?: number
  }[]
}

export const processAccessSummary: SummarySpec<ProcessAccessEvent, ProcessAccessSummary> = {
  counts: [
    {
      at: 'processAccesses.total',
      doc: 'all of them',
      of: () => 1,
      text: ['access to another process', 'accesses to other processes'],
    },
    {
      at: 'processAccesses.writing',
      doc: 'those that may write',
      of: ({ writing }) => (writing === true ? 1 : 0),
      text: 'may write',
    },
    {
      at: 'processAccesses.failed',
      doc: 'those that failed',
      of: ({ errno }) => (errno === undefined ? 0 : 1),
      text: 'failed',
    },
  ],
  lists: [
    {
      type: 'sums',
      at: 'mostAccesses',
      title: 'Got at other processes most',
      doc: 'by accesses of a program to a target',
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
      numbers: [{ name: 'accesses', doc: 'how often', unit: 'count', of: () => 1 }],
    },
  ],
}
