import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { QuarkEvent } from '../kinds/index.js'
import { noAggregation } from '../kinds/index.js'
import type { Pipeline } from './pipeline.js'
import { eventsOf, insert, record, strings, testPipeline } from '../testing/process-records.js'

const S = 1_000_000_000
const ids = { startBootNs: BigInt(5 * S), ppid: 1, pgid: 40, sid: 40 }

test('a short-lived process is one event', () => {
  const pipeline = testPipeline({ bootEpochNs: 1_700_000_000_000_000_000n })
  const events = eventsOf(pipeline, [
    record('fork', 5 * S + 1, { pid: 42, tid: 42, ...ids, uid: 1000, comm: 'bash' }),
    record('exec', 5 * S + 2, {
      pid: 42,
      tid: 42,
      ...ids,
      uid: 1000,
      comm: 'true',
      exe: { path: '/usr/bin/true', root: '/', truncated: false, deleted: false },
      cwd: { path: '/home/u', root: '/', truncated: false, deleted: false },
      argv: strings('true', '', 'x'),
      argvBytes: 8,
    }),
    record('exit', 5 * S + 3, { pid: 42, tid: 42, ...ids, leaderExitCode: 0x300 }),
  ])
  assert.equal(events.length, 1)
  const [event] = events
  assert.equal(event?.kind, 'process')
  if (event?.kind !== 'process') return
  assert.deepEqual(event.actions, ['fork', 'exec', 'exit'])
  const { process } = event
  assert.deepEqual(
    {
      timeNs: event.timeNs,
      pid: process.pid,
      startTimeNs: process.startTimeNs,
      uid: process.uid,
      comm: process.comm,
      exe: process.exe,
      cwd: process.cwd,
      root: process.root,
      argv: process.argv,
      exitCode: process.exitCode,
      exitSignal: process.exitSignal,
      exitTimeNs: process.exitTimeNs,
      durationNs: process.durationNs,
    },
    {
      timeNs: 1_700_000_005_000_000_001n,
      pid: 42,
      startTimeNs: 1_700_000_005_000_000_000n,
      uid: 1000,
      comm: 'true',
      exe: '/usr/bin/true',
      cwd: '/home/u',
      root: '/',
      argv: ['true', '', 'x'],
      exitCode: 3,
      exitSignal: undefined,
      exitTimeNs: 1_700_000_005_000_000_003n,
      durationNs: 3n,
    },
  )
})

const who = (pid: number) => ({ pid, tid: pid, startBootNs: BigInt(5 * S + pid) })

function pumped(pipeline: Pipeline, nowNs: number): QuarkEvent[] {
  const events: QuarkEvent[] = []
  pipeline.pump(nowNs, events)
  return events
}

/** Each event as its time and what it is about. */
function summaryOf(events: readonly QuarkEvent[]): string[] {
  return events.map((event) => {
    const what = event.kind === 'process' ? `${event.actions.join('+')} ${event.process.pid}` : event.kind
    const lost = event.kind === 'lost' ? ` ${event.cause} ${event.count} ${event.cpu ?? '-'}` : ''
    return `${event.timeNs} ${what}${lost}`
  })
}

test('pump() delivers what is old enough', () => {
  const pipeline = testPipeline()
  insert(pipeline, record('fork', 5 * S, who(42)))
  assert.equal(pipeline.dueInNs(5 * S), S)
  assert.equal(pumped(pipeline, 6 * S - 1).length, 0)
  assert.equal(pipeline.dueInNs(6 * S - 1), 1)
  assert.equal(pumped(pipeline, 6 * S).length, 1)
  assert.equal(pipeline.dueInNs(6 * S), Number.POSITIVE_INFINITY)
})

test('ended processes are forgotten also when no record comes any more', () => {
  const pipeline = testPipeline({ graceMs: 2000 })
  insert(pipeline, record('fork', 5 * S, who(42)))
  insert(pipeline, record('exit', 5 * S + 1, who(42)))
  assert.equal(pumped(pipeline, 6 * S).length, 1)
  const { processes } = pipeline.tables
  assert.equal(processes.size, 1)
  // A second more than the grace time: they are removed in batches.
  assert.equal(pipeline.dueInNs(6 * S), 3 * S)
  pumped(pipeline, 9 * S)
  assert.equal(processes.size, 0)
  assert.equal(pipeline.dueInNs(9 * S), Number.POSITIVE_INFINITY)
})

