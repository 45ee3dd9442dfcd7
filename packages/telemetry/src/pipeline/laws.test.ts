import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import type { AggregationTable } from '../aggregate/table.js'
import type { QuarkEvent } from '../kinds/index.js'
import type { Process } from '../process/process.js'
import { defaultAggregation, minimalAggregation, noAggregation } from '../kinds/index.js'
import { PROC_EVENT_UID } from '../kinds/process/kernel-ids.js'
import type { Pipeline } from './pipeline.js'
import { insert, record, strings, testPipeline } from '../testing/process-records.js'

const BASE = 7_000_000_000

/** One step in the lives of a few processes. */
interface Step {
  readonly pid: number
  readonly what: 'fork' | 'exec' | 'exit' | 'comm' | 'idChange'
  readonly gapNs: number
  readonly number: number
}

const step: fc.Arbitrary<Step> = fc.record({
  pid: fc.integer({ min: 1, max: 4 }),
  what: fc.constantFrom('fork', 'exec', 'exit', 'comm', 'idChange'),
  gapNs: fc.oneof(fc.nat(2_000_000), fc.integer({ min: 0, max: 900_000_000 })),
  number: fc.nat(200),
})

/** The steps as records; every fork begins another process. */
function recordsOf(steps: readonly Step[]): { timeNs: number; bytes: Uint8Array }[] {
  const starts = new Map<number, number>()
  let timeNs = BASE
  return steps.map(({ pid, what, gapNs, number }) => {
    timeNs += gapNs + 1
    if (what === 'fork' || !starts.has(pid)) starts.set(pid, timeNs)
    const who = { pid, tid: pid, startBootNs: BigInt(starts.get(pid) ?? 0), ppid: (pid % 4) + 1, sid: number }
    const ids = { uid: number, gid: number + 1 }
    const path = (name: string) => ({
      path: `/${name}${number}`,
      root: '/',
      truncated: false,
      deleted: false,
    })
    const bytes = {
      fork: () => record('fork', timeNs, { ...who, ...ids, comm: `f${number}`, cwd: path('cwd') }),
      exec: () =>
        record('exec', timeNs, {
          ...who,
          ...ids,
          comm: `e${number}`,
          exe: path('exe'),
          argv: strings('x', String(number)),
        }),
      exit: () => record('exit', timeNs, { ...who, leaderExitCode: number << 8 }),
      comm: () => record('comm', timeNs, { ...who, comm: `c${number}` }),
      idChange: () =>
        record('idChange', timeNs, { ...who, ...ids, what: PROC_EVENT_UID, comm: `i${number}` }),
    }[what]()
    return { timeNs, bytes }
  })
}

function factsOf(process: Process): unknown {
  const { pid, startTimeNs, ppid, sid, uid, gid, comm, exe, cwd, argv, exitCode, exitTimeNs } = process
  return { pid, startTimeNs, ppid, sid, uid, gid, comm, exe, cwd, argv, exitCode, exitTimeNs }
}

/** Runs records through a pipeline that is pumped after each of them. */
function run(pipeline: Pipeline, records: readonly { timeNs: number; bytes: Uint8Array }[]): QuarkEvent[] {
  const events: QuarkEvent[] = []
  for (const { timeNs, bytes } of records) {
    insert(pipeline, bytes)
    pipeline.pump(timeNs, events)
  }
  pipeline.flush(events)
  return events
}

/** What must not depend on packaging: all actions, each process's last facts, and the table. */
function contentOf(pipeline: Pipeline, events: readonly QuarkEvent[]): unknown {
  const actions: string[] = []
  const last = new Map<string, unknown>()
  for (const event of events) {
    if (event.kind !== 'process') continue
    const { process } = event
    const repeated = event.actions.filter((action) => action !== 'idChange' && action !== 'commChange')
    actions.push(...repeated.map((action) => `${action} ${process.pid}`))
    last.set(`${process.pid} ${process.startTimeNs}`, factsOf(process))
  }
  return {
    actions: actions.sort(),
    last: [...last].sort(([a], [b]) => (a < b ? -1 : 1)),
    table: [...pipeline.tables.processes.all()].map(factsOf),
  }
}

test('aggregation changes packaging, never content', () => {
  const ways: { holdMs: number; table: () => AggregationTable }[] = [
    { holdMs: 0, table: noAggregation },
    { holdMs: 0, table: defaultAggregation },
    { holdMs: 1000, table: noAggregation },
    { holdMs: 1000, table: minimalAggregation },
    { holdMs: 1000, table: defaultAggregation },
  ]
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const records = recordsOf(steps)
      const contents = ways.map(({ holdMs, table }) => {
        const pipeline = testPipeline({ holdMs, aggregation: table(), graceMs: 1e9 })
        return contentOf(pipeline, run(pipeline, records))
      })
      for (const content of contents.slice(1)) assert.deepEqual(content, contents[0])
    }),
    { numRuns: 200 },
  )
})

test('the same calls give the same events', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const records = recordsOf(steps)
      const [first, second] = [1, 2].map(() =>
        run(testPipeline(), records).map((event) => [event.timeNs, event.process && factsOf(event.process)]),
      )
      assert.deepEqual(first, second)
    }),
    { numRuns: 50 },
  )
})

