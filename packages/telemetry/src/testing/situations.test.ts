import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Plain } from './activities.js'
import { verdictsOf } from './situations.js'

const situations = [
  { name: 'one', expected: [{ a: 1, b: 2 }] },
  { name: 'two', expected: [{ a: 1, b: 3 }, { a: 2 }] },
  { name: 'none', expected: [] },
]

function verdicts(...seen: readonly Plain[]): Record<string, string> {
  return Object.fromEntries(
    [...verdictsOf({ situations, seen })].map(([name, { verdict, notes }]) => [
      name,
      [verdict, ...notes].join(' '),
    ]),
  )
}

test('what is seen is right, less, or wrong', () => {
  const right = { one: 'right', two: 'right', none: 'right', 'nothing else': 'right' }
  assert.deepEqual(verdicts({ a: 1, b: 2 }, { a: 1, b: 3 }, { a: 2 }), right)
  assert.deepEqual(verdicts({ a: 1 }, { a: 1, b: 3 }), {
    ...right,
    one: 'less b',
    two: 'less event 1',
  })
  assert.deepEqual(verdicts({ a: 1, b: 2 }, { a: 1, b: 3 }, { a: 2 }, { a: 2 }), {
    ...right,
    'nothing else': 'wrong {"a":2}',
  })
  assert.deepEqual(verdicts({ a: 1, b: 4 }, { a: 1, b: 3 }, { a: 2 }), {
    ...right,
    one: 'less event 1',
    'nothing else': 'wrong {"a":1,"b":4}',
  })
})
