import { SHARE_BYTES, SHARE_CONSUMED, SHARE_LIMIT, SHARE_WRITTEN, SLOT_SHARES } from '../probe/scratch.js'

/** Shares are not made narrower than this. */
const LEAST_BYTES = 32 << 10

/** Which share records have: its place in the slots, by their type, or -1. */
export type ShareIndex = Int8Array

/** The reader's count of consumed bytes of one ring, for each share. */
export class RingShares {
  readonly #index: ShareIndex
  readonly #limits: readonly number[]
  readonly #limitWords: readonly BigUint64Array[]
  readonly #written: readonly BigUint64Array[]
  readonly #consumed: readonly BigUint64Array[]
  /** Exact as numbers for 2^53 bytes. */
  readonly #bytes: Float64Array
  #isDirty = false

  /**
   * @param index which share each type has
   * @param limits bytes of each share
   * @param page the first page of the slot that the ring is counted in
   */
  constructor(index: ShareIndex, limits: readonly number[], page: ArrayBuffer) {
    const word = (share: number, field: number): BigUint64Array =>
      new BigUint64Array(page, SLOT_SHARES + share * SHARE_BYTES + field, 1)
    this.#index = index
    this.#limits = limits
    this.#limitWords = limits.map((_, share) => word(share, SHARE_LIMIT))
    this.narrow(1)
    this.#written = limits.map((_, share) => word(share, SHARE_WRITTEN))
    this.#consumed = limits.map((_, share) => word(share, SHARE_CONSUMED))
    this.#bytes = Float64Array.from(this.#consumed, (words) => Number(words[0]))
  }

  /** Has each share be a part of what it is, 0 to 1, but not less than a few long records. */
  narrow(part: number): void {
    for (const [share, limit] of this.#limits.entries()) {
      const bytes = Math.max(Math.floor(part * limit), Math.min(limit, LEAST_BYTES))
      Atomics.store(this.#limitWords[share] as BigUint64Array, 0, BigInt(bytes))
    }
  }

  /** A record of this type is read, which takes `sizeBytes` in the ring. */
  add(type: number, sizeBytes: number): void {
    const share = this.#index[type] as number
    if (share < 0) return
    this.#bytes[share]! += sizeBytes
    this.#isDirty = true
  }

  /** Skips all that was written so far, of whatever kind. */
  skip(): void {
    for (const [share, written] of this.#written.entries()) {
      this.#bytes[share] = Number(Atomics.load(written, 0))
    }
    this.#isDirty = true
  }

  /** Publishes what was consumed, which frees room for the kinds. */
  commit(): void {
    if (!this.#isDirty) return
    this.#isDirty = false
    for (const [share, consumed] of this.#consumed.entries()) {
      Atomics.store(consumed, 0, BigInt(this.#bytes[share] as number))
    }
  }
}
