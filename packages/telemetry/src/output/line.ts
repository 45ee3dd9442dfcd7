/**
 * The line that a writer makes, and its bound. A line is written as if it fitted. One that does not is written twice
 * more: first without its long values, which are only measured, and then with the longest of them cut, all to the same
 * length, so that the line fits. Nothing is built that is much longer than the bound.
 */

import type { FieldSpec, NamedField } from '../event/spec.js'
import {
  base64Size,
  base64UpTo,
  type Form,
  MOST_BYTES_PER_UNIT,
  piecesUpTo,
  QUOTED,
  QUOTED_LIST,
  sizeUpTo,
  wasWhole,
} from './pieces.js'
import { quote } from './fragments.js'

/** Most bytes of a line by default. */
export const DEFAULT_LINE_BYTES = 256 << 10
/** Most bytes of a line that repeats what an earlier one has: who makes many of them must not fill the output. */
export const REPEATED_LINE_BYTES = 16 << 10
/** Most bytes of a list in such a line: above all the arguments, which the earlier one has. */
export const REPEATED_LIST_BYTES = 4 << 10
/** Most bytes of one text of a relative: its own events have all of it. */
export const RELATIVE_TEXT_BYTES = 1024

/** Looks up names of users and groups while a line is written. */
export interface Names {
  userName(uid: number): string | undefined
  groupName(gid: number): string | undefined
}

/** The names that a machine has, and what of it tells how to write them. */
export interface MachineNames extends Names {
  /** All capabilities that its processes can have, `0x` and hexadecimal digits: sets of these are not spelled out. */
  readonly host?: { readonly capabilities?: string | undefined } | undefined
}

/** Of machines of which nothing is known. */
export const NO_NAMES: Names = { userName: () => undefined, groupName: () => undefined }

/** The line fits, as far as is known. */
const WHOLE = 0
/** Long values are measured and left out. */
const MEASURING = 1
/** Long values are cut. */
const CUTTING = 2

/** Values of fewer bytes are never cut. */
const SMALL_BYTES = 32
/** Shorter texts are written as they are, in a line that is not cut. They fit into the bound of relatives, too. */
const SHORT_UNITS = Math.floor((RELATIVE_TEXT_BYTES - 2) / MOST_BYTES_PER_UNIT)
/** The same for lists, in units that were written. */
const SHORT_LIST_UNITS = 4096
/** `"relatives_truncated":true` and its like. */
const FLAG_BYTES = 64

/** Lists of texts that are kept as they were written or measured last. */
const KEPT_LISTS = 8

interface List {
  readonly texts: readonly string[]
  readonly form: Form
  readonly most: number
}

interface ListMade extends List {
  readonly value: string
  readonly isWhole: boolean
}

interface ListMeasured extends List {
  readonly size: number
}

/** The line in the making of one writer. */
export class Line {
  /** Of this line. */
  maxBytes: number
  readonly names: Names
  /** How many lines were cut that an option would leave whole. */
  truncatedLines = 0
  /** Values of this line are cut. */
  isTruncated = false
  /** Texts of relatives are cut. */
  hasCutRelatives = false
  /** A text was written that may be too long for a relative. Set by this, reset by others. */
  hasLongText = false
  /** All capabilities that the machine has, if that is known. */
  allCapabilities: bigint | undefined
  /** Longer texts are to be written by `text`. */
  shortUnits = SHORT_UNITS
  /** Longer lists are to be written by `list`. */
  shortListUnits = SHORT_LIST_UNITS
  readonly #usualBytes: number
  #state = WHOLE
  /** What long values of a whole line may still have. */
  #leftBytes: number
  /** Most bytes of a value, in a line that is cut. */
  #limitBytes = 0
  #isInRelative = false
  #isRepeated = false
  #isFrameCut = false
  readonly #sizes: number[] = []
  readonly #lists: ListMade[] = []
  readonly #lengths: ListMeasured[] = []

  constructor(maxBytes: number = DEFAULT_LINE_BYTES, names: Names = NO_NAMES) {
    this.maxBytes = maxBytes
    this.#usualBytes = maxBytes
    this.names = names
    this.#leftBytes = maxBytes
  }

