/** Rules by which records join into one event. */

import type { FieldsOf, RecordLayout } from 'quark-ebpf/probe'

/** A record as a predicate gets it. Valid only during the call. */
export interface RawRecord {
  /** Name of its type, or of the column of the type. */
  readonly name: string
  /** 0 for a record of no process. */
  readonly pid: number
  /** ns since some moment of this queue: only differences mean something. */
  readonly timeNs: number
  /** Records that have joined this one. */
  readonly childCount: number
  /** Whether a record of that name has joined this one. */
  has(name: string): boolean
  /** A field of the record, decoded when it is read; undefined if the record has no such field. */
  field(name: string): unknown
}

/** A record with its fields by name; each is decoded when it is read. */
export interface FieldedRecord<F = Readonly<Record<string, unknown>>> extends RawRecord {
  readonly fields: F
}

/** Two records, of which the second may join the first. */
export interface JoinPair<P = Readonly<Record<string, unknown>>, C = P> {
  readonly parent: FieldedRecord<P>
  readonly child: FieldedRecord<C>
}

/** Decides about one pair of records. Called for each candidate: be quick, keep nothing, do not throw. */
export type JoinPredicate = (parent: RawRecord, child: RawRecord) => boolean

/**
 * When a record joins: `once` if none of its name has joined yet, `always`, if none of the named records has
 * joined yet, or as the function says.
 */
export type Join = 'once' | 'always' | readonly string[] | JoinPredicate

/** As `Join`, for the rows of kinds: the function sees the fields of both records. */
export type JoinRule = Exclude<Join, JoinPredicate> | ((pair: JoinPair) => boolean)

/** A parent's record name, a child's, and when the child joins the parent. */
export type JoinRow = readonly [parent: string, child: string, rule: JoinRule]

/** The decoded fields of a record type. */
type FieldsIn<T> = T extends { readonly layout: RecordLayout<infer F> } ? FieldsOf<F> : never

/**
 * A row whose function sees the fields with their types.
 *
 * @example
 * ```ts
 * join(sent, sent, ({ parent, child }) => parent.fields.sender === child.fields.sender)
 * ```
 */
export function join<
  P extends { readonly name: string; readonly layout: RecordLayout },
  C extends { readonly name: string; readonly layout: RecordLayout },
>(parent: P, child: C, when: (pair: JoinPair<FieldsIn<P>, FieldsIn<C>>) => boolean): JoinRow {
  return [parent.name, child.name, when as unknown as (pair: JoinPair) => boolean]
}
