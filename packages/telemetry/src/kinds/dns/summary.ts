/** What a summary says of names that were looked up. */

import type { SummarySpec } from '../../event/summary-spec.js'
import { programMember } from '../../process/summary.js'
import type { DnsEvent } from './events.js'

/** A program, and a name that it looked up. */
export interface LookupRow {
  readonly command: string
  /** Absent where the question could not be read. */
  readonly name?: string
  /** How often it was asked. */
  readonly asked: number
  /** It is too large by at most this, and other numbers may be too small; absent when all is exact. */
  readonly errorAtMost?: number
  /** Answers with an error, such as that there is no such name. */
  readonly failed?: number
}

/** What a report says of names that were looked up; absent as long as none was. */
export interface DnsSummary {
  readonly lookups?: {
    /** Questions of processes of this machine. */
    readonly asked: number
    /** Questions that others asked a server of this machine. */
    readonly served: number
    /** Answers with an error to questions of processes of this machine. */
    readonly failed: number
  }
  /** Who looked up what most. */
  readonly mostLookups?: readonly LookupRow[]
}

function asked({ actions, direction }: DnsEvent): 0 | 1 {
  return direction === 'outbound' && actions.includes('query') ? 1 : 0
}

function failed({ actions, direction, rcode }: DnsEvent): 0 | 1 {
  const isError = rcode !== undefined && rcode !== 'NOERROR'
  return direction === 'outbound' && isError && actions.includes('answer') ? 1 : 0
}

export const dnsSummary: SummarySpec<DnsEvent, DnsSummary> = {
  counts: [
    {
      at: 'lookups.asked',
      doc: 'questions of processes of this machine',
      of: asked,
      text: ['name looked up', 'names looked up'],
    },
    {
      at: 'lookups.served',
      doc: 'questions that others asked a server of this machine',
      of: ({ actions, direction }) => (direction === 'inbound' && actions.includes('query') ? 1 : 0),
      text: ['question of others', 'questions of others'],
      none: '',
    },
    {
      at: 'lookups.failed',
      doc: 'answers with an error to questions of processes of this machine',
      of: failed,
      text: 'failed',
    },
  ],
  lists: [
    {
      type: 'sums',
      at: 'mostLookups',
      title: 'Looked up most',
      doc: 'who looked up what most',
      members: [
        programMember,
        { name: 'name', doc: 'that was looked up', type: 'name', of: ({ name }) => name, label: ' ' },
      ],
      numbers: [
        { name: 'asked', doc: 'how often it was asked', unit: 'count', of: asked },
        {
          name: 'failed',
          doc: 'answers with an error',
          unit: 'count',
          of: (event) => failed(event) || undefined,
          end: ' failed',
        },
      ],
    },
  ],
}
