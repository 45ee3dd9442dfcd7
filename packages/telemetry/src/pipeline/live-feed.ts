/** The live feed: drains a backend, and polls it in step with the load. */

import type { Fd, RecordSink } from 'quark-ebpf'
import type { Backend, BackendCounters } from '../backend/backend.js'
import { closeAll } from '../backend/close-all.js'
import { monotonicMs } from '../event/time-base.js'
import type { Clock } from './clock.js'
import type { BaseEvent } from '../event/event.js'
import { Crowding } from './crowding.js'
import type { Learnt } from '../event/table.js'
import type { Feed } from './feed.js'
import type { LongRecords } from './long-records.js'
import type { Pipeline } from './pipeline.js'
import type { RecordingWriter } from '../recording/writer.js'
import type { AttachedFact, MissingFact } from './stats.js'

/** After so many empty polls the reader sleeps until the next record. */
const EMPTY_POLLS = 4
/** Longest sleep: losses and clock changes are checked for at least this often. */
const MAX_SLEEP_MS = 10_000
/** How often losses that no later record has revealed, and the wall clock, are checked. */
const CHECK_INTERVAL_NS = 1e9
/** The two clocks run at the same rate; a larger change of their distance is a wall clock that was set. */
const CLOCK_NOISE_NS = 1_000_000n
/** Most drains per `pump`, so that a storm does not delay the caller's events. */
const MAX_DRAINS = 8
/** At the end, what is left may be much, and make no event for long: whoever takes batches has a turn meanwhile. */
const FINISH_TURN_MS = 10
/** Most events per `pump`: signals and timers of the caller come to their turn between two. */
const MAX_EVENTS = 256

export interface LiveFeedParts {
  readonly backend: Backend
  readonly pipeline: Pipeline
  readonly clock: Clock
  readonly recorder: RecordingWriter | undefined
  readonly pollMs: number
  readonly batchMs: number
  readonly kernel: string
  /** Called when every record that was written before a time of CLOCK_BOOTTIME is applied. */
  readonly settle?: ((appliedNs: number) => void) | undefined
  /** Collects the garbage of long records; left to the engine when absent. */
  readonly longRecords?: LongRecords
}

export class LiveFeed implements Feed, RecordSink {
  readonly backend: string
  readonly kernel: string
  readonly attached: readonly AttachedFact[]
  readonly missing: readonly MissingFact[]
  readonly #parts: LiveFeedParts
  #emptyPolls = 0
  #polledMs = 0
  #isBacklogged = false
  #nextCheckNs = 0
  /** The sequence number of each lane at the last check. */
  #checkedSequences: Uint32Array = new Uint32Array(0)
  #isDrained = false
  /** The time of a step that has reached its limit: nothing is drained until it is done. */
  #stepNs: number | undefined
  #finishing: 'no' | 'drains' | 'emptied' | 'flushes' | 'done' = 'no'
  #reportedRecursion = 0
  #takenNs = 0
  readonly #crowding = new Crowding()
  /** Tables that learn from other sources than records, with the version that was last recorded. */
  readonly #learnt: { readonly kind: string; readonly learnt: Learnt; version: number }[] = []

  constructor(parts: LiveFeedParts) {
    this.#parts = parts
    this.backend = parts.backend.name
    this.kernel = parts.kernel
    this.attached = parts.backend.attached
    this.missing = parts.backend.missing
    for (const [kind, { learnt }] of parts.pipeline.tables.all) {
      if (learnt !== undefined) this.#learnt.push({ kind, learnt, version: learnt.version })
    }
  }

  get isBacklogged(): boolean {
    return this.#isBacklogged
  }

  get unenriched(): number {
    return this.#parts.backend.unenriched ?? 0
  }

  get shortened(): number {
    return this.#parts.backend.shortened ?? 0
  }

  /** A record from the backend; see `RecordSink`. */
  record(words: Uint32Array, bytes: Buffer, offset: number, length: number): void {
    this.#parts.recorder?.record(bytes, offset, length)
    this.#parts.pipeline.insert(words, bytes, offset, length)
    this.#parts.longRecords?.note(length)
  }

