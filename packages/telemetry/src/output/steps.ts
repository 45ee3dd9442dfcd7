/**
 * Declarations, made into steps that write them. A document is a tree of groups: members of JSON objects, or
 * lines of the dump. A group in which nothing is known is left out.
 *
 * Strings are only built by appending: to undo it, the longer string is dropped.
 */

import { quote } from './fragments.js'
import { isoTime } from './iso-time.js'
import type { Line } from './line.js'
import { joinInherited, Memo } from './memo.js'
import { capabilityList, errnoName, signalName } from './names.js'
import { SAFE_LIST, SAFE_TEXT } from './pieces.js'
import { sanitise } from './sanitise.js'
import {
  GROUP,
  OBJECT,
  NUMBER,
  STRING,
  STRINGS,
  TIME,
  DIGITS,
  HEX,
  FLAG,
  BOOLEAN,
  COUNTS,
  EXACT,
  OBJECTS,
  VALUES,
  BYTES,
  COUNT,
  JOINED,
  CAPABILITY_NAMES,
  CAPABILITY_NAMES_OF_SOME,
  ALL_CAPABILITIES,
  SIGNAL_NAME,
  ERRNO_NAME,
  USER,
  USER_NAME,
  USERS,
  GROUP_OF_USERS,
  GROUP_NAME,
  SAFE,
  LIST,
  SHORT_HEX,
  NAMED_SIGNAL,
  NAMED_ERRNO,
  OWN,
  KEPT,
  type KeptText,
  type Members,
  type Step,
  type Writing,
  stepOf,
} from './step.js'

/** The same steps of JSON, faster where values are inherited. */
export function withMemos(steps: readonly Step[]): Step[] {
  return joinInherited(steps, (run) => stepOf({ first: '', next: ',', form: KEPT, kept: new Memo(run) }))
}

function writeRun(steps: readonly Step[], from: Members, line: Line): string {
  return writeSteps(steps, undefined, from, '', true, line)
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
    if (form === KEPT) {
      const text = (step.kept as KeptText).text(from, isFirst, line, writeRun)
      if (text === '') continue
      out += text
      isFirst = false
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
      case EXACT:
        out = out + lead + exactNumber(value as bigint)
        break
      case OBJECTS:
        out = out + lead + listOf(step.steps, value as readonly Members[], line)
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

/** What a double holds is a number, so that readers can calculate with it; other values are digits. */
function exactNumber(value: bigint): string {
  return value <= Number.MAX_SAFE_INTEGER ? String(Number(value)) : `"${value}"`
}

/** Objects, each of which is written even if nothing of it is known. */
function listOf(steps: readonly Step[], objects: readonly Members[], line: Line): string {
  let list = '['
  for (let i = 0; i < objects.length; i++) {
    list = `${writeSteps(steps, objects[i], objects[i], i === 0 ? '[{' : `${list},{`, true, line)}}`
  }
  return `${list}]`
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
    case COUNTS:
    case VALUES:
      return valueText(value, line)
    case CAPABILITY_NAMES_OF_SOME:
      return value === 0n || value === line.allCapabilities
        ? undefined
        : `[${capabilityList(value as bigint)}]`
    case ALL_CAPABILITIES:
      return value === line.allCapabilities ? 'true' : undefined
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
    case USERS:
      return line.quotedList(userTexts(value as readonly number[], line))
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

/** Each user once: its name, or its number if it has none. */
function userTexts(uids: readonly number[], { names }: Line): string[] {
  return [...new Set(uids.map((uid) => names.userName(uid) ?? String(uid)))]
}

/** Any value of JSON; members without one are left out. */
function valueText(value: unknown, line: Line): string {
  if (typeof value === 'string') return line.quoted(value)
  if (Array.isArray(value)) return `[${value.map((one) => valueText(one, line)).join(',')}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  const members = Object.entries(value).filter(([, member]) => member !== undefined)
  return `{${members.map(([name, member]) => `${quote(name)}:${valueText(member, line)}`).join(',')}}`
}

function quoteKnown(text: string | undefined, line: Line): string | undefined {
  return text === undefined ? undefined : line.quoted(text)
}

function withName(number: number, name: string | undefined): string {
  return name === undefined ? String(number) : `${number} (${name})`
}
