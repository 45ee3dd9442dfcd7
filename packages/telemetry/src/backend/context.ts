import type { Fact } from '../facts/fact.js'
import type { SourceClock } from '../facts/rungs.js'
import type { Settings } from '../options/declare.js'
import type { Sources } from './sources.js'

/** What a backend is opened with. */
export interface BackendContext {
  readonly settings: Pick<Settings, 'ringSizeBytes' | 'btf'>
  readonly clock: SourceClock
  /** What the kinds want to learn. */
  readonly facts: readonly Fact[]
  /** What a kind may have outstanding in a ring, 0 to 1, by its number; others may fill it all. */
  readonly shares?: ReadonlyMap<number, number>
  /** Opened beside the backend, for rungs in user space. */
  readonly sources: Sources
}
