import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import type { QuarkEvent } from '../kinds/index.js'
import type { Process } from './process.js'
import { TimeBase } from '../event/time-base.js'
import { defaultAggregation, kinds, noAggregation } from '../kinds/index.js'
import { HAS_ENDING, HAS_IDENTITY } from './known.js'
import type { KindTable } from '../event/table.js'
import { World } from '../kinds/world.js'
import { Pipeline } from '../pipeline/pipeline.js'
import { insert, record, strings } from '../testing/process-records.js'
import { CgroupNames } from './cgroup-names.js'
import { ProcessRecord } from './entry.js'
import { ProcessTable } from './table.js'

const BASE = 7_000_000_000
const PIDS = 6

interface Options {
  readonly maxPackedBytes?: number
  readonly maxProcesses: number
  readonly graceMs: number
  readonly holdMs: number
  readonly joins: boolean
}

function pipelineOf({ joins, holdMs, ...options }: Options): Pipeline {
  const timeBase = new TimeBase(1_000_000_000_000n)
  const cgroups = new CgroupNames()
  for (let id = 1n; id < 4n; id++) cgroups.set(id, `/cgroup${id}`)
  return new Pipeline(
    {
      kinds,
      aggregation: joins ? defaultAggregation() : noAggregation(),
      maxLength: 1000,
      maxBufferBytes: 1 << 20,
      holdMs,
    },
    new World(
      { timeBase, settings: { snapshot: true } as never },
      new Map([
        ['process', new ProcessTable(options, timeBase)],
        ['cgroup', cgroups],
      ] as [string, KindTable][]),
    ),
  )
}

const records = ['fork', 'exec', 'exit', 'exitUsage', 'comm', 'idChange', 'snapshot', 'threadFork'] as const
const readings = ['lookup', 'all', 'ancestors', 'setClock', 'rename'] as const

/** One record, or one reading of the table. */
const step = fc.record({
  what: fc.oneof(
    { weight: 6, arbitrary: fc.constantFrom('life', 'shortLife', 'parentLife') },
    { weight: 8, arbitrary: fc.constantFrom(...records) },
    { weight: 3, arbitrary: fc.constantFrom(...readings) },
  ),
  pid: fc.integer({ min: 1, max: PIDS }),
  ppid: fc.integer({ min: 1, max: PIDS }),
  gapNs: fc.oneof(fc.nat(3_000_000), fc.nat(300_000_000)),
  lateNs: fc.oneof(fc.constant(0), fc.nat(15_000_000)),
  number: fc.nat(300),
  knows: fc.oneof({ weight: 4, arbitrary: fc.constant(HAS_IDENTITY | HAS_ENDING) }, fc.nat(255)),
  isCwdKnown: fc.boolean(),
  isStartKnown: fc.oneof({ weight: 5, arbitrary: fc.constant(true) }, fc.boolean()),
})
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never

function recordOf(what: (typeof records)[number], at: Step, timeNs: number, startNs: number): Uint8Array {
  const { pid, ppid, number, knows, isCwdKnown } = at
  const path = (name: string) => ({ path: `/${name}/${number}`, root: '/', truncated: false, deleted: false })
  const who = { pid, tid: pid, startBootNs: BigInt(startNs), ppid, pgid: pid, sid: number, known: knows }
  const ids = {
    uid: number,
    gid: number + 1,
    mntNs: 9,
    loginUid1: number,
    comm: `c${number}é`,
    cgroupId: BigInt(number % 5),
  }
  const cwd = isCwdKnown ? { cwd: path('cwd') } : {}
  switch (what) {
    case 'fork':
      return record('fork', timeNs, { ...who, ...ids, ...cwd })
    case 'exec':
    case 'snapshot': {
      const image = { exe: path('exe'), argv: strings('x', String(number)), argvBytes: 2 + number }
      return record(what, timeNs, { ...who, ...ids, ...cwd, ...image })
    }
    case 'exit':
      return record('exit', timeNs, { ...who, leaderExitCode: number << 8 })
    case 'exitUsage': {
      const killer = { killedBy: number % 8, killerPid: number, killerUid: 3, killerComm: `k${number % 3}` }
      return record('exitUsage', timeNs, { ...who, leaderExitCode: number, groupRunNs: 77n, ...killer })
    }
    case 'comm':
      return record('comm', timeNs, { ...who, comm: `n${number}` })
    case 'idChange':
      return record('idChange', timeNs, { ...who, ...ids, tid: pid + (number % 2), what: 1 + (number % 4) })
    case 'threadFork':
      return record('threadFork', timeNs, { pid, tid: pid + 1, comm: 't' })
  }
}

