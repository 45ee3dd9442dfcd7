/** The members of lines of JSON: fields, names beside numbers, and who is related to the object of an event. */

import {
  type EventSpec,
  type FieldSpec,
  type FieldType,
  fieldsOf,
  lineagesOf,
  type NamedField,
  type ObjectSpec,
  type RelativeSpec,
} from '../event/spec.js'
import { errnoName, NAMED_CAPABILITIES, signalName } from './names.js'
import {
  BOOLEAN,
  BYTES,
  CAPABILITY_NAMES_OF_SOME,
  COUNTS,
  DIGITS,
  EXACT,
  FLAG,
  GROUP_NAME,
  HEX,
  NUMBER,
  OBJECT,
  OBJECTS,
  STRING,
  STRINGS,
  TIME,
  USER_NAME,
  VALUES,
} from './step.js'

/** One member of an object of JSON. */
export interface JsonMember {
  readonly key: string
  /** Member of the object that it is made of. */
  readonly name: string
  /** As the docs and the schema describe it. */
  readonly field: FieldSpec<object>
  /** How it is written. */
  readonly form: number
  /** The value does not change while it is the same object. */
  readonly isKept?: boolean
  /** It follows from the member before. */
  readonly isDerived?: boolean
}

const FORMS: Readonly<Record<FieldType, number>> = {
  pid: NUMBER,
  uid: NUMBER,
  gid: NUMBER,
  number: NUMBER,
  errno: NUMBER,
  signal: NUMBER,
  time: TIME,
  duration: EXACT,
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
  objects: OBJECTS,
  counts: COUNTS,
  values: VALUES,
}

/** The members that fields become, in their order. */
export function membersOf(fields: readonly NamedField[]): JsonMember[] {
  return fields.flatMap(([name, field]) => {
    const { json: key = name } = field
    return key === null ? [] : [{ key, name, field, form: FORMS[field.type] }, ...namesOf(key, name, field)]
  })
}

/** The members of an event, without its kind and time. */
export function eventMembers(spec: EventSpec): JsonMember[] {
  const fields = fieldsOf(spec)
  const related = fields.flatMap(([, { object }]) => relatedOf(object))
  return [...membersOf(fields), ...related, ...membersOf(lineagesOf(fields))]
}

/** What a number is called, as a member behind it. */
function namesOf(key: string, name: string, field: FieldSpec<object>): JsonMember[] {
  const { type, isInherited = false } = field
  const read = field.read ?? ((from: object) => (from as Record<string, unknown>)[name])
  const named = (form: number, type: FieldType, value: (from: object) => unknown): JsonMember[] => {
    const isSet = type === 'strings'
    const doc = isSet
      ? `names of \`${key}\`, unless they are none, all, or all that the machine has`
      : `name of \`${key}\`, if it has one`
    return [
      {
        key: `${key}Name${isSet ? 's' : ''}`,
        name,
        field: { type, doc, read: value, isInherited },
        form,
        isDerived: isSet,
      },
    ]
  }
  switch (type) {
    case 'uid':
      return named(USER_NAME, 'string', read)
    case 'gid':
      return named(GROUP_NAME, 'string', read)
    case 'errno':
      return named(STRING, 'string', (from) => nameOf(read(from), errnoName))
    case 'signal':
      return named(STRING, 'string', (from) => nameOf(read(from), signalName))
    case 'capabilities':
      return named(CAPABILITY_NAMES_OF_SOME, 'strings', (from) => {
        const set = read(from)
        return set === NAMED_CAPABILITIES ? undefined : set
      })
    default:
      return []
  }
}

function nameOf(value: unknown, name: (number: number) => string | undefined): string | undefined {
  return value === undefined ? undefined : name(value as number)
}

/** Relatives that are shown beside an object. */
function relatedOf(object: ObjectSpec | undefined): JsonMember[] {
  return (object?.relatives ?? []).flatMap((relative) => {
    const { name, doc, isInJson = false } = relative
    if (object === undefined || !isInJson) return []
    const field: FieldSpec<object> = {
      type: 'object',
      object: referenceOf(object, relative),
      doc,
      read: (event) => (event as Related).relatives?.[name],
    }
    return [{ key: name, name, field, form: OBJECT, isKept: true }]
  })
}

interface Related {
  readonly relatives?: Readonly<Record<string, object | undefined>> | undefined
}

function referenceOf(object: ObjectSpec, { name }: RelativeSpec): ObjectSpec {
  const { brief = [] } = object
  const fields = fieldsOf(object).filter(([field]) => brief.includes(field))
  return {
    name,
    doc: `Who the ${name} of the ${object.name} is; its own events have more of it`,
    fields: Object.fromEntries(fields),
  } as unknown as ObjectSpec
}
