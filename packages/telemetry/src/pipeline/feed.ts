import type { Fd } from 'quark-ebpf'
import type { BaseEvent } from '../event/event.js'
import type { AttachedFact, MissingFact } from './stats.js'
import type { BackendCounters } from '../backend/backend.js'

/** Drives the pipeline: from a backend and the clock, or from a recording of them. */
export interface Feed {
  readonly backend: string
  readonly kernel: string
  readonly attached: readonly AttachedFact[]
  readonly missing: readonly MissingFact[]
  /** See `Backend.unenriched`. */
  readonly unenriched?: number
  /** See `Backend.shortened`. */
  readonly shortened?: number
  /** Counts of what a recording has and this version does not know, by name. */
  readonly skipped?: Readonly<Record<string, number>>
  /** Whether the last `pump` left a backlog, so that the next one need not wait. */
  readonly isBacklogged: boolean
  /**
   * Drains records into the pipeline, and appends due events to `out`; never blocks. When many are due, it appends some,
   * and `isBacklogged` is true. False at the end.
   */
  pump(out: BaseEvent[]): boolean
  /**
   * Flushes held records as events to `out`, about `limit` of them, and ends the feed when none is left.
   *
   * @returns whether none is left; else it must be called again. With a `limit` it returns every few ms, also without an event
   */
  finish(out: BaseEvent[], limit?: number): boolean
  /** All that there was when `finish` was called first was read. */
  readonly isRead: boolean
  /** Sleeps until there may be more records, at most `timeoutMs` if it is given. */
  wait(timeoutMs: number | undefined, signal?: AbortSignal): Promise<void>
  /** Descriptors that become readable as `arm` says. */
  readonly fds: readonly Fd[]
  /** As `wait` without waiting: lets `fds` become readable. Returns in how many ms to pump whether or not one does. */
  arm(): number
  /** Ends the sleep that is under way, if any. */
  wake(): void
  counters(): BackendCounters
  close(): void
}
