import { resolve } from 'node:path'

/** An option's argument is wrong. The message says what is expected; the parser adds the option and the value. */
export class ValueError extends Error {
  override readonly name = 'ValueError'
}

/**
 * A decimal number without sign.
 *
 * @throws {ValueError} for anything else, and outside `min` to `max`
 */
export function wholeNumber(text: string, min: number, max: number = Number.MAX_SAFE_INTEGER): number {
  const value = Number(text)
  if (!/^\d+$/.test(text) || value < min || value > max) {
    const range = max === Number.MAX_SAFE_INTEGER ? `of ${min} or more` : `from ${min} to ${max}`
    throw new ValueError(`give a whole number ${range}`)
  }
  return value
}

const UNIT_BYTES: Readonly<Record<string, number>> = {
  '': 1,
  k: 1024,
  m: 1024 ** 2,
  g: 1024 ** 3,
  t: 1024 ** 4,
}

/**
 * A number of bytes; K, M, G or T behind it, or KiB and so on, means KiB, MiB, GiB or TiB.
 *
 * @throws {ValueError} for anything else, and outside `min` to `max`
 */
export function byteCount(text: string, min: number, max: number): number {
  const [, digits = '', unit = ''] = /^(\d+)(?:([kmgt])(?:ib)?)?$/i.exec(text) ?? []
  const bytes = digits === '' ? Number.NaN : Number(digits) * (UNIT_BYTES[unit.toLowerCase()] ?? Number.NaN)
  if (!(bytes >= min && bytes <= max)) {
    throw new ValueError(
      `give a number of bytes from ${byteText(min)} to ${byteText(max)}, such as 64K, 2M or 1G`,
    )
  }
  return bytes
}

/**
 * A number of bytes on a disk, written as those of `byteCount`.
 *
 * @throws {ValueError} for anything else, and for less than 1 KiB
 */
export function diskSize(text: string): number {
  try {
    return byteCount(text, 1024, Number.MAX_SAFE_INTEGER)
  } catch {
    throw new ValueError('give a number of bytes from 1K, such as 500K, 100M or 2G')
  }
}

const UNIT_MS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
}

/** The longest time that a timer can hold, in whole days. */
const MAX_TIMER_MS = 24 * 86_400_000
const MAX_AGE_MS = Number.MAX_SAFE_INTEGER

/**
 * A time, maybe with a fraction: `500ms`, `10s`, `1.5h`; as whole milliseconds.
 *
 * @param unit what a number without a unit is of
 * @throws {ValueError} for anything else, and outside `minMs` to `maxMs`
 */
export function timeMs(text: string, unit: 'ms' | 's', minMs: number, maxMs: number): number {
  const [, number = '', suffix = unit] = /^(\d+(?:\.\d+)?)(ms|[smhd])?$/.exec(text) ?? []
  const ms = number === '' ? Number.NaN : Math.round(Number(number) * (UNIT_MS[suffix] ?? Number.NaN))
  if (!(ms >= minMs && ms <= maxMs)) {
    const range =
      maxMs === MAX_AGE_MS ? `from ${timeText(minMs)}` : `from ${timeText(minMs)} to ${timeText(maxMs)}`
    const bare = unit === 'ms' ? 'milliseconds' : 'seconds'
    throw new ValueError(`give a time ${range}, such as 500ms, 10s or 5m; a number alone is ${bare}`)
  }
  return ms
}

/**
 * How long something runs, in seconds unless it has a unit; as milliseconds.
 *
 * @throws {ValueError} for anything else, and for more than 24 days, which a timer cannot hold
 */
export function durationMs(text: string): number {
  return timeMs(text, 's', 1, MAX_TIMER_MS)
}

/**
 * An age from a second on, in seconds unless it has a unit; as milliseconds.
 *
 * @throws {ValueError} for anything else
 */
export function ageMs(text: string): number {
  return timeMs(text, 's', 1000, MAX_AGE_MS)
}

