import { kindOf } from '../event/by-type.js'
import type { HeldRecords, RecordGroup } from '../event/raw.js'
import type { RecordShapes } from '../event/shapes.js'
import { JoinedColumns } from './joined.js'
import { RecordView } from './record-view.js'
import { type AggregationTable, ASK, NEVER } from './table.js'

/** Groups records into events, by an aggregation table. */
export class Aggregator {
  readonly #held: HeldRecords
  readonly #table: AggregationTable
  readonly #parent: RecordView
  readonly #child: RecordView
  readonly #joined: JoinedColumns
  /** By the number of a shape: the column that it counts as, and its kind. */
  readonly #columns: Uint16Array
  readonly #kinds: Uint8Array

  constructor(held: HeldRecords, table: AggregationTable, shapes: RecordShapes) {
    this.#held = held
    this.#table = table
    this.#parent = new RecordView(table, shapes)
    this.#child = new RecordView(table, shapes)
    this.#joined = new JoinedColumns(table.columns)
    this.#columns = new Uint16Array(shapes.count)
    this.#kinds = new Uint8Array(shapes.count)
    for (let number = 0; number < shapes.count; number++) {
      const type = shapes.at(number)?.recordType.layout.type ?? 0
      this.#columns[number] = table.columnOf(type)
      this.#kinds[number] = kindOf(type)
    }
  }

  /** Whether nothing can join records of a shape. */
  isChildless(shape: number): boolean {
    return this.#table.isChildless(this.#columns[shape] as number)
  }

  /** Fills `group` with the oldest record and those of its chain that join it. Changes nothing else. */
  gather(oldest: number, group: RecordGroup): void {
    group.begin(oldest)
    const held = this.#held
    let child = held.nextOf(oldest)
    if (child === -1) return
    const shape = held.shapeOf(oldest)
    const parentColumn = this.#columns[shape] as number
    const kind = this.#kinds[shape]
    this.#joined.clear()
    for (; child !== -1; child = held.nextOf(child)) {
      const childShape = held.shapeOf(child)
      const column = this.#columns[childShape] as number
      const isForeign = this.#kinds[childShape] !== kind
      const verdict = this.#table.verdict(parentColumn, column, this.#joined)
      if (verdict === NEVER || (verdict === ASK && !this.#ask(oldest, parentColumn, child, column, group))) {
        // Records of other kinds do not end an event.
        if (isForeign) continue
        return
      }
      if (isForeign) group.addForeign(child)
      else group.add(child)
      this.#joined.add(column)
    }
  }

  #ask(oldest: number, parentColumn: number, child: number, column: number, group: RecordGroup): boolean {
    const held = this.#held
    const childCount = group.count + group.foreign.length - 1
    const parent = this.#parent.show(held, oldest, parentColumn, this.#joined, childCount)
    return this.#table.ask(parentColumn, column, parent, this.#child.show(held, child, column))
  }
}
