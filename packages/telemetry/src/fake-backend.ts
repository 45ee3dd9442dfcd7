/** A source of records that are made by hand, in place of a kernel. */

import type { RecordSink } from 'quark-ebpf'
import type { Backend, BackendCounters } from './backend/backend.js'

/** A sleep is no longer, so that time which is moved by hand is noticed. */
const MAX_SLEEP_MS = 20

export class FakeBackend implements Backend {
  readonly name = 'fake'
  readonly attached = []
  readonly missing = []
  readonly fds = []
  readonly fullness = 0
  /** Number of the last record that each CPU made, lost ones included. */
  readonly made = Uint32Array.of(0)
  readonly #records: Uint8Array[] = []
  readonly #produced = new Map<number, number>()
  #wake: (() => void) | undefined
  #isStopped = false

  /** A record comes. */
  produce(type: number, bytes: Uint8Array): void {
    if (this.#isStopped) return
    this.#records.push(bytes)
    this.#produced.set(type, (this.#produced.get(type) ?? 0) + 1)
    this.wake()
  }

  drain(sink: RecordSink, max: number): number {
    const batch = this.#records.splice(0, max)
    for (const bytes of batch) {
      // Records lie at multiples of 8 bytes, as in a ring.
      const memory = new ArrayBuffer(Math.ceil(bytes.length / 8) * 8)
      new Uint8Array(memory).set(bytes)
      sink.record(new Uint32Array(memory), Buffer.from(memory), 0, bytes.length)
    }
    return batch.length
  }

  wait(_sleep: 'untilRecord' | 'untilBacklog', timeoutMs: number): Promise<void> {
    if (this.#records.length > 0) return Promise.resolve()
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.wake(), Math.min(timeoutMs, MAX_SLEEP_MS))
      this.#wake = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }

  arm(): number {
    return this.#records.length > 0 ? 0 : Number.POSITIVE_INFINITY
  }

  wake(): void {
    const wake = this.#wake
    this.#wake = undefined
    wake?.()
  }

  counters(): BackendCounters {
    return { produced: this.#produced, lost: new Map(), recursionMisses: 0 }
  }

  sequences(): Uint32Array {
    return this.made.slice()
  }

  stop(): void {
    this.#isStopped = true
    this.wake()
  }

  [Symbol.dispose](): void {
    this.stop()
  }
}
