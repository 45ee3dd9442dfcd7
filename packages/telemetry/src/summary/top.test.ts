import assert from 'node:assert/strict'
import test from 'node:test'
import * as fc from 'fast-check'
import { TopSums, TopValues } from './top.js'

test('sums are exact while there is room for all names', () => {
  const top = new TopSums(3, () => undefined)
  for (const [name, weight] of [
    ['a', 1],
    ['b', 5],
    ['a', 2],
    ['c', 3],
    ['b', 0],
  ] as const)
    top.add(name, weight)
  assert.deepEqual(top.rows(10), [
    { name: 'b', weight: 5, error: 0, thing: undefined },
    { name: 'a', weight: 3, error: 0, thing: undefined },
    { name: 'c', weight: 3, error: 0, thing: undefined },
  ])
  assert.equal(top.rows(1).length, 1)
  assert.equal(top.isCut, false)
})

test('weights that are no weights are none', () => {
  const top = new TopSums(2, () => undefined)
  for (const weight of [0, -1, Number.NaN]) top.add('a', weight)
  assert.deepEqual(top.rows(2), [])
})

test('what is kept with a name is as old as its place', () => {
  const top = new TopSums(2, () => ({ count: 0 }))
  const add = (name: string, weight: number) => {
    const kept = top.add(name, weight)
    if (kept !== undefined) kept.count += 1
  }
  for (const name of ['a', 'a', 'b', 'a', 'c', 'c']) add(name, 1)
  add('a', 0)
  assert.deepEqual(top.rows(2), [
    { name: 'a', weight: 3, error: 0, thing: { count: 4 } },
    { name: 'c', weight: 3, error: 1, thing: { count: 2 } },
  ])
})

test('with more names than places no sum is too small, none is too large by more than it says, and the heavy ones are there', () => {
  const additions = fc.array(fc.tuple(fc.nat(40), fc.integer({ min: 1, max: 9 })), { maxLength: 400 })
  fc.assert(
    fc.property(additions, fc.integer({ min: 1, max: 12 }), (list, places) => {
      const top = new TopSums(places, () => undefined)
      const truth = new Map<string, number>()
      let total = 0
      for (const [number, weight] of list) {
        top.add(`${number}`, weight)
        truth.set(`${number}`, (truth.get(`${number}`) ?? 0) + weight)
        total += weight
      }
      const rows = top.rows(places)
      assert.equal(rows.length, Math.min(places, truth.size))
      assert.equal(top.isCut, truth.size > places)
      for (const { name, weight, error } of rows) {
        const real = truth.get(name) ?? 0
        assert.ok(weight >= real && weight - error <= real, `${name}: ${real} as ${weight} ± ${error}`)
      }
      for (const [name, weight] of truth) {
        if (weight > total / places)
          assert.ok(
            rows.some((row) => row.name === name),
            name,
          )
      }
    }),
  )
})

test('the largest values are those of all that were offered, one for each key', () => {
  const offers = fc.array(fc.tuple(fc.nat(6), fc.integer({ min: 1, max: 50 })), { maxLength: 100 })
  fc.assert(
    fc.property(offers, fc.integer({ min: 1, max: 4 }), (list, most) => {
      const top = new TopValues<number>(most, (thing) => thing)
      const truth = new Map<number, number>()
      for (const [thing, value] of list) {
        if (value > top.least) top.offer(value, thing)
        truth.set(thing, Math.max(truth.get(thing) ?? 0, value))
      }
      const values = [...truth.values()].sort((a, b) => b - a).slice(0, most)
      assert.deepEqual(
        top.rows().map(({ value }) => value),
        values,
      )
      for (const { value, thing } of top.rows()) assert.equal(truth.get(thing), value)
    }),
  )
})
