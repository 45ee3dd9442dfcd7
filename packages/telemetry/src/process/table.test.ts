import assert from 'node:assert/strict'
import { test } from 'node:test'
import { TICK_NS, TimeBase } from '../event/time-base.js'
import { KNOWN_ID_TICKS, KNOWN_START, KNOWN_START_TICKS, ProcessRecord } from './entry.js'
import { ProcessTable } from './table.js'

const timeBase = new TimeBase(1_712_000_000_500_000_000n)

function tableOf(options: { graceMs?: number; maxProcesses?: number } = {}): ProcessTable {
  return new ProcessTable({ graceMs: 4000, maxProcesses: 100, ...options }, timeBase)
}

/** Adds a process that began at `start`, or changes it. */
function enter(table: ProcessTable, pid: number, start: number, ppid?: number): ProcessRecord {
  const process = table.entryOf(pid, start | 0, Math.floor(start / 2 ** 32))
  process.startLo = start | 0
  process.startHi = Math.floor(start / 2 ** 32)
  process.known |= KNOWN_START
  process.ppid = ppid
  return process
}

/** A process as /proc shows it: with a start cut to ticks. */
function found(pid: number, start: number, facts: Partial<ProcessRecord> = {}): ProcessRecord {
  const process = new ProcessRecord(pid, timeBase)
  const cut = Math.floor(start / TICK_NS) * TICK_NS
  process.startLo = cut | 0
  process.startHi = Math.floor(cut / 2 ** 32)
  process.known = KNOWN_START | KNOWN_START_TICKS
  return Object.assign(process, facts)
}

function end(table: ProcessTable, process: ProcessRecord, nowNs: number): void {
  table.collect(nowNs, nowNs)
  table.markEnded(process)
}

test('delivered objects do not change', () => {
  const table = tableOf()
  enter(table, 1, 5, 10)
  const before = table.lookup(1)
  enter(table, 1, 5, 20)
  assert.equal(before?.ppid, 10)
  assert.equal(table.lookup(1)?.ppid, 20)
  assert.equal(table.lookup(1), table.lookup(1))
})

test('a pid that is used again is another process, within the grace time too', () => {
  const table = tableOf()
  const first = enter(table, 1, 5)
  end(table, first, 1e9)
  const second = enter(table, 1, 6)
  assert.notEqual(first, second)
  assert.equal(table.peek(1)?.hasExited, false)
  // The grace time of the first one ends, and the second one stays.
  table.collect(9e9, 9e9)
  assert.equal(table.peek(1), second)
  assert.equal(table.collected, 0)
})

test('a record about an older process of the pid does not touch the present one', () => {
  const table = tableOf()
  const present = enter(table, 1, 600)
  const late = enter(table, 1, 500)
  assert.notEqual(late, present)
  assert.equal(table.peek(1), present)
})

test('ended processes go after the grace time, in the order of their ends', () => {
  const table = tableOf({ graceMs: 100 })
  for (const pid of [1, 2, 3]) enter(table, pid, pid)
  end(table, enter(table, 2, 2), 10e6)
  end(table, enter(table, 1, 1), 50e6)
  table.collect(109e6, 109e6)
  assert.equal(table.size, 3)
  table.collect(110e6, 110e6)
  assert.deepEqual(
    [...table.all()].map(({ pid }) => pid),
    [1, 3],
  )
  table.collect(1e12, 1e12)
  assert.deepEqual(
    [...table.all()].map(({ pid }) => pid),
    [3],
  )
  assert.equal(table.collected, 2)
})

test('the grace time of a process is not cut by an older one of its pid', () => {
  const table = tableOf({ graceMs: 100 })
  end(table, enter(table, 1, 5), 0)
  end(table, enter(table, 1, 6), 60e6)
  table.collect(159e6, 159e6)
  assert.equal(table.size, 1)
  table.collect(160e6, 160e6)
  assert.equal(table.size, 0)
})

