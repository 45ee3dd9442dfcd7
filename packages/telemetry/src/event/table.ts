/** What kinds keep: the pipeline, statistics and recordings see no more of it than this. */

/** The table of a kind. It is bounded: what it has to give up early is counted and reported as lost. */
export interface KindTable {
  /** Entries now. */
  readonly size: number
  /** Entries that were given up because a record needed their room. */
  readonly evicted: number
  /** Forgets what is over at `nowNs` of CLOCK_BOOTTIME, which does not fall from call to call. */
  collect(nowNs: number): void
  /** ns from `nowNs` until `collect` is worth a call; Infinity if it is not. */
  collectInNs(nowNs: number): number
  /** Totals by name, for statistics. */
  stats(): Readonly<Record<string, number>>
  /** What it has learnt from elsewhere than from records: a recording has it, too. */
  readonly learnt?: Learnt
}

/** Knowledge of a table that no record brought. */
export interface Learnt {
  /** Another number after more was learnt. */
  readonly version: number
  /** All of it as JSON. */
  save(): unknown
  /** Takes in what `save` gave, when it was another queue's; false if it is nothing of the kind. */
  load(value: unknown): boolean
}

/** Paths of cgroups by their ids. */
export interface CgroupPaths {
  /** Undefined when it is not known. */
  pathOf(id: number | bigint): string | undefined
}
