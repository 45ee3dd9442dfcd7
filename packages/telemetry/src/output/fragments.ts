/**
 * JSON from ready-made pieces. A fragment is one or more members, each with a comma in front, or the empty
 * string when the value is not known; `document` and `obj` take the first comma off again.
 */

import { escaped, escapesOf } from './escape.js'
import { isoTime } from './iso-time.js'

/** A quote, a backslash, or beyond printable ASCII: most texts have none, and that is found out fast. */
const NOT_PLAIN = /[^ !#-[\]-~]/

/** A whole line: an object of the given fragments. */
export function document(members: string): string {
  return `{${members.slice(1)}}`
}

/** Member `key` with an object of the given fragments; nothing when there are none. */
export function obj(key: string, members: string): string {
  return members === '' ? '' : `,"${key}":{${members.slice(1)}}`
}

export function str(key: string, value: string | undefined): string {
  return value === undefined ? '' : `,"${key}":${quote(value)}`
}

export function strs(key: string, values: readonly string[] | undefined): string {
  if (values === undefined) return ''
  let list = ''
  for (const value of values) list += `,${quote(value)}`
  return `,"${key}":[${list.slice(1)}]`
}

/** An integer; all digits of a bigint. */
export function num(key: string, value: number | bigint | undefined): string {
  return value === undefined ? '' : `,"${key}":${value}`
}

/** An integer as a string of decimal digits, for readers that keep numbers as doubles or ids as words. */
export function digits(key: string, value: number | bigint | undefined): string {
  return value === undefined ? '' : `,"${key}":"${value}"`
}

/** A set of bits as a string: `0x` and 16 hexadecimal digits. */
export function hex(key: string, value: bigint | undefined): string {
  return value === undefined ? '' : `,"${key}":"0x${value.toString(16).padStart(16, '0')}"`
}

export function bool(key: string, value: boolean | undefined): string {
  return value === undefined ? '' : `,"${key}":${value}`
}

/** A flag that is only written when it is set. */
export function flag(key: string, value: boolean): string {
  return value ? `,"${key}":true` : ''
}

/** Epoch ns as an ISO 8601 string. */
export function time(key: string, timeNs: bigint | undefined): string {
  return timeNs === undefined ? '' : `,"${key}":"${isoTime(timeNs)}"`
}

/**
 * A JSON string. Beyond what JSON requires, all control characters, line separators and marks of reading
 * direction are escaped, so that showing the line on a terminal is harmless; half a surrogate pair, which
 * UTF-8 cannot hold, becomes U+FFFD.
 */
export function quote(text: string): string {
  return NOT_PLAIN.test(text) ? `"${escapeJson(text)}"` : `"${text}"`
}

/** What stands between the quotes of `quote`: each character for itself. */
export function escapeJson(text: string): string {
  return NOT_PLAIN.test(text) ? escaped(text, ESCAPES) : text
}

const ESCAPES = escapesOf((code) => {
  if (code >= 0xd800 && code <= 0xdfff) return '\ufffd'
  // JSON.stringify knows the short escapes, and leaves alone what only terminals mind.
  return code <= 0x5c
    ? JSON.stringify(String.fromCharCode(code)).slice(1, -1)
    : `\\u${code.toString(16).padStart(4, '0')}`
}, '"\\')
