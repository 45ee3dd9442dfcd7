/**
 * Text: one line per event, for people. Columns, then the command as a shell reads it, then notes as a comment:
 *
 *     14:03:59.123 run     4242 ann      bash[4211]           ls -l /tmp # exit 0, 1.25ms
 *
 * What stands in a line is what events declare (`EventTextSpec`). docs/text.md explains it.
 */

import type { BaseEvent } from '../event/event.js'
import type { EventSpec, EventTextSpec, Tone } from '../event/spec.js'
import { Clock } from './clock.js'
import { columnsOf, cutColumns, padColumns } from './columns.js'
import { DEFAULT_LINE_BYTES, Line } from './line.js'
import { ASCII, sentenceText, UNICODE, wordsOf, wordsUpTo, wordText, type WordForms } from './shell.js'
import { type Declarations, planByKind } from './specs.js'
import { BETWEEN_NOTES, type Note, noteOf, noteText, userText } from './text-notes.js'
import { type LineWriter, lineWriter } from './writer.js'

/** What text contains beside the event. */
export interface TextContext {
  /** Without it users are numbers. */
  userName?(this: void, uid: number): string | undefined
}

export interface TextOptions {
  /** Mark it up with the colours of ANSI terminals. Default false. */
  readonly colour?: boolean
  /** Columns of the terminal: a longer line is cut, but not its environment. Default: no line is cut. */
  readonly width?: number | undefined
  /** Only ASCII, for terminals that have nothing else: `\u00e9`, and `...` in place of an ellipsis. Default false. */
  readonly ascii?: boolean
  /** Of the times: `UTC`, `Europe/Berlin`. Default: that of the machine. */
  readonly timeZone?: string | undefined
  /** Write the date before the time. Default false. */
  readonly date?: boolean
  /** How many ancestors the command is drawn under, as in a tree. Default 0. */
  readonly depth?: number
}

const NO_OPTIONS: TextOptions = {}

/** What has no value, and what is not known. */
const NONE = '-'
const UNKNOWN = '?'

/** Widths of the columns; 0 leaves one out. */
interface Layout {
  /** Columns of a terminal from which on it is used. */
  readonly least: number
  readonly hasTime: boolean
  readonly pid: number
  readonly user: number
  readonly parent: number
}

const WIDE: Layout = { least: 112, hasTime: true, pid: 7, user: 8, parent: 20 }
const LAYOUTS: readonly Layout[] = [
  WIDE,
  { least: 72, hasTime: true, pid: 6, user: 8, parent: 14 },
  { least: 56, hasTime: true, pid: 6, user: 8, parent: 0 },
  { least: 40, hasTime: true, pid: 6, user: 0, parent: 0 },
  { least: 0, hasTime: false, pid: 6, user: 0, parent: 0 },
]

function layoutOf(width: number | undefined): Layout {
  if (width === undefined) return WIDE
  for (let i = 0; i < LAYOUTS.length; i++) {
    const layout = LAYOUTS[i] as Layout
    if (width >= layout.least) return layout
  }
  return WIDE
}

/** `14:03:59.123`. */
const TIME_COLUMNS = 12
/** Words are no longer. */
const WORD_COLUMNS = 4

const RESET = '\x1b[0m'
const BOLD = '\x1b[1m'
const DIM = '\x1b[2m'
/** Colours that can be read on a light and on a dark ground: no white, black, yellow or blue. */
const COLOURS: Readonly<Record<Tone, string>> = {
  began: '\x1b[32m',
  quiet: DIM,
  changed: '\x1b[35m',
  wrong: '\x1b[1;31m',
}

/** The note of a line that is cut at `maxLineBytes`. */
export const LINE_CUT = {
  label: 'line cut',
  doc: 'values of the line are cut: whole, it would be longer than `--max-line`',
  example: 'line cut',
} as const
/** The last note: what stands before the environment. */
export const ENVIRONMENT = {
  label: 'env ',
  doc: 'the environment that a program began with (`--env`); no terminal’s width cuts it',
  example: 'env HOME=/root LANG=C',
} as const
/** Between a command and its notes: to a shell they are a comment. */
const COMMENT = ' # '

/** The least that is left of a command when its notes need room. */
const LEAST_COMMAND = 10
/** Deeper processes are drawn as deep as this. */
const MOST_DEPTH = 32
const DEPTH_COLUMNS = 2

interface TextPlan {
  readonly spec: EventSpec
  readonly text: EventTextSpec<BaseEvent>
  readonly notes: readonly Note[]
}

