/** The kprobe backend: kprobe events of tracefs and perf rings, without BPF. */

import {
  type Fd,
  findTracefs,
  kernelAtLeast,
  KprobeEvents,
  PerfBuffer,
  Poller,
  possibleCpuCount,
} from 'quark-ebpf'
import { openKernelTypes } from '../../btf/types.js'
import type { RecordSink } from 'quark-ebpf'
import type { AttachedFact, MissingFact } from '../../facts/fact.js'
import type { Backend, BackendCounters } from '../backend.js'
import { closeAfterError, closeAll } from '../close-all.js'
import type { BackendContext } from '../context.js'
import { HitSink } from './hits.js'
import { eventPrefix, InstalledEvents, removeStale } from './install.js'
import { Outbox } from '../outbox.js'

/**
 * Most bytes of argv, and of the environment, that are taken in the kernel. It fetches them word by word, and takes
 * a fault for each word behind the end of the stack.
 */
const MAX_USER_BYTES = 2048
/** PERF_MAX_TRACE_SIZE before Linux 5.16 and since, less what aligns a record. */
const OLD_RECORD_BYTES = 2048 - 16
const RECORD_BYTES = 8192 - 16
/** How many records may wait in user space: a full ring of them. */
const MAX_WAITING = 1 << 20
/** Idle poll interval of the rings: the kernel wakes only for half a ring. */
const IDLE_POLL_MS = 50
/** How often CPUs that went or came are looked for. */
const CPUS_INTERVAL_NS = 1e9
const BACKLOG = 0.5

/** How many queues this process has opened: a part of the names of their events. */
let queues = 0

const open = new Set<KprobeBackend>()

/**
 * Events stay in the kernel when a process ends without removing them. This covers `process.exit` and the end of
 * the program; what a signal leaves behind, the next queue of any process removes.
 */
function removeAll(): void {
  for (const backend of open) backend[Symbol.dispose]()
}

/**
 * Opens the kprobe backend.
 *
 * @throws {EbpfError} when tracefs or perf cannot be used, or a required fact cannot be had
 */
export function openKprobe(context: BackendContext): Backend {
  return new KprobeBackend(context)
}

class KprobeBackend implements Backend {
  readonly name = 'kprobe'
  readonly attached: readonly AttachedFact[]
  readonly missing: readonly MissingFact[]
  readonly #context: BackendContext
  readonly #outbox: Outbox
  readonly #hits: HitSink
  readonly #events: InstalledEvents
  readonly #buffer: PerfBuffer
  #poller: Poller
  #nextCpusNs = 0
  #isFull = false
  #isWoken = false
  #isDisposed = false
  #misses = 0

