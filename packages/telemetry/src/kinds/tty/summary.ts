/** What a summary says of terminals. */

import type { SummarySpec } from '../../event/summary-spec.js'
import { programMember } from '../../process/summary.js'
import type { TtyEvent } from './events.js'

/** What was shown on one terminal, or by one program on all of them. */
export interface TtySum {
  readonly bytes: number
  readonly writes: number
  /** The bytes are too large by at most this; absent when they are exact. */
  readonly errorAtMost?: number
}

/** What a report says of terminals; absent as long as nothing was written to one. */
export interface TtySummary {
  readonly tty?: {
    /** How many calls wrote to terminals, and what. */
    readonly writes: number
    readonly bytes: number
    /** Bytes that events lack. */
    readonly missingBytes: number
  }
  readonly mostOutput?: readonly (TtySum & { readonly command: string })[]
  readonly mostShown?: readonly (TtySum & { readonly terminal: string })[]
}

function outputBytes({ origin, writtenBytes }: TtyEvent): number {
  return origin === 'output' ? writtenBytes : 0
}

const numbers = [
  { name: 'bytes', doc: 'that were written', unit: 'bytes', of: outputBytes },
  {
    name: 'writes',
    doc: 'how many calls wrote them',
    unit: 'count',
    of: ({ writes }: TtyEvent) => writes,
    end: [' write', ' writes'],
  },
] as const

export const ttySummary: SummarySpec<TtyEvent, TtySummary> = {
  counts: [
    {
      at: 'tty.writes',
      doc: 'calls that wrote to terminals',
      of: ({ writes }) => writes,
      text: ['write to terminals', 'writes to terminals'],
    },
    {
      at: 'tty.bytes',
      doc: 'bytes that were written to terminals',
      of: ({ writtenBytes }) => writtenBytes,
      unit: 'bytes',
      text: '',
    },
    {
      at: 'tty.missingBytes',
      doc: 'those that events lack',
      of: ({ missingBytes }) => missingBytes,
      unit: 'bytes',
      text: 'missing',
      none: '',
    },
  ],
  lists: [
    {
      type: 'sums',
      at: 'mostOutput',
      title: 'Wrote most to terminals',
      doc: 'programs by what they wrote to terminals',
      members: [programMember],
      numbers,
    },
    {
      type: 'sums',
      at: 'mostShown',
      title: 'Terminals with most output',
      doc: 'terminals by what was written to them',
      members: [
        {
          name: 'terminal',
          doc: 'its name',
          type: 'name',
          of: ({ terminal, ttyMajor, ttyMinor }) => terminal ?? `${ttyMajor}:${ttyMinor}`,
        },
      ],
      numbers,
    },
  ],
}