/** A function that writes the declared events as lines of text, without line ends. */
export function textWriter(
  catalogue: Declarations,
  context: TextContext = {},
  maxBytes: number = DEFAULT_LINE_BYTES,
): LineWriter<BaseEvent, TextOptions> {
  const line = new Line(maxBytes, {
    userName: context.userName ?? (() => undefined),
    groupName: () => undefined,
  })
  const writer = new TextWriter(catalogue, line)
  return lineWriter(line, (event, options = NO_OPTIONS) => writer.write(event, options))
}

/** What is made of a kind that declares no text. */
function planText(spec: EventSpec): TextPlan {
  const text = spec.text ?? { word: ({ kind }) => kind, words: {} }
  return { spec, text, notes: (text.notes ?? []).map(noteOf) }
}

/** Writes a line at a time, whose parts are members as long as it is made. */
class TextWriter {
  readonly #line: Line
  readonly #planOf: (kind: string) => TextPlan
  #clock = new Clock()
  #timeZone: string | undefined = undefined
  #isColoured = false
  #forms: WordForms = UNICODE
  /** Columns of the part before the command, where there is a width. */
  #used = 0
  /** Of the notes that were written last. */
  #hasNotes = false
  #noteColumns = 0

  constructor(catalogue: Declarations, line: Line) {
    this.#line = line
    this.#planOf = planByKind(catalogue, planText)
  }

