import assert from 'node:assert/strict'
import test from 'node:test'
import { defaultSettings } from '../settings.js'
import { execOf, FakeIo, FakeQuark, statsOf } from '../testing/fakes.js'
import { benchmark } from './benchmark.js'

test('benchmark() writes the counters when events come and a second is over', async () => {
  const batch = [execOf({ pid: 1 })]
  const times = [0, 500, 1000, 2500, 1999, 2000]
  const quark = new FakeQuark([batch, batch, [], batch, batch])
  const io = new FakeIo()
  await benchmark(quark, defaultSettings(), io, () => times.shift() ?? 2100)
  assert.equal(io.written, '')
  assert.equal(io.notes.match(/insertions/g)?.length, 2)
})

test('benchmark() ends after the given number of events', async () => {
  const quark = new FakeQuark([[execOf({ pid: 1 }), execOf({ pid: 2 })], [execOf({ pid: 3 })]])
  await benchmark(quark, { ...defaultSettings(), count: 2 }, new FakeIo(), () => 0)
  assert.equal(quark.taken, 1)
})

test('benchmark() ends soon after the run was ended, however much is held', async () => {
  const quark = new FakeQuark([])
  quark.batches = async function* () {
    for (;;) yield [execOf({ pid: 1 })]
  }
  quark.stats = () => statsOf({ buffered: 7 })
  const io = new FakeIo()
  io.hurrying.abort()
  await benchmark(quark, defaultSettings(), io)
  assert.match(io.notes, /^quark-mon: 7 records that were held at the end are not counted\n$/m)
})
