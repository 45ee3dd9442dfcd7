import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { ManualClock } from './clock.js'
import type { LostEvent } from '../event/event.js'
import type { QuarkEvent } from '../kinds/index.js'
import { LiveFeed } from './live-feed.js'
import { FRAME_CLOCK, FRAME_END, FRAME_LOST, FRAME_MISSING, FRAME_STEP } from '../recording/format.js'
import { openRecording } from '../recording/file.js'
import { RecordingWriter } from '../recording/writer.js'
import { FakeBackend } from '../testing/fake-backend.js'
import { insert, record, testPipeline, type TestPipelineOptions } from '../testing/process-records.js'

const SECOND_NS = 1_000_000_000
const BOOT_EPOCH_NS = 1_700_000_000_000_000_000n

interface Rig {
  readonly backend: FakeBackend
  readonly clock: ManualClock
  readonly feed: LiveFeed
  readonly pipeline: ReturnType<typeof testPipeline>
  /** Advances the clock, and returns the events of one pump. */
  pump(afterNs?: number): QuarkEvent[]
  /** An exit on a CPU; the record is due after 20 ms. */
  produce(pid: number, cpu?: number): void
  /** A record that found the ring full. */
  lose(cpu: number, count?: number): void
  finish(): QuarkEvent[]
}

function rig(options: TestPipelineOptions & { recorder?: RecordingWriter } = {}): Rig {
  const backend = new FakeBackend()
  const clock = new ManualClock({ bootNs: 100n * BigInt(SECOND_NS), bootEpochNs: BOOT_EPOCH_NS })
  const pipeline = testPipeline({ bootEpochNs: BOOT_EPOCH_NS, ...options })
  const { recorder } = options
  const feed = new LiveFeed({
    backend,
    pipeline,
    clock,
    recorder,
    pollMs: 100,
    batchMs: 0,
    kernel: 'test',
  })
  return {
    backend,
    clock,
    feed,
    pipeline,
    pump(afterNs = 0) {
      clock.advance(afterNs)
      const out: QuarkEvent[] = []
      assert.equal(feed.pump(out), true)
      return out
    },
    produce(pid, cpu = 0) {
      const seq = (backend.made[cpu]! += 1)
      backend.records.push(record('exit', clock.bootNowNs(), { pid, tid: pid }, { cpu, seq }))
    },
    lose(cpu, count = 1) {
      backend.made[cpu]! += count
    },
    finish() {
      const out: QuarkEvent[] = []
      feed.finish(out)
      return out
    },
  }
}

function pidsOf(events: readonly QuarkEvent[]): number[] {
  return events.flatMap((event) => (event.kind === 'process' ? [event.process.pid] : []))
}

function lossesOf(events: readonly QuarkEvent[]): Pick<LostEvent, 'cause' | 'count' | 'cpu'>[] {
  return events.flatMap((event) =>
    event.kind === 'lost' ? [{ cause: event.cause, count: event.count, cpu: event.cpu }] : [],
  )
}

/** A recorder in a file of its own, and its frames once it is closed. */
function recording(t: TestContext): { recorder: RecordingWriter; frames(): [kind: number, text: string][] } {
  const directory = mkdtempSync(join(tmpdir(), 'quark-'))
  t.after(() => rmSync(directory, { recursive: true }))
  const path = join(directory, 'recording')
  const recorder = new RecordingWriter(path, {
    openBootNs: '0',
    bootEpochNs: '0',
    kernel: '',
    cpus: 1,
    architecture: '',
    backend: '',
    attached: [],
    missing: [],
    types: [],
    options: {},
    optionKinds: {},
  })
  return {
    recorder,
    frames() {
      recorder[Symbol.dispose]()
      const reader = openRecording(path)
      const frames: [number, string][] = []
      for (let frame = reader.next(); frame !== undefined; frame = reader.next()) {
        frames.push([frame.kind, Buffer.from(frame.payload).toString('latin1')])
      }
      reader[Symbol.dispose]()
      return frames
    },
  }
}

