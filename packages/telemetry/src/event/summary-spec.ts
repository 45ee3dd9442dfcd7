/** Declarations of what a summary of many events says of those of one kind. The room `summary/` names no kind and no field. */

import type { Rule } from './rule.js'

/** What is counted: things, ns, which a report has as seconds, or bytes. */
export type SummaryUnit = 'count' | 'ns' | 'bytes'

/** Words, or one form for the number 1 and one for all others. */
export type Words = string | readonly [one: string, others: string]

/** A number of the report's heading. */
export interface SummaryCount<E> {
  /** Member of the report; `object.member` for a member of an object, whose members appear together. */
  readonly at: string
  /** Text for the schema. */
  readonly doc: string
  /** How much an event adds. */
  readonly of: Rule<E, number>
  /** Default `count`. */
  readonly unit?: SummaryUnit
  /** Words that follow the number in the table: `ended`. */
  readonly text: Words
  /** In place of number and words when it is 0; empty for nothing. */
  readonly none?: string
  /** Line of the table, which counts of several kinds may share. Default: the kind of the event. */
  readonly line?: string
  /** It is there from the start. Default: once an event of a kind has come that counts for the same member or object. */
  readonly isAlways?: boolean
  /** Member with this number per second. The table begins with such a count. */
  readonly perSecond?: string
}

/** A row of a list in a report: its members by name. */
export type SummaryRow = Readonly<Record<string, unknown>>

/**
 * What a row is about. A `name` keeps its last 256 characters, a `command` is a list of arguments that become one text for
 * a shell, and a `uid` has the member `name` beside it if the user is known.
 */
export interface SummaryMember<E> {
  readonly name: string
  /** Text for the schema. */
  readonly doc: string
  readonly type: 'name' | 'number' | 'uid' | 'command'
  /** Undefined: the member is absent. An event without the first one does not count for the list. */
  readonly of: Rule<E, string | number | readonly string[] | undefined>
  /** What stands before it in the table. */
  readonly label?: string
  /** What the table has in its place, which is then made safe for a terminal; undefined and null are nothing. */
  readonly text?: Rule<SummaryRow, string | undefined> | null
}

/** A number of a row. */
export interface SummaryNumber<E> {
  /** Member of the row. */
  readonly name: string
  /** Text for the schema. */
  readonly doc: string
  readonly unit: SummaryUnit
  /** What an event adds to it, or its value; undefined if that is not known. */
  readonly of: Rule<E, number | undefined>
  /**
   * What stands before and behind it in the table, where it is not the one that rows are ordered by. Default: a comma and a
   * space, and nothing.
   */
  readonly label?: string
  readonly end?: Words
}

interface SummaryListBase<E> {
  /** Member of the report. */
  readonly at: string
  /** Heading in the table. */
  readonly title: string
  /** Text for the schema. */
  readonly doc: string
  readonly members: readonly SummaryMember<E>[]
  /** It is there from the start. Default: once the number that it is ordered by was known of an event. */
  readonly isAlways?: boolean
}

/** Sums over all events with the same members, of those that have the largest. */
export interface SummarySums<E> extends SummaryListBase<E> {
  readonly type: 'sums'
  /** The first one orders the rows; those for which it is 0 are not shown. */
  readonly numbers: readonly [SummaryNumber<E>, ...SummaryNumber<E>[]]
}

/** Single events with the largest values. */
export interface SummaryTop<E> extends SummaryListBase<E> {
  readonly type: 'top'
  readonly number: SummaryNumber<E>
  /** Of those with the same value of this member only the largest is a row. */
  readonly onePer?: string
}

/** A list of a report. */
export type SummaryList<E> = SummarySums<E> | SummaryTop<E>

/** What a summary says of the events of a kind; `R` are the members of the report. */
export interface SummarySpec<E, R = object> {
  /** In the order of the report. */
  readonly counts?: readonly SummaryCount<E>[]
  /**
   * In the order of the report, behind all counts. One that several kinds of events have is one object, and its rules take
   * all of them.
   */
  readonly lists?: readonly SummaryList<E>[]
  /** Never set: by it the type of a report follows from the kinds. */
  readonly part?: R
}

/** The lists that some events declare, each once. */
export function listsOf(events: readonly WithSummary[]): SummaryList<never>[] {
  return [...new Set(events.flatMap(({ summary }) => summary?.lists ?? []))]
}

/** The counts that some events declare. */
export function countsOf(events: readonly WithSummary[]): SummaryCount<never>[] {
  return events.flatMap(({ summary }) => summary?.counts ?? [])
}

/** Members of a report that some events declare: each once, if they are counts of one object; a list for each. */
export function summaryMembersOf(events: readonly WithSummary[]): string[] {
  const counts = countsOf(events)
  const rates = counts.flatMap(({ perSecond }) => perSecond ?? [])
  const roots = new Set(counts.map(({ at }) => at.split('.')[0] as string))
  return [...roots, ...rates, ...listsOf(events).map(({ at }) => at)]
}

interface WithSummary {
  readonly summary?: SummarySpec<never> | undefined
}
