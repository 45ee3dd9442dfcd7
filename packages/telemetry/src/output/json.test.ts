import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { jsonOf } from './json.js'
import { anyEvent, anyProcess } from './testing/arbitraries.js'
import { matchGolden } from './testing/golden.js'
import { EVENTS, processOf, TIME_NS } from './testing/processes.js'

test('jsonOf() writes every kind of event', () => {
  matchGolden('events.ndjson', EVENTS.map((event) => jsonOf(event) + '\n').join(''))
})

test('jsonOf() leaves out what is unknown', () => {
  assert.equal(
    jsonOf({ kind: 'snapshot', timeNs: TIME_NS, process: processOf({ pid: 3 }) }),
    '{"kind":"snapshot","time":"2026-01-02T03:04:05.000000006Z","process":{"pid":3}}',
  )
})

test('jsonOf() writes any event as one line that a terminal can show', () => {
  fc.assert(
    fc.property(anyEvent, (event) => {
      const line = jsonOf(event)
      assert.doesNotMatch(line, /[\p{Cc}\p{Cs}\p{Bidi_Control}\u2028\u2029]/u)
      assert.equal((JSON.parse(line) as { kind: string }).kind, event.kind)
    }),
  )
})

test('jsonOf() writes every member of a process that is known', () => {
  fc.assert(
    fc.property(anyProcess, (process) => {
      const line = jsonOf({ kind: 'snapshot', timeNs: TIME_NS, process })
      const written = Object.keys((JSON.parse(line) as { process: object }).process)
      const known = Object.entries(process)
        .filter(([, value]) => value !== undefined && value !== false)
        .map(([name]) => name.replace(/TimeNs$/, 'Time'))
      assert.deepEqual(written.sort(), known.sort())
    }),
  )
})
