/** The number of a lane's first record. */
const FIRST = 1

/**
 * Follows the sequence number that each lane gives its records: a level of nesting of a CPU. A number that is left out
 * belongs to a record that found the ring full.
 */
export class SequenceTracker {
  /** The number that each lane's next record should have. */
  #expected = new Uint32Array(0)

  /** Notes a record, and returns how many of its lane's are missing before it. */
  missingBefore(lane: number, seq: number): number {
    const missing = this.#missingBelow(lane, seq)
    if (missing >= 0) this.#expected[lane] = seq + 1
    return Math.max(0, missing)
  }

  /** Notes the last number that a lane has given, and returns how many records up to it are missing. */
  missingUpTo(lane: number, seq: number): number {
    const missing = this.#missingBelow(lane, seq + 1)
    if (missing > 0) this.#expected[lane] = seq + 1
    return Math.max(0, missing)
  }

  /** Notes a broken record. Its number counts only if it is the expected one. */
  noteBroken(lane: number, seq: number): void {
    if (lane < this.#expected.length && this.#expected[lane] === seq) this.#expected[lane] = seq + 1
  }

  /** Negative for a record whose number came before. */
  #missingBelow(lane: number, seq: number): number {
    if (lane >= this.#expected.length) this.#grow(lane)
    return (seq - (this.#expected[lane] as number)) | 0
  }

  #grow(lane: number): void {
    const expected = new Uint32Array(Math.max(lane + 1, this.#expected.length * 2)).fill(FIRST)
    expected.set(this.#expected)
    this.#expected = expected
  }
}