test('an end that is reported twice counts once', () => {
  const table = tableOf({ graceMs: 100 })
  end(table, enter(table, 1, 1), 0)
  end(table, enter(table, 1, 1), 90e6)
  table.collect(100e6, 100e6)
  assert.equal(table.size, 0)
})

test('the table is bounded: ended processes make way first, then the oldest', () => {
  const table = tableOf({ maxProcesses: 3 })
  for (const pid of [3, 1, 2]) enter(table, pid, 100 + pid)
  end(table, enter(table, 1, 101), 0)
  enter(table, 4, 104)
  assert.deepEqual(
    [...table.all()].map(({ pid }) => pid),
    [2, 3, 4],
  )
  enter(table, 5, 105)
  assert.deepEqual(
    [...table.all()].map(({ pid }) => pid),
    [2, 4, 5],
  )
  enter(table, 5, 106)
  assert.equal(table.evicted, 2)
})

test('ten thousand short lives leave nothing behind', () => {
  const table = tableOf({ graceMs: 1, maxProcesses: 65_536 })
  for (let i = 0; i < 10_000; i++) end(table, enter(table, 1 + (i % 5000), i + 1), i * 1e5)
  table.collect(1e15, 1e15)
  assert.equal(table.size, 0)
})

test('ancestors() goes up to the first unknown one', () => {
  const table = tableOf()
  enter(table, 1, 1, 0)
  enter(table, 2, 2 * TICK_NS, 1)
  enter(table, 3, 3 * TICK_NS, 2)
  assert.deepEqual(
    table.ancestors(3).map(({ pid }) => pid),
    [2, 1],
  )
  assert.deepEqual(table.ancestors(77), [])
})

test('ancestors() ends in a circle, and at a parent that is younger than the child', () => {
  const table = tableOf()
  enter(table, 1, 1, 2)
  enter(table, 2, 1, 1)
  assert.deepEqual(
    table.ancestors(1).map(({ pid }) => pid),
    [2],
  )
  enter(table, 3, 3 * TICK_NS, 4)
  enter(table, 4, 4 * TICK_NS, 1)
  assert.deepEqual(table.ancestors(3), [])
})

test('a snapshot fills gaps only', () => {
  const table = tableOf()
  const seen = enter(table, 1, 123_456_789, 10)
  seen.isDelivered = true
  const process = table.applySnapshot(found(1, 123_456_789, { ppid: 99, pgid: 7, cgroup: '/a' }))
  assert.deepEqual([process.ppid, process.pgid, process.cgroup], [10, 7, '/a'])
  assert.equal(process.startLo, 123_456_789)
  assert.equal(seen.pgid, undefined)
})

test('a snapshot adds unknown processes, and replaces older ones of the pid', () => {
  const table = tableOf()
  table.applySnapshot(found(1, 5 * TICK_NS))
  enter(table, 2, 5 * TICK_NS)
  table.applySnapshot(found(2, 6 * TICK_NS, { ppid: 6 }))
  enter(table, 3, 5 * TICK_NS, 5)
  table.applySnapshot(found(3, 4 * TICK_NS, { ppid: 4 }))
  assert.deepEqual(
    [...table.all()].map(({ pid, ppid }) => [pid, ppid]),
    [
      [1, undefined],
      [2, 6],
      [3, 5],
    ],
  )
})

test('a record refines the start time of the snapshot of its process', () => {
  const table = tableOf()
  table.applySnapshot(found(1, 123_456_789, { cgroup: '/a' }))
  const idInSnapshot = table.lookup(1)?.entityId
  const process = enter(table, 1, 123_456_789)
  assert.equal(process.cgroup, '/a')
  assert.equal(process.entityId, idInSnapshot)
  assert.equal(process.startTimeNs, 1_712_000_000_623_456_789n)
})