test('the feed sleeps until a record after four empty polls, and until a backlog after one record', async () => {
  const { backend, feed, pump, produce } = rig()
  const sleeps: string[] = []
  const poll = async (): Promise<void> => {
    pump()
    await feed.wait(undefined)
    sleeps.push(backend.sleeps.at(-1)!.sleep)
  }
  for (let i = 0; i < 5; i++) await poll()
  produce(1)
  for (let i = 0; i < 5; i++) await poll()
  const awake = 'untilBacklog'
  const dozing = 'untilRecord'
  assert.deepEqual(sleeps.slice(0, 5), [awake, awake, awake, dozing, dozing])
  assert.deepEqual(sleeps.slice(5), [awake, awake, awake, awake, dozing])
})

test('a sleep ends when the next event is due, and never lasts longer than the caller says', async () => {
  const { backend, feed, pump, produce } = rig()
  const limits = async (...timeouts: (number | undefined)[]): Promise<number[]> => {
    backend.sleeps.length = 0
    for (const timeout of timeouts) await feed.wait(timeout)
    return backend.sleeps.map(({ timeoutMs }) => timeoutMs)
  }
  // Awake: pollMs is the limit. Dozing: ten seconds are.
  assert.deepEqual(await limits(undefined, 60_000, 7, 0), [100, 100, 7, 0])
  for (let i = 0; i < 4; i++) pump()
  assert.deepEqual(await limits(undefined, 60_000, 7, 0), [10_000, 10_000, 7, 0])
  // An exit is due 20 ms after it happened.
  produce(1)
  pump()
  pump(5_000_000)
  assert.deepEqual(await limits(undefined, 7), [15, 7])
  pump(14_999_999)
  assert.deepEqual(await limits(undefined), [1])
  assert.deepEqual(pidsOf(pump(1)), [1])
})

test('a gap that a later record shows is reported once, with its CPU', () => {
  const { pump, produce, lose } = rig()
  produce(1, 0)
  lose(0, 3)
  produce(2, 0)
  produce(3, 1)
  pump()
  const events = pump(SECOND_NS)
  assert.deepEqual(lossesOf(events), [{ cause: 'ringFull', count: 3, cpu: 0 }])
  for (let i = 0; i < 5; i++) assert.deepEqual(pump(2 * SECOND_NS), [])
})

test('losses that no record follows are reported once per CPU', () => {
  const { pump, produce, lose } = rig()
  produce(1, 0)
  pump()
  lose(0, 2)
  lose(1, 5)
  const events: QuarkEvent[] = []
  for (let i = 0; i < 10; i++) events.push(...pump(2 * SECOND_NS))
  assert.deepEqual(lossesOf(events), [
    { cause: 'ringFull', count: 2, cpu: 0 },
    { cause: 'ringFull', count: 5, cpu: 1 },
  ])
})

test('a loss that was reported is not reported again by the gap before a later record', () => {
  const { pump, produce, lose } = rig()
  produce(1, 0)
  pump()
  lose(0, 2)
  const events: QuarkEvent[] = []
  for (let i = 0; i < 4; i++) events.push(...pump(2 * SECOND_NS))
  produce(2, 0)
  lose(0, 4)
  produce(3, 0)
  for (let i = 0; i < 4; i++) events.push(...pump(2 * SECOND_NS))
  assert.deepEqual(pidsOf(events), [1, 2, 3])
  assert.deepEqual(
    lossesOf(events).map(({ count }) => count),
    [2, 4],
  )
})

test('records that wait in a ring that cannot be emptied are not taken for lost', () => {
  // The buffer holds two: a pump takes some of what is there and leaves the rest in the ring.
  const { backend, pump, produce } = rig({ maxLength: 2, holdMs: 0 })
  for (let pid = 1; pid <= 40; pid++) produce(pid)
  const events: QuarkEvent[] = []
  while (backend.records.length > 0) events.push(...pump(2 * SECOND_NS))
  for (let i = 0; i < 4; i++) events.push(...pump(2 * SECOND_NS))
  assert.deepEqual(lossesOf(events), [])
  assert.equal(pidsOf(events).length, 40)
})

test('runs that the kernel skipped are reported once', () => {
  const { backend, pump } = rig()
  pump()
  backend.recursionMisses = 3
  const events: QuarkEvent[] = []
  for (let i = 0; i < 3; i++) events.push(...pump(2 * SECOND_NS))
  backend.recursionMisses = 4
  for (let i = 0; i < 3; i++) events.push(...pump(2 * SECOND_NS))
  assert.deepEqual(lossesOf(events), [
    { cause: 'recursion', count: 3, cpu: undefined },
    { cause: 'recursion', count: 1, cpu: undefined },
  ])
})

