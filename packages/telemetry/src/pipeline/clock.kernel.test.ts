import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Clock } from './clock.js'

test('the system clock puts boot time where the wall clock is', () => {
  const clock = Clock.system()
  clock.refresh()
  const dateBefore = BigInt(Date.now())
  const epochMs = clock.epochNs(clock.bootNowNs()) / 1_000_000n
  const dateAfter = BigInt(Date.now())
  // The two are measured apart, so that their milliseconds may differ by one.
  assert.ok(dateBefore - 1n <= epochMs && epochMs <= dateAfter + 1n, `${epochMs} is not about ${dateAfter}`)
  assert.ok(Number(clock.openBootNs) <= clock.bootNowNs())
})
