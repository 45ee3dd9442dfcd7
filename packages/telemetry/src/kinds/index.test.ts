import assert from 'node:assert/strict'
import { test } from 'node:test'
import { kinds } from './index.js'

test('record types and names are unique among all kinds, and fit the masks that they are kept in', () => {
  const records = kinds.flatMap((kind) => kind.records)
  const types = records.map(({ layout }) => layout.type)
  assert.equal(new Set(types).size, types.length)
  assert.equal(new Set(records.map(({ name }) => name)).size, records.length)
  assert.ok(types.every((type) => type >= 1 && type <= 31))
})
