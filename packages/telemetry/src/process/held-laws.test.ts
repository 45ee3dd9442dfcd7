/** Laws of the limit of bytes of the table: what is counted is what is held, and what is not cut is as without a limit. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import type { BaseEvent } from '../event/event.js'
import type { Pipeline } from '../pipeline/pipeline.js'
import { insert, record, strings, testPipeline } from '../testing/process-records.js'
import { ProcessRecord } from './entry.js'
import { ownBytes } from './held.js'
import type { Image } from './image.js'
import type { Process } from './process.js'
import type { ProcessTable } from './table.js'

const BASE = 7_000_000_000
const MIB = 1 << 20
const PIDS = 40

/** Counts again, from all processes that the table gives out; packed ones are objects that it does not count. */
function countedAgain(table: ProcessTable): number {
  const images = new Set<Image>()
  let bytes = table.packedBytes
  for (const process of table.all()) {
    if (process.isCounted) bytes += ownBytes(process)
    for (let state: { image: Image | undefined } | undefined = process; state !== undefined;) {
      // The image of a packed process is made anew, unless it is shared.
      if (state.image !== undefined && state.image.holders > 0) images.add(state.image)
      state =
        state instanceof ProcessRecord ? state.past : (state as NonNullable<typeof process.past>).earlier
    }
  }
  for (const image of images) bytes += image.sizeBytes
  return bytes
}

/** What may be cut; the rest must be the same. */
const CUT = new Set(
  'argv realArgv argvBytes argvTruncated env realEnv envTruncated exe exeTruncated cwd cwdTruncated root cgroup'.split(
    ' ',
  ),
)

const uncut = Object.entries(Object.getOwnPropertyDescriptors(ProcessRecord.prototype))
  .filter(([name, { get }]) => get !== undefined && !CUT.has(name))
  .map(([name]) => name as keyof Process)

function uncutFacts(process: Process): Record<string, unknown> {
  const { pid, ppid, pgid, sid } = process
  return { ...Object.fromEntries(uncut.map((name) => [name, process[name]])), pid, ppid, pgid, sid }
}

/** Whether a path is all of another one, or its lower part and marked. */
function assertPath(path: string | undefined, isCut: boolean, whole: string | undefined): void {
  if (!isCut) assert.equal(path, whole)
  else if (path !== undefined) assert.ok(whole?.endsWith(path.slice('...'.length)))
}

/** Whether a process is `whole`, or has cut texts and says so. */
function assertCutOnly(process: Process, whole: Process): void {
  assert.deepEqual(uncutFacts(process), uncutFacts(whole))
  const bytes = process.argvBytes
  const length = process.argvTruncated ? bytes?.length : whole.argvBytes?.length
  assert.deepEqual(bytes, whole.argvBytes?.subarray(0, length))
  assert.notEqual(process.argvTruncated && bytes?.length === 0, true)
  if (process.envTruncated) assert.ok((process.env?.length ?? 0) > 0)
  else assert.deepEqual(process.env, whole.env)
  assertPath(process.exe, process.exeTruncated, whole.exe)
  assertPath(process.cwd, process.cwdTruncated, whole.cwd)
  assert.ok(process.cgroup === undefined || process.cgroup === whole.cgroup)
}

const step = fc.record({
  what: fc.oneof(
    { weight: 8, arbitrary: fc.constantFrom('fork', 'exec', 'exec', 'exit', 'idChange', 'comm', 'snapshot') },
    { weight: 2, arbitrary: fc.constantFrom('life', 'forkExec', 'lookup', 'wait') },
  ),
  pid: fc.integer({ min: 1, max: PIDS }),
  ppid: fc.integer({ min: 1, max: PIDS }),
  gapNs: fc.oneof(fc.nat(3_000_000), fc.nat(300_000_000)),
  // Now and then a text that is a good part of all.
  argvBytes: fc.oneof(fc.nat(400), fc.nat(20_000), fc.nat(150_000)),
  envBytes: fc.oneof(fc.nat(100), fc.nat(20_000)),
  depth: fc.oneof({ weight: 5, arbitrary: fc.nat(3) }, { weight: 1, arbitrary: fc.nat(300) }),
  hasEmpty: fc.boolean(),
})
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never

