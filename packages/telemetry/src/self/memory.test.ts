import assert from 'node:assert/strict'
import { setImmediate as turn } from 'node:timers/promises'
import { test } from 'node:test'
import { releaseMemory } from './memory.js'

test('what nothing refers to is gone', async () => {
  const gone = new WeakRef({ text: 'garbage' })
  await turn()
  releaseMemory()
  assert.equal(gone.deref(), undefined)
})
