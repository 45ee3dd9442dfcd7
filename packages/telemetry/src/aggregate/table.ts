import { ByType, kindOf } from '../event/by-type.js'
import type { FieldedRecord, Join, JoinPair, JoinPredicate, JoinRow, JoinRule } from '../event/join.js'
import type { JoinedColumns } from './joined.js'

/** A parent's record name, a child's, and when the child joins the parent. */
export type AggregationRow = readonly [parent: string, child: string, join: Join]

/** The properties of a record type that an aggregation table uses. */
export interface AggregatedType {
  readonly name: string
  /** Counts as the record of that name. */
  readonly column?: string
  readonly layout: { readonly type: number }
}

export const NEVER = 0
export const JOINS = 1
/** The pair's predicate decides. */
export const ASK = 2

/** Cell states beside `NEVER` and `ASK`. */
const UNLESS = JOINS

/** Column of a type that has none. */
const NO_COLUMN = 0
const NO_COLUMNS: readonly number[] = []

/**
 * Which records of a chain may be joined into one event: a table of parent by child. The parent is the
 * first record of the event, whatever has joined since; the first record of its kind that does not join ends the event.
 *
 * @example
 * ```ts
 * const quark = await Quark.open({
 *   aggregation: defaultAggregation()
 *     .set('exec', 'exit', null)
 *     .set('fork', 'exec', (fork, exec) => exec.timeNs - fork.timeNs < 10e6),
 * })
 * ```
 */
export class AggregationTable {
  readonly #columnOfName = new Map<string, number>()
  /** By column, as the next ones are. */
  readonly #names: string[] = ['']
  readonly #types: number[] = [0]
  readonly #columnOfType = new ByType<number>()
  readonly #columns: number
  /** By cell: `parent * columns + child`. */
  readonly #state: Uint8Array
  /** For each cell, the columns that prevent the join once they have joined. */
  readonly #unless: (readonly number[])[]
  readonly #predicates: (JoinPredicate | undefined)[]
  readonly #childless: Uint8Array

  /** @throws {RangeError} for a row with an unknown name */
  constructor(types: readonly AggregatedType[], rows: readonly AggregationRow[] = []) {
    for (const { name, column, layout } of types) {
      if (column !== undefined) continue
      this.#columnOfName.set(name, this.#names.length)
      this.#columnOfType.set(layout.type, this.#names.length)
      this.#names.push(name)
      this.#types.push(layout.type)
    }
    for (const { column, layout } of types) {
      if (column !== undefined) this.#columnOfType.set(layout.type, this.#column(column))
    }
    this.#columns = this.#names.length
    const cells = this.#columns * this.#columns
    this.#state = new Uint8Array(cells)
    this.#unless = Array.from({ length: cells }, () => NO_COLUMNS)
    this.#predicates = new Array(cells).fill(undefined)
    this.#childless = new Uint8Array(this.#columns).fill(1)
    for (const [parent, child, join] of rows) this.set(parent, child, join)
  }

  /**
   * A table of the rows of kinds.
   *
   * @internal
   * @throws {RangeError} for a row with an unknown name
   */
  static of(types: readonly AggregatedType[], rows: readonly JoinRow[]): AggregationTable {
    const table = new AggregationTable(types)
    for (const [parent, child, rule] of rows) table.set(parent, child, joinOf(rule))
    return table
  }

  /**
   * Says when `child` joins `parent`; null for never.
   *
   * @throws {RangeError} for an unknown name
   */
  set(parent: string, child: string, join: Join | null): this {
    const row = this.#column(parent)
    const column = this.#column(child)
    const cell = row * this.#columns + column
    this.#predicates[cell] = typeof join === 'function' ? join : undefined
    this.#unless[cell] = NO_COLUMNS
    if (join === null) this.#state[cell] = NEVER
    else if (typeof join === 'function') this.#state[cell] = ASK
    else {
      this.#state[cell] = UNLESS
      if (join === 'once') this.#unless[cell] = [column]
      else if (join !== 'always') this.#unless[cell] = join.map((name) => this.#column(name))
    }
    this.#childless[row] = this.#rowOf(row).every((state) => state === NEVER) ? 1 : 0
    return this
  }

  /**
   * How many columns there are; they are numbered from 0.
   *
   * @internal
   */
  get columns(): number {
    return this.#columns
  }

  /**
   * The column that a record type counts as.
   *
   * @internal
   */
  columnOf(type: number): number {
    return this.#columnOfType.get(type) ?? NO_COLUMN
  }

  /**
   * Name of a column.
   *
   * @internal
   */
  nameOf(column: number): string {
    return this.#names[column] ?? ''
  }

  /**
   * The column of a name; that of nothing for an unknown one.
   *
   * @internal
   */
  columnNamed(name: string): number {
    return this.#columnOfName.get(name) ?? NO_COLUMN
  }

  /**
   * Nothing can join a record of that column.
   *
   * @internal
   */
  isChildless(column: number): boolean {
    return this.#childless[column] === 1
  }

  /**
   * Whether a row joins records of that type with those of another kind.
   *
   * @internal
   */
  crosses(type: number): boolean {
    const column = this.columnOf(type)
    return this.#types.some(
      (other, at) =>
        kindOf(type) !== kindOf(other) &&
        at !== NO_COLUMN &&
        (this.#state[at * this.#columns + column] !== NEVER ||
          this.#state[column * this.#columns + at] !== NEVER),
    )
  }

  /**
   * Whether a child joins, given the columns of those that have joined: `NEVER`, `JOINS` or `ASK`.
   *
   * @internal
   */
  verdict(parentColumn: number, childColumn: number, joined: JoinedColumns): number {
    const cell = parentColumn * this.#columns + childColumn
    const state = this.#state[cell] as number
    if (state !== UNLESS) return state
    const unless = this.#unless[cell] as readonly number[]
    return unless.length !== 0 && joined.hasAny(unless) ? NEVER : state
  }

  /**
   * Calls the predicate of a pair whose verdict is `ASK`.
   *
   * @internal
   */
  ask(parentColumn: number, childColumn: number, parent: FieldedRecord, child: FieldedRecord): boolean {
    const predicate = this.#predicates[parentColumn * this.#columns + childColumn]
    return predicate !== undefined && predicate(parent, child)
  }

  #rowOf(row: number): Uint8Array {
    return this.#state.subarray(row * this.#columns, (row + 1) * this.#columns)
  }

  #column(name: string): number {
    const column = this.#columnOfName.get(name)
    if (column !== undefined) return column
    const known = [...this.#columnOfName.keys()].join(', ')
    throw new RangeError(`Cannot aggregate records named "${name}" as there are none: use one of ${known}`)
  }
}

/** A kind's function takes both records as a pair, which is the same object for all. */
function joinOf(rule: JoinRule): Join {
  if (typeof rule !== 'function') return rule
  let pair: { parent: FieldedRecord; child: FieldedRecord } | undefined
  return (parent, child) => {
    pair ??= { parent: parent as FieldedRecord, child: child as FieldedRecord }
    pair.parent = parent as FieldedRecord
    pair.child = child as FieldedRecord
    return rule(pair satisfies JoinPair)
  }
}
