import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { clockNs } from './clock.js'

test('clockNs() reads the clock that was asked for', () => {
  const before = process.hrtime.bigint()
  const monotonic = clockNs('monotonic')
  const after = process.hrtime.bigint()
  assert.ok(before <= monotonic && monotonic <= after, 'monotonic is the clock of process.hrtime')

  const dateBefore = BigInt(Date.now())
  const realtimeMs = clockNs('realtime') / 1_000_000n
  const dateAfter = BigInt(Date.now())
  assert.ok(dateBefore <= realtimeMs && realtimeMs <= dateAfter, 'realtime is the clock of Date')

  // The uptime is boot time cut to hundredths of a second.
  const uptimeNs = (): bigint =>
    BigInt(readFileSync('/proc/uptime', 'latin1').split(' ')[0]?.replace('.', '') ?? '') * 10_000_000n
  const uptimeBefore = uptimeNs()
  const boottime = clockNs('boottime')
  const uptimeAfter = uptimeNs()
  assert.ok(
    uptimeBefore <= boottime && boottime < uptimeAfter + 10_000_000n,
    'boottime is the clock of /proc/uptime',
  )
})
