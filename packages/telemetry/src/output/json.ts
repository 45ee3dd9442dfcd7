/**
 * quark's own JSON: one line per event, with the names of the TypeScript types. docs/json.md is its contract.
 */

import type { BaseEvent } from '../event/event.js'
import { type EventSpec, fieldsOf, type ObjectSpec } from '../event/spec.js'
import { isoTime } from './iso-time.js'
import { eventMembers, type JsonMember, membersOf } from './json-members.js'
import { DEFAULT_LINE_BYTES, fieldsOfLine, Line, type MachineNames, NO_NAMES } from './line.js'
import { DocumentNames } from './line-names.js'
import { SameObject } from './memo.js'
import { NAMED_CAPABILITIES } from './names.js'
import { type Declarations, planByKind } from './specs.js'
import { KEPT, type Members, OBJECT, OBJECTS, type Step, stepOf } from './step.js'
import { withMemos, writeSteps } from './steps.js'
import { type LineWriter, lineWriter } from './writer.js'

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
  names: MachineNames = NO_NAMES,
): LineWriter<BaseEvent> {
  const known = new DocumentNames(names)
  const line = new Line(maxBytes, known)
  line.allCapabilities = capabilitiesOf(names)
  const planOf = planByKind(catalogue, (spec) => planJson(spec, line))
  return lineWriter(line, (event) => {
    known.begin()
    const { start, steps, spec } = planOf(event.kind)
    if (spec.repeats?.(event) === true) line.shorten()
    const members = event as unknown as Members
    return `${writeSteps(steps, members, members, start + isoTime(event.timeNs) + '"', false, line)}}`
  })
}

/** A function that writes objects of one sort, such as processes, as JSON. */
export function jsonObjectWriter(object: ObjectSpec, names: MachineNames): LineWriter<object> {
  const known = new DocumentNames(names)
  const line = new Line(DEFAULT_LINE_BYTES, known)
  line.allCapabilities = capabilitiesOf(names)
  const steps = membersOf([...fieldsOfLine(line), ...fieldsOf(object)]).flatMap(stepsOf)
  return lineWriter(line, (one) => {
    known.begin()
    const members = one as Members
    return `${writeSteps(steps, members, members, '{', true, line)}}`
  })
}

/** All that the machine has; if that is not known, all that there are. */
function capabilitiesOf({ host }: MachineNames): bigint {
  return host?.capabilities === undefined ? NAMED_CAPABILITIES : BigInt(host.capabilities)
}

function planJson(spec: EventSpec, line: Line): JsonPlan {
  const members = [...membersOf(fieldsOfLine(line)), ...eventMembers(spec)]
  return { start: `{"kind":"${spec.kind}","time":"`, spec, steps: members.flatMap(stepsOf) }
}

function stepsOf({ key, name, field, form, isKept = false, isDerived = false }: JsonMember): Step[] {
  const { object, read, isInherited = false } = field
  const isObject = form === OBJECT
  const lead = `"${key}":${isObject ? '{' : ''}`
  const steps = object === undefined ? [] : membersOf(fieldsOf(object)).flatMap(stepsOf)
  const inner = form === OBJECTS ? steps : withMemos(steps)
  const end = isObject ? '}' : ''
  const step = stepOf({
    first: lead,
    next: `,${lead}`,
    form,
    name,
    value: read,
    steps: inner,
    end,
    isInherited,
    isDerived,
  })
  return [isKept ? stepOf({ first: '', next: ',', form: KEPT, kept: new SameObject(step) }) : step]
}
