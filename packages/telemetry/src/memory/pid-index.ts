const FIRST_CAPACITY = 256
/** Value of a pid that is not there. */
export const NOWHERE = -1
/** 2^32 over the golden ratio: spreads numbers that follow each other evenly. */
const SPREAD = 0x9e3779b1
/**
 * Pids that follow each other mostly come and go together: eight of them share a cache line, of which the
 * first one's access brings in the others.
 */
const LINE_SHIFT = 3
const LINE_MASK = (1 << LINE_SHIFT) - 1

/**
 * Small numbers (0 to 2^31 - 1) by pid. Unlike a `Map` it makes no garbage, however many pids come and go:
 * open addressing in one array, at most half full, without markers for what was deleted.
 */
export class PidIndex {
  size = 0
  /** A pid and its value after each other; the capacity is a power of two. */
  #cells = new Int32Array(FIRST_CAPACITY * 2).fill(NOWHERE)
  #shift = Math.clz32(FIRST_CAPACITY) + 1 + LINE_SHIFT

  get(pid: number): number {
    return this.#cells[this.#cellOf(pid) + 1] as number
  }

  set(pid: number, value: number): void {
    let cell = this.#cellOf(pid)
    if (this.#cells[cell + 1] === NOWHERE) {
      if (this.size * 4 >= this.#cells.length) {
        this.#grow()
        cell = this.#cellOf(pid)
      }
      this.size += 1
      this.#cells[cell] = pid
    }
    this.#cells[cell + 1] = value
  }

  delete(pid: number): void {
    const cells = this.#cells
    let gap = this.#cellOf(pid)
    if (cells[gap + 1] === NOWHERE) return
    this.size -= 1
    const mask = cells.length - 1
    // Entries that the deleted one had displaced move back.
    for (let cell = (gap + 2) & mask; cells[cell + 1] !== NOWHERE; cell = (cell + 2) & mask) {
      const home = this.#homeOf(cells[cell] as number)
      if (((cell - home) & mask) < ((cell - gap) & mask)) continue
      cells[gap] = cells[cell] as number
      cells[gap + 1] = cells[cell + 1] as number
      gap = cell
    }
    cells[gap + 1] = NOWHERE
  }

  /** The pids, in no order. */
  *pids(): IterableIterator<number> {
    for (let cell = 0; cell < this.#cells.length; cell += 2) {
      if (this.#cells[cell + 1] !== NOWHERE) yield (this.#cells[cell] as number) >>> 0
    }
  }

  #homeOf(pid: number): number {
    const line = Math.imul(pid >>> LINE_SHIFT, SPREAD) >>> this.#shift
    return ((line << LINE_SHIFT) | (pid & LINE_MASK)) << 1
  }

  /** Where a pid is, or where it belongs. */
  #cellOf(pid: number): number {
    const cells = this.#cells
    const mask = cells.length - 1
    const key = pid | 0
    let cell = this.#homeOf(pid)
    while (cells[cell + 1] !== NOWHERE && cells[cell] !== key) cell = (cell + 2) & mask
    return cell
  }

  #grow(): void {
    const old = this.#cells
    this.#cells = new Int32Array(old.length * 2).fill(NOWHERE)
    this.#shift -= 1
    for (let from = 0; from < old.length; from += 2) {
      if (old[from + 1] === NOWHERE) continue
      const cell = this.#cellOf(old[from] as number)
      this.#cells[cell] = old[from] as number
      this.#cells[cell + 1] = old[from + 1] as number
    }
  }
}
