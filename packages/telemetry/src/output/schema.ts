/** The JSON Schema (draft 2020-12) of the lines that `jsonWriter` writes. */

import { type EventSpec, type FieldSpec, type FieldType, fieldsOf, type ObjectSpec } from '../event/spec.js'
import { eventMembers, type JsonMember, membersOf } from './json-members.js'
import { fieldsOfLine } from './line.js'
import { summarySchema } from './schema-summary.js'
import type { Declarations } from './specs.js'

/** A schema, or a part of one. */
export type Schema = Readonly<Record<string, unknown>>

const TIME: Schema = { type: 'string', pattern: '^\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d{9}Z$' }
const DIGITS: Schema = { type: 'string', pattern: '^(0|[1-9]\\d{0,19})$' }
const STRING: Schema = { type: 'string' }
const MAX_U32 = 0xffffffff
const MAX_ERRNO = 4095
const MAX_SIGNAL = 127

const NO_FLAGS = { isTruncated: false, hasCutRelatives: false }

/** The schema of any event, and of a summary. Members that it does not know are allowed: a later version may write them. */
export function schemaOf({ events }: Declarations): Schema {
  const objects = new Map<string, Schema>()
  const branches = events.map((spec) => eventSchema(spec, objects))
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'Event of quark',
    description: 'One line of the JSON that jsonOf() and quark-mon --json write',
    oneOf: [...branches, summarySchema(events)],
    $defs: Object.fromEntries(objects),
  }
}

function eventSchema(spec: EventSpec, objects: Map<string, Schema>): Schema {
  const { properties, required } = membersSchema(
    [...membersOf(fieldsOfLine(NO_FLAGS)), ...eventMembers(spec)],
    objects,
  )
  return {
    title: spec.kind,
    description: spec.doc,
    type: 'object',
    properties: {
      kind: { const: spec.kind },
      time: { description: 'When it happened; of several actions, the first', ...TIME },
      ...properties,
    },
    required: ['kind', 'time', ...required],
  }
}

interface MembersSchema {
  readonly properties: Schema
  readonly required: readonly string[]
}

function membersSchema(members: readonly JsonMember[], objects: Map<string, Schema>): MembersSchema {
  return {
    properties: Object.fromEntries(
      members.map(({ key, field }) => [key, fieldSchema(field, objects)] as const),
    ),
    required: members.filter(({ field }) => field.isAlwaysKnown === true).map(({ key }) => key),
  }
}

function fieldSchema(field: FieldSpec<object>, objects: Map<string, Schema>): Schema {
  const unit = field.unit === undefined ? '' : `, in ${field.unit}`
  const secrets = field.mayHoldSecrets === true ? '; may hold secrets' : ''
  return { description: `${field.doc}${unit}${secrets}`, ...valueSchema(field, objects) }
}

function valueSchema(field: FieldSpec<object>, objects: Map<string, Schema>): Schema {
  const { type, object, words, min, max } = field
  if (object !== undefined) {
    const one = objectSchema(object, objects)
    return type === 'objects' ? { type: 'array', items: one } : one
  }
  const of: Readonly<Record<Exclude<FieldType, 'object' | 'objects'>, Schema>> = {
    pid: integer(max, min),
    uid: integer(max, min),
    gid: integer(max, min),
    number: integer(max, min),
    errno: integer(MAX_ERRNO),
    signal: integer(MAX_SIGNAL),
    time: TIME,
    duration: { oneOf: [integer(Number.MAX_SAFE_INTEGER), DIGITS] },
    digits: DIGITS,
    capabilities: { type: 'string', pattern: '^0x[0-9a-f]{16}$' },
    flag: { const: true },
    boolean: { type: 'boolean' },
    string: STRING,
    strings: { type: 'array', items: STRING },
    word: { enum: words },
    words: { type: 'array', items: { enum: words }, uniqueItems: true },
    bytes: { type: 'string', contentEncoding: 'base64' },
    counts: { type: 'object', additionalProperties: integer(Number.MAX_SAFE_INTEGER) },
    values: { type: 'object' },
  }
  return of[type as Exclude<FieldType, 'object' | 'objects'>]
}

function integer(maximum = MAX_U32, minimum = 0): Schema {
  return { type: 'integer', minimum, maximum }
}

/** A reference to an object, which is added to `objects`. */
function objectSchema(object: ObjectSpec, objects: Map<string, Schema>): Schema {
  const { name, doc } = object
  if (!objects.has(name)) {
    // Its place is that of the first reference, before those of what it holds.
    objects.set(name, {})
    objects.set(name, {
      description: doc,
      type: 'object',
      ...membersSchema(membersOf(fieldsOf(object)), objects),
    })
  }
  return { $ref: `#/$defs/${name}` }
}
