/** Checks lines of JSON against the declared schema. */

import assert from 'node:assert/strict'
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js'
import { type Schema, schemaOf } from '../output/schema.js'
import type { Declarations } from '../output/specs.js'

/** A function that throws for a line that the schema does not allow, or that has members which it does not name. */
export function schemaCheck(declarations: Declarations): (line: string) => void {
  const ajv = new Ajv2020({ strict: true, allErrors: true })
  const schema = closed(schemaOf(declarations)) as Schema & { readonly oneOf: readonly EventBranch[] }
  ajv.addSchema(schema, 'quark')
  const byKind = new Map<string, ValidateFunction>()
  for (const [i, { title }] of schema.oneOf.entries()) {
    const validate = ajv.getSchema(`quark#/oneOf/${i}`)
    assert.ok(validate, title)
    byKind.set(title, validate)
  }
  const any = ajv.getSchema('quark')
  return (line) => {
    const event = JSON.parse(line) as { readonly kind: string }
    // The errors of the kind's own branch say what is wrong; those of the whole schema do not.
    const validate = byKind.get(event.kind)
    assert.ok(validate, `The schema has no events of the kind ${event.kind}`)
    assert.ok(validate(event), `${ajv.errorsText(validate.errors)}: ${line}`)
    assert.ok(any?.(event), line)
  }
}

interface EventBranch {
  readonly title: string
}

/** The schema, allowing no members beside those that it names. */
function closed(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(closed)
  if (typeof schema !== 'object' || schema === null) return schema
  const members = Object.fromEntries(Object.entries(schema).map(([key, value]) => [key, closed(value)]))
  return 'properties' in schema ? { ...members, additionalProperties: false } : members
}
