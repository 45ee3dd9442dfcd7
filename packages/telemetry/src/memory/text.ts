/**
 * Text of a record, decoded when it is read. All of a record is kept as one latin1 string, one character per byte:
 * the engine stores it in as many bytes, without pointers for the garbage collector to follow. A tail is given by
 * its start and its descriptor, which has its length and flags.
 */

import { TAIL_FAILED, TAIL_LENGTH_MASK, TAIL_PSEUDO, TAIL_TRUNCATED } from 'quark-ebpf/probe'

// oxlint-disable-next-line no-control-regex -- ASCII is just what needs no decoding
const ASCII = /^[\0-\x7f]*$/

/** Not in the types of node; skips what `toString` does before it comes to the same. */
interface Latin1Buffer {
  latin1Slice(this: Buffer, start: number, end: number): string
  latin1Write(this: Buffer, text: string, start: number, length: number): number
}

/** Taken once: to find them on a buffer costs as much as a short text. */
const { latin1Slice, latin1Write } = Buffer.prototype as unknown as Latin1Buffer

/** The bytes from `start` to `end` as text with one character a byte. */
export function latin1Of(bytes: Buffer, start: number, end: number): string {
  return latin1Slice.call(bytes, start, end)
}

/** Writes text with one character a byte. */
export function writeLatin1(bytes: Buffer, text: string, start: number): void {
  latin1Write.call(bytes, text, start, text.length)
}

/** Parts of a text above this size are copied: the engine makes a part point into the whole, which then stays. */
const LARGE_CHARS = 4096
/** Shorter texts are never parts of others to the engine. */
const MIN_PART_CHARS = 13

/** The same text, which keeps no longer one that it was part of. */
export function ownText(text: string): string {
  if (text.length < MIN_PART_CHARS || !ASCII.test(text)) return text
  return ownLatin1(text)
}

/** As `ownText`, of text with one character a byte. */
export function ownLatin1(latin1: string): string {
  return latin1Slice.call(Buffer.from(latin1, 'latin1'), 0, latin1.length)
}

/** The characters from `start` to `end`; of a large text a copy, which does not keep that. */
function partOf(text: string, start: number, end: number): string {
  const part = text.slice(start, end)
  return text.length > LARGE_CHARS && part.length < text.length ? ownLatin1(part) : part
}

/** UTF-8 from text with one character a byte; what is invalid becomes U+FFFD. */
export function decodeUtf8(latin1: string): string {
  return ASCII.test(latin1) ? latin1 : Buffer.from(latin1, 'latin1').toString('utf8')
}

/** The u32 at `at`. */
export function u32At(text: string, at: number): number {
  return (
    (text.charCodeAt(at) |
      (text.charCodeAt(at + 1) << 8) |
      (text.charCodeAt(at + 2) << 16) |
      (text.charCodeAt(at + 3) << 24)) >>>
    0
  )
}

// Most are sets of capabilities, of which there are few, and a bigint is costly to make and to compare with an equal one.
const SETS = 16
const lows = new Float64Array(SETS).fill(-1)
const highs = new Float64Array(SETS).fill(-1)
const values = new Array<bigint>(SETS).fill(0n)

/** The u64 at `at`. */
export function u64At(text: string, at: number): bigint {
  const low = u32At(text, at)
  const high = u32At(text, at + 4)
  const slot = (low ^ (low >>> 24) ^ high) & (SETS - 1)
  if (lows[slot] === low && highs[slot] === high) return values[slot] as bigint
  const value = (BigInt(high) << 32n) | BigInt(low)
  lows[slot] = low
  highs[slot] = high
  values[slot] = value
  return value
}

/** What comes before the first NUL, of at most `length` characters. */
export function cstringAt(text: string, at: number, length: number): string {
  const cut = partOf(text, at, at + length)
  const end = cut.indexOf('\0')
  return decodeUtf8(end === -1 ? cut : cut.slice(0, end))
}

/** A tail's bytes as text. */
export function tailAt(text: string, start: number, descriptor: number): string {
  return partOf(text, start, start + (descriptor & TAIL_LENGTH_MASK))
}

/** Stands for the upper part of a path that was cut: no path begins like it. */
export const CUT_MARK = '...'

