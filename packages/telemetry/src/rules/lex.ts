/**
 * Words of rules. Blanks separate them, a line ends a rule, a backslash at its end continues it, `#` begins a comment, also in
 * the middle of a word. A backslash takes the next character as it is, quotes group, and a quoted word is no keyword.
 */

/** A word with its place, both from 1. */
export interface Word {
  readonly text: string
  readonly isQuoted: boolean
  readonly line: number
  readonly column: number
}

/** What is wrong at a place. */
export interface RuleProblem {
  readonly line: number
  readonly column: number
  readonly message: string
}

/** A word has at most so many bytes of UTF-8, less one. */
export const MAX_WORD_BYTES = 4096

/** Splits a text into rules, each a list of words; empty lines are none. A rule with a broken word is left out. */
export function splitRules(text: string, problems: RuleProblem[]): Word[][] {
  return new Lexer(text, problems).run()
}

class Lexer {
  readonly #text: string
  readonly #problems: RuleProblem[]
  readonly #rules: Word[][] = []
  #words: Word[] = []
  #isBroken = false
  #at = 0
  #line = 1
  #lineStart = 0

  constructor(text: string, problems: RuleProblem[]) {
    this.#text = text
    this.#problems = problems
  }

  run(): Word[][] {
    while (this.#at < this.#text.length) {
      const character = this.#text[this.#at] as string
      if (character === '\n') this.#endRule()
      else if (character === ' ' || character === '\t' || character === '\r') this.#at += 1
      else if (character === '#') this.#skipComment()
      else if (this.#isContinued()) this.#continue()
      else this.#word()
    }
    this.#endRule()
    return this.#rules
  }

  #endRule(): void {
    if (this.#words.length > 0 && !this.#isBroken) this.#rules.push(this.#words)
    this.#words = []
    this.#isBroken = false
    this.#nextLine()
  }

  #nextLine(): void {
    this.#at += 1
    this.#line += 1
    this.#lineStart = this.#at
  }

  #skipComment(): void {
    const end = this.#text.indexOf('\n', this.#at)
    this.#at = end === -1 ? this.#text.length : end
  }

  #isContinued(): boolean {
    return this.#text[this.#at] === '\\' && /^\\\r?\n/.test(this.#text.slice(this.#at, this.#at + 3))
  }

  #continue(): void {
    this.#at = this.#text.indexOf('\n', this.#at)
    this.#nextLine()
  }

  #word(): void {
    const line = this.#line
    const column = this.#at - this.#lineStart + 1
    const word: Spelling = { parts: [], isQuoted: false }
    const problem = this.#spell(word)
    const text = word.parts.join('')
    const message = problem ?? problemOf(text)
    if (message !== undefined) {
      this.#problems.push({ line, column, message })
      this.#isBroken = true
    }
    this.#words.push({ text, isQuoted: word.isQuoted, line, column })
  }

  /** Reads a word to its end; returns what is wrong with how it is written. */
  #spell(word: Spelling): string | undefined {
    for (; this.#at < this.#text.length; this.#at++) {
      const character = this.#text[this.#at] as string
      if (' \t\r\n#'.includes(character) || this.#isContinued()) return undefined
      if (character === '"') {
        word.isQuoted = true
        if (!this.#quoted(word)) return 'this quote has no end: put a " behind it'
      } else if (character === '\\') {
        this.#at += 1
        if (this.#at >= this.#text.length) return 'nothing follows the backslash'
        word.parts.push(this.#text[this.#at] as string)
      } else word.parts.push(character)
    }
    return undefined
  }

  /** Reads up to the closing quote, at which it stops; false if there is none in the line. */
  #quoted(word: Spelling): boolean {
    for (this.#at += 1; this.#at < this.#text.length; this.#at++) {
      const character = this.#text[this.#at] as string
      if (character === '"') return true
      // The rules after it are read.
      if (character === '\n') return false
      if (character === '\\' && this.#at + 1 < this.#text.length) this.#at += 1
      word.parts.push(this.#text[this.#at] as string)
    }
    return false
  }
}

interface Spelling {
  readonly parts: string[]
  isQuoted: boolean
}

function problemOf(text: string): string | undefined {
  if (text.includes('\0')) return 'a word cannot have a NUL byte'
  // A character has at most three bytes for each of its units.
  if (
    text.length >= MAX_WORD_BYTES ||
    (text.length * 3 >= MAX_WORD_BYTES && utf8Bytes(text) >= MAX_WORD_BYTES)
  ) {
    return `a word has at most ${MAX_WORD_BYTES - 1} bytes`
  }
  return undefined
}

function utf8Bytes(text: string): number {
  let bytes = 0
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    // Each half of a pair counts for two of its four.
    bytes += code < 0x80 ? 1 : code < 0x800 || (code >= 0xd800 && code < 0xe000) ? 2 : 3
  }
  return bytes
}
