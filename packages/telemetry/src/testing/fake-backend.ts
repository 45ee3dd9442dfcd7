/** A backend for tests, whose records and losses are made by hand. */

import type { RecordSink } from 'quark-ebpf'
import type { Backend, BackendCounters } from '../backend/backend.js'

/** One call of `wait`. */
export interface Sleep {
  readonly sleep: 'untilRecord' | 'untilBacklog'
  readonly timeoutMs: number
}

export class FakeBackend implements Backend {
  readonly name = 'fake'
  readonly attached = []
  readonly missing = []
  readonly fds = []
  readonly fullness = 0
  /** Records that wait to be drained. */
  readonly records: Uint8Array[] = []
  /** Number of the last record that each CPU made. */
  readonly made = Uint32Array.of(0, 0)
  readonly sleeps: Sleep[] = []
  /** `max` of each drain. */
  readonly drains: number[] = []
  recursionMisses = 0
  /** Most records that one drain hands over. */
  mostAtOnce = Number.POSITIVE_INFINITY
  isStopped = false
  isClosed = false

  drain(sink: RecordSink, max: number): number {
    this.drains.push(max)
    const batch = this.records.splice(0, Math.min(max, this.mostAtOnce))
    for (const bytes of batch) {
      // As in a ring, the memory is overwritten as soon as the sink has seen it.
      const memory = new ArrayBuffer(Math.ceil(bytes.length / 8) * 8)
      new Uint8Array(memory).set(bytes)
      sink.record(new Uint32Array(memory), Buffer.from(memory), 0, bytes.length)
      new Uint8Array(memory).fill(0xdd)
    }
    return batch.length
  }

  async wait(sleep: Sleep['sleep'], timeoutMs: number): Promise<void> {
    this.sleeps.push({ sleep, timeoutMs })
  }

  arm(): number {
    return this.records.length > 0 ? 0 : Number.POSITIVE_INFINITY
  }

  wake(): void {
    // Nothing sleeps here.
  }

  counters(): BackendCounters {
    return {
      produced: new Map(),
      lost: new Map(),
      recursionMisses: this.recursionMisses,
    }
  }

  sequences(): Uint32Array {
    return this.made.slice()
  }

  stop(): void {
    this.isStopped = true
  }

  [Symbol.dispose](): void {
    this.isClosed = true
  }
}
