/** Declarations of what processes did, for reports about a command. The room `report/` names no kind and no field. */

import type { Rule } from './rule.js'

/** What processes do that a report lists, in its order, with its headings. */
export const DEEDS = {
  contacted: 'Contacted',
  lookedUp: 'Names looked up',
  listened: 'Listened',
  read: 'Sensitive files opened',
  created: 'Files created',
  changed: 'Files changed',
  removed: 'Files removed',
  ranWritten: 'Executables written and then run',
  suspicious: 'Unusual',
} as const

/** Something that a process did. */
export type DeedWord = keyof typeof DEEDS

/** What a process did. */
export interface Deed {
  readonly what: DeedWord
  /** With or to what: a host and port, a name, a path. */
  readonly target: string
  /** More about the target that is not the same each time, such as the address that a name had. */
  readonly detail?: string | undefined
  /** It was tried, and failed. */
  readonly failed?: boolean
  readonly sentBytes?: number | undefined
  readonly receivedBytes?: number | undefined
}

/** The deeds that an event of a kind is. */
export type DeedsOf<E> = Rule<E, readonly Deed[]>
