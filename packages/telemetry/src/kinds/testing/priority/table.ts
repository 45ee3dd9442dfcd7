import type { KindTable } from '../../../event/table.js'

/** The last known priorities. Bounded: beyond its limit the one that was set longest ago is forgotten. */
export class PriorityTable implements KindTable {
  readonly #niceOf = new Map<string, number>()
  readonly #limit: number
  evicted = 0

  constructor(limit: number) {
    this.#limit = limit
  }

  get size(): number {
    return this.#niceOf.size
  }

  /** Takes a priority, and returns the one before; undefined when that is not known. */
  set(which: number, who: number, nice: number): number | undefined {
    const key = `${which} ${who}`
    const before = this.#niceOf.get(key)
    // A map has its entries in the order in which they were added.
    this.#niceOf.delete(key)
    if (this.#niceOf.size === this.#limit) {
      const [oldest] = this.#niceOf.keys()
      this.#niceOf.delete(oldest as string)
      this.evicted += 1
    }
    this.#niceOf.set(key, nice)
    return before
  }

  /** Nothing in it gets old. */
  collect(): void {}

  collectInNs(): number {
    return Infinity
  }

  stats(): Readonly<Record<string, number>> {
    return { size: this.size, evicted: this.evicted }
  }
}
