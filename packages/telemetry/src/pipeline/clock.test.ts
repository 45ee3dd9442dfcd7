import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Clock, ManualClock, type ReadClock } from './clock.js'

/** Returns readings in the order of the calls: boottime, then triples of boottime, realtime, boottime. */
function scripted(readings: readonly bigint[]): ReadClock {
  const left = [...readings]
  return () => {
    const reading = left.shift()
    assert.ok(reading !== undefined, 'more readings than the script has')
    return reading
  }
}

test('the offset comes from the pair of readings with the smallest gap', () => {
  const opened = [5n]
  const interrupted = [100n, 2_000n, 900n]
  const narrow = [1_000n, 51_005n, 1_010n]
  const wide = [2_000n, 60_000n, 9_000n]
  const clock = new Clock(
    scripted([...opened, ...interrupted, ...narrow, ...wide, ...wide, ...wide, ...wide, ...wide, ...wide]),
  )
  assert.equal(clock.openBootNs, 5n)
  assert.equal(clock.bootEpochNs, 50_000n)
})

test('a set wall clock is followed after refresh() only', () => {
  const clock = new ManualClock({ bootNs: 10n, bootEpochNs: 1_700_000_000_000_000_000n })
  assert.equal(clock.epochNs(3), 1_700_000_000_000_000_003n)

  clock.setBootEpoch(1_600_000_000_000_000_000n)
  assert.equal(clock.epochNs(3n), 1_700_000_000_000_000_003n)

  clock.refresh()
  assert.equal(clock.epochNs(3n), 1_600_000_000_000_000_003n)
  assert.equal(clock.bootEpochNs, 1_600_000_000_000_000_000n)
})

test('a manual clock moves only by `advance`', () => {
  const clock = new ManualClock({ bootNs: 10n })
  assert.equal(clock.bootNowNs(), 10)
  clock.advance(5)
  assert.equal(clock.bootNowNs(), 15)
  clock.set(7n)
  assert.equal(clock.bootNowNs(), 7)
  assert.equal(clock.openBootNs, 10n)
})
