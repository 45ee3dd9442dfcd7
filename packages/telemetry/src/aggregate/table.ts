import type { RawRecord } from '../event/raw.js'

/** Decides about one pair of records. Called for each candidate: be quick, keep nothing, do not throw. */
export type JoinPredicate = (parent: RawRecord, child: RawRecord) => boolean

/**
 * When a record joins: `once` if none of its name has joined yet, `always`, if none of the named records has
 * joined yet, or as the function says.
 */
export type Join = 'once' | 'always' | readonly string[] | JoinPredicate

/** A parent's record name, a child's, and when the child joins the parent. */
export type AggregationRow = readonly [parent: string, child: string, join: Join]

/** What an aggregation table needs to know of a record type. */
export interface AggregatedType {
  readonly name: string
  /** Counts as the record of that name. */
  readonly column?: string
  readonly layout: { readonly type: number }
}

export const NEVER = 0
export const JOINS = 1
/** The pair's predicate has to be asked. */
export const ASK = 2

const TYPES = 32

/** Cell states beside `NEVER` and `ASK`. */
const UNLESS = JOINS

/**
 * Which records of a process may be joined into one event: a table of parent by child. The parent is the
 * first record of the event, whatever has joined since; the first record that does not join ends the event.
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
  readonly #nameOfColumn: string[] = []
  readonly #columnOfType = new Uint8Array(TYPES)
  readonly #state = new Uint8Array(TYPES * TYPES)
  /** For each cell the columns of which none may have joined, as a mask. */
  readonly #unless = new Int32Array(TYPES * TYPES)
  readonly #predicates: (JoinPredicate | undefined)[] = []
  readonly #childless = new Uint8Array(TYPES).fill(1)

  /** @throws {RangeError} for a row with an unknown name */
  constructor(types: readonly AggregatedType[], rows: readonly AggregationRow[] = []) {
    for (const { name, column, layout } of types) {
      if (column !== undefined) continue
      this.#columnOfName.set(name, layout.type)
      this.#columnOfType[layout.type] = layout.type
      this.#nameOfColumn[layout.type] = name
    }
    for (const { column, layout } of types) {
      if (column !== undefined) this.#columnOfType[layout.type] = this.#column(column)
    }
    for (const [parent, child, join] of rows) this.set(parent, child, join)
  }

  /**
   * Says when `child` joins `parent`; null for never.
   *
   * @throws {RangeError} for an unknown name
   */
  set(parent: string, child: string, join: Join | null): this {
    const row = this.#column(parent)
    const column = this.#column(child)
    const cell = row * TYPES + column
    this.#predicates[cell] = typeof join === 'function' ? join : undefined
    this.#unless[cell] = 0
    if (join === null) this.#state[cell] = NEVER
    else if (typeof join === 'function') this.#state[cell] = ASK
    else {
      this.#state[cell] = UNLESS
      if (join === 'once') this.#unless[cell] = 1 << column
      else if (join !== 'always')
        for (const name of join) (this.#unless[cell] as number) |= 1 << this.#column(name)
    }
    this.#childless[row] = this.#state
      .subarray(row * TYPES, (row + 1) * TYPES)
      .every((state) => state === NEVER)
      ? 1
      : 0
    return this
  }

  /** The column that a record type counts as. */
  columnOf(type: number): number {
    return this.#columnOfType[type] as number
  }

  /** Name of a column. */
  nameOf(column: number): string {
    return this.#nameOfColumn[column] ?? ''
  }

  /** Bit of a name in the mask of joined columns. 0 for an unknown name. */
  bitOf(name: string): number {
    const column = this.#columnOfName.get(name)
    return column === undefined ? 0 : 1 << column
  }

  /** Nothing can join a record of that type. */
  isChildless(type: number): boolean {
    return this.#childless[this.#columnOfType[type] as number] === 1
  }

  /** Whether a child joins, given the columns of those that have joined: `NEVER`, `JOINS` or `ASK`. */
  verdict(parentColumn: number, childColumn: number, joined: number): number {
    const cell = parentColumn * TYPES + childColumn
    const state = this.#state[cell] as number
    return state === UNLESS && ((this.#unless[cell] as number) & joined) !== 0 ? NEVER : state
  }

  /** Calls the predicate of a pair whose verdict is `ASK`. */
  ask(parentColumn: number, childColumn: number, parent: RawRecord, child: RawRecord): boolean {
    const predicate = this.#predicates[parentColumn * TYPES + childColumn]
    return predicate !== undefined && predicate(parent, child)
  }

  #column(name: string): number {
    const column = this.#columnOfName.get(name)
    if (column !== undefined) return column
    const known = [...this.#columnOfName.keys()].join(', ')
    throw new RangeError(`Cannot aggregate records named "${name}" as there are none: use one of ${known}`)
  }
}
