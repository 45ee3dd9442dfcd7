import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { catalogue } from '../kinds/index.js'
import { anyProcess } from '../kinds/process/testing/arbitraries.js'
import { processOf, TIME_NS } from '../kinds/process/testing/processes.js'
import { matchGolden } from '../testing/golden.js'
import { allSamples, anyEvent } from '../testing/samples.js'
import { jsonWriter } from './json.js'

const jsonOf = jsonWriter(catalogue)

for (const { name, folder, golden } of allSamples) {
  test(`jsonWriter() writes every event of the kind ${name}`, () => {
    matchGolden(`${folder}/testdata/events.ndjson`, golden.map((event) => `${jsonOf(event)}\n`).join(''))
  })
}

test('jsonWriter() leaves out what is unknown', () => {
  const event = { kind: 'snapshot', timeNs: TIME_NS, process: processOf({ pid: 3 }) }
  assert.equal(
    jsonOf(event),
    '{"kind":"snapshot","time":"2026-01-02T03:04:05.000000006Z","process":{"pid":3}}',
  )
})

test('jsonWriter() writes any event as one line that a terminal can show', () => {
  fc.assert(
    fc.property(anyEvent, (event) => {
      const line = jsonOf(event)
      assert.doesNotMatch(line, /[\p{Cc}\p{Cs}\p{Bidi_Control}\u2028\u2029]/u)
      assert.equal((JSON.parse(line) as { kind: string }).kind, event.kind)
    }),
  )
})

test('jsonWriter() writes every member of a process that is known', () => {
  fc.assert(
    fc.property(anyProcess, (process) => {
      const event = { kind: 'snapshot', timeNs: TIME_NS, process }
      const written = Object.keys((JSON.parse(jsonOf(event)) as { process: object }).process)
      const known = Object.entries(process)
        .filter(([, value]) => value !== undefined && value !== false)
        .map(([name]) => name.replace(/TimeNs$/, 'Time'))
      assert.deepEqual(written.sort(), known.sort())
    }),
  )
})

test('jsonWriter() refuses an event that nobody declared', () => {
  assert.throws(() => jsonOf({ kind: 'surprise', timeNs: 0n }), /not declared: surprise/)
})
