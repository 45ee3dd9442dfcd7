/** Secrets in argument lists: values of options, habits of programs, headers, and commands that shells are given or terminals show. */

import { HABITS, type Habits, RUN_SCRIPTS, type SecretPart } from './habits.js'
import { isNoSecret, isSecretHeader, isSecretName } from './names.js'
import { findInText, type Found } from './text.js'

/** Receives where a secret begins and ends in an argument. */
export type FoundInArgument = (index: number, start: number, end: number) => void

const HEADER = /^([A-Za-z][A-Za-z0-9_-]{1,63}):\s*/
/** How HTTP's Authorization begins. */
const SCHEME = /^(?:basic|bearer|digest|token|apikey|negotiate|aws4-hmac-sha256)$/i
const SCHEME_BEFORE = /^(?:basic|bearer|digest|token|apikey|negotiate)\s+/i
/** The next argument is a script of a shell. */
const SCRIPT_OPTION = /^-[A-Za-z]*c$/
/** Words of a script, without their quotes. Each alternative begins with another character, so that no time is lost. */
const SCRIPT_WORD = /"[^"]*"|'[^']*'|[^\s"';|&()]+(?:"[^"]*"|'[^']*')?|[;|&()]+/g
const SEPARATOR = /^[;|&()]+$/
const LINE_END = /[\r\n]/g

/** What the next word is. */
type Pending = SecretPart | 'header' | undefined

class Scan {
  readonly #argv: readonly string[]
  readonly #found: FoundInArgument
  #pending: Pending
  #habits: Habits | undefined
  /** Words of the present command, as far as habits ask for them. */
  readonly #words = new Set<string>()
  /** Words until a secret, 0 for none. */
  #placesLeft = 0

  constructor(argv: readonly string[], found: FoundInArgument) {
    this.#argv = argv
    this.#found = found
  }

  run(): void {
    const first = baseName(this.#argv[0] ?? '')
    for (let i = 0; i < this.#argv.length; i++) {
      const argument = this.#argv[i] as string
      if (this.#isScript(i, argument, first)) this.#script(i, argument)
      else this.#word(i, argument, 0, argument.length, true)
    }
  }

  /** As if the only argument were a command of a shell. */
  runScript(): void {
    this.#script(0, this.#argv[0] as string)
  }

  #isScript(index: number, argument: string, first: string): boolean {
    if (index === 0 || !/\s/.test(argument)) return false
    return SCRIPT_OPTION.test(this.#argv[index - 1] as string) || RUN_SCRIPTS.has(first)
  }

  /** Each word of a command of a shell, as if it were an argument. */
  #script(index: number, script: string): void {
    for (const match of script.matchAll(SCRIPT_WORD)) {
      const [word] = match
      const end = match.index + word.length
      if (SEPARATOR.test(word)) this.#endCommand()
      else if (word.startsWith('"') || word.startsWith("'")) {
        this.#word(index, script, match.index + 1, end - 1, false)
        if (/\s/.test(word)) this.#quoted(index, script, match.index + 1, end - 1)
      } else this.#word(index, script, match.index, end, false)
    }
    this.#endCommand()
  }

  /** Words between quotes may be a command for another shell. No quote is in its own kind, so that these are never deep. */
  #quoted(index: number, script: string, start: number, end: number): void {
    const found: FoundInArgument = (_, from, to) => this.#found(index, start + from, start + to)
    new Scan([script.slice(start, end)], found).runScript()
  }

