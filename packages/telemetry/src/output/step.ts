/** Steps that write the members of an event or object, one each or a group of them. */

import type { Line } from './line.js'

/** How a step writes a value. Numbers, since a switch over them is a jump. */
export const GROUP = 0
export const OBJECT = 1
export const NUMBER = 2
export const STRING = 3
export const STRINGS = 4
export const TIME = 5
export const DIGITS = 6
export const HEX = 7
export const FLAG = 8
export const BOOLEAN = 9
export const BYTES = 10
export const COUNT = 11
export const JOINED = 12
export const CAPABILITY_NAMES = 13
export const SIGNAL_NAME = 14
export const ERRNO_NAME = 15
export const USER = 16
export const USER_NAME = 17
export const GROUP_OF_USERS = 18
export const GROUP_NAME = 19
/** Forms of the dump. */
export const SAFE = 20
export const LIST = 21
export const SHORT_HEX = 22
export const NAMED_SIGNAL = 23
export const NAMED_ERRNO = 24
/** The step writes itself. */
export const OWN = 25
/** Members whose text is kept. */
export const KEPT = 26
/** Sets of capabilities in lean documents. */
export const CAPABILITY_NAMES_OF_SOME = 31
export const ALL_CAPABILITIES = 32
/** Names of a list of uids. */
export const USERS = 33

/** Of JSON: a number if it is exact, else digits; lists of objects; numbers by name; values by name. */
export const EXACT = 27
export const OBJECTS = 28
export const COUNTS = 29
export const VALUES = 30

/** An event or an object of one, by the names of its members. */
export type Members = Readonly<Record<string, unknown>>

/** One member, or a group of them. */
export interface Step {
  /** What stands before the value if it is the first of its group, and if it is not. */
  readonly first: string
  readonly next: string
  readonly form: number
  /** The member of the object. */
  readonly name: string
  /** In place of the member. */
  readonly value: ((from: object) => unknown) | undefined
  /** Whether it is a member of the event, and not of the object that the steps are about. */
  readonly isOfEvent: boolean
  /** Of groups and objects: their members, and what stands behind the last one. */
  readonly steps: readonly Step[]
  readonly end: string
  /** Most events have the same value as the one before. */
  readonly isInherited: boolean
  /** It follows from the value of another step of the same object, and from nothing else. */
  readonly isDerived: boolean
  readonly write: Writing | undefined
  readonly kept: KeptText | undefined
}

/** Members whose text is kept as long as their values are the same. */
export interface KeptText {
  /**
   * The members of an object, with a comma in front if it is not the first one of a group; nothing is an empty string.
   *
   * @param write writes steps
   */
  text(from: Members, isFirst: boolean, line: Line, write: WriteAll): string
}

/** Writes the members of an object. */
export type WriteAll = (steps: readonly Step[], from: Members, line: Line) => string

/** Appends the text of an `OWN` step to `out`; returns `out` itself if there is none. */
export type Writing = (step: Step, event: Members, subject: Members, out: string, isFirst: boolean) => string

/** Makes a step. All steps have the same members in the same order, so that reading them is fast. */
export function stepOf({
  first,
  next,
  form,
  name = '',
  value,
  isOfEvent = false,
  steps = [],
  end = '',
  isInherited = false,
  isDerived = false,
  write,
  kept,
}: Partial<Step> & Pick<Step, 'first' | 'next' | 'form'>): Step {
  return { first, next, form, name, value, isOfEvent, steps, end, isInherited, isDerived, write, kept }
}