/** Lets a pipeline take steps; `check` is called after each of them. */
function run(pipeline: Pipeline, steps: readonly Step[], check: () => void): BaseEvent[] {
  const starts = new Map<number, number>()
  const events: BaseEvent[] = []
  let nowNs = BASE
  for (const at of steps) {
    nowNs += at.gapNs + 10
    const add = (what: string, laterNs: number): void => {
      const timeNs = nowNs + laterNs
      if (what === 'fork' || !starts.has(at.pid)) starts.set(at.pid, timeNs)
      insert(pipeline, recordOf(what, at, timeNs, starts.get(at.pid) as number))
    }
    if (at.what === 'life') for (const [i, what] of ['fork', 'exec', 'exit'].entries()) add(what, i)
    else if (at.what === 'forkExec') for (const [i, what] of ['fork', 'exec'].entries()) add(what, i)
    else if (at.what === 'lookup') pipeline.tables.processes.lookup(at.pid)
    else if (at.what === 'wait') nowNs += 5e9
    else add(at.what, 0)
    nowNs += 5
    pipeline.pump(nowNs + 2e9, events)
    check()
  }
  return events
}

function recordOf(what: string, at: Step, timeNs: number, startNs: number): Uint8Array {
  const { pid, ppid } = at
  const path = (name: string) => ({
    path: `/${'deep/'.repeat(at.depth)}${name}`,
    root: '/',
    truncated: false,
    deleted: false,
  })
  const who = {
    pid,
    tid: pid,
    startBootNs: BigInt(startNs),
    ppid,
    pgid: pid,
    sid: 3,
    uid: at.pid,
    comm: `name of ${pid}`,
  }
  const argument = at.hasEmpty ? new Uint8Array(at.argvBytes) : strings('x'.repeat(at.argvBytes))
  switch (what) {
    case 'exec':
    case 'snapshot':
      return record(what, timeNs, {
        ...who,
        exe: path('exe'),
        cwd: path('cwd'),
        argv: argument,
        argvBytes: argument.length,
        env: strings(`A=${'e'.repeat(at.envBytes)}`),
        envBytes: at.envBytes + 3,
        ...(what === 'snapshot' ? { cgroup: `/${'c'.repeat(at.depth)}` } : {}),
      })
    case 'fork':
      return record('fork', timeNs, { ...who, cwd: path('cwd') })
    case 'exit':
      return record('exit', timeNs, { ...who, leaderExitCode: 256 })
    case 'comm':
      return record('comm', timeNs, { ...who, comm: `new name ${pid}` })
    default:
      return record('idChange', timeNs, { ...who, what: 2 })
  }
}

test('a table never counts more bytes than its limit, and counts what it holds; what is not cut is as without a limit', () => {
  let cut = 0
  fc.assert(
    fc.property(fc.array(step, { minLength: 60, maxLength: 150 }), (steps) => {
      const pipeline = testPipeline({ maxTableBytes: MIB / 4, snapshotEvents: true })
      const { processes } = pipeline.tables
      const events = run(pipeline, steps, () => {
        assert.ok(processes.sizeBytes <= (MIB * 7) / 32, `${processes.sizeBytes}`)
        assert.equal(countedAgain(processes), processes.sizeBytes)
      })
      const free = testPipeline({ maxTableBytes: 2 ** 36, snapshotEvents: true })
      const all = run(free, steps, () => {})
      assert.equal(free.tables.processes.cutProcesses, 0)
      assert.equal(events.length, all.length)
      for (const [i, event] of events.entries()) {
        const { process } = event as { process?: Process }
        const whole = (all[i] as { process?: Process }).process
        if (process !== undefined && whole !== undefined) assertCutOnly(process, whole)
      }
      if (processes.evicted === 0) {
        for (const process of processes.all()) {
          assertCutOnly(process, free.tables.processes.lookup(process.pid) as Process)
        }
        assert.equal(processes.size, free.tables.processes.size)
      }
      cut += processes.cutProcesses
      // Everything that was counted is taken back.
      processes.collect(1e15, 1e15)
      assert.equal(countedAgain(processes), processes.sizeBytes)
    }),
    { numRuns: 15 },
  )
  assert.ok(cut > 20, `${cut} cuts`)
})

