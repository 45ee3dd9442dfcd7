/** The live feed: drains a backend, and polls it in step with the load. */

import type { RecordSink } from '@quark/ebpf'
import type { Backend, BackendCounters } from './backend/backend.js'
import type { Clock } from './clock.js'
import type { QuarkEvent } from './event/event.js'
import type { Feed } from './feed.js'
import type { Pipeline } from './pipeline.js'
import type { RecordingWriter } from './recording/writer.js'
import type { AttachedFact, MissingFact } from './stats.js'

/** Looks that found nothing before the reader goes to sleep until the next record. */
const EMPTY_LOOKS = 4
/** Longest sleep: losses and clock changes are looked for at least this often. */
const MAX_SLEEP_MS = 10_000
/** Losses that no later record has revealed are asked of the kernel this often. */
const LOSS_CHECK_NS = 1e9
/** Drains of one `pump`: a storm does not keep the caller from its events. */
const MAX_DRAINS = 8

export interface LiveFeedParts {
  readonly backend: Backend
  readonly pipeline: Pipeline
  readonly clock: Clock
  readonly recorder: RecordingWriter | undefined
  readonly pollMs: number
  readonly kernel: string
  /** Events that were there at the start. */
  readonly first: QuarkEvent[]
}

export class LiveFeed implements Feed, RecordSink {
  readonly backend: string
  readonly kernel: string
  readonly attached: readonly AttachedFact[]
  readonly missing: readonly MissingFact[]
  readonly #parts: LiveFeedParts
  #first: QuarkEvent[]
  #emptyLooks = 0
  #nextLossCheckNs = 0
  /** Losses that were put into the stream without a gap having shown them. */
  #toldLost = 0
  #toldRecursion = 0
  #cgroupScans: number

  constructor(parts: LiveFeedParts) {
    this.#parts = parts
    this.backend = parts.backend.name
    this.kernel = parts.kernel
    this.attached = parts.backend.attached
    this.missing = parts.backend.missing
    this.#first = parts.first
    this.#cgroupScans = parts.pipeline.tables.cgroups.stats().scans
  }

  /** A record from the backend; see `RecordSink`. */
  record(words: Uint32Array, bytes: Buffer, offset: number, length: number): void {
    this.#parts.recorder?.record(bytes, offset, length)
    this.#parts.pipeline.insert(words, bytes, offset, length)
  }

  pump(out: QuarkEvent[]): boolean {
    const { backend, pipeline, clock } = this.#parts
    if (this.#first.length > 0) {
      for (const event of this.#first) out.push(event)
      this.#first = []
    }
    let drained = 0
    for (let i = 0; i < MAX_DRAINS; i++) {
      const room = pipeline.room()
      const count = room === 0 ? 0 : backend.drain(this, room)
      drained += count
      this.#step(clock.bootNowNs(), out)
      if (count < room || out.length > 0) break
    }
    this.#emptyLooks = drained === 0 ? this.#emptyLooks + 1 : 0
    return true
  }

  #step(nowNs: number, out: QuarkEvent[]): void {
    const { pipeline, recorder } = this.#parts
    if (nowNs >= this.#nextLossCheckNs) this.#tellLosses(nowNs)
    pipeline.pump(nowNs, out)
    if (recorder === undefined) return
    // Names that a scan found during this step must be known to a replay before it.
    const { cgroups } = pipeline.tables
    if (cgroups.stats().scans !== this.#cgroupScans) {
      this.#cgroupScans = cgroups.stats().scans
      recorder.cgroups(cgroups.names())
    }
    recorder.step(nowNs)
  }

  /** Losses that the numbers of later records have not shown, because no record came after them. */
  #tellLosses(nowNs: number): void {
    const { pipeline } = this.#parts
    this.#nextLossCheckNs = nowNs + LOSS_CHECK_NS
    const { lost, recursionMisses } = this.counters()
    const hidden = lost.reduce((sum, count) => sum + count, 0) - pipeline.counters.missing - this.#toldLost
    // A gap shows when the next record is drained, and a record may just now be on its way.
    if (hidden > 0 && this.#parts.backend.fullness === 0) {
      this.#toldLost += hidden
      this.#noteLost('ringFull', hidden)
    }
    if (recursionMisses > this.#toldRecursion) {
      this.#noteLost('recursion', recursionMisses - this.#toldRecursion)
      this.#toldRecursion = recursionMisses
    }
  }

  #noteLost(cause: 'ringFull' | 'recursion', count: number): void {
    this.#parts.recorder?.lost({ cause, count })
    this.#parts.pipeline.noteLost(cause, count)
  }

  finish(out: QuarkEvent[]): void {
    const { backend, pipeline, clock, recorder } = this.#parts
    // At most what the ring can hold: whatever comes meanwhile is not waited for.
    for (let i = 0; i < MAX_DRAINS; i++) {
      const room = pipeline.room()
      const count = room === 0 ? 0 : backend.drain(this, room)
      const nowNs = clock.bootNowNs()
      this.#nextLossCheckNs = 0
      this.#step(nowNs, out)
      if (count < room) break
    }
    pipeline.flush(out)
    recorder?.end(clock.bootNowNs())
  }

  async wait(timeoutMs: number | undefined, signal?: AbortSignal): Promise<void> {
    const { backend, pipeline, clock, pollMs } = this.#parts
    const limitMs = Math.min(timeoutMs ?? MAX_SLEEP_MS, MAX_SLEEP_MS)
    const dueMs = Math.max(1, Math.ceil(pipeline.dueInNs(clock.bootNowNs()) / 1e6))
    if (this.#emptyLooks < EMPTY_LOOKS) {
      await backend.wait('untilBacklog', Math.min(limitMs, pollMs, dueMs), signal)
    } else {
      await backend.wait('untilRecord', Math.min(limitMs, dueMs), signal)
    }
  }

  wake(): void {
    this.#parts.backend.wake()
  }

  counters(): BackendCounters {
    return this.#parts.backend.counters()
  }

  close(): void {
    this.#parts.backend[Symbol.dispose]()
    this.#parts.recorder?.[Symbol.dispose]()
  }
}
