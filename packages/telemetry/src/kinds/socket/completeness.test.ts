import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { Completeness, type TcpCounts } from './completeness.js'
import { countersOf } from './tcp-counters.js'

const SECOND = 1e9
const START = 1000 * SECOND
const NET_NS = 7

function counts(seconds: number, values: Partial<TcpCounts> = {}): TcpCounts {
  return {
    netNs: NET_NS,
    readNs: START + seconds * SECOND,
    activeOpens: 100,
    passiveOpens: 50,
    attemptFails: 10,
    listenDrops: 5,
    opening: 0,
    waiting: 0,
    ...values,
  }
}

/** What is missed after the comparisons, with so many records of connections that began between the first two. */
function missedAfter(told: number, ...compared: readonly TcpCounts[]): number {
  const completeness = new Completeness()
  for (const [index, one] of compared.entries()) {
    completeness.compare(one)
    if (index > 0) continue
    for (let i = 0; i < told; i += 1) completeness.note('active', NET_NS, START + SECOND, false)
  }
  return completeness.unseen
}

test('a connection that the kernel counted and no record told of is missed once two comparisons agree', () => {
  const [first, second, third] = [
    counts(0),
    counts(5, { activeOpens: 110 }),
    counts(10, { activeOpens: 110 }),
  ]
  assert.equal(missedAfter(10, first, second, third), 0)
  assert.equal(missedAfter(7, first, second), 0)
  assert.equal(missedAfter(7, first, second, third), 3)
})

test('what is under way, or was dropped, is not missed', () => {
  const opening = [counts(0), counts(5, { activeOpens: 110, opening: 3 })] as const
  assert.equal(missedAfter(7, ...opening, counts(10, { activeOpens: 110, opening: 3 })), 0)
  const taken = { passiveOpens: 60 }
  const left = (values: object) => missedAfter(0, counts(0), counts(5, values), counts(10, values))
  assert.equal(left(taken), 10)
  assert.equal(left({ ...taken, waiting: 10 }), 0)
  assert.equal(left({ ...taken, listenDrops: 15 }), 0)
  assert.equal(left({ ...taken, attemptFails: 20 }), 0)
})

test('a failure of this side is no connection that was dropped', () => {
  const completeness = new Completeness()
  completeness.compare(counts(0))
  for (let i = 0; i < 4; i += 1) completeness.note('active', NET_NS, START + SECOND, true)
  const later = { activeOpens: 104, attemptFails: 14, passiveOpens: 52 }
  completeness.compare(counts(5, later))
  completeness.compare(counts(10, later))
  assert.equal(completeness.unseen, 2)
})

test('connections of other namespaces, and those that began long before, count for nothing', () => {
  const completeness = new Completeness()
  completeness.compare(counts(0))
  completeness.note('active', NET_NS + 1, START + SECOND, false)
  completeness.note('active', NET_NS, START - 5 * SECOND, false)
  const later = { activeOpens: 102 }
  completeness.compare(counts(5, later))
  completeness.compare(counts(10, later))
  assert.equal(completeness.unseen, 2)
})

/** A connection by the times when it began and ended, in ms, and whether programs saw it. */
const connection = fc.record({
  beginMs: fc.integer({ min: 0, max: 20_000 }),
  lastsMs: fc.integer({ min: 0, max: 9_000 }),
  isSeen: fc.boolean(),
})

test('never more is missed than was, however connections and comparisons overlap; at rest all is', () => {
  fc.assert(
    fc.property(fc.array(connection, { maxLength: 60 }), fc.integer({ min: 0, max: 400 }), (all, walkMs) => {
      const completeness = new Completeness()
      const at = (ms: number): number => START + ms * 1e6
      const steps = all.map(({ beginMs, lastsMs, isSeen }) => ({
        beginMs,
        endMs: beginMs + lastsMs,
        isSeen,
      }))
      let toldUntilMs = 0
      for (let ms = 0; ms <= 45_000; ms += 5000) {
        // The first is taken at once, and is only compared with.
        const endMs = ms === 0 ? 0 : ms + walkMs
        for (const { beginMs, endMs: doneMs, isSeen } of steps) {
          if (isSeen && doneMs >= toldUntilMs && doneMs < endMs)
            completeness.note('active', NET_NS, at(beginMs), false)
        }
        toldUntilMs = endMs
        completeness.compare({
          ...counts(ms / 1000),
          activeOpens: steps.filter(({ beginMs }) => beginMs < ms).length,
          // Those that are under way when the walk comes by.
          opening:
            ms === 0
              ? 0
              : steps.filter(({ beginMs, endMs: doneMs }) => beginMs < ms && doneMs >= endMs).length,
        })
        const hidden = steps.filter(({ isSeen, endMs: doneMs }) => !isSeen && doneMs < endMs).length
        assert.ok(completeness.unseen <= hidden, `${completeness.unseen} of ${hidden} at ${ms} ms`)
      }
      assert.equal(completeness.unseen, steps.filter(({ isSeen, beginMs }) => !isSeen && beginMs >= 0).length)
    }),
  )
})

test('counters are found by their names, whatever their order', () => {
  const text = 'Ip: a b\nIp: 1 2\nTcp: ActiveOpens X PassiveOpens\nTcp: 3 4 5\nUdp: ActiveOpens\nUdp: 9\n'
  assert.deepEqual(
    [...countersOf(text, 'Tcp')],
    [
      ['ActiveOpens', 3],
      ['X', 4],
      ['PassiveOpens', 5],
    ],
  )
  assert.deepEqual([...countersOf('', 'Tcp')], [])
})
