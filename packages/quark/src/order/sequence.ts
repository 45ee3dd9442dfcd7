/** The number of a CPU's first record. */
const FIRST = 1

/**
 * Follows the sequence number that each CPU gives its records. A number that is left out belongs to a record
 * that found the ring full.
 */
export class SequenceTracker {
  /** The number that each CPU's next record should have. */
  #expected = new Uint32Array(0)

  /** Notes a record, and returns how many of its CPU's are missing before it. */
  missingBefore(cpu: number, seq: number): number {
    if (cpu >= this.#expected.length) this.#grow(cpu)
    const missing = (seq - (this.#expected[cpu] as number)) | 0
    // A program that was interrupted by another one on its CPU writes later with an older number.
    if (missing < 0) return 0
    this.#expected[cpu] = seq + 1
    return missing
  }

  /** As if a record with the number after `seq` had come: returns how many are missing up to `seq`. */
  missingUpTo(cpu: number, seq: number): number {
    if (cpu >= this.#expected.length) this.#grow(cpu)
    const missing = (seq + 1 - (this.#expected[cpu] as number)) | 0
    if (missing <= 0) return 0
    this.#expected[cpu] = seq + 1
    return missing
  }

  /** Notes a broken record, whose number is believed only if it is the next one. */
  noteBroken(cpu: number, seq: number): void {
    if (cpu < this.#expected.length && this.#expected[cpu] === seq) this.#expected[cpu] = seq + 1
  }

  #grow(cpu: number): void {
    const expected = new Uint32Array(Math.max(cpu + 1, this.#expected.length * 2)).fill(FIRST)
    expected.set(this.#expected)
    this.#expected = expected
  }
}
