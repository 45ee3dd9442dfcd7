import assert from 'node:assert/strict'
import { test } from 'node:test'
import { UsageSum } from './usage.js'

const none = { runNs: 0n, userNs: 0n, systemNs: 0n, peakRssPages: 0n, readBytes: 0n, writeBytes: 0n }

test('usage is summed over threads; the exact run time is divided as the ticks are', async (t) => {
  await t.test('user and system', () => {
    const group = { ...none, runNs: 900n, userNs: 40n, systemNs: 10n, peakRssPages: 5n, readBytes: 1n }
    const task = { ...none, runNs: 100n, userNs: 20n, systemNs: 30n, readBytes: 2n, writeBytes: 7n }
    assert.deepEqual(new UsageSum([group, task], 4096).usage, {
      userTimeNs: 600n,
      systemTimeNs: 400n,
      peakRssBytes: 20_480,
      readBytes: 3n,
      writeBytes: 7n,
    })
  })
  // oxfmt-ignore
  const cases = [
    { name: 'too short for a tick', user: 0n, system: 0n, expected: [50n, 0n] },
    { name: 'user only',            user: 4n, system: 0n, expected: [50n, 0n] },
    { name: 'system only',          user: 0n, system: 4n, expected: [0n, 50n] },
  ]
  for (const { name, user, system, expected } of cases) {
    await t.test(name, () => {
      const counts = { ...none, runNs: 50n, userNs: user, systemNs: system }
      const { userTimeNs, systemTimeNs } = new UsageSum([counts], 4096).usage
      assert.deepEqual([userTimeNs, systemTimeNs], expected)
    })
  }
})