test('times follow a wall clock that was set, and the change is recorded', (t) => {
  const { recorder, frames } = recording(t)
  const { clock, pipeline, pump, produce } = rig({ recorder })
  const timeOf = (pid: number): bigint => {
    produce(pid)
    pump()
    const [event] = pump(2 * SECOND_NS)
    assert.equal(event?.kind, 'process')
    return event.timeNs - BigInt(clock.bootNowNs() - 2 * SECOND_NS)
  }
  assert.equal(timeOf(1), BOOT_EPOCH_NS)
  // Less than a millisecond is noise.
  clock.setBootEpoch(BOOT_EPOCH_NS + 999_999n)
  assert.equal(timeOf(2), BOOT_EPOCH_NS)
  const later = BOOT_EPOCH_NS + 3_600_000_000_000n
  clock.setBootEpoch(later)
  pump(2 * SECOND_NS)
  assert.equal(pipeline.tables.timeBase.bootEpochNs, later)
  assert.equal(timeOf(3), later)
  clock.setBootEpoch(BOOT_EPOCH_NS)
  pump(2 * SECOND_NS)
  assert.equal(timeOf(4), BOOT_EPOCH_NS)
  const clocks = frames().filter(([kind]) => kind === FRAME_CLOCK)
  assert.deepEqual(
    clocks.map(([, text]) => JSON.parse(text) as unknown),
    [{ bootEpochNs: String(later) }, { bootEpochNs: String(BOOT_EPOCH_NS) }],
  )
})

test('nothing is drained while the buffer has no room', () => {
  const { backend, pipeline, pump, produce } = rig({ maxLength: 4, holdMs: 0 })
  for (let pid = 1; pid <= 20; pid++) produce(pid)
  const out = pump()
  // Each drain may take what the buffer has room for, and no pump takes all.
  assert.ok(backend.drains.every((max) => max <= 4))
  assert.ok(out.length > 0 && out.length < 20)
  pipeline.room = () => 0
  const drained = backend.drains.length
  const left = backend.records.length
  pump()
  assert.deepEqual([backend.drains.length, backend.records.length], [drained, left])
})

test('one pump reads more than the buffer holds only as far as nothing is due', () => {
  const { backend, pump, produce } = rig({ maxLength: 100, holdMs: 1000 })
  for (let pid = 1; pid <= 1000; pid++) produce(pid)
  const out = pump()
  assert.ok(out.length > 0, 'a full buffer holds nothing back')
  assert.ok(backend.records.length >= 800, 'the caller gets its events before the next batch is read')
})

test('one pump delivers some hundreds of events, and reads nothing before it has delivered the others', (t) => {
  const { recorder, frames } = recording(t)
  const { backend, feed, pump, produce } = rig({ recorder })
  for (let pid = 1; pid <= 1000; pid++) produce(pid)
  pump()
  const first = pump(SECOND_NS)
  const others: QuarkEvent[][] = []
  assert.ok(first.length > 0 && first.length < 500)
  const drained = backend.drains.length
  produce(1001)
  while (feed.isBacklogged && backend.drains.length === drained) others.push(pump())
  const events = [first, ...others].flat()
  assert.ok(others.every((batch) => batch.length < 500))
  assert.deepEqual(
    pidsOf(events),
    Array.from({ length: 1000 }, (_, index) => index + 1),
  )
  feed.close()
  // A replay does in one step what was one.
  assert.equal(frames().filter(([kind]) => kind === FRAME_STEP).length, 3)
})

test('finish delivers in parts when asked to, and closing ends a recording whose last events nobody took', (t) => {
  for (const isLeft of [false, true]) {
    const { recorder, frames } = recording(t)
    const { feed, pump, produce } = rig({ maxLength: 100, recorder })
    produce(1)
    pump()
    for (let pid = 2; pid <= 300; pid++) produce(pid)
    const out: QuarkEvent[] = []
    for (;;) {
      const before = out.length
      const isDone = feed.finish(out, 10)
      assert.ok(out.length - before <= 30)
      if (isDone || isLeft) break
    }
    feed.close()
    const pids = pidsOf(out)
    if (!isLeft) assert.equal(pids.length, 300)
    assert.deepEqual(
      pids,
      Array.from(pids, (_, index) => index + 1),
    )
    assert.equal(frames().at(-1)?.[0], FRAME_END)
  }
})

