import assert from 'node:assert/strict'
import { test } from 'node:test'
import { EcsFlat } from '@elastic/ecs'
import * as fc from 'fast-check'
import { catalogue } from '../kinds/index.js'
import { matchGolden } from '../testing/golden.js'
import { hostileText } from '../testing/hostile-text.js'
import { allSamples, anyEvent } from '../testing/samples.js'
import { ecsWriter } from './ecs.js'
import { CONTEXT, flatten, parse, related, valueAt } from './testing/ecs.js'

const anyProcess = fc.oneof(...allSamples.flatMap(({ anyProcess }) => anyProcess ?? []))
interface EcsField {
  readonly type: string
  readonly normalize: readonly string[]
  readonly pattern?: string
  readonly allowed_values?: readonly {
    readonly name: string
    readonly expected_event_types?: readonly string[]
  }[]
}

const FIELDS = EcsFlat as unknown as Readonly<Record<string, EcsField>>
const DATE = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z$/

const HAS_TYPE: Readonly<Record<string, (value: unknown) => boolean>> = {
  keyword: (value) => typeof value === 'string',
  wildcard: (value) => typeof value === 'string',
  ip: (value) => typeof value === 'string' && /^[\da-f.:]+$/.test(value),
  long: Number.isInteger,
  boolean: (value) => typeof value === 'boolean',
  date: (value) => typeof value === 'string' && DATE.test(value),
}

function assertEcs(path: string, value: unknown): void {
  const field = FIELDS[path]
  assert.ok(field, `${path} is not a field of ECS`)
  assert.equal(Array.isArray(value), field.normalize.includes('array'), `${path}: array or not`)
  for (const element of Array.isArray(value) ? value : [value]) {
    assert.ok(HAS_TYPE[field.type]?.(element), `${path} is to be ${field.type}: ${String(element)}`)
    if (field.pattern !== undefined) assert.match(String(element), new RegExp(field.pattern))
    if (field.allowed_values !== undefined) {
      assert.ok(
        field.allowed_values.some(({ name }) => name === element),
        `${path}: ${String(element)}`,
      )
    }
  }
}

for (const { name, folder, golden } of allSamples) {
  test(`ecsWriter() writes every event of the kind ${name}`, () => {
    const ecs = ecsWriter(catalogue, CONTEXT)
    matchGolden(
      `${folder}/testdata/events.ecs.ndjson`,
      golden.map((event) => `${ecs(related(event))}\n`).join(''),
    )
  })
}

test('ecsWriter() writes only fields of ECS, with their types, and its own under quark', () => {
  fc.assert(
    fc.property(anyEvent, fc.array(anyProcess), hostileText, (event, others, name) => {
      const relatives = others.map((p, i) => ({ ...p, pid: i }))
      const ecs = ecsWriter(catalogue, {
        ...CONTEXT,
        userName: () => name,
        groupName: () => name,
      })
      const line = ecs(related(event, relatives))
      assert.doesNotMatch(line, /[\p{Cc}\p{Cs}\p{Bidi_Control}\u2028\u2029]/u)
      for (const [path, value] of flatten(parse(line))) {
        if (!path.startsWith('quark.')) assertEcs(path, value)
      }
    }),
  )
})

test('ecsWriter() uses only the event types that ECS expects of the category process', () => {
  const expected = FIELDS['event.category']?.allowed_values?.find(({ name }) => name === 'process')
  assert.ok(expected?.expected_event_types)
  for (const event of allSamples.flatMap(({ golden }) => golden)) {
    const types = valueAt(parse(ecsWriter(catalogue, CONTEXT)(event)), 'event.type') as readonly string[]
    assert.ok(types.length > 0)
    for (const type of types) assert.ok(expected.expected_event_types.includes(type), type)
  }
})

test('ecsWriter() leaves out the host when it is not given', () => {
  const { userName, groupName } = CONTEXT
  const document = parse(ecsWriter(catalogue, { userName, groupName })({ kind: 'lost', timeNs: 0n }))
  assert.equal(document['host'], undefined)
})
