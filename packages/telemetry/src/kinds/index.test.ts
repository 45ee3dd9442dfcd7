import assert from 'node:assert/strict'
import { test } from 'node:test'
import { catalogue } from './index.js'

test('record types fit the masks that they are kept in', () => {
  const types = catalogue.recordTypes.map(({ layout }) => layout.type)
  assert.ok(types.every((type) => type >= 1 && type <= 31))
})
