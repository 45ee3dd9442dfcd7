/**
 * quark's own JSON: one line per event, with the names of the TypeScript types. docs/json.md is its contract.
 */

import type { BaseEvent } from '../event/event.js'
import { type EventSpec, type FieldType, fieldsOf, type NamedField } from '../event/spec.js'
import { isoTime } from './iso-time.js'
import { DEFAULT_LINE_BYTES, fieldsOfLine, Line } from './line.js'
import { type Declarations, planByKind } from './specs.js'
import { type LineWriter, lineWriter } from './writer.js'
import {
  BOOLEAN,
  BYTES,
  DIGITS,
  FLAG,
  HEX,
  type Members,
  NUMBER,
  OBJECT,
  type Step,
  stepOf,
  STRING,
  STRINGS,
  TIME,
} from './step.js'
import { withMemos, writeSteps } from './steps.js'

const FORMS: Readonly<Record<FieldType, number>> = {
  pid: NUMBER,
  uid: NUMBER,
  gid: NUMBER,
  number: NUMBER,
  errno: NUMBER,
  signal: NUMBER,
  time: TIME,
  duration: DIGITS,
  digits: DIGITS,
  capabilities: HEX,
  flag: FLAG,
  boolean: BOOLEAN,
  string: STRING,
  strings: STRINGS,
  word: STRING,
  words: STRINGS,
  bytes: BYTES,
  object: OBJECT,
}

interface JsonPlan {
  /** All up to the digits of the time. */
  readonly start: string
  readonly spec: EventSpec
  readonly steps: readonly Step[]
}

/** A function that writes the declared events as lines of JSON, without line ends. */
export function jsonWriter(
  catalogue: Declarations,
  maxBytes: number = DEFAULT_LINE_BYTES,
): LineWriter<BaseEvent> {
  const line = new Line(maxBytes)
  const planOf = planByKind(catalogue, (spec) => planJson(spec, line))
  return lineWriter(line, (event) => {
    const { start, steps, spec } = planOf(event.kind)
    if (spec.repeats?.(event) === true) line.shorten()
    const members = event as unknown as Members
    return `${writeSteps(steps, members, members, start + isoTime(event.timeNs) + '"', false, line)}}`
  })
}

function planJson(spec: EventSpec, line: Line): JsonPlan {
  const fields = [...fieldsOfLine(line), ...fieldsOf(spec)]
  return { start: `{"kind":"${spec.kind}","time":"`, spec, steps: fields.flatMap(jsonSteps) }
}

function jsonSteps([name, field]: NamedField): Step[] {
  const { type, json = name, object, read, isInherited = false } = field
  if (json === null) return []
  const isObject = type === 'object'
  const lead = `"${json}":${isObject ? '{' : ''}`
  const steps = object === undefined ? [] : withMemos(fieldsOf(object).flatMap(jsonSteps))
  const end = isObject ? '}' : ''
  return [
    stepOf({ first: lead, next: `,${lead}`, form: FORMS[type], name, value: read, steps, end, isInherited }),
  ]
}
