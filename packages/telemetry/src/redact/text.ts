/**
 * Secrets in any text: tokens, credentials in URLs, values of names that say so, private keys. One pass, whose time
 * grows with the length of the text and no more, whatever it holds.
 */

import { isNoSecret, isSecretName } from './names.js'
import { isToken, SECRET_PATHS } from './tokens.js'

/** Receives where a secret begins and ends. They may overlap, and come in no order. */
export type Found = (start: number, end: number) => void

const MAX_NAME_CHARS = 128
const MAX_AUTHORITY_CHARS = 4096
const MIN_TOKEN_CHARS = 16
const KEY_MARK = 'PRIVATE KEY-----'

/** Letters, digits and `_`, `-`, `.`: what tokens and names are made of. */
const isWordCode = new Uint8Array(128)
for (const character of 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-.') {
  isWordCode[character.charCodeAt(0)] = 1
}

const COLON = 0x3a
const EQUALS = 0x3d
const QUOTE = 0x22
const APOSTROPHE = 0x27
const BACKSLASH = 0x5c
const SPACE = 0x20
const DOT = 0x2e

const ENDS_VALUE = /[\s&;,'")\]}|<>`]/g
const ENDS_QUERY = /[\s&#'"<>`]/g
const ENDS_AUTHORITY = /[\s/?#'"<>\\]/g
const ENDS_PATH = /[\s'"<>]/g

/** Finds the secrets between `start` and `end`. A value of the name at `start` itself reaches to `end` if `isWhole`. */
export function findInText(text: string, start: number, end: number, isWhole: boolean, found: Found): void {
  if (end - start >= KEY_MARK.length && text.slice(start, end).includes(KEY_MARK))
    findPrivateKeys(text, start, end, found)
  let word = start
  for (let i = start; i <= end; i++) {
    const code = i === end ? SPACE : text.charCodeAt(i)
    if (code < 128 && isWordCode[code] === 1) continue
    if (i - word >= MIN_TOKEN_CHARS) findToken(text, word, i, found)
    let next = i + 1
    if (code === EQUALS) next = findAssignment(text, word, i, { start, end, isWhole }, found)
    else if (code === COLON) {
      if (text.startsWith('//', i + 1)) findInUrl(text, i + 3, end, found)
      else next = findPair(text, i, start, end, found)
    }
    i = next - 1
    word = next
  }
}

function findToken(text: string, start: number, wordEnd: number, found: Found): void {
  let end = wordEnd
  // The end of a sentence is no part of it.
  while (end > start && text.charCodeAt(end - 1) === DOT) end -= 1
  if (isToken(text.slice(start, end))) found(start, end)
}

interface Part {
  readonly start: number
  readonly end: number
  readonly isWhole: boolean
}

/** `NAME=VALUE`, of which the name begins at `word`. Returns where to go on. */
function findAssignment(text: string, word: number, at: number, part: Part, found: Found): number {
  if (at === word || at - word > MAX_NAME_CHARS || !isSecretName(text.slice(word, at))) return at + 1
  const from = at + 1
  const isQuery = word > part.start && '?&'.includes(text[word - 1] as string)
  if (part.isWhole && !isQuery && isAtStart(text, word, part.start))
    return report(text, from, part.end, found)
  const quoted = endOfQuoted(text, from, part.end)
  if (quoted !== -1) return report(text, from + 1, quoted, found)
  return report(text, from, endAt(isQuery ? ENDS_QUERY : ENDS_VALUE, text, from, part.end), found)
}

/** Only dashes are between. */
function isAtStart(text: string, word: number, start: number): boolean {
  for (let i = start; i < word; i++) if (text[i] !== '-') return false
  return true
}

/** `"name": "value"`, whose colon is at `at`, also with escaped quotes. Returns where to go on. */
function findPair(text: string, at: number, start: number, end: number, found: Found): number {
  let i = at - 1
  while (i > start && text.charCodeAt(i) === SPACE && at - i < MAX_NAME_CHARS) i -= 1
  const quote = text.charCodeAt(i)
  if (i <= start || (quote !== QUOTE && quote !== APOSTROPHE)) return at + 1
  const nameEnd = text.charCodeAt(i - 1) === BACKSLASH ? i - 1 : i
  let nameStart = nameEnd
  while (
    nameStart > start &&
    nameEnd - nameStart < MAX_NAME_CHARS &&
    isWord(text.charCodeAt(nameStart - 1))
  ) {
    nameStart -= 1
  }
  if (nameStart === nameEnd || !isSecretName(text.slice(nameStart, nameEnd))) return at + 1
  let from = at + 1
  while (from < end && text.charCodeAt(from) === SPACE) from += 1
  if (text.charCodeAt(from) === BACKSLASH) {
    const close = text.indexOf('\\', from + 1)
    return report(text, from + 2, close === -1 || close > end ? end : close, found)
  }
  const quoted = endOfQuoted(text, from, end)
  if (quoted !== -1) return report(text, from + 1, quoted, found)
  return report(text, from, endAt(ENDS_VALUE, text, from, end), found)
}

function isWord(code: number): boolean {
  return code < 128 && isWordCode[code] === 1
}

/** Where the string that begins with a quote at `from` ends, -1 if none begins there. */
function endOfQuoted(text: string, from: number, end: number): number {
  const quote = text.charCodeAt(from)
  if (from >= end || (quote !== QUOTE && quote !== APOSTROPHE)) return -1
  for (let i = from + 1; i < end; i++) {
    const code = text.charCodeAt(i)
    if (code === BACKSLASH && quote === QUOTE) i += 1
    else if (code === quote) return i
  }
  return end
}

/** `user:password@` behind the slashes of a URL, and paths that are secrets. */
function findInUrl(text: string, from: number, end: number, found: Found): void {
  const authorityEnd = endAt(ENDS_AUTHORITY, text, from, Math.min(end, from + MAX_AUTHORITY_CHARS))
  const authority = text.slice(from, authorityEnd)
  const at = authority.lastIndexOf('@')
  if (at > 0 && !isNoSecret(authority)) {
    const colon = authority.indexOf(':')
    if (colon !== -1 && colon < at) report(text, from + colon + 1, from + at, found)
    else if (at >= MIN_TOKEN_CHARS && /\d/.test(authority.slice(0, at))) report(text, from, from + at, found)
  }
  const host = from + at + 1
  const head = text.slice(host, host + 256)
  for (const path of SECRET_PATHS) {
    const place = head.indexOf(path)
    if (place === -1 || host + place > authorityEnd) continue
    const secret = host + place + path.length
    report(text, secret, endAt(ENDS_PATH, text, secret, end), found)
  }
}

/** Private keys in the format PEM, also without their end. */
function findPrivateKeys(text: string, start: number, end: number, found: Found): void {
  let at = start
  for (;;) {
    const marker = text.indexOf(KEY_MARK, at)
    if (marker === -1 || marker >= end) return
    const from = marker + KEY_MARK.length
    const close = text.indexOf('-----END', from)
    at = close === -1 ? end : Math.min(end, close + KEY_MARK.length + 32)
    if (from < end) found(from, close === -1 ? end : Math.min(end, close))
  }
}

/** Reports a secret if it can be one; returns its end. */
function report(text: string, start: number, end: number, found: Found): number {
  if (start < end && !isNoSecret(text.slice(start, Math.min(end, start + 64)))) found(start, end)
  return Math.max(start, end)
}

function endAt(pattern: RegExp, text: string, from: number, end: number): number {
  pattern.lastIndex = from
  const index = pattern.exec(text)?.index ?? end
  return Math.min(index, end)
}
