import assert from 'node:assert/strict'
import { test } from 'node:test'
import { activitiesOf, watchActivity } from '../../testing/activities.js'
import { expectedOf } from '../../testing/situations.js'
import { situations } from './testing/situations.js'

test('programs that others load and attach, and none of the queue', { timeout: 120_000 }, async (t) => {
  const { options, run, observe } = situations
  const { facts, events } = await watchActivity(t, options, 'bpf', run)
  assert.equal(facts['loaded'], true)
  const numbers = activitiesOf(events, 'bpf', facts.pid).map(({ programId }) => programId)
  assert.ok(
    numbers.every((id, index) => (index === 1) === (id === undefined)),
    String(numbers),
  )
  const observed = observe(facts, events)
  assert.deepEqual(observed.seen, expectedOf(observed.situations))
  // The queue has loaded its own programs before and may load more: none of it is an event.
  assert.deepEqual(activitiesOf(events, 'bpf', process.pid), [])
})
