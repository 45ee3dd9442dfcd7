import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { type EventSpec, fieldsOf, type FieldSpec, formsOf, type ObjectSpec } from '../event/spec.js'
import { catalogue } from '../kinds/index.js'
import { anyProcess } from '../kinds/process/testing/arbitraries.js'
import { KILLED_SHELL, TIME_NS } from '../kinds/process/testing/processes.js'
import { processObject } from '../process/spec.js'
import { allSamples } from '../testing/samples.js'
import { schemaCheck } from '../testing/schema.js'
import { ecsWriter } from './ecs.js'
import { jsonWriter } from './json.js'
import { schemaOf } from './schema.js'
import type { Declarations } from './specs.js'
import { ecsParts, jsonParts } from './testing/docs.js'
import { CONTEXT, parse, related, valueAt } from './testing/ecs.js'
import { dumpWriter } from './dump.js'

/** The declarations with one object in place of another. */
function replacing(object: ObjectSpec, by: ObjectSpec): Declarations {
  const replaced = (field: FieldSpec<object>): FieldSpec<object> =>
    field.object === object ? { ...field, object: by } : field
  const events = catalogue.events.map((spec): EventSpec => {
    const fields = fieldsOf(spec).map(([name, field]) => [name, replaced(field)] as const)
    return Object.assign({}, spec, { fields: Object.fromEntries(fields) })
  })
  return { events }
}

test('a field that is declared is in all outputs, in the schema and in the docs', () => {
  const nice: FieldSpec<object> = {
    type: 'number',
    doc: 'how nice it is to others',
    dump: 'PROC.ids nice',
    ecs: { path: 'quark.nice', reach: 'self' },
  }
  const shared: FieldSpec<object> = {
    type: 'string',
    doc: 'its title',
    ecs: { path: 'process.title', reach: 'relatives' },
  }
  const declared = replacing(processObject, {
    ...processObject,
    fields: { ...processObject.fields, nice, title: shared },
  })
  const process = { ...KILLED_SHELL, nice: 7, title: 'a "title"' }
  const event = { kind: 'snapshot', timeNs: TIME_NS, process }

  assert.match(dumpWriter(declared)(event), /\n {2}PROC\tuid=1000 .* sid=1 nice=7\n/)

  const line = jsonWriter(declared)(event)
  assert.match(line, /"nice":7,"title":"a \\"title\\""\}\}$/)
  schemaCheck(declared)(line)
  assert.throws(() => schemaCheck(catalogue)(line))
  assert.match(JSON.stringify(schemaOf(declared)), /"nice":\{"description":"how nice it is to others"/)

  const about = related(event, [process])
  const lean = parse(ecsWriter(declared, CONTEXT)(about))
  assert.equal(valueAt(lean, 'quark.nice'), 7)
  assert.equal(valueAt(lean, 'process.title'), 'a "title"')
  assert.equal(valueAt(lean, 'process.group_leader.title'), undefined)
  const document = parse(ecsWriter(declared, CONTEXT, { document: 'full' })(about))
  assert.equal(valueAt(document, 'quark.nice'), 7)
  assert.equal(valueAt(document, 'process.title'), 'a "title"')
  assert.equal(valueAt(document, 'process.group_leader.title'), 'a "title"')

  assert.ok(jsonParts(declared)['objects']?.includes('| `nice` | number | how nice it is to others |'))
  assert.ok(
    ecsParts(declared)['quark']?.includes(
      '| `quark.nice` | long | `nice` | both | how nice it is to others |',
    ),
  )
})

for (const { name, events, golden } of allSamples) {
  test(`every event of the kind ${name} has samples in which each field is known`, () => {
    // Raw records have no samples of their own: their outputs are two.
    for (const spec of events.filter(({ dump }) => dump !== undefined)) {
      const samples = golden.filter(({ kind }) => kind === spec.kind)
      assert.ok(samples.length > 0, `${spec.kind} has no golden sample`)
      for (const [field, { object }] of fieldsOf(spec)) {
        // The process of an event may be unknown, and has samples of its own.
        if (object !== undefined) continue
        const isKnown = samples.some(
          (event) => (event as unknown as Record<string, unknown>)[field] !== undefined,
        )
        assert.ok(isKnown, `${spec.kind}.${field} is known in no golden sample`)
      }
    }
  })
}

test('every field has a sentence, and a form in the output of each format or none in any', () => {
  const seen = new Set<object>()
  const visit = (spec: { readonly fields: object }, of: string): void => {
    for (const [name, { doc, object, json, ecs, dump, words, type }] of fieldsOf(spec)) {
      assert.ok(doc.length > 0, `${of}.${name}`)
      assert.doesNotMatch(doc, /\.$/, `${of}.${name}`)
      assert.equal(words !== undefined, type === 'word' || type === 'words', `${of}.${name}`)
      assert.equal(object !== undefined, type === 'object' || type === 'objects', `${of}.${name}`)
      if (json === null) assert.equal(formsOf(ecs).length + formsOf(dump).length, 0, `${of}.${name}`)
      if (object === undefined || seen.has(object)) continue
      seen.add(object)
      visit(object, `${of}.${name}`)
    }
  }
  for (const spec of catalogue.events) visit(spec, spec.kind)
})

test('a member that is read by code of its own is the member of that name', () => {
  const objects = new Set(catalogue.events.flatMap((spec) => fieldsOf(spec).map(([, { object }]) => object)))
  const fields = [...objects].flatMap((object) => (object === undefined ? [] : fieldsOf(object)))
  const withRead = fields.filter((field) => field[1].read !== undefined)
  assert.ok(withRead.length > 30)
  fc.assert(
    fc.property(anyProcess, (process) => {
      for (const [name, { read }] of withRead) {
        assert.equal(read?.(process), (process as unknown as Record<string, unknown>)[name], name)
      }
    }),
  )
})
