/** Sources: readers in user space beside a backend, and a backend that combines both. */

import { monotonicMs } from '../event/time-base.js'
import { type Fd, Poller, type RecordSink } from 'quark-ebpf'
import type { AttachedFact, MissingFact } from '../facts/fact.js'
import type { Source, SourceClock, SourceContext, SourceRung, Walk } from '../facts/rungs.js'
import type { LoadedRung } from './loaded-rung.js'
import type { Backend, BackendCounters, LossesOf } from './backend.js'
import { closeAll } from './close-all.js'
import { addCounters } from './counters.js'
import { LANES } from './lanes.js'
import { Outbox } from './outbox.js'

/** Records that may wait for each source. It is not read while half of them do: what it reads from has room of its own. */
const MAX_RECORDS = 4096
const BACKLOG = 0.5
const NS_PER_MS = 1e6

interface OpenSource {
  readonly source: Source
  readonly outbox: Outbox
  /** When it is polled next, if it is polled. */
  nextNs: number
  /** Until when it rests, CLOCK_BOOTTIME. */
  restsUntilNs: number
  /** It was stopped, and has nothing left. */
  isEmpty: boolean
}

/** The sources of one queue. */
export class Sources implements Disposable {
  readonly #clock: SourceClock
  readonly #open: OpenSource[] = []
  #isStopped = false
  /** Of the backend beside them. */
  #walk: Walk = () => false

  constructor(clock: SourceClock) {
    this.#clock = clock
  }

  get isEmpty(): boolean {
    return this.#open.length === 0
  }

  /** Descriptors that become readable when there is something to read. */
  get fds(): Fd[] {
    return this.#open.flatMap(({ source }) => source.fds ?? [])
  }

  /** A rung that opens its source when it is attached. */
  load(rung: SourceRung): LoadedRung {
    return {
      attach: () => {
        this.open((context) => rung.open(context))
        return { hooks: [rung], ...(rung.lacks === undefined ? {} : { lacks: rung.lacks }) }
      },
    }
  }

  /** How the backend beside them walks. Called before anything is read. */
  useWalk(walk: Walk): void {
    this.#walk = walk
  }

  /** Opens a source. */
  open(make: (context: SourceContext) => Source): void {
    const outbox = new Outbox(1, MAX_RECORDS)
    const source = make({
      clock: this.#clock,
      walk: (fact, sink) => this.#walk(fact, sink),
      push: (layout, { timeNs }, values, limits) => outbox.push(layout, { cpu: 0, timeNs }, values, limits),
      noteLost: (count, { type }) => outbox.noteLost(0, count, type),
    })
    this.#open.push({ source, outbox, nextNs: 0, restsUntilNs: 0, isEmpty: false })
  }

  /** Gives each source a lane of its own, from this number on. Called before anything is read. */
  useLanes(first: number): void {
    for (const [index, { outbox }] of this.#open.entries()) outbox.firstLane = first + index
  }

  /** CLOCK_BOOTTIME. */
  get nowNs(): number {
    return this.#clock.bootNowNs()
  }

  /** How full the fullest is, 0 to 1. */
  get fullness(): number {
    return this.#open.reduce((most, { outbox }) => Math.max(most, outbox.fullness), 0)
  }

  get length(): number {
    return this.#open.reduce((sum, { outbox }) => sum + outbox.length, 0)
  }

  /** ms until the next poll of a source; Infinity if none is polled. */
  get turnInMs(): number {
    const nowNs = this.#clock.bootNowNs()
    return this.#open.reduce(
      (least, { source, nextNs, isEmpty }) =>
        source.pollMs === undefined || isEmpty
          ? least
          : Math.min(least, Math.max(0, nextNs - nowNs) / NS_PER_MS),
      Number.POSITIVE_INFINITY,
    )
  }

