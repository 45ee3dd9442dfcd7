import { monotonicMs } from '../event/time-base.js'
import { type Fd, Poller, receiveQueue, type RecordSink } from 'quark-ebpf'
import type { AttachedFact, MissingFact } from '../facts/fact.js'
import type { Backend, BackendCounters } from './backend.js'
import { closeAll } from './close-all.js'
import type { Outbox } from './outbox.js'

/** A backend that makes records of a socket's messages. It reads `fd`, which stays its subclass's. */
export abstract class SocketBackend implements Backend {
  abstract readonly name: string
  abstract readonly attached: readonly AttachedFact[]
  abstract readonly missing: readonly MissingFact[]
  /** Records that lack facts because their process was gone before /proc could be read. */
  abstract readonly unenriched: number
  protected readonly outbox: Outbox
  readonly #fd: Fd
  readonly #poller: Poller
  #isClosed = false

  constructor(fd: Fd, outbox: Outbox) {
    this.#fd = fd
    this.outbox = outbox
    this.#poller = new Poller([fd])
  }

  /** Makes records of the messages that wait, as long as there is room for them. */
  protected abstract read(): void

  /** Undoes what was done to open it. */
  protected abstract close(): void

  abstract stop(): void

  get fullness(): number {
    const queue = this.#isClosed ? undefined : receiveQueue(this.#fd)
    const share = queue === undefined ? 0 : Math.min(1, queue.usedBytes / queue.limitBytes)
    return Math.max(share, this.outbox.fullness)
  }

  drain(sink: RecordSink, max: number): number {
    if (!this.#isClosed) this.read()
    return this.outbox.drain(sink, max)
  }

  /** Reads all the while: the sooner, the more is left of a process in /proc. */
  async wait(sleep: 'untilRecord' | 'untilBacklog', timeoutMs: number, signal?: AbortSignal): Promise<void> {
    const endMs = monotonicMs() + timeoutMs
    while (!this.#isClosed) {
      this.read()
      if (sleep === 'untilRecord' ? this.outbox.length > 0 : this.outbox.fullness >= 0.5) return
      const leftMs = Math.ceil(endMs - monotonicMs())
      // It also ends when it was woken, or the signal is aborted.
      if (leftMs <= 0 || !(await this.#poller.wait(leftMs, signal))) return
    }
  }

  get fds(): readonly Fd[] {
    return [this.#fd]
  }

  /** The socket is readable while messages wait: they are never left until there are many. */
  arm(): number {
    return this.outbox.length > 0 ? 0 : Number.POSITIVE_INFINITY
  }

  wake(): void {
    this.#poller.wake()
  }

  counters(): BackendCounters {
    const { produced, lost } = this.outbox
    return { produced: new Map(produced), lost: new Map(lost), recursionMisses: 0 }
  }

  sequences(): Uint32Array {
    return this.outbox.sequences()
  }

  [Symbol.dispose](): void {
    if (this.#isClosed) return
    this.#isClosed = true
    closeAll(
      () => this.#poller.close(),
      () => this.close(),
    )
  }
}
