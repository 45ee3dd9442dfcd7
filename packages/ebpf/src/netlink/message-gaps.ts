/**
 * Counts messages that a socket missed, by gaps in their sequence numbers and by the kernel's count of drops. A gap
 * identifies the CPU, but shows only when that CPU's next message arrives; the kernel's count is known at once.
 */
export class MessageGaps {
  readonly #expected = new Map<number, number>()
  /** The sum of all gaps. */
  #missing = 0
  /** How many losses were returned so far. */
  #reported = 0

  /** Notes a message. Returns how many messages before it are missing and not yet reported. */
  before(cpu: number, seq: number): number {
    const gap = (seq - (this.#expected.get(cpu) ?? seq)) | 0
    this.#expected.set(cpu, (seq + 1) >>> 0)
    if (gap > 0) this.#missing += gap
    return this.#report(this.#missing)
  }

  /** Notes the kernel's count of drops, when no message waits. Returns how many of them are not yet reported. */
  upTo(drops: number): number {
    return this.#report(drops)
  }

  #report(count: number): number {
    const unreported = Math.max(0, count - this.#reported)
    this.#reported += unreported
    return unreported
  }
}