  /** ms until no source rests; 0 if none does. */
  get restInMs(): number {
    if (this.#isStopped) return 0
    const untilNs = this.#open.reduce((most, { restsUntilNs }) => Math.max(most, restsUntilNs), 0)
    return untilNs === 0 ? 0 : Math.max(0, untilNs - this.#clock.bootNowNs()) / NS_PER_MS
  }

  /** Makes records of what there is, as long as there is room for them. */
  read(): void {
    for (const open of this.#open) this.#readOne(open)
  }

  #readOne(open: OpenSource): void {
    const { source, outbox } = open
    if (open.isEmpty || outbox.fullness >= BACKLOG) return
    if (source.pollMs !== undefined && !this.#isStopped) {
      const nowNs = this.#clock.bootNowNs()
      if (nowNs < open.nextNs) return
      open.nextNs = nowNs + source.pollMs * NS_PER_MS
    }
    const before = outbox.length
    source.read()
    outbox.settle()
    if (source.restMs !== undefined && outbox.length > before)
      open.restsUntilNs = this.#clock.bootNowNs() + source.restMs * NS_PER_MS
    if (this.#isStopped && outbox.length === before && source.hasMore !== true) open.isEmpty = true
  }

  /** The backend has handed over all that it had at that time. */
  drained(upToNs: number): void {
    for (const { source, outbox } of this.#open) {
      if (source.drained === undefined) continue
      source.drained(upToNs)
      outbox.settle()
    }
  }

  drain(sink: RecordSink, max: number): number {
    let count = 0
    for (const { outbox } of this.#open) if (count < max) count += outbox.drain(sink, max - count)
    return count
  }

  counters(): BackendCounters[] {
    return this.#open.map(({ outbox: { produced, lost } }) => ({ produced, lost, recursionMisses: 0 }))
  }

  /** The last number of each source's lane. */
  sequences(): Uint32Array {
    return Uint32Array.from(this.#open, ({ outbox }) => outbox.sequences()[0] ?? 0)
  }

  /** After `stop`: some have not read all yet. */
  get hasMore(): boolean {
    return this.#isStopped && this.#open.some(({ source, isEmpty }) => !isEmpty && source.hasMore === true)
  }

  stop(): void {
    if (this.#isStopped) return
    this.#isStopped = true
    for (const { source } of this.#open) source.stop()
    // What they walk through goes with the backend.
    this.#walk = () => false
  }

  [Symbol.dispose](): void {
    const closers = this.#open.map((open) => () => {
      open.isEmpty = true
      open.source.close()
    })
    closeAll(...closers)
  }
}

const NO_LOSSES: LossesOf = { total: 0, uids: new Map(), pids: new Map() }

/** A backend with sources beside it. */
export class SourcedBackend implements Backend {
  readonly name: string
  readonly attached: readonly AttachedFact[]
  readonly missing: readonly MissingFact[]
  readonly #backend: Backend
  readonly #sources: Sources
  readonly #lanes: number
  /** Undefined if no source has a descriptor. */
  readonly #poller: Poller | undefined
  #isClosed = false

  /** Both are closed with it. */
  constructor(backend: Backend, sources: Sources) {
    this.name = backend.name
    this.attached = backend.attached
    this.missing = backend.missing
    this.#backend = backend
    this.#sources = sources
    // Behind those of all levels of all CPUs, whichever the backend has.
    this.#lanes = Math.max(LANES, backend.sequences().length)
    sources.useLanes(this.#lanes)
    sources.useWalk((fact, sink) => this.walk(fact, sink))
    const { fds } = sources
    this.#poller = fds.length === 0 ? undefined : new Poller(fds)
  }

  walk(fact: string, sink: RecordSink): boolean {
    return this.#backend.walk?.(fact, sink) ?? false
  }

  get fullness(): number {
    return Math.max(this.#backend.fullness, this.#sources.fullness)
  }

  get unenriched(): number {
    return this.#backend.unenriched ?? 0
  }

  get shortened(): number {
    return this.#backend.shortened ?? 0
  }

  /** What is asked is whether programs have told of all changes: sources tell of none. */
  get hasTakenAll(): boolean {
    return this.#backend.hasTakenAll === true
  }

  takeLosses(): LossesOf {
    return this.#backend.takeLosses?.() ?? NO_LOSSES
  }

  shareAmongUsers(part: number): void {
    this.#backend.shareAmongUsers?.(part)
  }

  /** Sources get a quarter before the backend, so that neither waits for the other to be empty. */
  drain(sink: RecordSink, max: number): number {
    this.#sources.read()
    let count = this.#sources.drain(sink, Math.floor(max / 4))
    const { nowNs } = this.#sources
    const room = max - count
    const taken = this.#backend.drain(sink, room)
    if (taken < room) this.#sources.drained(nowNs)
    count += taken
    return count < max ? count + this.#sources.drain(sink, max - count) : count
  }

  async wait(sleep: 'untilRecord' | 'untilBacklog', timeoutMs: number, signal?: AbortSignal): Promise<void> {
    const endMs = monotonicMs() + timeoutMs
    while (!this.#isClosed) {
      this.#sources.read()
      if (sleep === 'untilRecord' ? this.#sources.length > 0 : this.#sources.fullness >= BACKLOG) return
      const leftMs = endMs - monotonicMs()
      if (leftMs <= 0) return
      const { restInMs } = this.#sources
      const mostMs = restInMs > 0 ? Math.min(leftMs, restInMs) : leftMs
      const turnMs = Math.max(1, Math.ceil(Math.min(mostMs, this.#sources.turnInMs)))
      if (await this.#sleep(sleep, turnMs, restInMs > 0, signal)) return
    }
  }

  /** Sleeps on the backend and, if they do not rest, the sources. False if the sources ended it, or the time is over. */
  async #sleep(
    sleep: 'untilRecord' | 'untilBacklog',
    turnMs: number,
    doSourcesRest: boolean,
    signal: AbortSignal | undefined,
  ): Promise<boolean> {
    const beganMs = monotonicMs()
    let isBackend = false
    let isSource = false
    const poller = doSourcesRest ? undefined : this.#poller
    const ofSources = poller?.wait(turnMs, signal).then(() => {
      if (isBackend) return
      // Woken or ready: the caller polls the sources again.
      isSource = true
      this.#backend.wake()
    })
    await this.#backend.wait(sleep, turnMs, signal)
    isBackend = true
    if (!isSource) poller?.wake()
    await ofSources
    // A backend returns early if it has records, or was woken, or the signal is aborted.
    return signal?.aborted === true || (!isSource && monotonicMs() - beganMs < turnMs)
  }

  get fds(): readonly Fd[] {
    return [...this.#backend.fds, ...this.#sources.fds]
  }

  arm(sleep: 'untilRecord' | 'untilBacklog'): number {
    const isSource = sleep === 'untilRecord' ? this.#sources.length > 0 : this.#sources.fullness >= BACKLOG
    return Math.min(this.#backend.arm(sleep), isSource ? 0 : this.#sources.turnInMs)
  }

  wake(): void {
    this.#backend.wake()
  }

  counters(): BackendCounters {
    return this.#sources.counters().reduce(addCounters, this.#backend.counters())
  }

  sequences(): Uint32Array {
    const sequences = new Uint32Array(this.#lanes + this.#sources.sequences().length)
    sequences.set(this.#backend.sequences())
    sequences.set(this.#sources.sequences(), this.#lanes)
    return sequences
  }

  get hasMore(): boolean {
    return this.#sources.hasMore || this.#backend.hasMore === true
  }

  stop(): void {
    this.#sources.stop()
    this.#backend.stop()
  }

  [Symbol.dispose](): void {
    if (this.#isClosed) return
    this.#isClosed = true
    closeAll(
      () => this.#poller?.close(),
      () => this.#sources[Symbol.dispose](),
      () => this.#backend[Symbol.dispose](),
    )
  }
}