test('events are in order of time when records come out of order within the time they wait', () => {
  const late = fc.record({
    gapNs: fc.nat(8_000_000),
    delayNs: fc.nat(19_000_000),
    pid: fc.integer({ min: 1, max: 9 }),
  })
  fc.assert(
    fc.property(fc.array(late, { maxLength: 60 }), fc.boolean(), (items, joined) => {
      let timeNs = BASE
      const records = items.map(({ gapNs, delayNs, pid }) => {
        timeNs += gapNs
        return { timeNs, arrivalNs: timeNs + delayNs, bytes: record('exit', timeNs, { pid }) }
      })
      records.sort((a, b) => a.arrivalNs - b.arrivalNs)
      const pipeline = testPipeline({ aggregation: joined ? defaultAggregation() : noAggregation() })
      const events: QuarkEvent[] = []
      for (const { arrivalNs, bytes } of records) {
        pipeline.pump(arrivalNs, events)
        insert(pipeline, bytes)
      }
      pipeline.flush(events)
      const times = events.map((event) => Number(event.timeNs))
      assert.equal(times.length, items.length)
      assert.deepEqual(
        times,
        times.toSorted((a, b) => a - b),
      )
    }),
    { numRuns: 200 },
  )
})

/** Reads all of an event, so that everything is decoded that is decoded late. */
function readAll(value: unknown): void {
  if (typeof value !== 'object' || value === null) return
  const prototype = Object.getPrototypeOf(value) as object | null
  const getters = Object.entries(Object.getOwnPropertyDescriptors(prototype ?? {}))
    .filter(([name, { get }]) => get !== undefined && name !== '__proto__')
    .map(([name]) => name)
  for (const name of [...getters, 'process', 'idChange']) readAll((value as Record<string, unknown>)[name])
}

test('hostile records are counted and do no harm', () => {
  const names = [
    'fork',
    'exec',
    'exit',
    'exitUsage',
    'idChange',
    'comm',
    'snapshot',
    'threadFork',
    'threadExit',
    'execFailed',
    'cgroupMkdir',
    'cgroupRename',
  ] as const
  const random = fc.uint8Array({ maxLength: 600 })
  const typed = fc.tuple(fc.nat(40), random).map(([type, bytes]) => {
    if (bytes.length >= 2) Buffer.from(bytes.buffer).writeUInt16LE(type, 0)
    return bytes
  })
  // A whole record with some bytes changed, maybe cut: tails that are longer than the record, or overlap.
  const damaged = fc
    .record({
      name: fc.constantFrom(...names),
      cut: fc.option(fc.nat(400)),
      changes: fc.array(fc.tuple(fc.integer({ min: 4, max: 400 }), fc.nat(255)), { maxLength: 12 }),
    })
    .map(({ name, cut, changes }) => {
      const bytes = record(name, BASE, {
        pid: 3,
        comm: 'x',
        argv: strings('a', 'b'),
        cwd: { path: '/a/b', root: '/', truncated: false, deleted: false },
      } as never)
      for (const [at, value] of changes) if (at < bytes.length) bytes[at] = value
      return cut === null ? bytes : bytes.subarray(0, cut)
    })
  fc.assert(
    fc.property(fc.array(fc.oneof(random, typed, damaged), { maxLength: 30 }), (records) => {
      const pipeline = testPipeline({ snapshotEvents: true, maxProcesses: 5 })
      const events: QuarkEvent[] = []
      for (const bytes of records) {
        insert(pipeline, bytes)
        pipeline.pump(BASE, events)
      }
      pipeline.flush(events)
      for (const event of events) readAll(event)
      for (const process of pipeline.tables.processes.all()) {
        readAll(process)
        readAll(pipeline.tables.processes.ancestors(process.pid))
      }
      const { insertions, removals, rejected } = pipeline.counters
      assert.equal(insertions + rejected, records.length)
      assert.equal(removals, insertions)
      const reportedRejected = events.reduce(
        (sum, event) => sum + (event.kind === 'lost' && event.cause === 'rejected' ? event.count : 0),
        0,
      )
      assert.equal(reportedRejected, rejected)
      assert.ok(pipeline.tables.processes.size <= 5)
    }),
    { numRuns: 500 },
  )
})

test('memory is given back: a storm leaves an empty buffer and table', () => {
  const pipeline = testPipeline({ graceMs: 10 })
  const events: QuarkEvent[] = []
  for (let i = 0; i < 20_000; i++) {
    const who = { pid: 1 + (i % 3000), startBootNs: BigInt(BASE + i) }
    const timeNs = BASE + i * 50_000
    insert(pipeline, record('fork', timeNs, who))
    insert(pipeline, record('exit', timeNs + 20_000, who))
    if (i % 100 === 0) {
      pipeline.pump(timeNs, events)
      assert.ok(pipeline.tables.processes.size < 2000)
    }
  }
  pipeline.flush(events)
  pipeline.pump(BASE * 100, events)
  assert.equal(events.length, 20_000)
  assert.equal(pipeline.tables.processes.size, 0)
  assert.equal(pipeline.tables.processes.collected, 20_000)
  assert.deepEqual([...pipeline.buffered()], [])
})