test('what was found at the start is in order of time with records from before, and known to them', () => {
  const { backend, clock, pipeline, pump, finish } = rig({ snapshotEvents: true })
  const scanNs = clock.bootNowNs()
  const found = (pid: number) =>
    record('snapshot', scanNs, { pid, tid: pid, startBootNs: 7n, ppid: 1, comm: `c${pid}` })
  for (const pid of [5, 6]) insert(pipeline, found(pid))
  pipeline.applyScan()
  const exit = (pid: number, timeNs: number) =>
    record('exit', timeNs, { pid, tid: pid, startBootNs: 7n, comm: 'gone' })
  backend.records.push(exit(9, scanNs - 30_000_000), exit(5, scanNs - 10_000_000), exit(6, scanNs + 1))
  const events = [...pump(1_000_000), ...pump(5 * SECOND_NS), ...finish()]
  assert.deepEqual(
    events.map(({ kind, process }) => [kind, process?.pid, process?.comm, process?.unseen]),
    [
      ['process', 9, 'gone', true],
      ['process', 5, 'c5', false],
      ['snapshot', 5, 'c5', false],
      ['snapshot', 6, 'c6', false],
      ['process', 6, 'c6', false],
    ],
  )
})

test('what was found at the start waits for nothing when there are no older records', () => {
  const { clock, pipeline, pump } = rig({ snapshotEvents: true })
  insert(pipeline, record('snapshot', clock.bootNowNs(), { pid: 5, tid: 5, startBootNs: 7n }))
  pipeline.applyScan()
  assert.equal(pipeline.dueInNs(clock.bootNowNs()), 0)
  assert.deepEqual(
    pump().map(({ kind }) => kind),
    ['snapshot'],
  )
  assert.equal(pump().length, 0)
})

test('finish delivers everything: what is held, what is in the ring, and all losses', (t) => {
  const { recorder, frames } = recording(t)
  const { backend, pump, produce, lose, finish } = rig({ maxLength: 20, recorder })
  produce(1)
  assert.deepEqual(pump(), [])
  for (let pid = 2; pid <= 50; pid++) produce(pid)
  lose(1, 6)
  backend.recursionMisses = 2
  const events = finish()
  assert.equal(backend.isStopped, true)
  assert.deepEqual(
    pidsOf(events),
    Array.from({ length: 50 }, (_, index) => index + 1),
  )
  assert.deepEqual(lossesOf(events), [
    { cause: 'ringFull', count: 6, cpu: 1 },
    { cause: 'recursion', count: 2, cpu: undefined },
  ])
  const kinds = frames().map(([kind]) => kind)
  assert.deepEqual(kinds.slice(-3), [FRAME_MISSING, FRAME_LOST, FRAME_END])
  assert.ok(kinds.includes(FRAME_STEP))
})

test('closing the feed closes its backend and its recording', (t) => {
  const { recorder, frames } = recording(t)
  const { backend, feed, pump, produce } = rig({ recorder })
  produce(1)
  pump()
  feed.close()
  assert.equal(backend.isClosed, true)
  // Without an end mark, but with all that came before.
  assert.deepEqual(
    frames().map(([kind]) => kind),
    [FRAME_STEP],
  )
})

test('a feed that is armed is to be pumped when records wait, and when held ones are due', () => {
  const { backend, feed, pump, produce } = rig()
  for (let i = 0; i < 5; i += 1) pump()
  assert.equal(feed.arm(), 10_000)
  produce(7)
  assert.equal(feed.arm(), 0)
  assert.deepEqual(pump(), [])
  for (let i = 0; i < 5; i += 1) assert.deepEqual(pump(), [])
  assert.equal(feed.arm(), 20)
  assert.equal(pump(20e6).length, 1)
  assert.deepEqual(backend.sleeps, [])
})

test('the end of a feed reads all, also from a backend that hands over few records at a time', () => {
  const { backend, finish, produce } = rig()
  for (let pid = 1; pid <= 10; pid += 1) produce(pid)
  backend.mostAtOnce = 3
  assert.equal(finish().length, 10)
})
