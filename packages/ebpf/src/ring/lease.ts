import { ClosedError } from '../errors.js'

/** Where a record lies in the ring's data. */
export interface LeasedRange {
  readonly offsetBytes: number
  readonly lengthBytes: number
}

/** One record of a lease. */
export interface LeasedRecord {
  readonly lengthBytes: number
  /**
   * The record's bytes in the ring itself, read-only and valid until the lease is released; asking later throws,
   * touching bytes taken earlier reads other records, and after the reader's close kills the process.
   *
   * @throws {ClosedError} after `release()`
   */
  readonly bytes: Buffer
}

/** Records of a ring, held in place until `release()`. */
export class RingLease implements Disposable {
  readonly count: number
  #ring: Buffer | undefined
  readonly #ranges: readonly LeasedRange[]
  readonly #released: () => void

  /** Made by `RingReader.lease`; `released` is called once. */
  constructor(ring: Buffer, ranges: readonly LeasedRange[], released: () => void) {
    this.count = ranges.length
    this.#ring = ring
    this.#ranges = ranges
    this.#released = released
  }

  /**
   * The records in the order of the ring.
   *
   * @throws {ClosedError} after `release()`, also in the middle of an iteration
   */
  get records(): Iterable<LeasedRecord> {
    this.#open()
    return this.#iterate()
  }

  /** Gives the records' space back to the ring. */
  release(): void {
    if (this.#ring !== undefined) {
      this.#ring = undefined
      this.#released()
    }
  }

  [Symbol.dispose](): void {
    this.release()
  }

  #open(): Buffer {
    if (this.#ring === undefined) {
      throw new ClosedError('Lease of ring records')
    }
    return this.#ring
  }

  *#iterate(): Generator<LeasedRecord> {
    for (const { offsetBytes, lengthBytes } of this.#ranges) {
      this.#open()
      const open = (): Buffer => this.#open()
      yield {
        lengthBytes,
        get bytes(): Buffer {
          return open().subarray(offsetBytes, offsetBytes + lengthBytes)
        },
      }
    }
  }
}
