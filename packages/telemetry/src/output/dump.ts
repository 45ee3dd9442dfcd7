/**
 * The dump: `->PID (TITLE)`, then a line per group of facts with a tag of some characters. Unknown facts are
 * left out of their line, and a line without facts is left out.
 */

import type { BaseEvent } from '../event/event.js'
import { type EventSpec, type FieldType, fieldsOf, formsOf, type NamedField } from '../event/spec.js'
import { DEFAULT_LINE_BYTES, fieldsOfLine, Line } from './line.js'
import { type Declarations, planByKind } from './specs.js'
import {
  BOOLEAN,
  FLAG,
  GROUP,
  LIST,
  type Members,
  NAMED_ERRNO,
  NAMED_SIGNAL,
  NUMBER,
  OBJECT,
  SAFE,
  SHORT_HEX,
  type Step,
  stepOf,
} from './step.js'
import { writeSteps } from './steps.js'
import { type LineWriter, lineWriter } from './writer.js'

export interface DumpOptions {
  /** Mark it up with the colours of ANSI terminals. Default false. */
  readonly colour?: boolean
}

/** Lists and values of JSON are of lines that are only written as JSON. */
type NotDumped = 'bytes' | 'object' | 'objects' | 'counts' | 'values'

/** How each type is written; `bytes` are not, as a dump is for people. */
const FORMS: Readonly<Record<Exclude<FieldType, NotDumped>, number>> = {
  pid: NUMBER,
  uid: NUMBER,
  gid: NUMBER,
  number: NUMBER,
  errno: NAMED_ERRNO,
  signal: NAMED_SIGNAL,
  time: NUMBER,
  duration: NUMBER,
  digits: NUMBER,
  capabilities: SHORT_HEX,
  flag: FLAG,
  boolean: BOOLEAN,
  string: SAFE,
  strings: LIST,
  word: SAFE,
  words: LIST,
}

const RESET = '\x1b[0m'
const DIM = '\x1b[2m'
const BOLD = '\x1b[1m'
const BOLD_RED = '\x1b[1;31m'

interface DumpPlan {
  readonly spec: EventSpec
  readonly before: string
  readonly after: string
  readonly steps: readonly Step[]
}

/**
 * A function that writes the declared events as lines of text, each without its last line end. Strings are made
 * safe for a terminal. The bound is that of all lines of an event together.
 */
export function dumpWriter(
  catalogue: Declarations,
  maxBytes: number = DEFAULT_LINE_BYTES,
): LineWriter<BaseEvent, DumpOptions> {
  const line = new Line(maxBytes)
  const plain = planByKind(catalogue, (spec) => planDump(spec, false, line))
  const coloured = planByKind(catalogue, (spec) => planDump(spec, true, line))
  return lineWriter(line, (event, options) => {
    const { spec, before, after, steps } = (options?.colour === true ? coloured : plain)(event.kind)
    if (spec.repeats?.(event) === true) line.shorten()
    if (spec.dump === undefined) return `${before}*${after}`
    const title = spec.dump.title(event)
    const heading = `${before}->${spec.subject(event)}${title === undefined ? '' : ` (${title})`}${after}`
    const members = event as unknown as Members
    return writeSteps(steps, members, members, heading, false, line)
  })
}

function planDump(spec: EventSpec, colour: boolean, line: Line): DumpPlan {
  const bold = spec.dump?.isAlarm === true ? BOLD_RED : BOLD
  return {
    spec,
    before: colour ? bold : '',
    after: colour ? RESET : '',
    steps: linesOf({ fields: [...fieldsOfLine(line), ...fieldsOf(spec)], lines: spec.dump?.lines }, colour),
  }
}

interface Lines {
  readonly fields: readonly NamedField[]
  readonly lines?: readonly string[] | undefined
}

/** A fact on its way to its line. */
interface Fact {
  readonly line: string
  readonly name: string
  readonly step: Step
}

/** The lines of an event or object, and behind them those of the objects in it. */
function linesOf(declared: Lines, colour: boolean): Step[] {
  const facts: Fact[] = []
  const inner: Step[] = []
  for (const [name, { type, dump, object, read }] of declared.fields) {
    for (const form of formsOf(dump)) {
      const { at, type: as = type, value = read } = typeof form === 'string' ? { at: form } : form
      const known: Readonly<Partial<Record<FieldType, number>>> = FORMS
      const written = known[as]
      if (written === undefined) throw new TypeError(`Cannot dump a field of type ${as}: ${name}`)
      const [line = '', fact = ''] = at.split(' ')
      const first = fact === '' ? '' : `${fact}=`
      const step = stepOf({ first, next: ` ${first}`, form: written, name, value })
      facts.push({ line, name: fact, step })
    }
    if (dump !== undefined || object === undefined) continue
    inner.push(
      stepOf({
        first: '',
        next: '',
        form: OBJECT,
        name,
        value: read,
        steps: linesOf({ fields: fieldsOf(object), lines: object.lines }, colour),
      }),
    )
  }
  const order = (declared.lines ?? []).map((line) => line.split(' '))
  const known = order.map(([line = '']) => line)
  const lines = [...new Set([...known, ...facts.map(({ line }) => line)])]
  return [...lines.map((line) => lineOf(line, facts, order, colour)), ...inner]
}

function lineOf(
  line: string,
  facts: readonly Fact[],
  order: readonly (readonly string[])[],
  colour: boolean,
): Step {
  const tag = line.split('.')[0] ?? ''
  const lead = `\n${colour ? DIM : ''}  ${tag}${colour ? RESET : ''}\t`
  const [, ...names] = order.find(([name]) => name === line) ?? []
  const rank = (name: string): number => (names.includes(name) ? names.indexOf(name) : names.length)
  const steps = facts
    .filter((fact) => fact.line === line)
    .sort((a, b) => rank(a.name) - rank(b.name))
    .map(({ step }) => step)
  return stepOf({ first: lead, next: lead, form: GROUP, steps })
}
