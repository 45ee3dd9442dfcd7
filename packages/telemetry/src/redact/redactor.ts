import { findInArguments, findInTerminal } from './arguments.js'
import { PROGRAMS } from './habits.js'
import { isNoSecret, isSecretName } from './names.js'
import { REDACTION_MARK, type Redaction } from '../event/redaction.js'
import type { PatternFinder } from './patterns.js'
import { findInText, type Found } from './text.js'
import { TOKEN_PREFIXES } from './tokens.js'

/** What a replaced secret begins with. */
export const MARK = REDACTION_MARK
const KEY_BYTES = 32
/** Digits of the hash: enough to join equal secrets, too few to find one by trying. */
const HASH_DIGITS = 12
/** Of one list or text, so many secrets get a hash; the others are only replaced, so that none is costly. */
const MAX_HASHES = 64
/** What follows `NAME=` in the environment reaches to the end of the string. */
const WHOLE = true

/** What may have a secret: a first look, which most texts do not pass. */
const SUSPECT = new RegExp(
  [
    'pass|pwd|pw\\b|secret|token|key|auth|cred|jwt|bearer|cookie|login|://',
    `(?:^|[/\\s\\0"'])(?:${PROGRAMS.join('|')})(?:$|[\\s\\0"'])`,
  ].join('|'),
  'i',
)
const TOKEN = new RegExp(TOKEN_PREFIXES.map((prefix) => prefix.replaceAll('.', '\\.')).join('|'))

interface RedactorOptions {
  /** Key of the hashes; default: random bytes, which are in memory only and end with the object. */
  readonly key?: Uint8Array
  /** Patterns of the user. */
  readonly patterns?: PatternFinder
}

type Encoding = 'utf8' | 'latin1'

/**
 * Replaces secrets by `[REDACTED:hash]`, where equal secrets have an equal hash of a key. What is replaced once stays as it
 * is.
 */
export class Redactor implements Redaction {
  /** Random bytes are made when the first secret is found. */
  #key: Uint8Array | undefined
  readonly #patterns: PatternFinder | undefined
  #hashes = 0

  constructor({ key, patterns }: RedactorOptions = {}) {
    this.#key = key
    this.#patterns = patterns
  }

  argv(argv: readonly string[]): readonly string[] {
    return this.#argv(argv, 'utf8')
  }

  argvBytes(tail: string): string {
    if (!this.#isSuspect(tail)) return tail
    const strings = tail.split('\0')
    const shown = this.#argv(strings, 'latin1')
    return shown === strings ? tail : shown.join('\0')
  }

  env(env: readonly string[]): readonly string[] {
    return this.#env(env, 'utf8')
  }

  envBytes(tail: string): string {
    if (!this.#isSuspect(tail)) return tail
    const strings = tail.split('\0')
    const shown = this.#env(strings, 'latin1')
    return shown === strings ? tail : shown.join('\0')
  }

  text(text: string): string {
    return this.#text(text, 'utf8', findInWhole)
  }

  textBytes(text: string): string {
    return this.#text(text, 'latin1', findInWhole)
  }

  terminalBytes(text: string): string {
    return this.#text(text, 'latin1', findInTerminal)
  }

  #isSuspect(text: string): boolean {
    return this.#patterns !== undefined || isSuspect(text)
  }

  #argv(argv: readonly string[], encoding: Encoding): readonly string[] {
    if (this.#patterns === undefined && !argv.some(isSuspect)) return argv
    const spans = new Spans(argv)
    findInArguments(argv, (index, start, end) => spans.add(index, start, end))
    return this.#replaceAll(argv, spans, encoding)
  }

  #env(env: readonly string[], encoding: Encoding): readonly string[] {
    const spans = new Spans(env)
    for (let i = 0; i < env.length; i++) {
      const variable = env[i] as string
      if (isSuspect(variable)) findInVariable(variable, (start, end) => spans.add(i, start, end))
    }
    return this.#replaceAll(env, spans, encoding)
  }

  #text(text: string, encoding: Encoding, find: typeof findInTerminal): string {
    if (!this.#isSuspect(text)) return text
    const texts = [text]
    const spans = new Spans(texts)
    find(text, (start, end) => spans.add(0, start, end))
    return this.#replaceAll(texts, spans, encoding)[0] as string
  }

  #replaceAll(strings: readonly string[], spans: Spans, encoding: Encoding): readonly string[] {
    if (this.#patterns !== undefined) {
      for (let i = 0; i < strings.length; i++) {
        this.#patterns.find(strings[i] as string, (start, end) => spans.add(i, start, end))
      }
    }
    if (spans.isEmpty) return strings
    this.#hashes = 0
    return Object.freeze(strings.map((string, index) => this.#replace(string, spans.of(index), encoding)))
  }

  #replace(string: string, spans: readonly Span[] | undefined, encoding: Encoding): string {
    if (spans === undefined) return string
    let text = ''
    let at = 0
    for (const { start, end } of merged(spans)) {
      text += string.slice(at, start) + this.#markOf(string.slice(start, end), encoding)
      at = end
    }
    return text + string.slice(at)
  }

  #markOf(secret: string, encoding: Encoding): string {
    if (secret.startsWith(MARK)) return secret
    this.#hashes += 1
    if (this.#hashes > MAX_HASHES) return `${MARK}]`
    // Loaded when it is needed: that takes some ms of a start.
    const crypto = process.getBuiltinModule('node:crypto')
    this.#key ??= crypto.randomBytes(KEY_BYTES)
    const hash = crypto.createHmac('sha256', this.#key).update(secret, encoding).digest('hex')
    return `${MARK}:${hash.slice(0, HASH_DIGITS)}]`
  }
}

function isSuspect(text: string): boolean {
  return SUSPECT.test(text) || TOKEN.test(text)
}

function findInWhole(text: string, found: Found): void {
  findInText(text, 0, text.length, false, found)
}

/** Secrets in a string `NAME=value`. */
function findInVariable(variable: string, found: Found): void {
  const equals = variable.indexOf('=')
  const from = equals + 1
  if (equals > 0 && isSecretName(variable.slice(0, equals))) {
    const value = variable.slice(from, from + 64)
    if (!isNoSecret(value) && !isDirectory(value)) found(from, variable.length)
    return
  }
  findInText(variable, from, variable.length, WHOLE, found)
}

/** Not a secret but where one is: `XDG_SESSION_TOKEN=/run/…`. */
function isDirectory(value: string): boolean {
  return value.startsWith('/') && value.includes('/', 1)
}

interface Span {
  readonly start: number
  readonly end: number
}

/** Where secrets are in strings. */
class Spans {
  readonly #of: (Span[] | undefined)[] = []
  readonly #strings: readonly string[]

  constructor(strings: readonly string[]) {
    this.#strings = strings
  }

  get isEmpty(): boolean {
    return this.#of.length === 0
  }

  add(index: number, start: number, end: number): void {
    // What was redacted before stays as it is.
    if (start >= end || (this.#strings[index] as string).startsWith(MARK, start)) return
    const spans = (this.#of[index] ??= [])
    spans.push({ start, end })
  }

  of(index: number): readonly Span[] | undefined {
    return this.#of[index]
  }
}

/** The same places in order, without overlaps. */
function merged(spans: readonly Span[]): Span[] {
  const sorted = spans.toSorted((a, b) => a.start - b.start || a.end - b.end)
  const out: Span[] = []
  for (const span of sorted) {
    const last = out.at(-1)
    if (last === undefined || span.start >= last.end) out.push(span)
    else if (span.end > last.end) out[out.length - 1] = { start: last.start, end: span.end }
  }
  return out
}
