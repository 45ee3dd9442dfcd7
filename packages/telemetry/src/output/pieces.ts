/**
 * Texts and lists of texts up to a number of bytes. They are encoded in steps, so that one that is too long takes time
 * and memory for what is kept of it, and not for all of it.
 */

import { escapeJson } from './fragments.js'
import { sanitise } from './sanitise.js'

/** How a text, or a list of texts, is written. */
export interface Form {
  readonly open: string
  /** Between two texts. */
  readonly between: string
  readonly close: string
  /** In place of all of it, if there is no text. */
  readonly none: string
  /** What an empty text is written as. Default: nothing. */
  readonly empty?: string
  /** Of each character for itself, unless it puts texts into quotes. */
  readonly encode: (text: string) => string
  /** A text has quotes that depend on all of its characters. */
  readonly isQuoting?: boolean
}

/** A string of JSON; several texts are joined by spaces. */
export const QUOTED: Form = { open: '"', between: ' ', close: '"', none: '""', encode: escapeJson }
/** A list of strings of JSON. */
export const QUOTED_LIST: Form = { open: '["', between: '","', close: '"]', none: '[]', encode: escapeJson }
/** Text of the dump. */
export const SAFE_TEXT: Form = { open: '', between: ' ', close: '', none: '', encode: sanitise }
/** A list in the dump. */
export const SAFE_LIST: Form = { open: '[ ', between: ', ', close: ' ]', none: '[  ]', encode: sanitise }

/** Most bytes of UTF-8 that an encoded UTF-16 unit takes: `\u{202e}`. */
export const MOST_BYTES_PER_UNIT = 8

/** UTF-16 units that are encoded at a time. */
const STEP_UNITS = 1024

/** Whether all was written or measured by the last call. */
let isWhole = true

/** Whether the last `piecesUpTo` or `sizeUpTo` got to the end. */
export function wasWhole(): boolean {
  return isWhole
}

/** Texts in a form, cut at a character boundary so that they have at most `most` bytes of UTF-8. */
export function piecesUpTo(texts: readonly string[], form: Form, most: number): string {
  isWhole = true
  if (texts.length === 0) return form.none
  const { open, between, close, encode, empty = '' } = form
  let left = most - open.length - close.length
  let out = open
  for (let i = 0; i < texts.length; i++) {
    const text = texts[i] as string
    const gap = i === 0 ? 0 : between.length
    // An empty rest of a text is not written.
    if (left < gap + (text === '' ? empty.length : 1)) {
      isWhole = false
      break
    }
    left -= gap
    if (gap > 0) out += between
    if (text === '') {
      out += empty
      left -= empty.length
    }
    for (let at = 0; at < text.length;) {
      const end = stepEnd(text, at)
      const step = encode(text.slice(at, end))
      const bytes = Buffer.byteLength(step)
      if (bytes > left) {
        isWhole = false
        const rest = text.slice(at, end)
        return out + (form.isQuoting === true ? quotedUpTo : charactersUpTo)(rest, encode, left) + close
      }
      out += step
      left -= bytes
      at = end
    }
  }
  return out + close
}

/** Bytes of UTF-8 that texts take in a form; more than `most` when it is more. */
export function sizeUpTo(
  texts: readonly string[],
  { open, between, close, none, encode, empty = '' }: Form,
  most: number,
): number {
  isWhole = true
  if (texts.length === 0) return none.length
  let size = open.length + close.length
  for (let i = 0; i < texts.length && size <= most; i++) {
    const text = texts[i] as string
    if (i > 0) size += between.length
    if (text === '') size += empty.length
    for (let at = 0; at < text.length && size <= most;) {
      const end = stepEnd(text, at)
      size += Buffer.byteLength(encode(text.slice(at, end)))
      at = end
    }
  }
  isWhole = size <= most
  return size
}

/** Where a step ends that begins at `at`: not within a surrogate pair. */
function stepEnd(text: string, at: number): number {
  const end = at + STEP_UNITS
  if (end >= text.length) return text.length
  return isWithinPair(text, end) ? end - 1 : end
}

/** Whether the units before and at `at` are one character. Halves may also stand alone. */
function isWithinPair(text: string, at: number): boolean {
  return (text.charCodeAt(at - 1) & 0xfc00) === 0xd800 && (text.charCodeAt(at) & 0xfc00) === 0xdc00
}

/** The characters of a text that fit into `most` bytes, encoded. */
function charactersUpTo(text: string, encode: (text: string) => string, most: number): string {
  let out = ''
  let left = most
  for (const character of text) {
    const encoded = encode(character)
    left -= Buffer.byteLength(encoded)
    if (left < 0) break
    out += encoded
  }
  return out
}

/** Of a text that is put into quotes, as much as fits. */
function quotedUpTo(text: string, encode: (text: string) => string, most: number): string {
  let kept = 0
  let out = ''
  for (let step = 1 << 9; step > 0; step >>= 1) {
    const end = Math.min(kept + step, text.length)
    if (isWithinPair(text, end)) continue
    const encoded = encode(text.slice(0, end))
    if (Buffer.byteLength(encoded) > most) continue
    kept = end
    out = encoded
  }
  return out
}

/** Bytes as a string of JSON in Base64, which has at most `most` bytes. */
export function base64UpTo(bytes: Uint8Array, most: number): string {
  const kept = Math.max(0, Math.floor((most - 2) / 4) * 3)
  isWhole = bytes.length <= kept
  const { buffer, byteOffset } = bytes
  return `"${Buffer.from(buffer, byteOffset, Math.min(kept, bytes.length)).toString('base64')}"`
}

/** Bytes that a string of JSON in Base64 takes. */
export function base64Size({ length }: Uint8Array): number {
  return 2 + Math.ceil(length / 3) * 4
}