test('what a held record may be about is not forgotten, however late it is read', () => {
  const pipeline = testPipeline({ graceMs: 2000 })
  const { processes } = pipeline.tables
  insert(pipeline, record('fork', 5 * S, who(42)))
  insert(pipeline, record('exit', 5 * S + 2, who(42)))
  insert(pipeline, record('fork', 5 * S + 1, who(43)))
  // The first one is complete, and delivered early.
  assert.equal(pumped(pipeline, 5 * S + 25e6).length, 1)
  assert.equal(pipeline.dueInNs(5 * S + 25e6), S + 1 - 25e6)
  // Nobody has read for a minute.
  assert.equal(pumped(pipeline, 65 * S).length, 1)
  assert.ok(processes.lookup(42) !== undefined)
  pumped(pipeline, 65 * S + 1)
  assert.equal(processes.lookup(42), undefined)
  assert.ok(processes.lookup(43) !== undefined)
})

test('only the oldest record must be old: others join it however young', () => {
  const pipeline = testPipeline()
  insert(pipeline, record('fork', 5 * S, who(42)))
  insert(pipeline, record('exec', 6 * S - 1, who(42)))
  assert.deepEqual(summaryOf(pumped(pipeline, 6 * S)), ['5000000000 fork+exec 42'])
})

test('a complete event waits only for older records of other CPUs', async (t) => {
  await t.test('a process that ended', () => {
    const pipeline = testPipeline()
    insert(pipeline, record('fork', 5 * S, who(42)))
    insert(pipeline, record('exit', 5 * S + 5e6, who(42)))
    assert.equal(pipeline.dueInNs(5 * S), 25e6)
    assert.equal(pumped(pipeline, 5 * S + 25e6 - 1).length, 0)
    assert.equal(pumped(pipeline, 5 * S + 25e6).length, 1)
  })
  await t.test('a record that nothing joins', () => {
    const pipeline = testPipeline({ aggregation: noAggregation() })
    insert(pipeline, record('fork', 5 * S, who(42)))
    assert.equal(pumped(pipeline, 5 * S + 20e6).length, 1)
  })
  await t.test('but not before the records that are older than it', () => {
    const pipeline = testPipeline()
    insert(pipeline, record('fork', 5 * S, who(41)))
    insert(pipeline, record('fork', 5 * S + 1, who(42)))
    insert(pipeline, record('exit', 5 * S + 2, who(42)))
    assert.equal(pumped(pipeline, 5 * S + 500e6).length, 0)
  })
})

test('pump() delivers at most as many as its limit', () => {
  const pipeline = testPipeline()
  for (let pid = 1; pid <= 5; pid++) insert(pipeline, record('fork', 5 * S + pid, who(pid)))
  const events: QuarkEvent[] = []
  assert.equal(pipeline.pump(7 * S, events, 2), 2)
  assert.equal(pipeline.pump(7 * S, events, 2), 2)
  assert.equal(pipeline.pump(7 * S, events, 2), 1)
  assert.equal(events.length, 5)
})

test('a full buffer holds nothing back', () => {
  const pipeline = testPipeline({ maxLength: 100 })
  for (let pid = 1; pid <= 100; pid++) insert(pipeline, record('fork', 5 * S + pid, who(pid)))
  assert.equal(pipeline.room(), 0)
  assert.equal(pumped(pipeline, 5 * S + 101).length, 11)
  assert.equal(pipeline.room(), 11)
})

test('a record of the future waits for its time, and delays no other', () => {
  const pipeline = testPipeline()
  insert(pipeline, record('fork', 5000 * S, who(1)))
  insert(pipeline, record('fork', 5 * S, who(2)))
  assert.deepEqual(summaryOf(pumped(pipeline, 7 * S)), ['5000000000 fork 2'])
  assert.equal(pumped(pipeline, 5002 * S).length, 1)
})

