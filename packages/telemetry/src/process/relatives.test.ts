import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { TimeBase } from '../event/time-base.js'
import type { ProcessRecord } from './entry.js'
import { findRelatives, type Relatives, RelativesFinder } from './relatives.js'
import { ProcessTable } from './table.js'

const MS = 1_000_000

interface Facts {
  readonly ppid?: number
  readonly pgid?: number
  readonly sid?: number
}

function newTable(): ProcessTable {
  return new ProcessTable({ graceMs: 1000, maxProcesses: 8, maxPackedBytes: 0 }, new TimeBase(0n))
}

/** What records of a process do: it begins, or changes, and is delivered. */
function note(table: ProcessTable, pid: number, startNs: number, { ppid, pgid, sid }: Facts): ProcessRecord {
  const entry = table.entryOf(pid, startNs | 0, Math.floor(startNs / 2 ** 32))
  entry.known |= startNs === 0 ? 0 : 1
  entry.startLo = startNs | 0
  entry.startHi = Math.floor(startNs / 2 ** 32)
  entry.ppid = ppid
  entry.pgid = pgid
  entry.sid = sid
  entry.isDelivered = true
  return entry
}

function pidsOf(relatives: Relatives): unknown {
  return Object.fromEntries(
    Object.entries(relatives).map(([name, process]) => [name, (process as ProcessRecord | undefined)?.pid]),
  )
}

test('relatives are the parent, the leaders, and the relatives of those that documents show', () => {
  const table = newTable()
  note(table, 1, 1 * MS, { ppid: 0, pgid: 1, sid: 1 })
  note(table, 5, 2 * MS, { ppid: 1, pgid: 5, sid: 5 })
  note(table, 7, 3 * MS, { ppid: 5, pgid: 7, sid: 5 })
  const process = note(table, 9, 4 * MS, { ppid: 7, pgid: 9, sid: 5 })
  assert.deepEqual(pidsOf(findRelatives(process, table)), {
    parent: 7,
    groupLeader: 9,
    sessionLeader: 5,
    parentGroupLeader: 7,
    sessionLeaderParent: 1,
    entryLeader: undefined,
  })
  assert.equal(findRelatives(process, table).groupLeader, process)
  const kernelThread = note(table, 3, 1 * MS, { ppid: 0, pgid: 0, sid: 0 })
  assert.deepEqual(new Set(Object.values(findRelatives(kernelThread, table))), new Set([undefined]))
})

test('a process that began later is not taken for a parent or the leader of a session, but leads a group', () => {
  const cases = [
    { startNs: 2000 * MS, isTaken: false },
    // The child's start, when it is from /proc, is cut to 10 ms.
    { startNs: 1009 * MS, isTaken: true },
    { startNs: 1000 * MS - 1, isTaken: true },
    { startNs: 0, isTaken: true },
  ]
  for (const { startNs, isTaken } of cases) {
    const table = newTable()
    note(table, 10, startNs, { ppid: 1 })
    const child = note(table, 20, 1000 * MS, { ppid: 10, pgid: 10, sid: 10 })
    const { parent, sessionLeader, groupLeader } = findRelatives(child, table)
    assert.deepEqual(
      [parent?.pid, sessionLeader?.pid, groupLeader?.pid],
      isTaken ? [10, 10, 10] : [undefined, undefined, 10],
    )
  }
})

test('siblings share their relatives until one of these changes', () => {
  const table = newTable()
  const finder = new RelativesFinder(table)
  note(table, 1, 1 * MS, { ppid: 0, pgid: 1, sid: 1 })
  note(table, 5, 2 * MS, { ppid: 1, pgid: 5, sid: 5 })
  const child = (pid: number) => note(table, pid, pid * MS, { ppid: 5, pgid: 5, sid: 5 })
  const first = finder.find(child(10), -1, -1)
  assert.equal(finder.find(child(11), -1, -1), first)
  note(table, 5, 2 * MS, { ppid: 1, pgid: 5, sid: 5 })
  const second = finder.find(child(12), -1, -1)
  assert.notEqual(second.parent, first.parent)
  assert.equal(first.parent?.pid, 5)
})

test('shared relatives are those that a look-up at that moment finds', () => {
  const pid = fc.integer({ min: 1, max: 9 })
  const step = fc.record({
    pid,
    ppid: fc.integer({ min: 0, max: 4 }),
    pgid: fc.option(fc.integer({ min: 0, max: 4 }), { nil: undefined }),
    sid: fc.integer({ min: 0, max: 3 }),
    startMs: fc.constantFrom(0, 1, 5, 20, 40, 5000),
    end: fc.boolean(),
  })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const table = new ProcessTable({ graceMs: 3, maxProcesses: 6, maxPackedBytes: 0 }, new TimeBase(0n))
      const finder = new RelativesFinder(table)
      for (const [at, { pid, startMs, end, ...facts }] of steps.entries()) {
        table.collect(at * MS, at * MS)
        const process = note(table, pid, startMs * MS, { ...facts, pgid: facts.pgid ?? 0 })
        const found = finder.find(process, -1, -1)
        const expected = findRelatives(process, table)
        for (const name of Object.keys(expected) as (keyof Relatives)[]) {
          assert.equal(found[name], expected[name], name)
        }
        if (end) table.markEnded(table.presentEntryOf(pid))
      }
    }),
    { numRuns: 500 },
  )
})

test('ancestors are the parent, its parent and so on, as many as are asked for, and end at what is not known', () => {
  const table = newTable()
  note(table, 1, 1 * MS, { ppid: 0, pgid: 1, sid: 1 })
  for (let pid = 2; pid <= 6; pid++) note(table, pid, pid * 20 * MS, { ppid: pid - 1, pgid: 1, sid: 1 })
  const process = note(table, 10, 900 * MS, { ppid: 6, pgid: 1, sid: 1 })
  const pids = (most: number): unknown => findRelatives(process, table, most).ancestors?.map(({ pid }) => pid)
  assert.equal(pids(0), undefined)
  assert.deepEqual(pids(3), [6, 5, 4])
  assert.deepEqual(pids(256), [6, 5, 4, 3, 2, 1])
  // The pid of an ancestor was used again.
  table.forget(3)
  note(table, 3, 800 * MS, { ppid: 1, pgid: 1, sid: 1 })
  assert.deepEqual(pids(256), [6, 5, 4])
  table.forget(5)
  assert.deepEqual(pids(256), [6])
})
