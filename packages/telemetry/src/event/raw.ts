/**
 * Views of records whose bytes are held elsewhere. A record is what the kernel wrote; an event is what it
 * means. `pid` is the kernel's tgid and `tid` its pid, as user space says.
 */

/** Where a record's bytes are. Both views show the same memory; the record begins at `offsetBytes`. */
export interface RecordPlace {
  type: number
  words: Uint32Array
  bytes: Buffer
  /** A multiple of 8. */
  offsetBytes: number
  lengthBytes: number
}

/** Held records, by the index that the buffer gave them; those of one key are chained in order of time. */
export interface HeldRecords {
  /** Number of its shape; see `RecordShapes`. */
  shapeOf(index: number): number
  /** ns since some moment of this queue. */
  timeOf(index: number): number
  /** The next record of the same chain, or -1. */
  nextOf(index: number): number
  locate(index: number, place: RecordPlace): void
}

const NO_WORDS = new Uint32Array(0)
const NO_BYTES = Buffer.alloc(0)
const FIRST_INDICES = 16
const NO_FOREIGN: number[] = []

/**
 * The records that make one event, oldest first; as a place it shows one of them at a time. Those that joined from
 * other kinds are not shown: their own kinds apply them.
 *
 * ```ts
 * while (group.next()) read(group.words, group.offsetBytes >> 2)
 * ```
 */
export class RecordGroup implements RecordPlace {
  type = 0
  words = NO_WORDS
  bytes = NO_BYTES
  offsetBytes = 0
  lengthBytes = 0
  count = 0
  /** Records of other kinds that joined. */
  foreign: number[] = NO_FOREIGN
  readonly #held: HeldRecords
  #indices = new Int32Array(FIRST_INDICES)
  #at = 0

  constructor(held: HeldRecords) {
    this.#held = held
  }

  /** Begins a new group. */
  begin(index: number): void {
    this.#indices[0] = index
    this.count = 1
    this.#at = 0
    this.foreign = NO_FOREIGN
  }

  /** Adds a record of another kind than the first one's. */
  addForeign(index: number): void {
    if (this.foreign === NO_FOREIGN) this.foreign = []
    this.foreign.push(index)
  }

  add(index: number): void {
    if (this.count === this.#indices.length) {
      const grown = new Int32Array(this.count * 2)
      grown.set(this.#indices)
      this.#indices = grown
    }
    this.#indices[this.count] = index
    this.count += 1
  }

  indexAt(at: number): number {
    return this.#indices[at] as number
  }

  /** Shows the next record; false after the last one. */
  next(): boolean {
    if (this.#at >= this.count) return false
    this.#held.locate(this.#indices[this.#at] as number, this)
    this.#at += 1
    return true
  }

  /** Removes the record that is shown, and all younger ones, from the group: a later event has them. */
  leaveRest(): void {
    this.#at -= 1
    this.count = this.#at
    if (this.foreign.length === 0) return
    const fromNs = this.#held.timeOf(this.#indices[this.#at] as number)
    this.foreign = this.foreign.filter((index) => this.#held.timeOf(index) < fromNs)
  }

  /** Shows the record after the present one in `place`, without going on to it; false if there is none. */
  peek(place: RecordPlace): boolean {
    if (this.#at >= this.count) return false
    this.#held.locate(this.#indices[this.#at] as number, place)
    return true
  }
}
