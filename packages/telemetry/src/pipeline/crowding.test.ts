import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Crowding } from './crowding.js'

const MS = 1e6

test('a reader that stays late has less and less is used, down to a sixteenth', () => {
  const crowding = new Crowding()
  const parts: number[] = []
  for (let now = 1000; now <= 3000; now += 50) {
    if (crowding.note(now * MS, 1500 * MS, true)) parts.push(crowding.part)
  }
  assert.deepEqual(parts, [1 / 2, 1 / 4, 1 / 8, 1 / 16])
  for (let now = 3050; now <= 5000; now += 50) {
    if (crowding.note(now * MS, 50 * MS, true)) parts.push(crowding.part)
  }
  assert.deepEqual(parts.slice(4), [1 / 8, 1 / 4, 1 / 2, 1])
})

test('one that comes seldom, or is late for a moment, keeps the whole ring', () => {
  const crowding = new Crowding()
  for (let now = 1000; now <= 9000; now += 1000) {
    assert.ok(!crowding.note(now * MS, 2000 * MS, true))
    assert.ok(!crowding.note((now + 10) * MS, 5 * MS, false))
  }
  assert.equal(crowding.part, 1)
})
