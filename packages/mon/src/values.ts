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

/**
 * A number of bytes; a suffix K or M means KiB or MiB.
 *
 * @throws {ValueError} for anything else, and outside `min` to `max`
 */
export function byteCount(text: string, min: number, max: number): number {
  const match = /^(\d+)([KkMm]?)$/.exec(text)
  const unit = { '': 1, k: 1024, m: 1024 ** 2 }[(match?.[2] ?? '').toLowerCase()] ?? 1
  const bytes = Number(match?.[1]) * unit
  if (!(bytes >= min && bytes <= max)) {
    throw new ValueError(
      `give a number of bytes from ${byteText(min)} to ${byteText(max)}, such as 64K or 2M`,
    )
  }
  return bytes
}

const DISK_UNITS: Readonly<Record<string, number>> = {
  '': 1,
  k: 1024,
  m: 1024 ** 2,
  g: 1024 ** 3,
  t: 1024 ** 4,
}

/**
 * A number of bytes on a disk; a suffix K, M, G or T means KiB, MiB, GiB or TiB.
 *
 * @throws {ValueError} for anything else, and for less than 1 KiB
 */
export function diskSize(text: string): number {
  const [, digits = '', unit = ''] = /^(\d+)([KkMmGgTt]?)$/.exec(text) ?? []
  const bytes = Number(digits) * (DISK_UNITS[unit.toLowerCase()] ?? 0)
  if (bytes < 1024 || !Number.isSafeInteger(bytes)) {
    throw new ValueError('give a number of bytes from 1K, such as 500K, 100M or 2G')
  }
  return bytes
}

const DURATION_UNITS_MS: Readonly<Record<string, number>> = {
  '': 1000,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
}

/**
 * A time in whole seconds, or with a suffix m, h or d in minutes, hours or days; as milliseconds.
 *
 * @throws {ValueError} for anything else, and for no time
 */
export function durationMs(text: string): number {
  const [, digits = '', unit = ''] = /^(\d{1,9})([smhd]?)$/.exec(text) ?? []
  const ms = Number(digits) * (DURATION_UNITS_MS[unit] ?? 0)
  if (ms === 0) throw new ValueError('give a time from 1s, such as 90s, 30m, 12h or 7d')
  return ms
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
  if (bytes > 0 && bytes % 1024 ** 2 === 0) return `${bytes / 1024 ** 2}M`
  if (bytes > 0 && bytes % 1024 === 0) return `${bytes / 1024}K`
  return `${bytes}`
}

/**
 * A time in seconds, maybe with a fraction, as milliseconds.
 *
 * @throws {ValueError} for anything else, and for more than 24 days, which a timer cannot hold
 */
export function secondsAsMs(text: string): number {
  const ms = Math.round(Number(text) * 1000)
  if (!/^\d+(\.\d+)?$/.test(text) || ms < 1 || ms > 0x7fffffff) {
    throw new ValueError('give a number of seconds from 0.001 to 2147483, such as 10 or 0.5')
  }
  return ms
}

/**
 * One of a list of words.
 *
 * @throws {ValueError} for any other word
 */
export function oneOf<Word extends string>(text: string, words: readonly Word[]): Word {
  const word = words.find((candidate) => candidate === text)
  if (word === undefined) throw new ValueError(`give ${words.join(' or ')}`)
  return word
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
 * A file name.
 *
 * @throws {ValueError} when it is empty
 */
export function fileName(text: string): string {
  if (text === '') throw new ValueError('give the name of a file')
  return text
}
