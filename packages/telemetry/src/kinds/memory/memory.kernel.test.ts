import assert from 'node:assert/strict'
import { test } from 'node:test'
import { watchActivity } from '../../testing/activities.js'
import { expectedOf, verdictsOf } from '../../testing/situations.js'
import { COMPAT_CALL, situations } from './testing/situations.js'

test('memory that a process makes executable, once by each sort', { timeout: 120_000 }, async (t) => {
  const { options, run, observe } = situations
  const { facts, events, capabilities } = await watchActivity(t, options, 'executableMemory', run)
  const observed = observe(facts, events)
  // What is not seen is said to be missing.
  assert.ok(capabilities.missing.some(({ fact }) => fact === 'executableMemory by 32-bit calls'))
  const { [COMPAT_CALL]: compat, ...others } = Object.fromEntries(verdictsOf(observed))
  if (compat === undefined) t.diagnostic('there are no 32-bit calls here')
  else assert.equal(compat.verdict, 'less')
  for (const [name, { verdict, notes }] of Object.entries(others))
    assert.equal(verdict, 'right', `${name}: ${notes.join('; ')}`)
  assert.deepEqual(observed.seen, expectedOf(observed.situations.filter(({ name }) => name !== COMPAT_CALL)))
})
