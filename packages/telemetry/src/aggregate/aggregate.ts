import type { HeldRecords, RawRecord, RecordGroup } from '../event/raw.js'
import { type AggregationTable, ASK, NEVER } from './table.js'

/** A view that is moved from record to record. */
class RecordView implements RawRecord {
  name = ''
  pid = 0
  timeNs = 0
  childCount = 0
  joined = 0
  readonly #table: AggregationTable

  constructor(table: AggregationTable) {
    this.#table = table
  }

  has(name: string): boolean {
    return (this.joined & this.#table.bitOf(name)) !== 0
  }

  show(held: HeldRecords, index: number, column: number): this {
    this.name = this.#table.nameOf(column)
    this.pid = held.pidOf(index)
    this.timeNs = held.timeOf(index)
    return this
  }
}

/** Finds the records that make one event, by an aggregation table. */
export class Aggregator {
  readonly #held: HeldRecords
  readonly #table: AggregationTable
  readonly #parent: RecordView
  readonly #child: RecordView

  constructor(held: HeldRecords, table: AggregationTable) {
    this.#held = held
    this.#table = table
    this.#parent = new RecordView(table)
    this.#child = new RecordView(table)
  }

  /** Puts the oldest record and those of its pid that join it into `group`. Changes nothing else. */
  gather(oldest: number, group: RecordGroup): void {
    const held = this.#held
    const table = this.#table
    const parentColumn = table.columnOf(held.typeOf(oldest))
    let joined = 0
    group.begin(oldest)
    for (let child = held.nextOf(oldest); child !== -1; child = held.nextOf(child)) {
      const column = table.columnOf(held.typeOf(child))
      const verdict = table.verdict(parentColumn, column, joined)
      if (verdict === NEVER) return
      if (verdict === ASK) {
        const parent = this.#parent.show(held, oldest, parentColumn)
        parent.joined = joined
        parent.childCount = group.count - 1
        if (!table.ask(parentColumn, column, parent, this.#child.show(held, child, column))) return
      }
      group.add(child)
      joined |= 1 << column
    }
  }
}
