import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseCpuCount } from './map.js'

test('parseCpuCount() counts up to the last possible CPU', async (t) => {
  const cases = [
    { text: '0\n', count: 1 },
    { text: '0-3\n', count: 4 },
    { text: '0-3,8-11\n', count: 12 },
    { text: '0,2', count: 3 },
  ]
  for (const { text, count } of cases) {
    await t.test(text.trim(), () => assert.equal(parseCpuCount(text), count))
  }
})

test('parseCpuCount() refuses what is no list of CPUs', () => {
  for (const text of ['', '\n', 'all', '0-x']) {
    assert.throws(() => parseCpuCount(text), RangeError)
  }
})
