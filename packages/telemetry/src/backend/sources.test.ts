import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { Poller, type RecordSink } from 'quark-ebpf'
import { HEADER_CPU, HEADER_SEQ } from 'quark-ebpf/probe'
import type { LostEvent } from '../event/event.js'
import type { Source, SourceContext, SourceRung } from '../facts/rungs.js'
import { catalogue, type QuarkEvent } from '../kinds/index.js'
import { LANES } from './lanes.js'
import { exitLayout } from '../kinds/process/records.js'
import { checkOptions } from '../options/check.js'
import { ManualClock } from '../pipeline/clock.js'
import { LiveFeed } from '../pipeline/live-feed.js'
import { recordingHeader } from '../recording/header.js'
import { openRecording } from '../recording/file.js'
import { ReplayFeed } from '../pipeline/replay-feed.js'
import { RecordedTypes } from '../recording/types.js'
import { RecordingWriter } from '../recording/writer.js'
import { FakeBackend, type Sleep } from '../testing/fake-backend.js'
import { TestPipe } from '../testing/pipe-source.js'
import { record, testPipeline } from '../testing/process-records.js'
import { SourcedBackend, Sources } from './sources.js'

const SECOND_NS = 1_000_000_000
const PID = exitLayout.at.pid
const MAX_RECORDS = 4096

/** A backend that sleeps until it is woken. */
class SleepingBackend extends FakeBackend {
  readonly #poller = new Poller([])

  override async wait(sleep: Sleep['sleep'], timeoutMs: number): Promise<void> {
    this.sleeps.push({ sleep, timeoutMs })
    await this.#poller.wait(timeoutMs)
  }

  override wake(): void {
    this.#poller.wake()
  }

  override [Symbol.dispose](): void {
    super[Symbol.dispose]()
    this.#poller.close()
  }
}

/** Lane, number and pid of each record. */
class Collector implements RecordSink {
  readonly seen: [lane: number, seq: number, pid: number][] = []

  record(_words: Uint32Array, bytes: Buffer, offset: number): void {
    this.seen.push([
      bytes.readUInt16LE(offset + HEADER_CPU),
      bytes.readUInt32LE(offset + HEADER_SEQ),
      bytes.readUInt32LE(offset + PID),
    ])
  }
}

interface Rig {
  readonly base: SleepingBackend
  readonly pipe: TestPipe
  readonly clock: ManualClock
  readonly backend: SourcedBackend
}

function directoryOf(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'quark-sources-'))
  t.after(() => rmSync(directory, { recursive: true }))
  return directory
}

function rig(t: TestContext, ...more: readonly SourceRung[]): Rig {
  const pipe = new TestPipe(directoryOf(t), exitLayout)
  const clock = new ManualClock({ bootNs: 100n * BigInt(SECOND_NS) })
  const sources = new Sources(clock)
  for (const rung of [pipe.rung, ...more]) sources.load(rung).attach()
  const base = new SleepingBackend()
  const backend = new SourcedBackend(base, sources)
  t.after(() => {
    backend[Symbol.dispose]()
    pipe.close()
  })
  return { base, pipe, clock, backend }
}

/** What the backend itself makes. */
function produce({ base, clock }: Rig, pid: number): void {
  const seq = (base.made[0]! += 1)
  base.records.push(record('exit', clock.bootNowNs(), { pid, tid: pid }, { cpu: 0, seq }))
}

/** A rung whose source is made by hand. */
function handMade(open: (context: SourceContext) => Partial<Source>): SourceRung {
  return {
    by: 'source',
    hook: 'hand/made',
    flavor: 'test',
    fills: [exitLayout],
    open: (context) => ({ read: () => {}, stop: () => {}, close: () => {}, ...open(context) }),
  }
}

test('records of sources come beside those of the backend, each source in a lane behind its CPUs', (t) => {
  let other: SourceContext | undefined
  const all = rig(
    t,
    handMade((context) => {
      other = context
      return {}
    }),
  )
  const { backend, pipe } = all
  produce(all, 1)
  pipe.write(11, 12)
  other?.push(exitLayout, { timeNs: 5n }, { pid: 21 })
  const sink = new Collector()
  while (backend.drain(sink, 100) > 0);
  assert.deepEqual(
    sink.seen.sort(([, , a], [, , b]) => a - b),
    [
      [0, 1, 1],
      [LANES, 1, 11],
      [LANES, 2, 12],
      [LANES + 1, 1, 21],
    ],
  )
  assert.deepEqual([...backend.sequences()], [1, ...new Array<number>(LANES - 1).fill(0), 2, 1])
})