  pump(out: BaseEvent[]): boolean {
    const { backend, pipeline, clock, longRecords, settle } = this.#parts
    longRecords?.tidy()
    if (!this.#endStep(out, MAX_EVENTS)) return true
    const nowNs = clock.bootNowNs()
    if (nowNs >= this.#nextCheckNs) {
      this.#nextCheckNs = nowNs + CHECK_INTERVAL_NS
      this.#followWallClock()
      this.#checkLosses()
    }
    let drained = 0
    for (let i = 0; i < MAX_DRAINS; i++) {
      const room = pipeline.room()
      const beganNs = settle === undefined ? 0 : clock.bootNowNs()
      const count = room === 0 ? 0 : backend.drain(this, room)
      const hasAll = count < room && backend.hasTakenAll === true
      drained += count
      if (count < room) this.#isDrained = true
      if (count > 0) this.#noteLateness(count === room)
      this.#takeLosses()
      const isDone = this.#step(clock.bootNowNs(), out, MAX_EVENTS)
      if (hasAll) settle?.(pipeline.appliedUpToNs(beganNs))
      this.#isBacklogged = count === room || !isDone
      if (count < room || out.length > 0) break
    }
    this.#polledMs = monotonicMs()
    this.#emptyPolls = drained === 0 ? this.#emptyPolls + 1 : 0
    return true
  }

  #noteLateness(isBacklogged: boolean): void {
    const { backend, pipeline, clock, recorder } = this.#parts
    const nowNs = clock.bootNowNs()
    const hasChanged = this.#crowding.note(nowNs, nowNs - pipeline.latestNs, isBacklogged)
    if (!hasChanged) return
    const { part } = this.#crowding
    recorder?.crowding(part)
    pipeline.holdLess(part)
    backend.shareAmongUsers?.(part)
  }

