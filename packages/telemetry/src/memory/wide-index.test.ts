import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { WideIndex } from './wide-index.js'

test('behaves as a map from keys of several words, with slots that are used again', () => {
  const word = fc.oneof(fc.nat(3), fc.constantFrom(0xffff_ffff, 0x8000_0000))
  const step = fc.record({ key: fc.tuple(word, word, word, word), value: fc.option(fc.nat(1000)) })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 400 }), fc.integer({ min: 1, max: 4 }), (steps, width) => {
      const index = new WideIndex()
      const model = new Map<string, { slot: number; value: number }>()
      const at = [0, 1, 2, 3].slice(0, width)
      for (const { key, value } of steps) {
        const words = Uint32Array.from([9, ...key])
        const name = key.slice(0, width).join(' ')
        const isZero = key.slice(0, width).every((word) => word === 0)
        const known = model.get(name)
        // A key has its slot until it is deleted, so one that is only asked for is deleted again.
        const slot = index.slotOf(words, 1, at)
        if (isZero) {
          assert.equal(slot, 0)
          continue
        }
        assert.ok(known === undefined || known.slot === slot)
        assert.equal(index.get(slot), known?.value ?? -1)
        if (value === null) {
          index.delete(slot)
          model.delete(name)
        } else {
          index.set(slot, value)
          model.set(name, { slot, value })
        }
        assert.equal(index.size, model.size)
        assert.equal(new Set([...model.values()].map(({ slot }) => slot)).size, model.size)
      }
    }),
    { numRuns: 300 },
  )
})

test('many keys', () => {
  const index = new WideIndex()
  const slots = Array.from({ length: 5000 }, (_, i) => index.slotOf(Uint32Array.of(i, 1), 0, [0, 1]))
  for (const [i, slot] of slots.entries()) index.set(slot, i)
  assert.equal(index.size, 5000)
  for (let i = 0; i < 5000; i++) assert.equal(index.get(index.slotOf(Uint32Array.of(i, 1), 0, [0, 1])), i)
  for (const slot of slots) index.delete(slot)
  assert.equal(index.size, 0)
})
