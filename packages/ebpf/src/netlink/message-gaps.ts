/**
 * Counts messages that a socket missed, by their numbers and by what the kernel says it dropped. The numbers
 * tell on which CPU, but only when that CPU's next message comes; the kernel's count tells at once.
 */
export class MessageGaps {
  readonly #expected = new Map<number, number>()
  /** Missing by the numbers, and said to be missing so far. */
  #missing = 0
  #told = 0

  /** Notes a message. Answers how many are missing before it that were not told yet. */
  before(cpu: number, seq: number): number {
    const gap = (seq - (this.#expected.get(cpu) ?? seq)) | 0
    this.#expected.set(cpu, (seq + 1) >>> 0)
    if (gap > 0) this.#missing += gap
    return this.#tell(this.#missing)
  }

  /** Notes the kernel's count, when no message waits. Answers how many of these were not told yet. */
  upTo(drops: number): number {
    return this.#tell(drops)
  }

  #tell(count: number): number {
    const untold = Math.max(0, count - this.#told)
    this.#told += untold
    return untold
  }
}
