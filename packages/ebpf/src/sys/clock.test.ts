import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type ClockName, suspendedNs } from './clock.js'

const SUSPENDED_NS = 5_000_000_000n

/** Clocks that are read as a process does that is kept from the CPU for `pausesNs` after each reading in turn. */
function clocks(suspended: bigint, pausesNs: readonly bigint[]): (clock: ClockName) => bigint {
  let nowNs = 1_000_000_000n
  let readings = 0
  return (clock) => {
    const shown = clock === 'boottime' ? nowNs + suspended : nowNs
    nowNs += 100n + (pausesNs[readings % pausesNs.length] ?? 0n)
    readings += 1
    return shown
  }
}

test('suspendedNs() keeps what is known wherever the reader was interrupted', async (t) => {
  for (const pausesNs of [[0n], [4_000_000n, 0n, 0n], [0n, 4_000_000n, 0n], [9_000_000n]]) {
    await t.test(pausesNs.join(), () => {
      assert.equal(suspendedNs(0n, clocks(0n, pausesNs)), 0n)
      assert.equal(suspendedNs(SUSPENDED_NS, clocks(SUSPENDED_NS, pausesNs)), SUSPENDED_NS)
    })
  }
})

test('suspendedNs() follows a suspend, as exactly as the narrowest readings allow', () => {
  const offNs = suspendedNs(0n, clocks(SUSPENDED_NS, [4_000_000n, 0n, 0n, 0n, 0n])) - SUSPENDED_NS
  assert.ok(offNs > -200n && offNs < 200n, `off by ${offNs} ns`)
})