test('counters', () => {
  const pipeline = testPipeline()
  const events = eventsOf(pipeline, [
    record('fork', 1, who(1), { seq: 1 }),
    record('exec', 2, who(1), { seq: 4 }),
    record('exit', 3, who(2), { seq: 5 }),
    Buffer.alloc(3),
  ])
  insert(pipeline, record('fork', 4, who(3), { seq: 6 }))
  assert.equal(events.length, 4)
  assert.deepEqual(pipeline.counters, {
    insertions: 4,
    removals: 3,
    aggregations: 1,
    nonAggregations: 1,
    rejected: 1,
    missing: 2,
    unseen: 0,
  })
  assert.deepEqual([...pipeline.buffered()], [{ pid: 3, timeNs: 4n, type: 'fork' }])
})

test('losses are reported where they happened', async (t) => {
  await t.test('a gap in the numbers of a CPU', () => {
    const events = eventsOf(testPipeline(), [
      record('fork', 10, who(1), { cpu: 3, seq: 1 }),
      record('fork', 20, who(2), { cpu: 1, seq: 3 }),
      record('fork', 30, who(3), { cpu: 3, seq: 2 }),
      record('fork', 15, who(4), { cpu: 3, seq: 4 }),
    ])
    assert.deepEqual(summaryOf(events), [
      '10 fork 1',
      '15 lost ringFull 1 3',
      '15 fork 4',
      '20 lost ringFull 2 1',
      '20 fork 2',
      '30 fork 3',
    ])
  })
  await t.test('a gap in the numbers of a lane: a level of a CPU, or of no CPU', () => {
    const events = eventsOf(testPipeline({ lanes: { cpus: 4, levels: 3 } }), [
      record('fork', 10, who(1), { cpu: 1, seq: 2 }),
      record('fork', 20, who(2), { cpu: 4 + 1, seq: 3 }),
      record('fork', 30, who(3), { cpu: 8 + 3, seq: 4 }),
      record('fork', 40, who(4), { cpu: 12, seq: 5 }),
    ])
    assert.deepEqual(summaryOf(events), [
      '10 lost ringFull 1 1',
      '10 fork 1',
      '20 lost ringFull 2 1',
      '20 fork 2',
      '30 lost ringFull 3 3',
      '30 fork 3',
      '40 lost ringFull 4 -',
      '40 fork 4',
    ])
  })
  await t.test('broken records, reported once for many', () => {
    const pipeline = testPipeline()
    const broken = record('fork', 11, who(9), { seq: 2 }).subarray(0, 40)
    const events = eventsOf(pipeline, [
      record('fork', 10, who(1), { seq: 1 }),
      broken,
      Buffer.alloc(0),
      record('fork', 20, who(2), { seq: 3 }),
      Buffer.alloc(64, 0xff),
    ])
    assert.deepEqual(summaryOf(events), [
      '10 fork 1',
      '20 lost rejected 2 -',
      '20 fork 2',
      '20 lost rejected 1 -',
    ])
  })
  await t.test('losses that the backend reports', () => {
    const pipeline = testPipeline()
    insert(pipeline, record('fork', 10, who(1)))
    pipeline.noteLost('recursion', 7, 2)
    insert(pipeline, record('fork', 20, who(2)))
    const events: QuarkEvent[] = []
    pipeline.flush(events)
    assert.deepEqual(summaryOf(events), ['10 fork 1', '10 lost recursion 7 2', '20 fork 2'])
  })
  await t.test('processes that the table evicted', () => {
    const forks = [1, 2, 3, 4].map((pid) => record('fork', 10 * pid, who(pid)))
    const events = eventsOf(testPipeline({ maxProcesses: 2 }), forks)
    assert.equal(summaryOf(events).at(-1), '40 lost evicted 2 -')
    assert.equal(events.length, 5)
  })
  await t.test('records that quark writes itself have no numbers', () => {
    const pipeline = testPipeline()
    const events = eventsOf(pipeline, [
      record('snapshot', 5, { pid: 7 }, { seq: 900 }),
      record('fork', 10, who(1), { seq: 1 }),
    ])
    assert.deepEqual(summaryOf(events), ['10 fork 1'])
  })
})
