/** How much of a ring the records of a kind may take. */

import { MAX_SHARES } from '../probe/scratch.js'
import { RingShares, type ShareIndex } from '../ring/shares.js'

const KINDS = 256

export class SessionShares {
  readonly #index: ShareIndex = new Int8Array(KINDS).fill(-1)
  readonly #parts: readonly number[]

  private constructor(shares: ReadonlyMap<number, number>) {
    this.#parts = [...shares.values()]
    for (const [share, kind] of [...shares.keys()].entries()) this.#index[kind] = share
  }

  /** @throws {RangeError} for a kind or a share out of range, or too many of them */
  static of(shares: ReadonlyMap<number, number> | undefined): SessionShares | undefined {
    if (shares === undefined || shares.size === 0) return undefined
    if (shares.size > MAX_SHARES) {
      throw new RangeError(`Cannot bound the shares of ${shares.size} kinds: at most ${MAX_SHARES}`)
    }
    for (const [kind, part] of shares) {
      if (Number.isInteger(kind) && kind >= 0 && kind < KINDS && part >= 0 && part <= 1) continue
      throw new RangeError(`Cannot give kind ${kind} a share of ${part}: kinds are 0 to 255, shares 0 to 1`)
    }
    return new SessionShares(shares)
  }

  /** Which share records of a type go by; undefined when they may take all of a ring. */
  shareOf(type: number): number | undefined {
    const share = this.#index[type >>> 8] as number
    return share < 0 ? undefined : share
  }

  /** The reader's side for a ring that is counted in a slot. */
  ofRing(sizeBytes: number, page: ArrayBuffer): RingShares {
    return new RingShares(
      this.#index,
      this.#parts.map((part) => Math.floor(part * sizeBytes)),
      page,
    )
  }
}
