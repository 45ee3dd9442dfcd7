import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { jsonOf } from './outputs.js'
import { Quark } from './quark.js'
import { declarations, optionsAsValues } from './stream.js'
import { schemaCheck } from './testing/schema.js'

const RECORDING = new URL('../src/recording/testdata/0.1.0.quarkrec', import.meta.url).pathname
const check = schemaCheck(declarations)

test('a replay begins with what the recording is of, and ends with its counters', async () => {
  await using quark = await Quark.replay(RECORDING, { holdMs: 5 })
  const start = jsonOf(quark.startEvent())
  let events = 0
  for await (const batch of quark.batches()) events += batch.length
  const end = jsonOf(quark.endEvent())
  for (const line of [start, end]) check(line)

  const first = JSON.parse(start)
  const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'))
  assert.deepEqual([first.kind, first.version, first.backend], ['start', version, 'replay'])
  assert.equal(first.time, '2026-11-29T19:54:26.194379116Z')
  assert.equal(first.kernel, quark.capabilities.kernel)
  assert.equal(first.options.holdMs, 5)
  assert.ok(
    first.attached.some((one: { fact: string; hook: string }) => one.fact === 'exec' && one.hook !== ''),
  )
  const last = JSON.parse(end)
  assert.equal(last.kind, 'end')
  assert.deepEqual(last.stats, JSON.parse(JSON.stringify(quark.stats())))
  assert.equal(last.stats.aggregations + last.stats.nonAggregations > 0, events > 0)
  // Times are those of the recording, so that two replays write the same.
  assert.match(last.time, /^2026-11-29T19:54:/)
})

test('options are values of JSON: of objects only that they are custom, and no signals', () => {
  const { signal } = new AbortController()
  assert.deepEqual(
    optionsAsValues({ a: 1, b: 'x', c: ['y'], d: true, e: undefined, f: new Map(), g: { h: [1n] }, signal }),
    {
      a: 1,
      b: 'x',
      c: ['y'],
      d: true,
      f: 'custom',
      g: { h: ['1'] },
    },
  )
})
