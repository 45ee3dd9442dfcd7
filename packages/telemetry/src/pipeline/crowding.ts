/**
 * How much waits while the reader cannot keep up. What waits is delivered late, and what one user makes delays what
 * others do: if the reader has been late for a while without a break, less is held back, and the ring gets shorter for
 * those who fill it.
 */

/** Records that are read so late are too late. */
const LATE_NS = 1e9
/** A reader that is no later keeps up. */
const ON_TIME_NS = 300e6
/** How long it is one or the other before anything changes. */
const PATIENCE_NS = 200e6
const LEAST_PART = 1 / 16

export class Crowding {
  part = 1
  #sinceNs = 0
  #wasLate = false

  /**
   * Notes how late the last record was that was read.
   *
   * @param isBacklogged whether others wait behind it
   * @returns whether `part` has changed
   */
  note(nowNs: number, lateNs: number, isBacklogged: boolean): boolean {
    const isLate = isBacklogged && lateNs > LATE_NS
    const isOnTime = !isBacklogged || lateNs < ON_TIME_NS
    if (isLate !== this.#wasLate || (!isLate && !isOnTime)) {
      this.#wasLate = isLate
      this.#sinceNs = nowNs
      return false
    }
    if (nowNs - this.#sinceNs < PATIENCE_NS) return false
    this.#sinceNs = nowNs
    const part = isLate ? Math.max(LEAST_PART, this.part / 2) : Math.min(1, this.part * 2)
    if (part === this.part) return false
    this.part = part
    return true
  }
}
