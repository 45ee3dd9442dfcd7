/** The notes of lines of text: what stands behind the command. */

import type { BaseEvent } from '../event/event.js'
import type { TextNote, TextNoteType, Tone } from '../event/spec.js'
import { bytesText, durationText } from './amounts.js'
import type { Line } from './line.js'
import { errnoName, signalName } from './names.js'
import { wordsOf, wordText, type WordForms } from './shell.js'

/** How a note is written. All have the same members in the same order, so that reading them is fast. */
export interface Note {
  /** What stands before it, if it is not the first one. */
  readonly gap: string
  readonly label: string
  readonly end: string
  readonly form: number
  readonly value: (event: BaseEvent) => unknown
  readonly before: ((event: BaseEvent) => unknown) | undefined
  readonly tone: Tone
  readonly toneOf: ((event: BaseEvent) => Tone) | undefined
}

const NUMBER = 0
const USER = 1
const SIGNAL = 2
const ERRNO = 3
const DURATION = 4
const SIZE = 5
const WORD = 6
const WORDS = 7
const FLAG = 8

const FORMS: Readonly<Record<TextNoteType, number>> = {
  pid: NUMBER,
  uid: USER,
  gid: NUMBER,
  number: NUMBER,
  digits: NUMBER,
  errno: ERRNO,
  signal: SIGNAL,
  duration: DURATION,
  size: SIZE,
  string: WORD,
  word: WORD,
  strings: WORDS,
  flag: FLAG,
}

/** Between two notes. */
export const BETWEEN_NOTES = ', '

export function noteOf(spec: TextNote<BaseEvent>): Note {
  const { label, end = '', type, value, before, tone = 'quiet', gap = BETWEEN_NOTES } = spec
  return {
    gap,
    label,
    end,
    form: FORMS[type],
    value,
    before,
    tone: typeof tone === 'string' ? tone : 'quiet',
    toneOf: typeof tone === 'string' ? undefined : tone,
  }
}

/**
 * The text of a note.
 *
 * @param arrow between the values before and after a change
 * @returns an empty string if there is none
 */
export function noteText(note: Note, event: BaseEvent, words: WordForms, line: Line): string {
  const value = note.value(event)
  if (value === undefined || value === false) return ''
  const { form, label, end, before } = note
  if (form === FLAG) return label
  const text = valueText(form, value, words, line)
  if (before === undefined) return label + text + end
  const from = before(event)
  return `${label}${from === undefined ? '?' : valueText(form, from, words, line)}${words.arrow}${text}${end}`
}

function valueText(form: number, value: unknown, words: WordForms, line: Line): string {
  switch (form) {
    case NUMBER:
      return String(value)
    case USER:
      return userText(value as number, line, words)
    case SIGNAL:
      return signalName(value as number) ?? `signal ${value as number}`
    case ERRNO:
      return errnoName(value as number) ?? `errno ${value as number}`
    case DURATION:
      return durationText(Number(value))
    case SIZE:
      return bytesText(Number(value))
    case WORD:
      return wordText(value as string, words, line)
    case WORDS:
      return wordsOf(value as readonly string[], words, line)
    default:
      throw new Error(`Cannot write a note: no form ${form}`)
  }
}

/** The name of a user, or its number. */
export function userText(uid: number, line: Line, words: WordForms): string {
  const name = line.names.userName(uid)
  return name === undefined ? String(uid) : wordText(name, words, line)
}
