import assert from 'node:assert/strict'
import { test } from 'node:test'
import { activitiesOf, runActivity, watchActivity } from '../../testing/activities.js'

const PROGRAM = new URL('testing/situation.js', import.meta.url)

test('calls of getpid(2)', { timeout: 120_000 }, async (t) => {
  const { facts, events } = await watchActivity(t, { getpid: true }, 'getpid', () => runActivity(PROGRAM))
  const seen = activitiesOf(events, 'getpid', facts.pid)
  // Node calls it as well, when it starts.
  assert.ok(seen.length >= Number(facts['calls']), String(seen.length))
  for (const event of seen) assert.deepEqual(event, { pid: facts.pid })
})