test('whether a backend has taken all is known with sources, too', (t) => {
  const { base, backend } = rig(t)
  assert.equal(backend.hasTakenAll, false, 'the backend does not say')
  Object.assign(base, { hasTakenAll: true })
  assert.equal(backend.hasTakenAll, true)
})

test('a source learns when all earlier records of the backend were handed over, and walks until it is stopped', (t) => {
  const drained: number[] = []
  const walked: boolean[] = []
  let walk: SourceContext['walk'] | undefined
  const all = rig(
    t,
    handMade((context) => {
      walk = context.walk
      // Not before there is a backend.
      walked.push(context.walk('any', { record: () => undefined }))
      return {
        drained: (upToNs) => drained.push(upToNs),
        stop: () => walked.push(context.walk('any', { record: () => undefined })),
      }
    }),
  )
  Object.assign(all.base, { walk: () => true })
  for (let i = 0; i < 3; i += 1) produce(all, 1)
  const sink = new Collector()
  // It may have more.
  assert.equal(all.backend.drain(sink, 3), 3)
  assert.deepEqual(drained, [])
  all.backend.drain(sink, 3)
  assert.deepEqual(drained, [all.clock.bootNowNs()])
  all.backend.stop()
  assert.deepEqual([...walked, walk?.('any', { record: () => undefined })], [false, true, false])
})

test('neither the backend nor a source waits for the other to be empty', (t) => {
  const all = rig(t)
  for (let i = 0; i < 20; i++) {
    produce(all, 1)
    all.pipe.write(2)
  }
  const counts: number[] = []
  const sink = new Collector()
  for (let count = -1; count !== 0; counts.push(count)) count = all.backend.drain(sink, 8)
  // Less than was asked for only when nothing is left.
  assert.deepEqual(counts, [8, 8, 8, 8, 8, 0])
  assert.deepEqual(
    sink.seen.slice(0, 16).map(([lane]) => lane),
    [LANES, LANES, 0, 0, 0, 0, 0, 0, LANES, LANES, 0, 0, 0, 0, 0, 0],
  )
})

test('a source that floods loses its own records, all of which are counted and reported', (t) => {
  const flood = handMade((context) => {
    let left = MAX_RECORDS + 7
    return {
      read: () => {
        for (; left > 0; left--) context.push(exitLayout, { timeNs: 5n }, { pid: left })
      },
    }
  })
  const all = rig(t, flood)
  const { backend, clock } = all
  const pipeline = testPipeline()
  const feed = new LiveFeed({
    backend,
    pipeline,
    clock,
    recorder: undefined,
    pollMs: 100,
    batchMs: 0,
    kernel: 'test',
  })
  produce(all, 1)
  all.pipe.write(2, 0)
  const out: QuarkEvent[] = []
  feed.pump(out)
  feed.finish(out)
  const lost = out.filter((event): event is LostEvent => event.kind === 'lost')
  assert.deepEqual(
    lost.map(({ cause, count }) => [cause, count]).sort(),
    [
      ['ringFull', 1],
      ['ringFull', 7],
    ].sort(),
  )
  const pids = out.flatMap((event) => (event.kind === 'process' ? [event.process.pid] : []))
  assert.ok(pids.includes(1) && pids.includes(2))
})

test('a reader that sleeps is woken when a source has something', async (t) => {
  const { backend, base, pipe } = rig(t)
  for (const pid of [5, 6]) {
    const wait = backend.wait('untilRecord', 60_000)
    setImmediate(() => pipe.write(pid))
    await wait
    const sink = new Collector()
    backend.drain(sink, 10)
    assert.deepEqual(
      sink.seen.map(([, , pid]) => pid),
      [pid],
    )
  }
  assert.ok(base.sleeps.length >= 2)
  // A backlog is another matter: one record is none.
  const wait = backend.wait('untilBacklog', 60_000)
  setImmediate(() => pipe.write(7))
  setTimeout(() => backend.wake(), 20)
  await wait
  assert.ok(backend.fullness > 0 && backend.fullness < 0.5)
})