/** A time in the form that `timeMs` reads, in the largest unit that has a whole number of it. */
export function timeText(ms: number): string {
  const [unit, size] = Object.entries(UNIT_MS).findLast(([, size]) => ms > 0 && ms % size === 0) ?? ['ms', 1]
  return `${ms / size}${unit}`
}

/**
 * Only a power of two.
 *
 * @throws {ValueError} for other numbers
 */
export function powerOfTwo(bytes: number): number {
  const exponent = Math.floor(Math.log2(bytes))
  if (bytes === 2 ** exponent) return bytes
  throw new ValueError(
    `give a power of two, such as ${byteText(2 ** exponent)} or ${byteText(2 ** (exponent + 1))}`,
  )
}

/** A number of bytes in the form that `byteCount` reads. */
export function byteText(bytes: number): string {
  const [unit, size] = Object.entries(UNIT_BYTES).findLast(([, size]) => bytes > 0 && bytes % size === 0) ?? [
    '',
    1,
  ]
  return `${bytes / size}${unit.toUpperCase()}`
}

/** When text is coloured. */
export const COLOUR_WORDS = ['auto', 'always', 'never'] as const

/**
 * One of a list of words.
 *
 * @throws {ValueError} for any other word
 */
export function oneOf<Word extends string>(text: string, words: readonly Word[]): Word {
  const word = words.find((candidate) => candidate === text)
  if (word !== undefined) return word
  const nearest = nearestWord(text, words)
  const question = nearest === undefined ? '' : `; did you mean ${nearest}?`
  throw new ValueError(`give ${words.join(' or ')}${question}`)
}

/** The word that is at most two edits away, and at most half of it edited. */
export function nearestWord(text: string, words: readonly string[]): string | undefined {
  let best: string | undefined
  let bestEdits = 3
  for (const word of words) {
    const edits = editDistance(text.toLowerCase(), word.toLowerCase())
    if (edits < bestEdits && edits * 2 <= word.length) {
      best = word
      bestEdits = edits
    }
  }
  return best
}

/**
 * How many characters have to be inserted, removed or replaced, or neighbours swapped, to make one word of the other.
 * Words of very different lengths are not compared.
 */
function editDistance(from: string, to: string): number {
  if (Math.abs(from.length - to.length) > 2) return Number.POSITIVE_INFINITY
  let before: number[] = []
  let row = Array.from({ length: to.length + 1 }, (_, column) => column)
  for (let i = 1; i <= from.length; i++) {
    const next = [i]
    for (let j = 1; j <= to.length; j++) {
      const replace = (row[j - 1] ?? 0) + (from[i - 1] === to[j - 1] ? 0 : 1)
      const isSwap = i > 1 && j > 1 && from[i - 1] === to[j - 2] && from[i - 2] === to[j - 1]
      const swap = isSwap ? (before[j - 2] ?? 0) + 1 : Number.POSITIVE_INFINITY
      next.push(Math.min(replace, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1, swap))
    }
    before = row
    row = next
  }
  return row[to.length] ?? 0
}

/**
 * Words of a list, separated by commas.
 *
 * @throws {ValueError} for a word that is not in the list
 */
export function someOf<Word extends string>(text: string, words: readonly Word[]): readonly Word[] {
  return text.split(',').map((word) => oneOf(word, words))
}

/**
 * Name or number of a user.
 *
 * @throws {ValueError} when it is empty
 */
export function userName(text: string): string {
  if (text === '') throw new ValueError('give the name or the number of a user')
  return text
}

/**
 * Paths separated by commas, as absolute ones.
 *
 * @throws {ValueError} when one is empty
 */
export function placesOf(text: string): string[] {
  return text.split(',').map((path) => {
    if (path === '') throw new ValueError('give paths separated by commas, such as /etc,/home')
    return resolve(path)
  })
}

/**
 * A file name.
 *
 * @throws {ValueError} when it is empty
 */
export function fileName(text: string): string {
  if (text === '') throw new ValueError('give the name of a file')
  return text
}
