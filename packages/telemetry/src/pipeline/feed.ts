import type { BaseEvent } from '../event/event.js'
import type { AttachedFact, MissingFact } from './stats.js'
import type { BackendCounters } from '../backend/backend.js'

/** What moves the pipeline: a backend and the clock, or a recording of them. */
export interface Feed {
  readonly backend: string
  readonly kernel: string
  readonly attached: readonly AttachedFact[]
  readonly missing: readonly MissingFact[]
  /** See `Backend.unenriched`. */
  readonly unenriched?: number
  /** What a recording has and this version does not know, by name. */
  readonly skipped?: Readonly<Record<string, number>>
  /** Whether the last `pump` left something behind that needs no wait. */
  readonly isBacklogged: boolean
  /** Puts what there is into the pipeline, and what is due into `out`; never blocks. False at the end. */
  pump(out: BaseEvent[]): boolean
  /** Everything that is still held goes into `out`; nothing comes after that. */
  finish(out: BaseEvent[]): void
  /** Sleeps until there may be more, at most `timeoutMs` when it is given. */
  wait(timeoutMs: number | undefined, signal?: AbortSignal): Promise<void>
  /** Ends a sleep at hand. */
  wake(): void
  counters(): BackendCounters
  close(): void
}
