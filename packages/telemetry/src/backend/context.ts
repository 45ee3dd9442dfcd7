import type { Fact } from '../facts/fact.js'
import type { SourceClock } from '../facts/rungs.js'
import type { Settings } from '../options/declare.js'
import type { Ruling } from '../process/ruled/ruling.js'
import type { Tracking } from '../process/tracked/tracking.js'
import type { Sources } from './sources.js'

/** The parameters for opening a backend. */
export interface BackendContext {
  readonly settings: Pick<Settings, 'ringSizeBytes' | 'btf'>
  readonly clock: SourceClock
  /** The facts of all kinds. */
  readonly facts: readonly Fact[]
  /** Share of a ring, 0 to 1, that records of a kind may fill, by the kind's number. Default 1. */
  readonly shares?: ReadonlyMap<number, number>
  /** The same for single types of records, by type. */
  readonly recordShares?: ReadonlyMap<number, number>
  /** Which processes to follow or leave out, in the kernel where the backend can. */
  readonly tracking?: Tracking
  /** What rules decide, for programs to leave it out where the backend has programs. */
  readonly ruling?: Ruling
  /** Opened beside the backend, for rungs in user space. */
  readonly sources: Sources
}
