/** The JSON Schema (draft 2020-12) of reports. */

import { type AnyMember, type AnyObject, objectsIn } from './declare.js'
import { REPORT } from './members.js'

type Schema = Readonly<Record<string, unknown>>

/** The schema of `quark-mon run --report-format=json`. Members that it does not know are allowed: a later version may write them. */
export function reportSchema(): Schema {
  const [, ...others] = objectsIn(REPORT)
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'Report of quark',
    ...objectSchema(REPORT),
    $defs: Object.fromEntries(others.map((object) => [object.name, objectSchema(object)])),
  }
}

function objectSchema(object: AnyObject): Schema {
  const members = Object.entries(object.members)
  return {
    description: object.doc,
    type: 'object',
    properties: Object.fromEntries(
      members.map(([name, member]) => [name, { description: member.doc, ...valueSchema(member) }]),
    ),
    required: members.filter(([, { isOptional }]) => isOptional !== true).map(([name]) => name),
  }
}

function valueSchema({ type, words, value, of }: AnyMember): Schema {
  const reference = (): Schema => ({ $ref: `#/$defs/${of?.().name}` })
  switch (type) {
    case 'boolean':
    case 'string':
      return { type }
    case 'word':
      return { enum: words }
    case 'constant':
      return { const: value }
    case 'count':
      return { type: 'integer', minimum: 0 }
    case 'seconds':
      return { type: 'number' }
    case 'strings':
      return { type: 'array', items: { type: 'string' } }
    case 'list':
      return { type: 'array', items: reference() }
    case 'object':
      return reference()
  }
}
