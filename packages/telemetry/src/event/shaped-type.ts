import type { RecordLayout } from 'quark-ebpf/probe'

/** A record type, as far as records are held, ordered and chained by it. */
export interface ShapedType {
  /** Name in statistics and aggregation tables. */
  readonly name: string
  readonly layout: RecordLayout
  /**
   * What chains it with other records, so that they can be joined: a field, or several, of 16 bytes at most. Default: the
   * field named `pid`, if there is one. A key that is all zeroes stands for none.
   */
  readonly key?: string | readonly string[]
  /**
   * The kind whose records it is chained with, by the same key (of a kind that comes before it), if a row joins it with one of them. They pass over it
   * where no row names it.
   */
  readonly chain?: string
  /** Written by quark itself, so without a sequence number. */
  readonly isOwn?: boolean
}

/** A kind, as far as its records are chained. */
export interface ShapedKind<T extends ShapedType = ShapedType> {
  readonly name: string
  readonly records: readonly T[]
}
