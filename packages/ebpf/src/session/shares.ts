/** How much of a ring the records of a kind, or of a type, may take. */

import { MAX_SHARES } from '../probe/scratch.js'
import { RingShares, type ShareIndex } from '../ring/shares.js'
import type { SessionOptions } from './options.js'

const KINDS = 1 << 8
const TYPES = 1 << 16

export class SessionShares {
  readonly #index: ShareIndex = new Int8Array(TYPES).fill(-1)
  readonly #parts: readonly number[]
  readonly #rings: RingShares[] = []

  private constructor(kinds: ReadonlyMap<number, number>, types: ReadonlyMap<number, number>) {
    this.#parts = [...kinds.values(), ...types.values()]
    for (const [share, kind] of [...kinds.keys()].entries()) {
      this.#index.fill(share, kind << 8, (kind + 1) << 8)
    }
    for (const [i, type] of [...types.keys()].entries()) this.#index[type] = kinds.size + i
  }

  /** @throws {RangeError} for a kind, a type or a share out of range, or too many of them */
  static of({
    shares = new Map(),
    recordShares = new Map(),
  }: Pick<SessionOptions, 'shares' | 'recordShares'>): SessionShares | undefined {
    const count = shares.size + recordShares.size
    if (count === 0) return undefined
    if (count > MAX_SHARES) {
      throw new RangeError(`Cannot bound the shares of ${count} kinds and types: at most ${MAX_SHARES}`)
    }
    check('kind', shares, KINDS)
    check('type', recordShares, TYPES)
    return new SessionShares(shares, recordShares)
  }

  /** Which share records of a type go by; undefined when they may take all of a ring. */
  shareOf(type: number): number | undefined {
    const share = this.#index[type] as number
    return share < 0 ? undefined : share
  }

  /** The reader's side for a ring that is counted in a slot. */
  ofRing(sizeBytes: number, page: ArrayBuffer): RingShares {
    const limits = this.#parts.map((part) => Math.floor(part * sizeBytes))
    const shares = new RingShares(this.#index, limits, page)
    this.#rings.push(shares)
    return shares
  }

  /** Has each share of each ring be a part of what it is, 0 to 1. */
  narrow(part: number): void {
    for (const shares of this.#rings) shares.narrow(part)
  }
}

function check(sort: string, shares: ReadonlyMap<number, number>, count: number): void {
  for (const [number, part] of shares) {
    if (Number.isInteger(number) && number >= 0 && number < count && part >= 0 && part <= 1) continue
    throw new RangeError(
      `Cannot give ${sort} ${number} a share of ${part}: ${sort}s are 0 to ${count - 1}, shares 0 to 1`,
    )
  }
}