  /** Whether texts of this line may be kept for others: it is not cut. */
  get isWhole(): boolean {
    return this.#state === WHOLE
  }

  /** What all lines have in common is cut. */
  cutFrame(): void {
    this.#isFrameCut = true
    this.isTruncated = true
  }

  /** What stands at the begin of this line alone is cut. */
  cutHead(): void {
    if (!this.isTruncated) this.truncatedLines += 1
    this.isTruncated = true
  }

  /** Begins a line. */
  begin(): void {
    if (this.#isFrameCut) this.truncatedLines += 1
    this.isTruncated = this.#isFrameCut
    this.hasCutRelatives = false
    this.maxBytes = this.#usualBytes
    this.#leftBytes = this.maxBytes
    // Whoever looks up names may throw, even in the middle of a relative.
    this.#isInRelative = false
    this.#isRepeated = false
    this.shortListUnits = SHORT_LIST_UNITS
  }

  /** Bounds a line that has begun more tightly, as it repeats what an earlier one has. */
  shorten(): void {
    this.#isRepeated = true
    if (this.maxBytes <= REPEATED_LINE_BYTES) return
    this.maxBytes = REPEATED_LINE_BYTES
    this.#leftBytes = REPEATED_LINE_BYTES
  }

  /** Whether a line is whole and fits. */
  fits(line: string): boolean {
    if (this.#leftBytes < 0) return false
    const { length } = line
    return (
      length * 3 <= this.maxBytes || (length <= this.maxBytes && Buffer.byteLength(line) <= this.maxBytes)
    )
  }

  /** A line that does not fit, cut so that it does. `write` writes it. */
  cut(write: () => string): string {
    if (!this.isTruncated && this.maxBytes === this.#usualBytes) this.truncatedLines += 1
    this.isTruncated = true
    try {
      this.#sizes.length = 0
      this.#enter(MEASURING, SMALL_BYTES)
      const leftBytes = this.maxBytes - Buffer.byteLength(write()) - FLAG_BYTES
      this.hasCutRelatives = false
      this.#limitBytes = levelOf(this.#sizes, leftBytes)
      this.#enter(CUTTING, this.#limitBytes)
      return write()
    } finally {
      this.isTruncated = this.#isFrameCut
      this.#enter(WHOLE, RELATIVE_TEXT_BYTES)
    }
  }

  #enter(state: number, shortBytes: number): void {
    this.#state = state
    this.shortUnits = Math.min(SHORT_UNITS, Math.floor((shortBytes - 2) / MOST_BYTES_PER_UNIT))
    this.shortListUnits = state === WHOLE ? SHORT_LIST_UNITS : 0
  }

  /** Begins a relative, whose texts are bounded. Returns what `leaveRelative` takes. */
  enterRelative(): boolean {
    const before = this.#isInRelative
    this.#isInRelative = true
    this.shortListUnits = 0
    return before
  }

  leaveRelative(before: boolean): void {
    this.#isInRelative = before
    if (!before && this.#state === WHOLE) this.shortListUnits = SHORT_LIST_UNITS
  }

  /** A text of any length as a string of JSON. */
  quoted(text: string): string {
    return text.length > this.shortUnits ? this.pieces([text], QUOTED) : quote(text)
  }

  /** Texts of any length as a list of JSON. */
  quotedList(texts: readonly string[]): string {
    let list = '['
    for (let i = 0; i < texts.length; i++) {
      const text = texts[i] as string
      if (text.length > this.shortUnits || list.length > this.shortListUnits) {
        return this.pieces(texts, QUOTED_LIST)
      }
      list += (i === 0 ? '' : ',') + quote(text)
    }
    if (list.length > SHORT_UNITS) this.hasLongText = true
    return `${list}]`
  }

  /** Texts of any length as one string of JSON, with spaces between them. */
  quotedJoined(texts: readonly string[]): string {
    let joined = ''
    for (let i = 0; i < texts.length; i++) {
      joined += i === 0 ? (texts[i] as string) : ` ${texts[i] as string}`
      if (joined.length > this.shortUnits) return this.pieces(texts, QUOTED)
    }
    return quote(joined)
  }

  /** Texts of any length in any form. */
  pieces(texts: readonly string[], form: Form): string {
    this.hasLongText = true
    const isBounded = this.#isRepeated && texts.length > 1
    const most = isBounded ? Math.min(this.#mostBytes, REPEATED_LIST_BYTES) : this.#mostBytes
    if (this.#state === MEASURING) {
      const size = this.#measured(texts, form, most)
      if (size <= SMALL_BYTES) return piecesUpTo(texts, form, most)
      this.#sizes.push(Math.min(size, most))
      return ''
    }
    // Events of one process, or of its children, have the same list.
    const made = this.#lists.find((list) => list.texts === texts && list.form === form && list.most === most)
    if (made !== undefined) return this.#written(made.value, made.isWhole)
    const value = piecesUpTo(texts, form, most)
    const isWhole = wasWhole()
    if (texts.length > 1) this.#keep(this.#lists, { texts, form, most, value, isWhole })
    return this.#written(value, isWhole)
  }

  #measured(texts: readonly string[], form: Form, most: number): number {
    const known = this.#lengths.find(
      (list) => list.texts === texts && list.form === form && list.most === most,
    )
    if (known !== undefined) return known.size
    const size = sizeUpTo(texts, form, most)
    if (texts.length > 1) this.#keep(this.#lengths, { texts, form, most, size })
    return size
  }

  #keep<T>(kept: T[], list: T): void {
    if (kept.length >= KEPT_LISTS) kept.shift()
    kept.push(list)
  }

  /** Bytes as a string of JSON in Base64. */
  base64(bytes: Uint8Array): string {
    const most = this.#mostBytes
    if (this.#state === MEASURING) {
      this.#sizes.push(Math.min(base64Size(bytes), most))
      return ''
    }
    const value = base64UpTo(bytes, most)
    return this.#written(value, wasWhole())
  }

  get #mostBytes(): number {
    if (this.#state === CUTTING) {
      return this.#isInRelative ? Math.min(this.#limitBytes, RELATIVE_TEXT_BYTES) : this.#limitBytes
    }
    if (this.#isInRelative) return RELATIVE_TEXT_BYTES
    return this.#state === WHOLE ? Math.max(0, this.#leftBytes) : this.maxBytes
  }

  #written(value: string, isWhole: boolean): string {
    const isCut = !isWhole
    if (this.#isInRelative) this.hasCutRelatives ||= isCut
    else if (this.#state === WHOLE) this.#leftBytes = isCut ? -1 : this.#leftBytes - value.length
    return value
  }
}

/** The length to which the longest of some values are to be cut so that all together have at most `leftBytes`. */
function levelOf(sizes: number[], leftBytes: number): number {
  sizes.sort((a, b) => a - b)
  let left = leftBytes
  for (let i = 0; i < sizes.length; i++) {
    const size = sizes[i] as number
    const count = sizes.length - i
    if (size * count > left) return Math.max(SMALL_BYTES, Math.floor(left / count))
    left -= size
  }
  return leftBytes
}

/** What lines say about themselves, in the order of JSON. */
const FIELDS = {
  isTruncated: {
    type: 'flag',
    doc: 'values of the line are cut: whole, it would be longer than the limit',
    json: 'lineTruncated',
    dump: 'LINE truncated',
    ecs: 'quark.line_truncated',
  },
  hasCutRelatives: {
    type: 'flag',
    doc: `texts of parents or leaders are cut: they have more than ${RELATIVE_TEXT_BYTES} bytes`,
    json: null,
    ecs: 'quark.relatives_truncated',
  },
} as const satisfies Record<string, FieldSpec<Line>>

/** The fields that lines have beside those of their events. */
export function fieldsOfLine(line: Pick<Line, 'isTruncated' | 'hasCutRelatives'>): NamedField[] {
  return [
    ['lineTruncated', { ...FIELDS.isTruncated, read: () => line.isTruncated }],
    ['relativesTruncated', { ...FIELDS.hasCutRelatives, read: () => line.hasCutRelatives }],
  ]
}
