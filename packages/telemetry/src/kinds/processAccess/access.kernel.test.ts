import assert from 'node:assert/strict'
import { test } from 'node:test'
import { watchActivity } from '../../testing/activities.js'
import { expectedOf } from '../../testing/situations.js'
import { situations } from './testing/situations.js'

test('access to another process, and none to oneself', { timeout: 120_000 }, async (t) => {
  const { options, run, observe } = situations
  const { facts, events } = await watchActivity(t, options, 'processAccess', run)
  assert.deepEqual(facts['results'], [16, -3, -14, 16])
  assert.equal(facts['copied'], true)
  const observed = observe(facts, events)
  assert.deepEqual(observed.seen, expectedOf(observed.situations))
})