  /** Begins a step of at most `limit` events; false when more are due. */
  #step(nowNs: number, out: BaseEvent[], limit: number): boolean {
    const isDone = this.#parts.pipeline.pump(nowNs, out, limit) < limit && !this.#parts.pipeline.isBehind
    this.#stepNs = isDone ? undefined : nowNs
    if (isDone) this.#recordStep(nowNs)
    return isDone
  }

  /** Goes on with the step that has reached its limit, if any. */
  #endStep(out: BaseEvent[], limit: number): boolean {
    const stepNs = this.#stepNs
    if (stepNs === undefined) return true
    const { pipeline } = this.#parts
    if (pipeline.pumpMore(stepNs, out, limit) >= limit || pipeline.isBehind) return false
    this.#stepNs = undefined
    this.#recordStep(stepNs)
    return true
  }

  #recordStep(nowNs: number): void {
    const { recorder } = this.#parts
    if (recorder === undefined) return
    // What was learnt during this step must be known to a replay before it.
    for (const known of this.#learnt) {
      const { kind, learnt, version } = known
      if (learnt.version === version) continue
      known.version = learnt.version
      recorder.table(kind, learnt.save())
    }
    recorder.step(nowNs)
  }

  /** Before the step: what it delivers may be touched by losses that only a later record reveals. */
  #takeLosses(): void {
    const { backend, pipeline, clock, recorder } = this.#parts
    const fromNs = this.#takenNs
    this.#takenNs = clock.bootNowNs()
    const losses = backend.takeLosses?.()
    if (losses === undefined || losses.total === 0) return
    const span = { fromNs, toNs: this.#takenNs }
    recorder?.losses(losses, span)
    pipeline.attribute(losses, span)
  }

  #followWallClock(): void {
    const { clock, pipeline, recorder } = this.#parts
    const { timeBase } = pipeline.tables
    clock.refresh()
    const change = clock.bootEpochNs - timeBase.bootEpochNs
    if (change > -CLOCK_NOISE_NS && change < CLOCK_NOISE_NS) return
    timeBase.bootEpochNs = clock.bootEpochNs
    recorder?.clock(clock.bootEpochNs)
  }

  /**
   * Reports losses that no later record of the same CPU has revealed. If the ring was drained since the last check and
   * a CPU made nothing in between, none of its records is on its way.
   */
  #checkLosses(): void {
    const { backend } = this.#parts
    const sequences = backend.sequences()
    if (this.#isDrained) {
      for (const [cpu, seq] of sequences.entries()) {
        if (seq === this.#checkedSequences[cpu]) this.#reportMissing(cpu, seq)
      }
    }
    this.#checkedSequences = sequences
    this.#isDrained = false
    this.#reportRecursion()
  }

  #reportRecursion(): void {
    const { pipeline, recorder } = this.#parts
    const { recursionMisses } = this.counters()
    const count = recursionMisses - this.#reportedRecursion
    if (count > 0) {
      recorder?.lost({ cause: 'recursion', count })
      pipeline.noteLost('recursion', count)
      this.#reportedRecursion = recursionMisses
    }
  }

  #reportMissing(cpu: number, seq: number): void {
    if (this.#parts.pipeline.noteMissingUpTo(cpu, seq) > 0) this.#parts.recorder?.missing({ cpu, seq })
  }

  finish(out: BaseEvent[], limit = Number.POSITIVE_INFINITY): boolean {
    const { backend, pipeline, clock, recorder } = this.#parts
    if (this.#finishing === 'no') {
      backend.stop()
      this.#takeLosses()
      this.#finishing = 'drains'
    }
    if (!this.#endStep(out, limit)) return false
    const untilMs = limit === Number.POSITIVE_INFINITY ? limit : monotonicMs() + FINISH_TURN_MS
    while (this.#finishing === 'drains') {
      const room = pipeline.room()
      // A backend may hand over fewer records than there is room for, and have more.
      const isEmpty = room > 0 && backend.drain(this, room) === 0 && backend.hasMore !== true
      if (isEmpty) this.#finishing = 'emptied'
      if (!this.#step(clock.bootNowNs(), out, limit) || monotonicMs() >= untilMs) return false
    }
    if (this.#finishing === 'emptied') {
      this.#finishing = 'flushes'
      for (const [cpu, seq] of backend.sequences().entries()) this.#reportMissing(cpu, seq)
      this.#reportRecursion()
    }
    if (this.#finishing === 'flushes') {
      if (pipeline.flush(out, limit) >= limit) return false
      this.#finishing = 'done'
      recorder?.end(clock.bootNowNs())
    }
    return true
  }

  get isRead(): boolean {
    return this.#finishing !== 'no' && this.#finishing !== 'drains'
  }

  async wait(timeoutMs: number | undefined, signal?: AbortSignal): Promise<void> {
    if (this.#stepNs !== undefined) {
      // The next events are due already.
      await new Promise((resolve) => setImmediate(resolve))
      return
    }
    const { sleep, mostMs } = this.#nextSleep(Math.min(timeoutMs ?? MAX_SLEEP_MS, MAX_SLEEP_MS))
    await this.#parts.backend.wait(sleep, mostMs, signal)
  }

  #nextSleep(limitMs: number): { sleep: 'untilRecord' | 'untilBacklog'; mostMs: number } {
    const { pipeline, clock, pollMs, batchMs } = this.#parts
    // Events are batched: else the reader would run for nearly each one.
    const restMs = Math.ceil(batchMs - (monotonicMs() - this.#polledMs))
    const dueMs = Math.max(1, restMs, Math.ceil(pipeline.dueInNs(clock.bootNowNs()) / 1e6))
    return this.#emptyPolls < EMPTY_POLLS
      ? { sleep: 'untilBacklog', mostMs: Math.min(limitMs, Math.max(pollMs, restMs), dueMs) }
      : { sleep: 'untilRecord', mostMs: Math.min(limitMs, dueMs) }
  }

  get fds(): readonly Fd[] {
    return this.#parts.backend.fds
  }

  arm(): number {
    if (this.#isBacklogged || this.#stepNs !== undefined) return 0
    const { sleep, mostMs } = this.#nextSleep(MAX_SLEEP_MS)
    return Math.min(this.#parts.backend.arm(sleep), mostMs)
  }

  wake(): void {
    this.#parts.backend.wake()
  }

  counters(): BackendCounters {
    return this.#parts.backend.counters()
  }

  close(): void {
    const { backend, recorder } = this.#parts
    closeAll(
      // A recording has all that was read, also when the consumer does not wait for the last events.
      () => {
        if (recorder !== undefined && this.#finishing !== 'no') this.finish([])
      },
      () => backend[Symbol.dispose](),
      () => recorder?.[Symbol.dispose](),
    )
  }
}
