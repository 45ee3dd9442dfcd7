import type { Fd, RecordSink } from 'quark-ebpf'
import type { AttachedFact, MissingFact } from '../facts/fact.js'
import type { Walk } from '../facts/rungs.js'

/** A source of records. `drain` never blocks; `wait` ends when there may be more. */
export interface Backend extends Disposable {
  readonly name: string
  readonly attached: readonly AttachedFact[]
  readonly missing: readonly MissingFact[]
  /** Share of the buffer between kernel and user space that is filled, 0 to 1. */
  readonly fullness: number
  /** Records that lack facts because their process had ended before it was read in /proc. */
  readonly unenriched?: number
  /** Walks through what there is, by the iterators that it attached; those that have none leave it out. */
  readonly walk?: Walk
  /** Hands over at most `max` records, oldest first, and returns how many. */
  drain(sink: RecordSink, max: number): number
  /** Whether the last `drain`, if it handed over less than `max`, had all that was written before it. Absent: it is not known. */
  readonly hasTakenAll?: boolean
  /**
   * Sleeps at most `timeoutMs`: until the next record, or, with `untilBacklog`, until the buffer is half full.
   */
  wait(sleep: 'untilRecord' | 'untilBacklog', timeoutMs: number, signal?: AbortSignal): Promise<void>
  /** Descriptors that become readable as `arm` says. The backend owns them, and may have others later. */
  readonly fds: readonly Fd[]
  /**
   * Lets `fds` become readable at the next record (`untilRecord`), or when the buffer is half full (`untilBacklog`), until
   * the next call of `arm` or `wait`.
   *
   * @returns in how many ms to drain whether or not one becomes readable; 0 if records wait already
   */
  arm(sleep: 'untilRecord' | 'untilBacklog'): number
  /** Ends the sleep that is under way, if any. */
  wake(): void
  counters(): BackendCounters
  /** Whose records were lost since the last call; absent where the backend cannot know. */
  takeLosses?(): LossesOf
  /** Has users share only a part of the ring, 0 to 1, as the reader falls behind. */
  shareAmongUsers?(part: number): void
  /** Records that were shortened to find room in the ring. */
  readonly shortened?: number
  /**
   * Sequence number of the last record of each lane, lost ones included. Lane `level * cpus + cpu` is a level of
   * nesting of a CPU; those from `MAX_LEVELS * cpus` on are of no CPU that is known.
   */
  sequences(): Uint32Array
  /** Stops making records; those already made can still be drained. */
  stop(): void
  /** After `stop`: a `drain` that hands over nothing was not the last one. */
  readonly hasMore?: boolean
}

/** Records that were lost between two looks. */
export interface LossesOf {
  readonly total: number
  /** By the real uid of the process that ran. What is missing from the total is of users that are not known. */
  readonly uids: ReadonlyMap<number, number>
  /** By the pid of the process that ran: for a fork that which called. */
  readonly pids: ReadonlyMap<number, number>
}

/** Counters since the backend was opened, by record type; losses of unknown type have type 0. */
export interface BackendCounters {
  readonly produced: ReadonlyMap<number, number>
  readonly lost: ReadonlyMap<number, number>
  /** Runs of a program that the kernel skipped. */
  readonly recursionMisses: number
}
