import assert from 'node:assert/strict'
import { test } from 'node:test'
import { cpusOf } from './perfbuf.js'

test('a list of CPUs is read', () => {
  assert.deepEqual(cpusOf('0'), [0])
  assert.deepEqual(cpusOf('0-3,8,10-11'), [0, 1, 2, 3, 8, 10, 11])
})
