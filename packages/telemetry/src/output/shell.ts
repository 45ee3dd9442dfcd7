/**
 * Words as a POSIX shell reads them: what is written can be pasted. What a terminal must not get is in `$'…'`, as bash,
 * zsh and ksh have it, and so has POSIX since 2024.
 */

import { columnsOf } from './columns.js'
import { escaped, escapesOf } from './escape.js'
import type { Line } from './line.js'
import { type Form, SAFE_TEXT } from './pieces.js'
import { sanitise } from './sanitise.js'

/** No shell gives these characters a meaning within a word. */
const PLAIN = /^[\w@%+:,./-][\w@%+:,./=-]*$/
/** What double quotes leave a meaning. */
const NOT_LITERAL = /["$`\\!]/
/** Beyond printable ASCII: most words that need quotes have none, and that is found out fast. */
const NOT_ASCII = /[^ -~]/

/** Half of a surrogate pair that is a byte which belongs to no character. */
const isByte = (code: number): boolean => code >= 0xdc80 && code <= 0xdcff

/** What stands for a unit in `$'…'`: three octal digits end for themselves. */
const inQuotes = (code: number): string => {
  if (isByte(code)) return `\\${(code & 0xff).toString(8)}`
  switch (code) {
    case 0x27:
      return "\\'"
    case 0x5c:
      return '\\\\'
    case 0x0a:
      return '\\n'
    case 0x0d:
      return '\\r'
    case 0x09:
      return '\\t'
    default:
      return code < 0x80
        ? `\\${code.toString(8).padStart(3, '0')}`
        : `\\u${code.toString(16).padStart(4, '0')}`
  }
}

/** Those that need `$'…'`, and all that are written differently in it. */
const UNSAFE = escapesOf(inQuotes, '')
const QUOTED = escapesOf(inQuotes, "'\\")

/** A word of a command. */
export function shellWord(word: string): string {
  if (PLAIN.test(word)) return word
  if (word === '') return "''"
  if (NOT_ASCII.test(word) && escaped(word, UNSAFE) !== word) return `$'${escaped(word, QUOTED)}'`
  if (!word.includes("'")) return `'${word}'`
  return NOT_LITERAL.test(word) ? `'${word.replaceAll("'", "'\\''")}'` : `"${word}"`
}

/** The same in nothing but ASCII. */
export function asciiWord(word: string): string {
  return NOT_ASCII.test(word) ? `$'${asciiOf(escaped(word, QUOTED))}'` : shellWord(word)
}

/** A word in quotes, also if it needs none. */
export function quotedWord(word: string): string {
  return PLAIN.test(word) ? `'${word}'` : shellWord(word)
}

/** Text with what stands for characters beyond ASCII: `\u00e9`, `\U0001f600`. */
export function asciiOf(text: string): string {
  return NOT_ASCII.test(text) ? text.replace(/[^ -~]/gu, escapeOf) : text
}

function escapeOf(character: string): string {
  const code = character.codePointAt(0) as number
  return code > 0xffff
    ? `\\U${code.toString(16).padStart(8, '0')}`
    : `\\u${code.toString(16).padStart(4, '0')}`
}

/** Words that begin something else when a command begins with them. */
const RESERVED = new Set(
  '! case coproc do done elif else esac fi for function if in select then time until while'.split(' '),
)

/** Whether the first word of a command is to have quotes that others do not need: `A=1`, `%1`, `while`. */
function isSpecialFirst(word: string): boolean {
  return word.includes('=') || word.startsWith('%') || RESERVED.has(word)
}

/** A list of words. Of a long word, pieces are in quotes of their own, which is the same to a shell. */
const SHELL_WORDS: Form = {
  open: '',
  between: ' ',
  close: '',
  none: '',
  empty: "''",
  encode: shellWord,
  isQuoting: true,
}

/** How texts are written: with all characters, or with those of ASCII. */
export interface WordForms {
  /** One word. */
  readonly word: (text: string) => string
  /** Long lists, and those whose first word is special. */
  readonly list: Form
  readonly quotedList: Form
  /** Text that is no word. */
  readonly sentence: Form
  readonly ellipsis: string
  /** Between before and after. */
  readonly arrow: string
  /** Before a process that is drawn under another one. */
  readonly branch: string
}

export const UNICODE: WordForms = {
  word: shellWord,
  list: SHELL_WORDS,
  quotedList: { ...SHELL_WORDS, encode: quotedWord },
  sentence: SAFE_TEXT,
  ellipsis: '…',
  arrow: '→',
  branch: '└ ',
}
export const ASCII: WordForms = {
  word: asciiWord,
  list: { ...SHELL_WORDS, encode: asciiWord },
  quotedList: { ...SHELL_WORDS, encode: (word) => (PLAIN.test(word) ? quotedWord(word) : asciiWord(word)) },
  sentence: { ...SAFE_TEXT, encode: (text) => asciiOf(sanitise(text)) },
  ellipsis: '...',
  arrow: '->',
  branch: '`-',
}

/** A text of any length that is no word. */
export function sentenceText(text: string, { sentence }: WordForms, line: Line): string {
  return text.length > line.shortUnits ? line.pieces([text], sentence) : sentence.encode(text)
}

/** A text of any length as a word. */
export function wordText(text: string, { word, list }: WordForms, line: Line): string {
  return text.length > line.shortUnits ? line.pieces([text], list) : word(text)
}

/**
 * Texts of any length as words.
 *
 * @param isCommand the first one is the name of a program
 */
export function wordsOf(texts: readonly string[], forms: WordForms, line: Line, isCommand = false): string {
  const { word } = forms
  let out = ''
  for (let i = 0; i < texts.length; i++) {
    const text = texts[i] as string
    const isSpecial = isCommand && i === 0 && isSpecialFirst(text)
    if (text.length > line.shortUnits || out.length > line.shortListUnits) {
      const isAnySpecial = isCommand && isSpecialFirst(texts[0] as string)
      return line.pieces(texts, isAnySpecial ? forms.quotedList : forms.list)
    }
    out += (i === 0 ? '' : ' ') + (isSpecial ? forms.quotedList.encode(text) : word(text))
  }
  return out
}

/** Units of a word for each column: any number of marks may be written onto a character. */
const UNITS_PER_COLUMN = 8

/** The words of a command, as many as have so many columns, and one more. */
export function wordsUpTo(texts: readonly string[], columns: number, forms: WordForms): string {
  const most = columns * UNITS_PER_COLUMN
  let out = ''
  let width = -1
  for (let i = 0; i < texts.length && width <= columns; i++) {
    const text = texts[i] as string
    const part = text.length > most ? text.slice(0, most) : text
    const word = i === 0 && isSpecialFirst(part) ? forms.quotedList.encode(part) : forms.word(part)
    out += (i === 0 ? '' : ' ') + word
    width += columnsOf(word) + 1
  }
  return out
}
