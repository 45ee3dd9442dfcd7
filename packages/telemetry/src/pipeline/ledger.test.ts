import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { TimeBase } from '../event/time-base.js'
import { KNOWN_START, ProcessRecord } from '../process/entry.js'
import { LossLedger } from './ledger.js'

const counts = fc.map(fc.integer({ min: 0, max: 5 }), fc.integer({ min: 1, max: 9 }))
const additions = fc.array(fc.record({ uids: counts, unknown: fc.nat(5) }), { maxLength: 20 })

function sumOf(counts: Iterable<number>): number {
  return [...counts].reduce((sum, count) => sum + count, 0)
}

function processOf(pid: number, startNs: number, creator?: number): ProcessRecord {
  const process = new ProcessRecord(pid, new TimeBase(0n))
  process.startLo = startNs
  process.known = KNOWN_START
  process.creator = creator
  return process
}

test('gaps get all losses of all users, each once', () => {
  fc.assert(
    fc.property(additions, fc.array(fc.integer({ min: 1, max: 20 })), (all, gaps) => {
      const ledger = new LossLedger()
      const lost = new Map<number | undefined, number>()
      for (const { uids, unknown } of all) {
        const total = sumOf(uids.values()) + unknown
        ledger.add({ total, uids, pids: new Map() }, { fromNs: 0, toNs: 1 })
        for (const [uid, count] of uids) lost.set(uid, (lost.get(uid) ?? 0) + count)
      }
      const seen = new Map<number | undefined, number>()
      for (const gap of gaps) {
        const shares = ledger.split(gap)
        assert.equal(sumOf(shares.map(({ count }) => count)), gap)
        for (const { uid, count } of shares) seen.set(uid, (seen.get(uid) ?? 0) + count)
      }
      for (const [uid, count] of seen) {
        if (uid !== undefined) assert.ok(count <= (lost.get(uid) ?? 0), `uid ${uid}`)
      }
      const total = sumOf(all.map(({ uids, unknown }) => sumOf(uids.values()) + unknown))
      if (sumOf(gaps) === total) for (const [uid, count] of lost) assert.equal(seen.get(uid) ?? 0, count)
    }),
  )
})

test('a process is touched by losses of its own, and a child by those of its parent before it began', () => {
  const ledger = new LossLedger()
  assert.ok(ledger.isEmpty)
  ledger.add({ total: 1, uids: new Map([[1000, 1]]), pids: new Map([[7, 1]]) }, { fromNs: 100, toNs: 200 })
  const parent = processOf(7, 50, 1)
  assert.ok(ledger.hasTouched(parent, undefined))
  assert.ok(!ledger.hasTouched(processOf(8, 50, 1), undefined), 'another one')
  assert.ok(!ledger.hasTouched(processOf(7, 300, 1), undefined), 'a later one with the same pid')
  assert.ok(ledger.hasTouched(processOf(9, 150, 7), parent))
  assert.ok(!ledger.hasTouched(processOf(12, 60, 7), parent), 'a child that was there before')
  assert.ok(ledger.hasTouched(processOf(10, 150), undefined), 'its fork may be the lost record')
  assert.ok(!ledger.hasTouched(processOf(11, 50), undefined), 'it began before anything was lost')
})

test('losses that nobody counted touch all that ran then, and those that have a user all of that user', () => {
  const ledger = new LossLedger()
  ledger.add({ total: 5, uids: new Map([[1000, 5]]), pids: new Map([[7, 1]]) }, { fromNs: 100, toNs: 200 })
  const others = processOf(8, 50, 1)
  assert.ok(!ledger.hasTouched(others, undefined))
  ledger.add({ total: 5, uids: new Map([[1000, 4]]), pids: new Map() }, { fromNs: 200, toNs: 300 })
  assert.ok(ledger.hasTouched(others, undefined))
  assert.ok(!ledger.hasTouched(processOf(8, 301, 1), undefined))
})