const getters = Object.entries(Object.getOwnPropertyDescriptors(ProcessRecord.prototype))
  .filter(([, { get }]) => get !== undefined)
  .map(([name]) => name as keyof Process)

/** All that the type Process has. */
function factsOf(process: Process): Record<string, unknown> {
  const { pid, ppid, pgid, cgroup, killer } = process
  return {
    ...Object.fromEntries(getters.map((name) => [name, process[name]])),
    pid,
    ppid,
    pgid,
    cgroup,
    killer,
  }
}

function eventFacts({ process, relatives, ...event }: QuarkEvent): unknown {
  const known = Object.entries(relatives ?? {}) as [string, Process | undefined][]
  return {
    ...event,
    process: process === undefined ? undefined : factsOf(process),
    relatives: known.map(([name, relative]) => [name, relative && factsOf(relative)]),
  }
}

/** Takes the steps, and notes all that can be seen from outside. */
function observe(pipeline: Pipeline, steps: readonly Step[]): unknown[] {
  const { processes, timeBase } = pipeline.tables
  const cgroups = pipeline.tables.table<CgroupNames>('cgroup')
  const seen: unknown[] = []
  const kept: { event: QuarkEvent; facts: unknown }[] = []
  const starts = new Map<number, number>()
  let nowNs = BASE
  for (const at of steps) {
    nowNs += at.gapNs + 10
    const timeNs = nowNs - at.lateNs
    const add = (what: (typeof records)[number], addedNs: number): void => {
      if (what === 'fork' || !starts.has(at.pid)) starts.set(at.pid, timeNs)
      insert(pipeline, recordOf(what, at, timeNs + addedNs, at.isStartKnown ? (starts.get(at.pid) ?? 0) : 0))
    }
    switch (at.what) {
      case 'shortLife':
        add('fork', 0)
        add('exit', 2)
        break
      case 'life':
        add('fork', 0)
        add('exec', 1)
        add('exit', 2)
        break
      case 'parentLife': {
        // The child is applied after its parent's exec, but was made before.
        const child = { ...at, pid: (at.pid % PIDS) + 1, ppid: at.pid }
        starts.set(child.pid, timeNs + 1)
        add('fork', 0)
        insert(pipeline, recordOf('fork', child, timeNs + 1, timeNs + 1))
        add('exec', 2)
        add('exit', 3)
        break
      }
      case 'lookup': {
        const process = processes.lookup(at.pid)
        seen.push(process && factsOf(process))
        break
      }
      case 'all':
        seen.push([...processes.all()].map(factsOf))
        break
      case 'ancestors':
        seen.push(processes.ancestors(at.pid).map(factsOf))
        break
      case 'setClock':
        timeBase.bootEpochNs = BigInt(at.number)
        break
      case 'rename':
        cgroups.set(BigInt(at.number % 5), `/renamed${at.number}`)
        break
      default:
        add(at.what, 0)
    }
    const events: QuarkEvent[] = []
    pipeline.pump(nowNs, events)
    for (const event of events) kept.push({ event, facts: eventFacts(event) })
    const { size, collected, evicted, truncatedPaths } = processes
    seen.push({ size, collected, evicted, truncatedPaths })
  }
  const last: QuarkEvent[] = []
  pipeline.flush(last)
  // What was delivered is as it was.
  for (const { event, facts } of kept) assert.deepEqual(eventFacts(event), facts)
  seen.push(
    kept.map(({ facts }) => facts),
    last.map(eventFacts),
    [...processes.all()].map(factsOf),
  )
  return seen
}