test('a source without a descriptor is polled', (t) => {
  let reads = 0
  const all = rig(
    t,
    handMade(() => ({ pollMs: 50, read: () => (reads += 1) })),
  )
  const { backend, clock } = all
  const readsAfter = (ms: number): number => {
    clock.advance(ms * 1e6)
    backend.drain(new Collector(), 10)
    return reads
  }
  assert.deepEqual([0, 49, 1, 49, 1, 500].map(readsAfter), [1, 1, 2, 2, 3, 4])
})

test('the sleep is no longer than until the next poll', async (t) => {
  let reads = 0
  const { backend, base } = rig(
    t,
    handMade((context) => ({
      pollMs: 50,
      read: () => {
        reads += 1
        if (reads > 1) context.push(exitLayout, { timeNs: 5n }, { pid: reads })
      },
    })),
  )
  backend.drain(new Collector(), 10)
  const wait = backend.wait('untilRecord', 60_000)
  setImmediate(() => backend.wake())
  await wait
  assert.deepEqual(base.sleeps, [{ sleep: 'untilRecord', timeoutMs: 50 }])
})

test('while a source rests, what is written wakes nobody, and is read afterwards', async (t) => {
  let reads = 0
  const { backend, base, pipe } = rig(
    t,
    handMade((context) => ({
      restMs: 50,
      read: () => {
        reads += 1
        if (reads === 1) context.push(exitLayout, { timeNs: 5n }, { pid: 4 })
      },
    })),
  )
  backend.drain(new Collector(), 10)
  const beganMs = performance.now()
  const wait = backend.wait('untilRecord', 60_000)
  setImmediate(() => pipe.write(8))
  await wait
  // Timers of the engine may be a millisecond early.
  assert.ok(performance.now() - beganMs >= 45)
  assert.deepEqual(base.sleeps, [{ sleep: 'untilRecord', timeoutMs: 50 }])
  const sink = new Collector()
  backend.drain(sink, 10)
  assert.deepEqual(
    sink.seen.map(([, , pid]) => pid),
    [8],
  )
})

test('after stop, what happened before is read, and then nothing more', (t) => {
  const { backend, base, pipe } = rig(t)
  pipe.write(1, 2)
  backend.stop()
  assert.deepEqual([base.isStopped, pipe.sources[0]?.isStopped], [true, true])
  const sink = new Collector()
  while (backend.drain(sink, 1) > 0);
  pipe.write(3)
  while (backend.drain(sink, 1) > 0);
  assert.deepEqual(
    sink.seen.map(([, , pid]) => pid),
    [1, 2],
  )
  backend[Symbol.dispose]()
  assert.deepEqual([base.isClosed, pipe.sources[0]?.isClosed], [true, true])
})

test('a recording has the records of sources like any, and a replay gives the same events', (t) => {
  const all = rig(t)
  const { backend, clock, pipe } = all
  const path = join(directoryOf(t), 'recording')
  const settings = checkOptions(catalogue.options, {})
  const header = recordingHeader({ catalogue, settings, clock, kernel: 'test', backend })
  const recorder = new RecordingWriter(path, header)
  const pipeline = testPipeline()
  const feed = new LiveFeed({
    backend,
    pipeline,
    clock,
    recorder,
    pollMs: 100,
    batchMs: 0,
    kernel: 'test',
  })
  const live: QuarkEvent[] = []
  produce(all, 1)
  pipe.write(2, 0, 3)
  feed.pump(live)
  clock.advance(2 * SECOND_NS)
  feed.finish(live)
  feed.close()
  const reader = openRecording(path)
  const replay = new ReplayFeed(reader, new RecordedTypes(catalogue, reader.header.types), testPipeline())
  const again: QuarkEvent[] = []
  while (replay.pump(again));
  assert.deepEqual(summary(again), summary(live))
  assert.equal(live.length, 4)
})

function summary(events: readonly QuarkEvent[]): unknown[] {
  return events.map((event) => [event.kind, event.timeNs, event.process?.pid])
}
