import assert from 'node:assert/strict'
import { test } from 'node:test'
import { watchActivity } from '../../testing/activities.js'
import { expectedOf } from '../../testing/situations.js'
import { situations } from './testing/situations.js'

test('shared memory that a process makes, finds, attaches and opens', { timeout: 120_000 }, async (t) => {
  const { options, run, observe } = situations
  const { facts, events } = await watchActivity(t, options, 'sharedMemory', run)
  const { made, results, refused } = facts
  assert.deepEqual(results, [made, made, -17, -2])
  assert.equal(refused, -22)
  const observed = observe(facts, events)
  assert.deepEqual(observed.seen, expectedOf(observed.situations))
})
