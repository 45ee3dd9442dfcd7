import assert from 'node:assert/strict'
import { test } from 'node:test'
import { controlMessage } from './proc-connector.js'

test('controlMessage() has the layout that the kernel reads', async (t) => {
  const cases = [
    {
      name: 'an operation alone',
      message: controlMessage(1, undefined),
      words: [40, 3, 0, 0, 1, 1, 0, 0, 4, 1],
    },
    {
      name: 'an operation with a mask',
      message: controlMessage(2, 0x8000_0001),
      words: [44, 3, 0, 0, 1, 1, 0, 0, 8, 2, 0x8000_0001],
    },
  ]
  for (const { name, message, words } of cases) {
    await t.test(name, () => assert.deepEqual([...new Uint32Array(message.buffer)], words))
  }
})
