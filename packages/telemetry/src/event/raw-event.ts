import { type Forms, NOT_CLONEABLE, type Plain } from './forms.js'
import { decodeRecord, type RecordLayout } from 'quark-ebpf/probe'

/** A record as the kernel side wrote it, in bypass mode: no order between CPUs, no table, no aggregation. */
export class RawEvent implements Forms<RawEvent> {
  readonly kind = 'raw'
  /** Name of the record type: `fork`, `exec`, `exit` … */
  readonly name: string
  /** A copy of the record, header included. */
  readonly bytes: Uint8Array
  readonly process: undefined
  declare readonly relatives?: undefined
  declare toObject: () => Plain<RawEvent>
  declare toJSON: () => Record<string, unknown>
  // It would lack the time.
  protected readonly uncloneable = NOT_CLONEABLE
  readonly #layout: RecordLayout
  readonly #bootEpochNs: bigint

  constructor(name: string, layout: RecordLayout, bytes: Uint8Array, bootEpochNs: bigint) {
    this.name = name
    this.bytes = bytes
    this.#layout = layout
    this.#bootEpochNs = bootEpochNs
  }

  /** Epoch ns. */
  get timeNs(): bigint {
    const view = new DataView(this.bytes.buffer, this.bytes.byteOffset)
    return view.getBigUint64(8, true) + this.#bootEpochNs
  }

  /**
   * All fields by name, as docs/probes.md describes them.
   *
   * @throws {RangeError} when the record is broken
   */
  decode(): Record<string, unknown> {
    return decodeRecord(this.#layout, this.bytes)
  }
}
