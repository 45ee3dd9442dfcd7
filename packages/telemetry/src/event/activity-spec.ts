/**
 * Declarations of what processes did, for reports about a command. The room `report/` names no kind and no field. The word
 * is that of OCSF, whose classes are File Activity, Network Activity and so on; an action is a member of events.
 */

import type { Rule } from './rule.js'

/** What processes do that a report lists, in its order, with its headings. */
export const ACTIVITIES = {
  read: 'Sensitive files opened',
  ranWritten: 'Executables written and then run',
  listened: 'Listened',
  contacted: 'Contacted',
  lookedUp: 'Names looked up',
  created: 'Files created',
  changed: 'Files changed',
  removed: 'Files removed',
} as const

/** Something that a process did. */
export type ActivityType = keyof typeof ACTIVITIES

/** What a process did. */
export interface Activity {
  readonly what: ActivityType
  /** With or to what: a host and port, a name, a path. */
  readonly target: string
  /** More about the target that is not the same each time, such as the address that a name had. */
  readonly detail?: string | undefined
  /** It was tried, and failed. */
  readonly failed?: boolean
  readonly sentBytes?: number | undefined
  readonly receivedBytes?: number | undefined
}

/** The activities that an event of a kind is. */
export type ActivitiesOf<E> = Rule<E, readonly Activity[]>
