import { decodeRecord } from 'quark-ebpf/probe'
import type { FieldedRecord } from '../event/join.js'
import type { HeldRecords, RecordPlace } from '../event/raw.js'
import type { RecordShape, RecordShapes } from '../event/shapes.js'
import type { JoinedColumns } from './joined.js'
import type { AggregationTable } from './table.js'

type Fields = Readonly<Record<string, unknown>>

const NO_FIELDS: Fields = Object.freeze({})

/** The view of a record that predicates get, reused for all records. Fields are decoded when read. */
export class RecordView implements FieldedRecord, RecordPlace {
  name = ''
  childCount = 0
  timeNs = 0
  type = 0
  words = new Uint32Array(0)
  bytes = Buffer.alloc(0)
  offsetBytes = 0
  lengthBytes = 0
  readonly #table: AggregationTable
  readonly #shapes: RecordShapes
  /** Objects whose members read from this view, by shape. */
  readonly #fields = new Map<RecordShape, Fields>()
  /** The columns that have joined the record that is shown. */
  #joined: JoinedColumns | undefined = undefined
  /** All fields of the record that is shown, decoded when the first that is not a number is read. */
  #decoded: Fields | undefined = undefined

  constructor(table: AggregationTable, shapes: RecordShapes) {
    this.#table = table
    this.#shapes = shapes
  }

  /** Shows a record; `joined` are the columns of those that have joined it. */
  show(held: HeldRecords, index: number, column: number, joined?: JoinedColumns, childCount = 0): this {
    held.locate(index, this)
    this.name = this.#table.nameOf(column)
    this.timeNs = held.timeOf(index)
    this.childCount = childCount
    this.#joined = joined
    this.#decoded = undefined
    return this
  }

  get pid(): number {
    const shape = this.#shapes.of(this.type)
    return shape === undefined || shape.pid === 0 ? 0 : this.#word(shape.pid)
  }

  has(name: string): boolean {
    const column = this.#table.columnNamed(name)
    return column !== 0 && this.#joined?.has(column) === true
  }

  field(name: string): unknown {
    return this.fields[name]
  }

  get fields(): Fields {
    const shape = this.#shapes.of(this.type)
    if (shape === undefined) return NO_FIELDS
    let fields = this.#fields.get(shape)
    if (fields === undefined) this.#fields.set(shape, (fields = this.#fieldsOf(shape)))
    return fields
  }

  #word(at: number): number {
    return this.words[(this.offsetBytes >> 2) + at] as number
  }

  #fieldsOf({ recordType: { layout } }: RecordShape): Fields {
    const fields: Record<string, unknown> = {}
    for (const { name, offset, type } of layout.fixed) {
      const at = offset >> 2
      const get = type.kind === 'u32' ? () => this.#word(at) : () => this.#decode(layout)[name]
      Object.defineProperty(fields, name, { get, enumerable: true })
    }
    for (const { name } of layout.tails) {
      Object.defineProperty(fields, name, { get: () => this.#decode(layout)[name], enumerable: true })
    }
    return fields
  }

  #decode(layout: RecordShape['recordType']['layout']): Fields {
    const end = this.offsetBytes + this.lengthBytes
    this.#decoded ??= decodeRecord(layout, this.bytes.subarray(this.offsetBytes, end))
    return this.#decoded
  }
}