  write(event: BaseEvent, { colour, width, ascii, timeZone, date, depth = 0 }: TextOptions): string {
    const plan = this.#planOf(event.kind)
    const isRepeated = plan.spec.repeats?.(event) === true
    if (isRepeated) this.#line.shorten()
    if (timeZone !== this.#timeZone) {
      this.#clock = new Clock(timeZone)
      this.#timeZone = timeZone
    }
    this.#isColoured = colour === true
    this.#forms = ascii === true ? ASCII : UNICODE
    const head = this.#head(event, plan, width, date === true)
    const text =
      width === undefined
        ? head +
          this.#branch(Math.min(depth, MOST_DEPTH)) +
          this.#command(event, plan) +
          this.#notes(event, plan)
        : this.#cut(event, plan, head, width, depth)
    const environment = isRepeated ? undefined : plan.text.environment?.(event)
    if (environment === undefined || environment.length === 0) return text
    const lead = this.#hasNotes ? BETWEEN_NOTES : COMMENT
    return text + lead + ENVIRONMENT.label + wordsOf(environment, this.#forms, this.#line)
  }

  /** All columns before the command. */
  #head(event: BaseEvent, { spec, text }: TextPlan, width: number | undefined, hasDate: boolean): string {
    const layout = layoutOf(width)
    let out = ''
    let used = 0
    if (layout.hasTime) {
      const { timeNs } = event
      const time = hasDate
        ? `${this.#clock.date(timeNs)} ${this.#clock.time(timeNs)}`
        : this.#clock.time(timeNs)
      out = `${this.#isColoured ? DIM + time + RESET : time} `
      used = time.length + 1
    }
    const word = text.word(event).padEnd(WORD_COLUMNS)
    out += this.#isColoured
      ? `${COLOURS[text.words[word.trimEnd()]?.tone ?? 'quiet']}${word}${RESET} `
      : `${word} `
    const subject = spec.subject(event)
    const pid = (subject === 0 ? NONE : String(subject)).padStart(layout.pid)
    out += `${pid} `
    used += word.length + pid.length + 2
    const isCut = width !== undefined
    if (layout.user > 0) {
      const user = this.#cell(this.#user(event, text, subject), layout.user, isCut)
      out += `${user} `
      used += isCut ? layout.user + 1 : 0
    }
    if (layout.parent > 0) {
      const parent = this.#cell(
        this.#parent(event, text, subject, isCut ? layout.parent : 0),
        layout.parent,
        isCut,
      )
      out += this.#isColoured ? `${DIM}${parent}${RESET} ` : `${parent} `
      used += isCut ? layout.parent + 1 : 0
    }
    this.#used = used
    return out
  }

  #cell(text: string, columns: number, isCut: boolean): string {
    return padColumns(isCut ? cutColumns(text, columns, this.#forms.ellipsis) : text, columns)
  }

  #user(event: BaseEvent, { uid }: EventTextSpec<BaseEvent>, subject: number): string {
    const value = uid?.(event)
    if (value === undefined) return uid === undefined || subject === 0 ? NONE : UNKNOWN
    return userText(value, this.#line, this.#forms)
  }

  /** `bash[123]`; the pid is never cut. */
  #parent(
    event: BaseEvent,
    { parentPid, parentName }: EventTextSpec<BaseEvent>,
    subject: number,
    columns: number,
  ): string {
    const pid = parentPid?.(event)
    if (pid === undefined) return parentPid === undefined || subject === 0 ? NONE : UNKNOWN
    const name = parentName?.(event)
    if (name === undefined) return `[${pid}]`
    const word = wordText(name, this.#forms, this.#line)
    const number = `[${pid}]`
    if (columns === 0) return word + number
    return cutColumns(word, Math.max(0, columns - number.length), this.#forms.ellipsis) + number
  }

  /** A line of a terminal. */
  #cut(event: BaseEvent, plan: TextPlan, head: string, width: number, depth: number): string {
    const { ellipsis } = this.#forms
    const free = width - this.#used
    // At most half of the room draws the tree.
    const drawn = Math.min(depth, MOST_DEPTH, Math.max(0, (free >> 1) - 1) >> 1)
    const room = free - drawn * DEPTH_COLUMNS
    if (room < 1) {
      this.#isColoured = false
      this.#hasNotes = false
      return cutColumns(this.#head(event, plan, width, false).trimEnd(), width, ellipsis)
    }
    const command = this.#command(event, plan, room)
    const commandColumns = columnsOf(command)
    const notes = this.#notes(event, plan)
    const notesColumns = this.#noteColumns
    const lead = head + this.#branch(drawn)
    if (commandColumns + notesColumns <= room) return lead + command + notes
    const least = Math.min(room, Math.max(LEAST_COMMAND, Math.floor(room / 3)))
    const shown = cutColumns(command, Math.max(room - notesColumns, least), ellipsis)
    const left = room - columnsOf(shown)
    if (notesColumns <= left) return lead + shown + notes
    // Less would say nothing.
    this.#hasNotes = left > COMMENT.length + ellipsis.length
    if (!this.#hasNotes) return lead + shown
    if (!this.#isColoured) return lead + shown + cutColumns(notes, left, ellipsis)
    this.#isColoured = false
    return `${lead}${shown}${DIM}${cutColumns(this.#notes(event, plan), left, ellipsis)}${RESET}`
  }

  #branch(depth: number): string {
    return depth === 0 ? '' : ' '.repeat((depth - 1) * DEPTH_COLUMNS) + this.#forms.branch
  }

  /** What was executed; with a number of columns, not much more than those of it. */
  #command(event: BaseEvent, { text }: TextPlan, columns?: number): string {
    const command = text.command?.(event)
    if (command !== undefined && command.length > 0) {
      return columns === undefined
        ? wordsOf(command, this.#forms, this.#line, true)
        : wordsUpTo(command, columns, this.#forms)
    }
    const sentence = text.sentence?.(event)
    if (sentence !== undefined) return sentenceText(sentence, this.#forms, this.#line)
    const name = text.name?.(event)
    return name === undefined ? UNKNOWN : `[${wordText(name, this.#forms, this.#line)}]`
  }

  #notes(event: BaseEvent, { notes }: TextPlan): string {
    let out = ''
    let columns = 0
    for (let i = 0; i < notes.length; i++) {
      const note = notes[i] as Note
      const text = noteText(note, event, this.#forms, this.#line)
      if (text === '') continue
      const gap = out === '' ? COMMENT : note.gap
      out += gap
      columns += gap.length + columnsOf(text)
      if (this.#isColoured) {
        out += COLOURS[note.toneOf === undefined ? note.tone : note.toneOf(event)] + text + RESET
      } else {
        out += text
      }
    }
    if (this.#line.isTruncated) {
      const note = (out === '' ? COMMENT : BETWEEN_NOTES) + LINE_CUT.label
      out += note
      columns += note.length
    }
    this.#hasNotes = out !== ''
    this.#noteColumns = columns
    return out
  }
}

/**
 * What the columns are, for the first line of a terminal. The date stands over the times.
 *
 * @param timeNs epoch ns of the line that follows
 * @param options those of the lines
 */
export function textHeading(timeNs: bigint, options: TextOptions = NO_OPTIONS): string {
  const { hasTime, pid, user, parent } = layoutOf(options.width)
  const date = new Clock(options.timeZone).date(timeNs)
  const heading =
    (hasTime
      ? `${(options.date === true ? `${date} TIME` : date).padEnd(timeColumns(options, date))} `
      : '') +
    `WHAT ${'PID'.padStart(pid)} ` +
    (user === 0 ? '' : `${'USER'.padEnd(user)} `) +
    (parent === 0 ? '' : `${'PARENT'.padEnd(parent)} `) +
    'COMMAND # NOTES'
  const fitting = options.width === undefined ? heading : cutColumns(heading, options.width, '')
  return options.colour === true ? BOLD + fitting + RESET : fitting
}

function timeColumns({ date: hasDate }: TextOptions, date: string): number {
  return TIME_COLUMNS + (hasDate === true ? date.length + 1 : 0)
}