/**
 * The path of a file as the kernel side walked it: from the leaf to the root of the mount namespace, with an
 * empty component where the process's root directory lies. The result is from there; from the namespace's
 * root when the file lies outside of the process's; a bare name when it has no place. When the walk ended before the
 * process's root, the lower part is known, and `.../` stands before it: it must not pass for a path.
 */
export function pathAt(text: string, start: number, descriptor: number): string | undefined {
  if ((descriptor & TAIL_PSEUDO) !== 0) return cstringAt(text, start, descriptor & TAIL_LENGTH_MASK)
  const components = tailAt(text, start, descriptor)
  const mark = markOf(components)
  if (mark === -1 && (descriptor & TAIL_TRUNCATED) !== 0) {
    // What the cut went through is not a name.
    const whole = components.slice(0, components.lastIndexOf('\0') + 1)
    return whole === '' ? undefined : CUT_MARK + pathOf(whole)
  }
  return pathOf(mark === -1 ? components : components.slice(0, mark))
}

/** Whether the upper part of a path is missing: a walk that passed the process's root has all of it. */
export function isCutPath(text: string, start: number, descriptor: number): boolean {
  if ((descriptor & TAIL_TRUNCATED) === 0 || (descriptor & TAIL_PSEUDO) !== 0) return false
  return markOf(tailAt(text, start, descriptor)) === -1
}

/** The process's root directory, if the walk of a path passed it and went on to the end. */
export function rootAt(text: string, start: number, descriptor: number): string | undefined {
  if ((descriptor & (TAIL_FAILED | TAIL_PSEUDO | TAIL_TRUNCATED)) !== 0) return undefined
  const components = tailAt(text, start, descriptor)
  const mark = markOf(components)
  return mark === -1 ? undefined : pathOf(components.slice(mark + 1))
}

/**
 * A path of a tail as a process sees it, from the root of its mount namespace: also what has another root directory.
 *
 * @param start where the tail begins
 */
export function wholePathAt(text: string, start: number, descriptor: number): string | undefined {
  if ((descriptor & TAIL_FAILED) !== 0) return undefined
  const path = pathAt(text, start, descriptor)
  const root = rootAt(text, start, descriptor)
  if (path === undefined || root === undefined || root === '/') return path
  return path === '/' ? root : root + path
}

/** NUL-terminated strings, the last of which may have been cut. */
export function stringsAt(text: string, start: number, descriptor: number): readonly string[] {
  const tail = text.slice(start, start + (descriptor & TAIL_LENGTH_MASK))
  if (tail === '') return Object.freeze([])
  const strings = (tail.endsWith('\0') ? tail.slice(0, -1) : tail).split('\0')
  const isAscii = ASCII.test(tail)
  if (text.length > LARGE_CHARS) {
    for (let i = 0; i < strings.length; i++) {
      const string = strings[i] as string
      if (string.length >= MIN_PART_CHARS || !isAscii) strings[i] = ownText(decodeUtf8(string))
    }
    return Object.freeze(strings)
  }
  return Object.freeze(isAscii ? strings : strings.map((string) => decodeUtf8(string)))
}

/** Where the empty component is, or -1. */
function markOf(components: string): number {
  if (components.startsWith('\0')) return 0
  const end = components.indexOf('\0\0')
  return end === -1 ? -1 : end + 1
}

// Most processes run where their parents did, and one of few programs.
const REMEMBERED = 64
const LONGEST_REMEMBERED = 256
const keptComponents = new Array<string>(REMEMBERED).fill('')
const keptPaths = new Array<string>(REMEMBERED).fill('/')

/** Components from the leaf upwards, each NUL-terminated, as a path. */
function pathOf(components: string): string {
  const { length } = components
  if (length > LONGEST_REMEMBERED) return decodedPathOf(components)
  if (length === 0) return '/'
  const slot =
    (components.charCodeAt(0) +
      components.charCodeAt(length >> 1) * 5 +
      components.charCodeAt((length * 3) >> 2) * 7) &
    (REMEMBERED - 1)
  if (keptComponents[slot] !== components) {
    // A copy: a part of a record's text would keep all of it in memory.
    keptComponents[slot] = Buffer.from(components, 'latin1').toString('latin1')
    keptPaths[slot] = decodedPathOf(components)
  }
  return keptPaths[slot] as string
}

function decodedPathOf(components: string): string {
  return `/${decodeUtf8(components.slice(0, -1).split('\0').toReversed().join('/'))}`
}
