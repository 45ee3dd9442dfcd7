const FIRST_CAPACITY = 256

/** A process that ended: its pid, the halves of its start time, and when it was noticed. */
export interface Mark {
  pid: number
  startLo: number
  startHi: number
  timeNs: number
}

/** Ended processes in the order in which they ended. In arrays: it keeps no process alive. */
export class MarkQueue {
  /** The oldest mark; valid while `count` is not 0. */
  readonly first: Mark = { pid: 0, startLo: 0, startHi: 0, timeNs: 0 }
  count = 0
  /** Each mark has three words and a time; the ring's capacity is a power of two. */
  #words = new Int32Array(FIRST_CAPACITY * 3)
  #times = new Float64Array(FIRST_CAPACITY)
  #head = 0

  push(pid: number, startLo: number, startHi: number, timeNs: number): void {
    if (this.count === this.#times.length) this.#grow()
    const at = (this.#head + this.count) & (this.#times.length - 1)
    this.#words[at * 3] = pid
    this.#words[at * 3 + 1] = startLo
    this.#words[at * 3 + 2] = startHi
    this.#times[at] = timeNs
    this.count += 1
    if (this.count === 1) this.#showFirst()
  }

  /** Drops the oldest mark. */
  shift(): void {
    this.#head = (this.#head + 1) & (this.#times.length - 1)
    this.count -= 1
    if (this.count > 0) this.#showFirst()
  }

  #showFirst(): void {
    const at = this.#head
    this.first.pid = (this.#words[at * 3] as number) >>> 0
    this.first.startLo = this.#words[at * 3 + 1] as number
    this.first.startHi = this.#words[at * 3 + 2] as number
    this.first.timeNs = this.#times[at] as number
  }

  #grow(): void {
    const old = this.#times.length
    const words = new Int32Array(old * 6)
    const times = new Float64Array(old * 2)
    for (let i = 0; i < this.count; i++) {
      const at = (this.#head + i) & (old - 1)
      words.set(this.#words.subarray(at * 3, at * 3 + 3), i * 3)
      times[i] = this.#times[at] as number
    }
    this.#words = words
    this.#times = times
    this.#head = 0
  }
}
