const FIRST_CAPACITY = 64
/** Most words of a key. */
export const MAX_KEY_WORDS = 4
const NOWHERE = -1
/** Odd numbers whose products spread bits well: 2^32 over the golden ratio, and the multiplier of MurmurHash3. */
const SPREAD = 0x9e3779b1
const MIX = 0x85ebca6b

/**
 * Small numbers (0 to 2^31 - 1) by keys of up to four words. A key has a slot, a number from 1 on, as long as a
 * value is set for it: whoever keeps the slot need not keep the key. Like `PidIndex` it makes no garbage.
 */
export class WideIndex {
  size = 0
  /** Slots by hash: open addressing, at most half full; 0 is empty. */
  #cells = new Int32Array(FIRST_CAPACITY * 2)
  #keys = new Uint32Array((FIRST_CAPACITY + 1) * MAX_KEY_WORDS)
  #values = new Int32Array(FIRST_CAPACITY + 1).fill(NOWHERE)
  #free = freeSlots(1, FIRST_CAPACITY)

  /**
   * The slot of the key in the words at `w + at[0]`, `w + at[1]` and so on; it is given one if it has none, which it
   * keeps until `delete`. 0 for a key that is all zeroes: it stands for none.
   */
  slotOf(words: Uint32Array, w: number, at: readonly number[]): number {
    let isZero = true
    for (let i = 0; i < at.length; i++) if (words[w + (at[i] as number)] !== 0) isZero = false
    if (isZero) return 0
    let cell = this.#cellOf(words, w, at)
    const found = this.#cells[cell] as number
    if (found !== 0) return found
    if (this.#free.length === 0) {
      this.#grow()
      cell = this.#cellOf(words, w, at)
    }
    const slot = this.#free.pop() as number
    const keys = this.#keys
    for (let i = 0; i < MAX_KEY_WORDS; i++) {
      keys[slot * MAX_KEY_WORDS + i] = i < at.length ? (words[w + (at[i] as number)] as number) : 0
    }
    this.#cells[cell] = slot
    this.size += 1
    return slot
  }

  get(slot: number): number {
    return this.#values[slot] as number
  }

  set(slot: number, value: number): void {
    this.#values[slot] = value
  }

  /** Forgets the key of a slot. */
  delete(slot: number): void {
    const cells = this.#cells
    const mask = cells.length - 1
    let gap = this.#homeOf(slot)
    while (cells[gap] !== slot) gap = (gap + 1) & mask
    // Entries that the deleted one had displaced move back.
    for (let cell = (gap + 1) & mask; cells[cell] !== 0; cell = (cell + 1) & mask) {
      const home = this.#homeOf(cells[cell] as number)
      if (((cell - home) & mask) < ((cell - gap) & mask)) continue
      cells[gap] = cells[cell] as number
      gap = cell
    }
    cells[gap] = 0
    this.#values[slot] = NOWHERE
    this.#free.push(slot)
    this.size -= 1
  }

  /** Where a key is, or where it belongs. */
  #cellOf(words: Uint32Array, w: number, at: readonly number[]): number {
    const cells = this.#cells
    const mask = cells.length - 1
    let hash = 0
    for (let i = 0; i < MAX_KEY_WORDS; i++) {
      hash = mixed(hash, i < at.length ? (words[w + (at[i] as number)] as number) : 0)
    }
    let cell = hash & mask
    while (cells[cell] !== 0 && !this.#isKey(cells[cell] as number, words, w, at)) cell = (cell + 1) & mask
    return cell
  }

  #isKey(slot: number, words: Uint32Array, w: number, at: readonly number[]): boolean {
    const start = slot * MAX_KEY_WORDS
    for (let i = 0; i < at.length; i++) {
      if (this.#keys[start + i] !== words[w + (at[i] as number)]) return false
    }
    return true
  }

  #homeOf(slot: number): number {
    let hash = 0
    for (let i = 0; i < MAX_KEY_WORDS; i++) hash = mixed(hash, this.#keys[slot * MAX_KEY_WORDS + i] as number)
    return hash & (this.#cells.length - 1)
  }

  #grow(): void {
    const old = this.#values.length - 1
    const keys = new Uint32Array((old * 2 + 1) * MAX_KEY_WORDS)
    keys.set(this.#keys)
    this.#keys = keys
    const values = new Int32Array(old * 2 + 1).fill(NOWHERE)
    values.set(this.#values)
    this.#values = values
    this.#free = freeSlots(old + 1, old * 2)
    this.#cells = new Int32Array(old * 4)
    const mask = this.#cells.length - 1
    // All slots are in use when it grows.
    for (let slot = 1; slot <= old; slot++) {
      let cell = this.#homeOf(slot)
      while (this.#cells[cell] !== 0) cell = (cell + 1) & mask
      this.#cells[cell] = slot
    }
  }
}

function mixed(hash: number, word: number): number {
  const product = Math.imul(hash ^ word, SPREAD)
  return Math.imul(product ^ (product >>> 15), MIX) ^ (product >>> 13)
}

/** Slots that are not in use, the lowest last. */
function freeSlots(from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_, i) => to - i)
}
