import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { isLess, ticksOf, TICK_NS, u64Of } from './time-base.js'

test('ticksOf() is exact for a year of uptime and more, whatever the signs of the halves', () => {
  fc.assert(
    fc.property(fc.bigInt({ min: 0n, max: 1n << 62n }), (ns) => {
      const lo = Number(BigInt.asIntN(32, ns))
      const hi = Number(BigInt.asIntN(32, ns >> 32n))
      assert.equal(u64Of(lo, hi), ns)
      const ticks = ns / BigInt(TICK_NS)
      if (ns >> 32n < 1n << 30n) assert.equal(BigInt(ticksOf(lo, hi)), ticks)
    }),
  )
})

test('isLess() compares as unsigned numbers', () => {
  const u64 = fc.oneof(fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }), fc.bigInt({ min: 0n, max: 1n << 33n }))
  fc.assert(
    fc.property(u64, u64, (a, b) => {
      const half = (ns: bigint) => Number(BigInt.asIntN(32, ns))
      assert.equal(isLess(half(a), half(a >> 32n), half(b), half(b >> 32n)), a < b)
    }),
  )
})
