import assert from 'node:assert/strict'
import { test } from 'node:test'
import { holdTimeMs } from './hold-time.js'

test('holdTimeMs() falls with the fullness of the buffer', async (t) => {
  // oxfmt-ignore
  const cases: [maxLength: number, holdMs: number, expected: [length: number, ms: number][]][] = [
    [10_000, 1000, [[0, 1000], [999, 1000], [1000, 901], [2500, 751], [5000, 501], [7500, 251], [8999, 102], [9000, 0]]],
    [10_000, 100,  [[999, 100], [1000, 91], [5000, 51], [8999, 12], [9000, 0]]],
    [1000,   1000, [[99, 1000], [100, 901], [500, 501], [899, 102], [900, 0]]],
    [1500,   1000, [[149, 1000], [150, 851], [750, 251], [1001, 0], [1400, 0]]],
    [100,    1000, [[9, 1000], [10, 901], [50, 501], [89, 111], [90, 0]]],
    [9,      1000, [[0, 0], [5, 0]]],
    [10_000, 10,   [[999, 10], [1000, 10], [5000, 6], [8999, 3]]],
    [10_000, 0,    [[0, 0], [5000, 0]]],
  ]
  for (const [maxLength, holdMs, expected] of cases) {
    await t.test(`of ${maxLength} with ${holdMs} ms`, () => {
      const actual = expected.map(([length]) => [length, holdTimeMs(length, maxLength, holdMs)])
      assert.deepEqual(actual, expected)
    })
  }
})
