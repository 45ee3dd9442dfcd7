/** Tables of kinds, as the pipeline, statistics and recordings see them. */

/** The table of a kind. It is bounded: entries that it evicts early are counted and reported as lost. */
export interface KindTable {
  /** Entries now. */
  readonly size: number
  /** Entries that were evicted to make room for a record. */
  readonly evicted: number
  /**
   * What the kernel counted and no record told of, as far as that is certain; it only rises. Of it is reported what other
   * losses do not explain.
   */
  readonly unseen?: number
  /**
   * Removes entries that have expired.
   *
   * @param nowNs of CLOCK_BOOTTIME; does not fall from call to call
   * @param settledNs at most `nowNs`: records that are held are of this time or later, and may be about what ended after it
   */
  collect(nowNs: number, settledNs: number): void
  /** ns from `nowNs` until `collect` is worth a call while no record is held; Infinity if it is not. */
  collectInNs(nowNs: number): number
  /** Totals by name, for statistics. */
  stats(): Readonly<Record<string, number>>
  /** What it learnt from other sources than records, which a recording has, too. */
  readonly learnt?: Learnt
}

/** What a table learnt from other sources than records. */
export interface Learnt {
  /** Changes when more was learnt. */
  readonly version: number
  /** All of it as JSON. */
  save(): unknown
  /** Adds what `save` of another queue returned; false if it has another form. */
  load(value: unknown): boolean
}

/** Paths of cgroups by their ids. */
export interface CgroupPaths {
  /** Undefined when it is not known. */
  pathOf(id: number | bigint): string | undefined
}
