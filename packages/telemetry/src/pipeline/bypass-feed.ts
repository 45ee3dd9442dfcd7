/** The bypass feed: delivers records to the caller unchanged. */

import type { Fd, RecordSink } from 'quark-ebpf'
import type { RecordLayout } from 'quark-ebpf/probe'
import type { Backend, BackendCounters } from '../backend/backend.js'
import type { Clock } from './clock.js'
import type { BaseEvent } from '../event/event.js'
import type { RecordRedaction } from '../event/redaction.js'
import { RawEvent } from '../event/raw-event.js'
import type { Feed } from './feed.js'
import type { AttachedFact, MissingFact } from './stats.js'

/** Records of one pump: what one batch can hold. */
const MAX_BATCH = 10_000
const EMPTY_LOOKS = 4
const MAX_SLEEP_MS = 10_000

export interface RecordName {
  readonly name: string
  readonly layout: RecordLayout
}

export class BypassFeed implements Feed, RecordSink {
  readonly backend: string
  readonly kernel: string
  readonly attached: readonly AttachedFact[]
  readonly missing: readonly MissingFact[]
  readonly #backend: Backend
  readonly #clock: Clock
  readonly #pollMs: number
  readonly #redaction: RecordRedaction | undefined
  readonly #types: readonly (RecordName | undefined)[]
  #out: BaseEvent[] = []
  #emptyLooks = 0
  #isBacklogged = false
  #isRead = false
  #delivered = 0
  #rejected = 0

  constructor(
    backend: Backend,
    clock: Clock,
    kernel: string,
    pollMs: number,
    records: readonly RecordName[],
    redaction?: RecordRedaction,
  ) {
    this.#redaction = redaction
    this.backend = backend.name
    this.kernel = kernel
    this.attached = backend.attached
    this.missing = backend.missing
    this.#backend = backend
    this.#clock = clock
    this.#pollMs = pollMs
    const types: (RecordName | undefined)[] = []
    for (const record of records) types[record.layout.type] = record
    this.#types = types
  }

  get isBacklogged(): boolean {
    return this.#isBacklogged
  }

  /** Records delivered. */
  get delivered(): number {
    return this.#delivered
  }

  /** Records of an unknown type. */
  get rejected(): number {
    return this.#rejected
  }

  record(_words: Uint32Array, bytes: Buffer, offset: number, length: number): void {
    const type = this.#types[bytes.readUInt16LE(offset)]
    if (type === undefined || length < type.layout.fixedSizeBytes) {
      this.#rejected += 1
      return
    }
    // The ring's memory is reused as soon as the sink returns.
    const copy =
      this.#redaction?.redacted(bytes, offset, length) ??
      Uint8Array.prototype.slice.call(bytes, offset, offset + length)
    this.#delivered += 1
    this.#out.push(new RawEvent(type.name, type.layout, copy, this.#clock.bootEpochNs))
  }

  pump(out: BaseEvent[]): boolean {
    this.#out = out
    const count = this.#backend.drain(this, MAX_BATCH)
    this.#isBacklogged = count === MAX_BATCH
    this.#emptyLooks = count === 0 ? this.#emptyLooks + 1 : 0
    return true
  }

  finish(out: BaseEvent[], limit = Number.POSITIVE_INFINITY): boolean {
    this.#backend.stop()
    this.#out = out
    // A backend may hand over fewer records than there is room for, and have more.
    for (let count = -1; (count !== 0 || this.#backend.hasMore === true) && limit > 0; limit -= count)
      count = this.#backend.drain(this, limit)
    this.#isRead = limit > 0
    return this.#isRead
  }

  get isRead(): boolean {
    return this.#isRead
  }

  async wait(timeoutMs: number | undefined, signal?: AbortSignal): Promise<void> {
    const limitMs = Math.min(timeoutMs ?? MAX_SLEEP_MS, MAX_SLEEP_MS)
    const isBusy = this.#emptyLooks < EMPTY_LOOKS
    await this.#backend.wait(
      isBusy ? 'untilBacklog' : 'untilRecord',
      isBusy ? Math.min(limitMs, this.#pollMs) : limitMs,
      signal,
    )
  }

  get fds(): readonly Fd[] {
    return this.#backend.fds
  }

  arm(): number {
    if (this.#isBacklogged) return 0
    const isBusy = this.#emptyLooks < EMPTY_LOOKS
    const dueMs = this.#backend.arm(isBusy ? 'untilBacklog' : 'untilRecord')
    return Math.min(dueMs, isBusy ? this.#pollMs : MAX_SLEEP_MS)
  }

  wake(): void {
    this.#backend.wake()
  }

  counters(): BackendCounters {
    return this.#backend.counters()
  }

  close(): void {
    this.#backend[Symbol.dispose]()
  }
}
