import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { NOWHERE, PidIndex } from './pid-index.js'

test('an index is a map of numbers', () => {
  // Few pids, and such as differ in high bits only: they collide.
  const pid = fc.oneof(
    fc.nat(40),
    fc.nat(12).map((n) => (n << 28) >>> 0),
    fc.nat(0xffff_ffff),
  )
  const step = fc.tuple(pid, fc.option(fc.nat(2 ** 31 - 1)))
  fc.assert(
    fc.property(fc.array(step, { maxLength: 600 }), (steps) => {
      const index = new PidIndex()
      const map = new Map<number, number>()
      for (const [pid, value] of steps) {
        if (value === null) {
          index.delete(pid)
          map.delete(pid)
        } else {
          index.set(pid, value)
          map.set(pid, value)
        }
        assert.equal(index.get(pid), map.get(pid) ?? NOWHERE)
      }
      assert.equal(index.size, map.size)
      assert.deepEqual([...index.pids()].sort(), [...map.keys()].sort())
      for (const [pid] of steps) assert.equal(index.get(pid), map.get(pid) ?? NOWHERE)
    }),
    { numRuns: 200 },
  )
})

test('pids that come and go leave nothing behind', () => {
  const index = new PidIndex()
  for (let pid = 0; pid < 200_000; pid++) {
    index.set(pid, pid & 0xff)
    if (pid >= 1000) index.delete(pid - 1000)
  }
  assert.equal(index.size, 1000)
  assert.deepEqual(
    [...index.pids()].toSorted((a, b) => a - b),
    Array.from({ length: 1000 }, (_, i) => 199_000 + i),
  )
})
