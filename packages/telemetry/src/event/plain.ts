/** Plain copies of events and of what they hold, made by the declarations. */

import { type EventSpec, fieldsOf, type NamedField, type ObjectSpec } from './spec.js'

/** The known members of an object. */
export function plainObject(spec: ObjectSpec, from: object): Record<string, unknown> {
  return plainMembers(fieldsOf(spec), from)
}

/** The known members of an event, and those that it is related to. */
export function plainEvent(spec: EventSpec, event: object): Record<string, unknown> {
  const { kind, timeNs, relatives } = event as Readonly<Record<string, unknown>>
  const fields = fieldsOf(spec)
  const plain = { kind, timeNs, ...plainMembers(fields, event) }
  const related = relatedOf(fields)
  if (related === undefined || relatives === undefined) return plain
  return Object.assign(plain, { relatives: plainRelatives(related, relatives as object) })
}

/** The object of an event that can have relatives. */
export function relatedOf(fields: readonly NamedField[]): ObjectSpec | undefined {
  return fields.find(([, { object }]) => object?.relatives !== undefined)?.[1].object
}

function plainRelatives(spec: ObjectSpec, relatives: object): Record<string, unknown> {
  const known = Object.entries(relatives).filter(([, relative]) => relative !== undefined)
  const plainOf = (relative: object): unknown =>
    Array.isArray(relative) ? relative.map(plainOf) : plainObject(spec, relative)
  return Object.fromEntries(known.map(([name, relative]) => [name, plainOf(relative as object)]))
}

/** Whether a field is to be in a copy. */
type Wanted = (field: NamedField) => boolean

const EVERY: Wanted = () => true

/** The known ones of some fields, and of the objects in them; of all those that are wanted. */
export function plainMembers(
  fields: readonly NamedField[],
  from: object,
  isWanted: Wanted = EVERY,
): Record<string, unknown> {
  const plain: Record<string, unknown> = {}
  for (const [name, { read, object }] of fields.filter(isWanted)) {
    const value = read === undefined ? (from as Readonly<Record<string, unknown>>)[name] : read(from)
    if (value !== undefined) plain[name] = plainValue(value, object, isWanted)
  }
  return plain
}

function plainValue(value: unknown, object: ObjectSpec | undefined, isWanted: Wanted): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map((one) => plainValue(one, object, isWanted))
  if (value instanceof Uint8Array) return new Uint8Array(value)
  if (object !== undefined) return plainMembers(fieldsOf(object), value, isWanted)
  const members = Object.entries(value)
  return Object.fromEntries(members.map(([name, one]) => [name, plainValue(one, undefined, isWanted)]))
}
