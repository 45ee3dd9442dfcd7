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
    const missing = this.#missingBelow(cpu, seq)
    if (missing >= 0) this.#expected[cpu] = seq + 1
    return Math.max(0, missing)
  }

  /** Notes the last number that a CPU has given, and returns how many records up to it are missing. */
  missingUpTo(cpu: number, seq: number): number {
    const missing = this.#missingBelow(cpu, seq + 1)
    if (missing > 0) this.#expected[cpu] = seq + 1
    return Math.max(0, missing)
  }

  /** Notes a broken record, whose number is believed only if it is the next one. */
  noteBroken(cpu: number, seq: number): void {
    if (cpu < this.#expected.length && this.#expected[cpu] === seq) this.#expected[cpu] = seq + 1
  }

  /** Negative for a record that comes late: its program was interrupted by another one on its CPU. */
  #missingBelow(cpu: number, seq: number): number {
    if (cpu >= this.#expected.length) this.#grow(cpu)
    return (seq - (this.#expected[cpu] as number)) | 0
  }

  #grow(cpu: number): void {
    const expected = new Uint32Array(Math.max(cpu + 1, this.#expected.length * 2)).fill(FIRST)
    expected.set(this.#expected)
    this.#expected = expected
  }
}