test('the longest strings are cut first, and small ones are left alone', () => {
  const pipeline = testPipeline({ maxTableBytes: MIB, snapshotEvents: true })
  const { processes } = pipeline.tables
  const events: BaseEvent[] = []
  for (let pid = 1; pid <= 100; pid++) {
    const argv = strings('x'.repeat(pid % 2 === 0 ? 50 : 100_000))
    const who = { pid, tid: pid, startBootNs: BigInt(BASE + pid), ppid: 1, comm: 'x', argvBytes: argv.length }
    insert(pipeline, record('exec', BASE + pid, { ...who, argv }))
  }
  pipeline.flush(events)
  assert.equal(processes.evicted, 0)
  assert.ok(processes.cutProcesses >= 45)
  for (let pid = 1; pid <= 100; pid++) {
    const process = processes.lookup(pid)
    // The event had all of it, and has it still.
    const { process: delivered } = events[pid - 1] as unknown as { process: Process }
    assert.equal(delivered.argvTruncated, false)
    assert.equal(delivered.argv?.[0]?.length, pid % 2 === 0 ? 50 : 100_000)
    assert.equal(process?.argvSizeBytes, pid % 2 === 0 ? 51 : 100_001)
    if (pid % 2 === 0) assert.equal(process.argvTruncated, false)
    else if (process.argvTruncated) assert.ok((process.argv?.[0]?.length ?? 0) > 1000)
  }
})

test('an image that many processes share is counted once, and cut for all of them', () => {
  const pipeline = testPipeline({ maxTableBytes: 4 * MIB, snapshotEvents: true })
  const { processes } = pipeline.tables
  const argv = strings('x'.repeat(400_000))
  const who = { tid: 1, startBootNs: BigInt(BASE), ppid: 0, comm: 'x', argvBytes: argv.length }
  insert(pipeline, record('exec', BASE, { ...who, pid: 1, argv }))
  for (let pid = 2; pid <= 1000; pid++) {
    insert(
      pipeline,
      record('fork', BASE + pid, {
        ...who,
        pid,
        tid: pid,
        startBootNs: BigInt(BASE + pid),
        ppid: 1,
        creatorPid: 1,
      }),
    )
  }
  pipeline.flush([])
  assert.equal(processes.cutProcesses, 0)
  assert.equal(processes.lookup(1000)?.argv?.[0]?.length, 400_000)
  assert.ok(processes.sizeBytes < 2 * MIB, `${processes.sizeBytes}`)
})

test('without long strings, ended processes make room before those that live', () => {
  const pipeline = testPipeline({ maxTableBytes: MIB, snapshotEvents: true })
  const { processes } = pipeline.tables
  for (let pid = 1; pid <= 3000; pid++) {
    const who = { pid, tid: pid, startBootNs: BigInt(BASE + pid), ppid: 1, comm: 'x' }
    insert(pipeline, record('exec', BASE + pid, { ...who, argv: strings('a'), argvBytes: 2 }))
    if (pid > 500) insert(pipeline, record('exit', BASE + pid + 1, who))
  }
  pipeline.flush([])
  assert.ok(processes.evictedForBytes > 500)
  assert.equal(processes.evicted, processes.evictedForBytes)
  assert.equal(processes.lookup(1)?.hasExited, false)
  assert.equal(processes.lookup(500)?.hasExited, false)
})
