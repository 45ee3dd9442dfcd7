import { SHARE_BYTES, SHARE_CONSUMED, SHARE_LIMIT, SHARE_WRITTEN, SLOT_SHARES } from '../probe/scratch.js'

/** Which share each kind has: its place in the slots, by kind number, or -1. */
export type ShareIndex = Int8Array

/** The reader's count of consumed bytes of one ring, for each kind whose share of the ring is bounded. */
export class RingShares {
  readonly #index: ShareIndex
  readonly #written: readonly BigUint64Array[]
  readonly #consumed: readonly BigUint64Array[]
  /** Exact as numbers for 2^53 bytes. */
  readonly #bytes: Float64Array
  #isDirty = false

  /**
   * @param index which share each kind has
   * @param limits bytes of each share
   * @param page the first page of the slot that the ring is counted in
   */
  constructor(index: ShareIndex, limits: readonly number[], page: ArrayBuffer) {
    const word = (share: number, field: number): BigUint64Array =>
      new BigUint64Array(page, SLOT_SHARES + share * SHARE_BYTES + field, 1)
    limits.forEach((limit, share) => Atomics.store(word(share, SHARE_LIMIT), 0, BigInt(limit)))
    this.#index = index
    this.#written = limits.map((_, share) => word(share, SHARE_WRITTEN))
    this.#consumed = limits.map((_, share) => word(share, SHARE_CONSUMED))
    this.#bytes = Float64Array.from(this.#consumed, (words) => Number(words[0]))
  }

  /** A record of this type is read, which takes `sizeBytes` in the ring. */
  add(type: number, sizeBytes: number): void {
    const share = this.#index[type >>> 8] as number
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