test('a packed process cannot be distinguished from one that is not', () => {
  const options = fc.record({
    maxProcesses: fc.constantFrom(3, 5, 100),
    graceMs: fc.constantFrom(0, 5, 400, 1e6),
    holdMs: fc.constantFrom(0, 30, 1000),
    joins: fc.boolean(),
  })
  let packedBytes = 0
  fc.assert(
    fc.property(fc.array(step, { maxLength: 50 }), options, (steps, chosen) => {
      const pipeline = pipelineOf(chosen)
      const packed = observe(pipeline, steps)
      packedBytes += pipeline.tables.processes.packedBytes
      assert.deepEqual(packed, observe(pipelineOf({ ...chosen, maxPackedBytes: 0 }), steps))
    }),
    { numRuns: 150 },
  )
  assert.ok(packedBytes > 0)
})

test('packed processes have a limit of bytes: the oldest go, and are counted', () => {
  const options = { maxProcesses: 1000, graceMs: 1e6, holdMs: 0, joins: true, maxPackedBytes: 4096 }
  const pipeline = pipelineOf(options)
  const { processes } = pipeline.tables
  const events: QuarkEvent[] = []
  for (let pid = 1; pid <= 100; pid++) {
    const who = { pid, tid: pid, startBootNs: BigInt(BASE + pid) }
    insert(pipeline, record('fork', BASE + pid, who))
    insert(pipeline, record('exit', BASE + pid, who))
    pipeline.flush(events)
    assert.ok(processes.packedBytes <= 4096)
  }
  assert.ok(processes.size > 5)
  assert.equal(processes.size + processes.evicted, 100)
  assert.equal(processes.lookup(1), undefined)
  assert.equal(processes.lookup(100)?.pid, 100)
  const reported = events.reduce((sum, event) => sum + (event.kind === 'lost' ? event.count : 0), 0)
  assert.equal(reported, processes.evicted)
})

test('packed processes leave no bytes behind', () => {
  const pipeline = pipelineOf({ maxProcesses: 100_000, graceMs: 10, holdMs: 0, joins: true })
  const { processes } = pipeline.tables
  for (let pid = 1; pid <= 1000; pid++) {
    const who = { pid, tid: pid, startBootNs: BigInt(BASE + pid * 10_000) }
    insert(pipeline, record('fork', BASE + pid * 10_000, who))
    insert(pipeline, record('exit', BASE + pid * 10_000 + 1, who))
    // Every third is asked for, and so kept as an object from then on.
    pipeline.pump(BASE + pid * 10_000 + 50e6, [])
    if (pid % 3 === 0) processes.lookup(pid)
  }
  assert.ok(processes.packedBytes > 0)
  pipeline.pump(BASE * 10, [])
  assert.equal(processes.packedBytes, 0)
  assert.equal(processes.size, 0)
  assert.equal(processes.collected, 1000)
})

test('a packed parent gives its child the image of the moment when the child was made', () => {
  const pipeline = pipelineOf({ maxProcesses: 100, graceMs: 1000, holdMs: 1000, joins: true })
  const who = (pid: number, ppid: number) => ({ pid, tid: pid, startBootNs: BigInt(BASE + pid), ppid })
  const path = (name: string) => ({ path: `/${name}`, root: '/', truncated: false, deleted: false })
  insert(pipeline, record('exec', BASE, { ...who(1, 0), exe: path('shell'), argv: strings('shell') }))
  insert(pipeline, record('fork', BASE + 2, who(2, 1)))
  insert(pipeline, record('fork', BASE + 3, who(3, 2)))
  insert(pipeline, record('exec', BASE + 4, { ...who(2, 1), exe: path('program'), cwd: path('cwd') }))
  insert(pipeline, record('fork', BASE + 5, who(4, 2)))
  insert(pipeline, record('exit', BASE + 6, who(2, 1)))
  pipeline.flush([])
  const { processes } = pipeline.tables
  assert.equal(processes.lookup(3)?.exe, '/shell')
  assert.equal(processes.lookup(4)?.exe, '/program')
  assert.deepEqual(
    processes.ancestors(4).map(({ exe }) => exe),
    ['/program', '/shell'],
  )
})