  constructor(context: BackendContext) {
    const { settings, facts, sources } = context
    const kprobes = new KprobeEvents(findTracefs())
    removeStale(kprobes)
    const { btf, source, isTable } = openKernelTypes(settings.btf)
    queues += 1
    this.#context = context
    this.#outbox = new Outbox(possibleCpuCount(), MAX_WAITING)
    this.#hits = new HitSink(this.#outbox)
    this.#events = new InstalledEvents(kprobes, {
      facts,
      sources,
      target: {
        btf,
        architecture: process.arch === 'arm64' ? 'arm64' : 'x64',
        maxUserBytes: MAX_USER_BYTES,
      },
      maxRecordBytes: kernelAtLeast('5.16') ? RECORD_BYTES : OLD_RECORD_BYTES,
      flavor: isTable ? `fetch_args, offsets from ${source}` : 'fetch_args',
      prefix: eventPrefix(queues),
      outbox: this.#outbox,
    })
    this.attached = this.#events.answers.attached
    this.missing = this.#events.answers.missing
    for (const hook of this.#events.hooks) this.#hits.add(hook)
    for (const event of this.#events.plain) this.#hits.addPlain(event)
    let buffer: PerfBuffer | undefined
    let poller: Poller | undefined
    try {
      buffer = PerfBuffer.open({ sizeBytes: settings.ringSizeBytes, eventIds: this.#events.ids })
      poller = new Poller(buffer.fds)
      buffer.start()
      this.#buffer = buffer
      this.#poller = poller
    } catch (error) {
      closeAfterError(
        () => poller?.close(),
        () => buffer?.close(),
        () => this.#events.remove(),
      )
      throw error
    }
    if (open.size === 0) process.on('exit', removeAll)
    open.add(this)
  }

  get fullness(): number {
    return Math.max(this.#buffer.fullness, this.#outbox.fullness)
  }

  drain(sink: RecordSink, max: number): number {
    // Records that wait are older than those in the rings, which are read only if fewer than `max` wait.
    if (this.#outbox.length < max) this.#pump()
    return this.#outbox.drain(sink, max)
  }

  async wait(sleep: 'untilRecord' | 'untilBacklog', timeoutMs: number, signal?: AbortSignal): Promise<void> {
    for (let leftMs = timeoutMs; leftMs > 0 && !this.#hasReason(sleep); leftMs -= IDLE_POLL_MS) {
      const turnMs = sleep === 'untilRecord' ? Math.min(IDLE_POLL_MS, leftMs) : leftMs
      const isReady = await this.#poller.wait(turnMs, signal)
      if (isReady || this.#isDisposed || signal?.aborted === true) break
      if (sleep === 'untilBacklog') break
    }
    this.#isWoken = false
  }

  /** Whether a sleep is over, or need not begin. */
  #hasReason(sleep: 'untilRecord' | 'untilBacklog'): boolean {
    if (this.#isWoken || this.fullness >= BACKLOG) return true
    return sleep === 'untilRecord' && (this.#outbox.length > 0 || this.#buffer.hasBacklog)
  }

  get fds(): readonly Fd[] {
    return this.#buffer.fds
  }

  arm(sleep: 'untilRecord' | 'untilBacklog'): number {
    if (this.#hasReason(sleep)) return 0
    // The kernel wakes only for half a ring.
    return sleep === 'untilRecord' ? IDLE_POLL_MS : Number.POSITIVE_INFINITY
  }

  wake(): void {
    this.#isWoken = true
    this.#poller.wake()
  }

  counters(): BackendCounters {
    // Before Linux 5.14 the kernel counted faults in the same number.
    if (!this.#isDisposed && kernelAtLeast('5.14')) this.#misses = this.#events.misses()
    const { produced, lost } = this.#outbox
    return { produced, lost, recursionMisses: this.#misses }
  }

  sequences(): Uint32Array {
    return this.#outbox.sequences()
  }

  stop(): void {
    // A CPU that went and came since the last poll must be reported.
    if (!this.#isDisposed) this.#followCpus(true)
    this.#buffer.stop()
    this.#pump()
    this.#buffer.reportLosses(this.#hits)
  }

  [Symbol.dispose](): void {
    if (this.#isDisposed) return
    const count = (): void => void this.counters()
    const forget = (): void => {
      this.#isDisposed = true
      open.delete(this)
      if (open.size === 0) process.off('exit', removeAll)
    }
    closeAll(
      count,
      forget,
      () => this.#poller.close(),
      () => this.#buffer.close(),
      () => this.#events.remove(),
    )
  }

  /** Makes records of all that is in the rings. */
  #pump(): void {
    if (this.#isDisposed) return
    this.#followCpus()
    const isFull = this.#buffer.fullness >= BACKLOG
    this.#buffer.drain(this.#hits)
    // Losses that no later record reports can only come of rings that were full.
    if (this.#isFull && !isFull) this.#buffer.reportLosses(this.#hits)
    this.#isFull = isFull
    this.#outbox.settle()
  }

  #followCpus(isLast = false): void {
    const nowNs = this.#context.clock.bootNowNs()
    if (nowNs < this.#nextCpusNs && !isLast) return
    this.#nextCpusNs = nowNs + CPUS_INTERVAL_NS
    if (!this.#buffer.followCpus(this.#hits)) return
    const poller = new Poller(this.#buffer.fds)
    this.#poller.close()
    this.#poller = poller
  }
}
