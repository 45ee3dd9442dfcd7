/** How a session sleeps until there is something to read. */

import { SLOT_WAKE, WAKE_NEVER, WAKE_ON_BACKLOG, WAKE_ON_RECORD } from '../probe/scratch.js'
import type { RecordSink } from '../ring/cursor.js'
import type { RingReader } from '../ring/ringbuf.js'
import type { MappedMemory } from '../sys/memory.js'
import { Poller } from '../sys/poller.js'

/** What ends a sleep on the ring, besides its timeout. */
export type Sleep = 'untilRecord' | 'untilBacklog'

/** The records that wait to be drained. */
export interface Backlog {
  readonly backlogBytes: number
  /** 0 to 1. */
  readonly fullness: number
}

/** By then every CPU has seen that the reader sleeps. */
const SETTLE_MS = 2
/** Discards records whose only purpose was to wake the reader. */
const NOBODY: RecordSink = { record: () => {} }

export class SessionSleep implements Disposable {
  readonly #poller: Poller
  readonly #ring: RingReader
  /** A word for each lane. */
  readonly #wakes: readonly Int32Array[]
  readonly #backlog: Backlog
  /** The records are in rings of the CPUs, and `ring` only wakes. */
  readonly #onlyWakes: boolean
  #isWaiting = false
  #isWoken = false
  /** What wakes the reader, since `arm`. */
  #armed: Sleep | undefined
  #closed = false

  /**
   * @param ring what programs wake the reader by
   * @param pages the first page of each lane's slot
   * @throws {KernelError} when the kernel refuses a poller
   */
  constructor(ring: RingReader, pages: readonly MappedMemory[], backlog: Backlog) {
    this.#poller = new Poller([ring.fd])
    this.#ring = ring
    this.#wakes = pages.map(({ buffer }) => new Int32Array(buffer, SLOT_WAKE, 1))
    this.#backlog = backlog
    this.#onlyWakes = backlog !== ring
  }

  /**
   * Sleeps until a record comes (`untilRecord`) or half a ring is full (`untilBacklog`), but at most `timeoutMs`. One
   * thread of libuv's pool sleeps meanwhile.
   *
   * @throws {TypeError} while another wait is not over
   */
  async wait(sleep: Sleep, timeoutMs: number, signal?: AbortSignal): Promise<void> {
    if (this.#isWaiting) throw new TypeError('Cannot wait: an earlier wait of this session is not over')
    this.#isWaiting = true
    this.#armed = undefined
    // Otherwise earlier wake records would fill the ring that only wakes.
    if (this.#onlyWakes) this.#ring.drain(NOBODY)
    this.#setWake(sleep === 'untilRecord' ? WAKE_ON_RECORD : WAKE_ON_BACKLOG)
    // Records written before the wake word was set have not woken the reader.
    const { backlogBytes, fullness } = this.#backlog
    try {
      if (sleep === 'untilRecord' ? backlogBytes > 0 : fullness > 0.5) return
      const isSettling = this.#onlyWakes && sleep === 'untilRecord'
      const restMs = isSettling ? await this.#settle(timeoutMs, signal) : timeoutMs
      if (restMs !== 0) await this.#poller.wait(restMs, signal)
    } finally {
      this.#isWaiting = false
      this.#isWoken = false
      if (!this.#closed) this.#setWake(WAKE_NEVER)
    }
  }

  /**
   * Lets the ring's descriptor become readable at the next record (`untilRecord`), or when half a ring is full
   * (`untilBacklog`), until the next call, or a `wait`.
   *
   * @returns in how many ms to look at the records whether or not it becomes readable; 0 if some wait already
   */
  arm(sleep: Sleep): number {
    if (this.#onlyWakes) this.#ring.drain(NOBODY)
    const isNew = this.#armed !== sleep
    this.#armed = sleep
    if (isNew) this.#setWake(sleep === 'untilRecord' ? WAKE_ON_RECORD : WAKE_ON_BACKLOG)
    const { backlogBytes, fullness } = this.#backlog
    if (sleep === 'untilRecord' ? backlogBytes > 0 : fullness > 0.5) return 0
    // As in `#settle`.
    return isNew && this.#onlyWakes && sleep === 'untilRecord' ? SETTLE_MS : Number.POSITIVE_INFINITY
  }

  /**
   * A CPU with a ring of its own may read the wake word before it is set, and its record may become visible only after
   * the reader polled the ring: there is no barrier between the two, as it would cost every record. It becomes visible
   * within a microsecond, so the reader polls once more before a long sleep. Later records find the word set.
   *
   * @returns the remaining timeout in ms; 0 if records wait
   */
  async #settle(timeoutMs: number, signal: AbortSignal | undefined): Promise<number> {
    if (timeoutMs >= 0 && timeoutMs <= SETTLE_MS) return timeoutMs
    const isReady = await this.#poller.wait(SETTLE_MS, signal)
    if (isReady || this.#closed || this.#isWoken || signal?.aborted === true) return 0
    if (this.#backlog.backlogBytes > 0) return 0
    return timeoutMs < 0 ? timeoutMs : timeoutMs - SETTLE_MS
  }

  /** Ends the current sleep, or the next one if there is none. */
  wake(): void {
    this.#isWoken = true
    this.#poller.wake()
  }

  /** Ends a sleep. Afterwards the pages may be unmapped. */
  close(): void {
    this.#closed = true
    this.#poller.close()
  }

  [Symbol.dispose](): void {
    this.close()
  }

  #setWake(wake: number): void {
    for (const word of this.#wakes) Atomics.store(word, 0, wake)
  }
}