  #endCommand(): void {
    this.#pending = undefined
    this.#habits = undefined
    this.#placesLeft = 0
    this.#words.clear()
  }

  #word(index: number, text: string, start: number, end: number, isWhole: boolean): void {
    const word = text.slice(start, end)
    if (this.#takePending(index, word, start)) return
    const habits = HABITS.get(baseName(word))
    if (habits !== undefined) this.#begin(habits)
    else if (this.#takePlace(index, word, start)) return
    const isOption = word.startsWith('-') && !word.startsWith('---')
    const isTaken = isOption ? this.#option(index, word, start, isWhole) : this.#plain(index, word, start)
    if (!isTaken) findInText(text, start, end, isWhole, (from, to) => this.#found(index, from, to))
  }

  #begin(habits: Habits): void {
    this.#habits = habits
    this.#words.clear()
    this.#placesLeft = habits.places?.[''] ?? 0
  }

  /** Whether the word was announced by the one before. */
  #takePending(index: number, word: string, start: number): boolean {
    const pending = this.#pending
    if (pending === undefined) return false
    if (pending === 'header' && SCHEME.test(word)) return true
    this.#pending = undefined
    // Another option: the one before was a switch.
    if (word.length > 1 && word.startsWith('-')) return false
    this.#report(index, word, start, pending === 'header' ? 'all' : pending)
    return true
  }

  #takePlace(index: number, word: string, start: number): boolean {
    const places = this.#habits?.places
    if (places === undefined) return false
    if (this.#placesLeft > 0) {
      this.#placesLeft -= 1
      if (this.#placesLeft === 0) {
        this.#report(index, word, start, 'all')
        return true
      }
    }
    const place = Object.hasOwn(places, word) ? places[word] : undefined
    if (place !== undefined) this.#placesLeft = place
    return false
  }

  /** An option; whether it has its value in itself. */
  #option(index: number, word: string, start: number, isWhole: boolean): boolean {
    const equals = word.indexOf('=')
    const name = equals === -1 ? word : word.slice(0, equals)
    const part = this.#partOf(name)
    if (equals !== -1) {
      if (part === undefined || !isWhole) return false
      this.#report(index, word.slice(equals + 1), start + equals + 1, part)
      return true
    }
    if (part !== undefined) {
      this.#pending = part
      return true
    }
    return this.#glued(index, word, start)
  }

  /** Which part of an option's value is a secret. */
  #partOf(name: string): SecretPart | undefined {
    const next = this.#habits?.next
    if (next !== undefined && this.#isActive() && Object.hasOwn(next, name)) return next[name]
    return name.length > 2 && isSecretName(name) ? 'all' : undefined
  }

  #glued(index: number, word: string, start: number): boolean {
    const habits = this.#habits
    if (habits === undefined || habits.isNeverGlued === true || !this.#isActive() || word.startsWith('--')) {
      return false
    }
    for (const options of [habits.glued, habits.next]) {
      for (const option in options) {
        if (option.length > 3 || word.length === option.length || !word.startsWith(option)) continue
        this.#report(index, word.slice(option.length), start + option.length, options[option] as SecretPart)
        return true
      }
    }
    return false
  }

  #isActive(): boolean {
    const words = this.#habits?.with
    return words === undefined || words.some((word) => this.#words.has(word))
  }

  /** A word that is no option; whether all of it was looked at. */
  #plain(index: number, word: string, start: number): boolean {
    const header = HEADER.exec(word)
    if (header !== null && isSecretHeader(header[1] as string))
      return this.#header(index, word, start, header[0].length)
    const habits = this.#habits
    if (habits === undefined) return false
    if (habits.with?.includes(word) === true) this.#words.add(word)
    else if (habits.glued !== undefined && word.startsWith('/')) return this.#glued(index, word, start)
    else if (habits.named === true && this.#isActive() && isLongSecretName(word)) this.#pending = 'all'
    return false
  }

  #header(index: number, word: string, start: number, nameChars: number): boolean {
    const rest = word.slice(nameChars)
    if (rest === '' || SCHEME.test(rest)) {
      this.#pending = 'header'
      return true
    }
    const scheme = SCHEME_BEFORE.exec(rest)?.[0].length ?? 0
    this.#report(index, rest.slice(scheme), start + nameChars + scheme, 'all')
    return true
  }

  #report(index: number, value: string, start: number, part: SecretPart): void {
    const from = part === 'all' ? 0 : value.indexOf(SEPARATORS[part]) + 1
    if (part !== 'all' && from === 0) return
    if (!isNoSecret(value.slice(from, from + 64))) this.#found(index, start + from, start + value.length)
  }
}

const SEPARATORS = { afterColon: ':', afterPercent: '%', afterComma: ',' } as const

/** A bare word is an ordinary one, unless it is put together: `password` is, `aws_secret_access_key` is not. */
function isLongSecretName(word: string): boolean {
  return (
    word.length <= 256 && (/[a-z0-9][_-][a-z]|:_/i.test(word) || word === 'password') && isSecretName(word)
  )
}

function baseName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1)
}

/** Finds the secrets of an argument list. */
export function findInArguments(argv: readonly string[], found: FoundInArgument): void {
  new Scan(argv, found).run()
}

/**
 * Finds the secrets of what a terminal shows: each line may be a command that was typed, after a prompt, or an answer.
 */
export function findInTerminal(text: string, found: Found): void {
  for (let start = 0; start < text.length;) {
    LINE_END.lastIndex = start
    const end = LINE_END.exec(text)?.index ?? text.length
    const line = text.slice(start, end)
    const from = start
    new Scan([line], (_, lineStart, lineEnd) => found(from + lineStart, from + lineEnd)).runScript()
    start = end + 1
  }
  // What goes over several lines, as a private key does.
  findInText(text, 0, text.length, false, found)
}