test('without exact starts of older processes, the entity id is pid and start in ticks of the epoch', () => {
  const process = enter(tableOf(), 42, 123_456_789)
  const bytes = Buffer.from(process.entityId ?? '', 'base64')
  assert.equal(process.entityId?.length, 16)
  assert.equal(bytes.readUInt32LE(0), 42)
  assert.equal(bytes.readBigUInt64LE(4), 171_200_000_012n)
})

const BOOT = { id: '6a0f9a1c-0d3c-4a53-8d4e-0f3a5b1f7c11', hasExactStarts: true }

function idIn(base: TimeBase, start: number, known: number): ProcessRecord {
  const process = new ProcessRecord(42, base)
  process.startLo = start | 0
  process.startHi = Math.floor(start / 2 ** 32)
  process.known = known
  return process
}

test('with exact starts, processes of one pid in one tick have entity ids of their own', () => {
  const exact = new TimeBase(1_712_000_000_500_000_000n, BOOT)
  const one = idIn(exact, 5_123_456_789, KNOWN_START)
  const other = idIn(exact, 5_123_456_790, KNOWN_START)
  assert.notEqual(one.entityId, other.entityId)
  assert.equal(one.startTicks, other.startTicks)
  assert.deepEqual([one.entityIdCoarse, one.uniqueEntityId], [false, undefined])
  const bytes = Buffer.from(one.entityId ?? '', 'base64')
  assert.deepEqual([bytes.length, bytes.readUInt32LE(0)], [12, 42])
  assert.equal(bytes.readBigUInt64LE(4), BigInt.asUintN(64, 0x8d4e0f3a5b1f7c11n + 5_123_456_789n))
  // Neither the wall clock nor who reads it is in it; the boot is.
  assert.equal(idIn(new TimeBase(7n, BOOT), 5_123_456_789, KNOWN_START).entityId, one.entityId)
  const next = { ...BOOT, id: '6a0f9a1c-0d3c-4a53-8d4e-0f3a5b1f7c12' }
  assert.notEqual(idIn(new TimeBase(7n, next), 5_123_456_789, KNOWN_START).entityId, one.entityId)
})

test('without them a coarse id is that of both, and a unique one is beside it where the start is known', () => {
  const ticks = new TimeBase(7n, { ...BOOT, hasExactStarts: false })
  const seen = idIn(ticks, 5_123_456_789, KNOWN_START)
  const inProc = idIn(ticks, 5_120_000_000, KNOWN_START | KNOWN_START_TICKS | KNOWN_ID_TICKS)
  assert.equal(seen.entityId, inProc.entityId)
  assert.deepEqual([seen.entityIdCoarse, inProc.entityIdCoarse], [true, true])
  const exact = idIn(new TimeBase(7n, BOOT), 5_123_456_789, KNOWN_START)
  assert.deepEqual([seen.uniqueEntityId, inProc.uniqueEntityId], [exact.entityId, undefined])
})

test('a process whose start was cut when it was found keeps its id when the start becomes known', () => {
  const exact = new TimeBase(7n, BOOT)
  const process = idIn(exact, 5_120_000_000, KNOWN_START | KNOWN_START_TICKS | KNOWN_ID_TICKS)
  const id = process.entityId
  process.startLo = 5_123_456_789 | 0
  process.known &= ~KNOWN_START_TICKS
  const later = process.clone()
  assert.deepEqual([later.entityId, later.entityIdCoarse], [id, true])
  assert.equal(later.uniqueEntityId, idIn(exact, 5_123_456_789, KNOWN_START).entityId)
  assert.notEqual(later.uniqueEntityId, id)
})

test('a process that is found with an exact start is not the one that had its pid in the same tick', () => {
  const table = tableOf()
  enter(table, 1, 123_456_789)
  const other = found(1, 123_456_789)
  other.startLo = 123_456_790
  other.known = KNOWN_START
  assert.equal(table.applySnapshot(other), other)
  const same = found(1, 123_456_789)
  same.startLo = 123_456_790
  same.known = KNOWN_START
  assert.notEqual(table.applySnapshot(same), same)
})
