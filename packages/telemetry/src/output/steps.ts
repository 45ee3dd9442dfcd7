/**
 * Declarations, made into steps that write them. A document is a tree of groups: members of JSON objects, or
 * lines of the dump. A group in which nothing is known is left out.
 *
 * Strings are only built by appending: to undo it, the longer string is dropped.
 */

import { quote } from './fragments.js'
import { isoTime } from './iso-time.js'
import type { Line } from './line.js'
import { capabilityList, errnoName, signalName } from './names.js'
import { SAFE_LIST, SAFE_TEXT } from './pieces.js'
import { sanitise } from './sanitise.js'

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
/** Forms of the text dump. */
export const SAFE = 20
export const LIST = 21
export const SHORT_HEX = 22
export const NAMED_SIGNAL = 23
export const NAMED_ERRNO = 24
/** The step writes itself. */
export const OWN = 25

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
  readonly write: Writing | undefined
}

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
  write,
}: Partial<Step> & Pick<Step, 'first' | 'next' | 'form'>): Step {
  return { first, next, form, name, value, isOfEvent, steps, end, write }
}

/**
 * Appends what is known of an event and of the object that it is about.
 *
 * @param isFirst nothing stands in the group yet
 * @param line bounds values, and knows names
 * @returns `out` itself when nothing is known
 */
export function writeSteps(
  steps: readonly Step[],
  event: Members | undefined,
  subject: Members | undefined,
  out: string,
  isFirst: boolean,
  line: Line,
): string {
  // An index, since an iterator costs as much as many a step.
  for (let i = 0; i < steps.length; i++) {
    const step = steps[i] as Step
    const { form } = step
    if (form === GROUP) {
      const open = out + (isFirst ? step.first : step.next)
      const full = writeSteps(step.steps, event, subject, open, true, line)
      if (full === open) continue
      out = full + step.end
      isFirst = false
      continue
    }
    const from = step.isOfEvent ? event : subject
    if (from === undefined) continue
    if (form === OWN) {
      const more = (step.write as Writing)(step, event as Members, from, out, isFirst)
      if (more !== out) isFirst = false
      out = more
      continue
    }
    const value = step.value === undefined ? from[step.name] : step.value(from)
    if (value === undefined) continue
    const lead = isFirst ? step.first : step.next
    if (form === OBJECT) {
      const open = out + lead
      const full = writeSteps(step.steps, value as Members, value as Members, open, true, line)
      if (full === open) continue
      out = full + step.end
      isFirst = false
      continue
    }
    switch (form) {
      case NUMBER:
        out = out + lead + (value as number)
        break
      case STRING:
        out = out + lead + line.quoted(value as string)
        break
      case STRINGS:
        out = out + lead + line.quotedList(value as readonly string[])
        break
      case TIME:
        out = out + lead + `"${isoTime(value as bigint)}"`
        break
      case DIGITS:
        out = out + lead + `"${digitsOf(value as bigint)}"`
        break
      case HEX:
        out = out + lead + quotedSet(value as bigint)
        break
      case FLAG:
        if (value === false) continue
        out = out + lead + `true`
        break
      case BOOLEAN:
        out = out + lead + (value as boolean)
        break
      case CAPABILITY_NAMES:
        out = out + lead + `[${capabilityList(value as bigint)}]`
        break
      case USER:
      case GROUP_OF_USERS:
        out = out + lead + identity(form, value as number, line)
        break
      case SAFE:
        out = out + lead + safeText(value as string, line)
        break
      case SHORT_HEX:
        out = out + lead + `0x${(value as bigint).toString(16)}`
        break
      default: {
        const text = rareText(form, value, line)
        if (text === undefined) continue
        out = out + lead + text
      }
    }
    isFirst = false
  }
  return out
}

/** Most u64 are small, and what a double holds is turned into digits several times faster. */
function digitsOf(value: bigint | number): string {
  return String(value <= Number.MAX_SAFE_INTEGER ? Number(value) : value)
}

// Nearly all sets are empty, or all of them.
const EMPTY_SET = '"0x0000000000000000"'
let lastSet = 0n
let lastSetText = EMPTY_SET

/** A set of bits: `0x` and 16 hexadecimal digits. */
function quotedSet(set: bigint): string {
  if (set === 0n) return EMPTY_SET
  if (set !== lastSet) {
    lastSet = set
    lastSetText = `"0x${set.toString(16).padStart(16, '0')}"`
  }
  return lastSetText
}

function safeText(text: string, line: Line): string {
  return text.length > line.shortUnits ? line.pieces([text], SAFE_TEXT) : sanitise(text)
}

function identity(form: number, id: number, line: Line): string {
  const { names } = line
  const name = form === USER ? names.userName(id) : names.groupName(id)
  return name === undefined ? `{"id":"${id}"}` : `{"id":"${id}","name":${line.quoted(name)}}`
}

function rareText(form: number, value: unknown, line: Line): string | undefined {
  const { names } = line
  switch (form) {
    case BYTES:
      return line.base64(value as Uint8Array)
    case COUNT:
      return String((value as readonly string[]).length)
    case JOINED:
      return line.quotedJoined(value as readonly string[])
    case SIGNAL_NAME:
      return quoteKnown(signalName(value as number), line)
    case ERRNO_NAME:
      return quote(errnoName(value as number) ?? String(value as number))
    case USER_NAME:
      return quoteKnown(names.userName(value as number), line)
    case GROUP_NAME:
      return quoteKnown(names.groupName(value as number), line)
    case LIST:
      return line.pieces(value as readonly string[], SAFE_LIST)
    case NAMED_SIGNAL:
      return withName(value as number, signalName(value as number))
    case NAMED_ERRNO:
      return withName(value as number, errnoName(value as number))
    default:
      throw new Error(`Cannot write a value: no form ${form}`)
  }
}

function quoteKnown(text: string | undefined, line: Line): string | undefined {
  return text === undefined ? undefined : line.quoted(text)
}

function withName(number: number, name: string | undefined): string {
  return name === undefined ? String(number) : `${number} (${name})`
}
