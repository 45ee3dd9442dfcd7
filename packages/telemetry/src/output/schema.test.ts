import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { Ajv2020 } from 'ajv/dist/2020.js'
import * as fc from 'fast-check'
import { declarations } from '../stream.js'
import { allSamples, anyEvent } from '../testing/samples.js'
import { schemaCheck } from '../testing/schema.js'
import { jsonWriter } from './json.js'
import { schemaOf } from './schema.js'

const jsonOf = jsonWriter(declarations)
const check = schemaCheck(declarations)
const published = new URL('../../schema.json', import.meta.url)
const replayed = new URL('../../src/recording/testdata/0.1.0.ndjson', import.meta.url)

test('schema.json is what the declarations say', () => {
  assert.deepEqual(JSON.parse(readFileSync(published, 'utf8')), schemaOf(declarations))
})

test('schema.json is a schema by itself, and allows members of later versions', () => {
  const validate = new Ajv2020({ strict: true }).compile(
    JSON.parse(readFileSync(published, 'utf8')) as object,
  )
  assert.ok(
    validate({ kind: 'lost', time: '2026-01-02T03:04:05.000000006Z', cause: 'rejected', count: 1, new: 1 }),
  )
  assert.ok(!validate({ kind: 'lost', time: '2026-01-02T03:04:05.000000006Z', cause: 'other', count: 1 }))
})

for (const { name, golden } of allSamples) {
  test(`the schema fits the sample events of the kind ${name}`, () => {
    for (const event of golden) check(jsonOf(event))
  })
}

test('the schema fits the events of a recording', () => {
  for (const line of readFileSync(replayed, 'utf8').trimEnd().split('\n')) check(line)
})

test('the schema fits any event', () => {
  fc.assert(fc.property(anyEvent, (event) => check(jsonOf(event))))
})

test('the schema refuses what no event has', () => {
  const line = '{"kind":"lost","time":"2026-01-02T03:04:05.000000006Z","cause":"ringFull","count":1'
  check(`${line}}`)
  for (const more of [',"cpu":-1}', ',"cpu":"1"}', ',"surprise":1}']) assert.throws(() => check(line + more))
  assert.throws(() => check('{"kind":"lost","time":"yesterday","cause":"ringFull","count":1}'))
  assert.throws(() => check('{"kind":"surprise"}'), /no events of the kind surprise/)
})
