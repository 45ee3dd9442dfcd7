import { HEADER_TIME } from 'quark-ebpf/probe'
import type { HeldRecords, RecordPlace } from '../event/raw.js'
import { holdTimeMs } from './hold-time.js'
import { NOWHERE, PidIndex } from '../memory/pid-index.js'
import { Slab } from '../memory/slab.js'
import { WideIndex } from '../memory/wide-index.js'

const FIRST_CAPACITY = 1024
/** Shape of an entry whose record was taken; it stays until the queue has passed it. No record has it. */
const TAKEN = 0xffff
/** Taken entries that may stay in the queue, whatever the number of held records. */
const TAKEN_SLACK = 4096
const NONE = -1
const TIME_LO = HEADER_TIME >> 2
const TIME_HI = TIME_LO + 1

export interface RecordBufferOptions {
  /** Most records, as counted by `room`. */
  readonly maxLength: number
  /** Bytes of records at which there is no more room. */
  readonly maxBufferBytes: number
  /** How long records are held when the buffer is nearly empty. */
  readonly holdMs: number
}

/**
 * Records held in order of time, and chained by a key, such as a pid. They stay bytes, in a slab, with what is needed to
 * order them in arrays: holding a record makes no garbage. Records come almost in order, so each is put at the tail
 * of the queue and moved forward past those that are younger. Equal times keep the order of arrival.
 *
 * ```
 *  queue   ┌ 4 ┬ 7 ┬ 5 ┬ 9 ┐   indices, oldest first
 *  key 12    4 ────▶ 5        next/previous of the same key; the index has each key's last
 *  key 30        7 ────▶ 9
 * ```
 *
 * A key counts within its space: a pid of one kind of records is not a pid of another kind.
 */
export class RecordBuffer implements HeldRecords {
  /** Records held, and their bytes. */
  count = 0
  sizeBytes = 0
  /** Share of the limits that is used: less than 1 while the reader falls behind. */
  part = 1
  readonly #options: RecordBufferOptions
  readonly #slab = new Slab()
  /** The last record of each key, by space. */
  readonly #lastOf: readonly (PidIndex | WideIndex)[]
  #capacity = FIRST_CAPACITY
  #time = new Float64Array(FIRST_CAPACITY)
  /** The key, or the slot of a wide one; 0 for none. */
  #key = new Uint32Array(FIRST_CAPACITY)
  #space = new Uint16Array(FIRST_CAPACITY)
  #shape = new Uint16Array(FIRST_CAPACITY)
  #chunk = new Uint32Array(FIRST_CAPACITY)
  #offset = new Uint32Array(FIRST_CAPACITY)
  #length = new Uint32Array(FIRST_CAPACITY)
  #next = new Int32Array(FIRST_CAPACITY)
  #previous = new Int32Array(FIRST_CAPACITY)
  #free = Int32Array.from({ length: FIRST_CAPACITY }, (_, i) => FIRST_CAPACITY - 1 - i)
  #freeCount = FIRST_CAPACITY
  /** A ring of indices; its capacity is a power of two. */
  #queue = new Int32Array(FIRST_CAPACITY)
  #head = 0
  #queued = 0
  /** Time of the first record. Times are relative to it, so that they are exact numbers for 104 days. */
  #hasBase = false
  #baseLo = 0
  #baseHi = 0

  /** @param keyWords for each space how many words its keys have */
  constructor(options: RecordBufferOptions, keyWords: readonly number[] = [1]) {
    this.#options = options
    this.#lastOf = keyWords.map((words) => (words > 1 ? new WideIndex() : new PidIndex()))
  }

  /**
   * How many more records may be inserted. The limit of bytes is checked between batches: one batch can go
   * beyond it by what it holds, at most a ring full.
   */
  room(): number {
    const { maxLength, maxBufferBytes } = this.#options
    const { part } = this
    return this.sizeBytes >= maxBufferBytes * part ? 0 : Math.max(0, Math.ceil(maxLength * part) - this.count)
  }

  /** Records for which there is memory; it does not shrink. */
  get capacity(): number {
    return this.#capacity
  }

  /** How long the oldest record must be held now, in ns: by the fuller of records and bytes. */
  holdTimeNs(): number {
    const { maxLength, maxBufferBytes, holdMs } = this.#options
    const most = Math.ceil(maxLength * this.part)
    const byBytes = Math.floor((this.sizeBytes / (maxBufferBytes * this.part)) * most)
    return holdTimeMs(Math.max(this.count, byBytes), most, holdMs) * 1e6
  }

  /**
   * What `insert` takes for a key of several words, which are at `w + at[0]` and so on: the record has to be inserted
   * before the next call.
   */
  wideKey(space: number, words: Uint32Array, w: number, at: readonly number[]): number {
    const index = this.#lastOf[space]
    return index instanceof WideIndex ? index.slotOf(words, w, at) : (words[w + (at[0] as number)] as number)
  }

  /**
   * Copies a record into the buffer. Key 0 stands for none: such records are not chained. `shape` is what `shapeOf`
   * will return.
   */
  insert(
    words: Uint32Array,
    bytes: Uint8Array,
    offsetBytes: number,
    lengthBytes: number,
    key: number,
    space: number,
    shape: number,
  ): void {
    const w = offsetBytes >> 2
    const timeLo = words[w + TIME_LO] as number
    const timeHi = words[w + TIME_HI] as number
    if (!this.#hasBase) this.#setBase(timeLo, timeHi)
    const timeNs = (timeHi - this.#baseHi) * 2 ** 32 + (timeLo - this.#baseLo)
    if (this.#freeCount === 0) this.#grow()
    this.#freeCount -= 1
    const index = this.#free[this.#freeCount] as number
    const slab = this.#slab
    slab.put(words, bytes, offsetBytes, lengthBytes)
    this.#time[index] = timeNs
    this.#key[index] = key
    this.#space[index] = space
    this.#shape[index] = shape
    this.#chunk[index] = slab.chunkId
    this.#offset[index] = slab.offsetBytes
    this.#length[index] = lengthBytes
    this.#enqueue(index, timeNs)
    this.#chain(index, key, space, timeNs)
    this.count += 1
    this.sizeBytes += lengthBytes
  }

  /** A time on CLOCK_BOOTTIME in the unit and from the origin of `timeOf`. */
  relative(bootNs: number): number {
    return bootNs - (this.#baseHi * 2 ** 32 + this.#baseLo)
  }

  /** Index of the oldest record, or -1. */
  oldest(): number {
    while (this.#queued > 0) {
      const index = this.#queue[this.#head] as number
      if (this.#shape[index] !== TAKEN) return index
      this.#head = (this.#head + 1) & (this.#capacity - 1)
      this.#queued -= 1
      this.#free[this.#freeCount] = index
      this.#freeCount += 1
    }
    return NONE
  }

  /** Index of the youngest record of a record's chain: itself when it has no key. */
  lastOf(index: number): number {
    const key = this.#key[index] as number
    if (key === 0) return index
    return this.#indexOf(this.#space[index] as number).get(key)
  }

  shapeOf(index: number): number {
    return this.#shape[index] as number
  }

  timeOf(index: number): number {
    return this.#time[index] as number
  }

  nextOf(index: number): number {
    return this.#next[index] as number
  }

  /** The record before it in its chain, or -1. */
  previousOf(index: number): number {
    return this.#previous[index] as number
  }

  locate(index: number, place: RecordPlace): void {
    const chunk = this.#chunk[index] as number
    const offsetBytes = this.#offset[index] as number
    const words = this.#slab.wordsOf(chunk)
    place.type = (words[offsetBytes >> 2] as number) & 0xffff
    place.words = words
    place.bytes = this.#slab.bytesOf(chunk)
    place.offsetBytes = offsetBytes
    place.lengthBytes = this.#length[index] as number
  }

  /** Takes a record out; its bytes are lost. */
  remove(index: number): void {
    const next = this.#next[index] as number
    const previous = this.#previous[index] as number
    const key = this.#key[index] as number
    if (previous !== NONE) this.#next[previous] = next
    if (next !== NONE) this.#previous[next] = previous
    else if (key !== 0) this.#unlast(this.#indexOf(this.#space[index] as number), key, previous)
    this.#slab.release(this.#chunk[index] as number)
    this.#shape[index] = TAKEN
    this.count -= 1
    this.sizeBytes -= this.#length[index] as number
    if (this.#queued > 2 * this.count + TAKEN_SLACK) this.#sweep()
  }

  /** The indices of all held records, oldest first. */
  *indices(): IterableIterator<number> {
    for (let i = 0; i < this.#queued; i++) {
      const index = this.#queue[(this.#head + i) & (this.#capacity - 1)] as number
      if (this.#shape[index] !== TAKEN) yield index
    }
  }

  #setBase(timeLo: number, timeHi: number): void {
    this.#hasBase = true
    this.#baseLo = timeLo
    this.#baseHi = timeHi
  }

  #enqueue(index: number, timeNs: number): void {
    const queue = this.#queue
    const time = this.#time
    const mask = this.#capacity - 1
    const head = this.#head
    let at = this.#queued
    while (at > 0) {
      const before = queue[(head + at - 1) & mask] as number
      if ((time[before] as number) <= timeNs) break
      queue[(head + at) & mask] = before
      at -= 1
    }
    queue[(head + at) & mask] = index
    this.#queued += 1
  }

  #indexOf(space: number): PidIndex | WideIndex {
    return this.#lastOf[space] as PidIndex | WideIndex
  }

  /** Removes the last record of a key; `previous` is the last now, unless it is none. */
  #unlast(index: PidIndex | WideIndex, key: number, previous: number): void {
    if (previous === NONE) index.delete(key)
    else index.set(key, previous)
  }

  #chain(index: number, key: number, space: number, timeNs: number): void {
    this.#next[index] = NONE
    this.#previous[index] = NONE
    if (key === 0) return
    const lastOf = this.#indexOf(space)
    let previous = lastOf.get(key)
    if (previous === NOWHERE) {
      lastOf.set(key, index)
      return
    }
    let next = NONE
    while (previous !== NONE && (this.#time[previous] as number) > timeNs) {
      next = previous
      previous = this.#previous[previous] as number
    }
    this.#next[index] = next
    this.#previous[index] = previous
    if (previous !== NONE) this.#next[previous] = index
    if (next !== NONE) this.#previous[next] = index
    else lastOf.set(key, index)
  }

  /** Removes the taken entries from the queue. */
  #sweep(): void {
    const mask = this.#capacity - 1
    let kept = 0
    for (let i = 0; i < this.#queued; i++) {
      const index = this.#queue[(this.#head + i) & mask] as number
      if (this.#shape[index] === TAKEN) {
        this.#free[this.#freeCount] = index
        this.#freeCount += 1
      } else {
        this.#queue[(this.#head + kept) & mask] = index
        kept += 1
      }
    }
    this.#queued = kept
  }

  /** Doubles all arrays; called when every index is queued. */
  #grow(): void {
    const old = this.#capacity
    const capacity = old * 2
    const queue = new Int32Array(capacity)
    for (let i = 0; i < this.#queued; i++) queue[i] = this.#queue[(this.#head + i) & (old - 1)] as number
    this.#queue = queue
    this.#head = 0
    this.#capacity = capacity
    this.#time = grown(this.#time, new Float64Array(capacity))
    this.#key = grown(this.#key, new Uint32Array(capacity))
    this.#space = grown(this.#space, new Uint16Array(capacity))
    this.#shape = grown(this.#shape, new Uint16Array(capacity))
    this.#chunk = grown(this.#chunk, new Uint32Array(capacity))
    this.#offset = grown(this.#offset, new Uint32Array(capacity))
    this.#length = grown(this.#length, new Uint32Array(capacity))
    this.#next = grown(this.#next, new Int32Array(capacity))
    this.#previous = grown(this.#previous, new Int32Array(capacity))
    this.#free = new Int32Array(capacity)
    for (let i = 0; i < old; i++) this.#free[i] = capacity - 1 - i
    this.#freeCount = old
  }
}

function grown<T extends Float64Array | Uint32Array | Int32Array | Uint16Array>(from: T, to: T): T {
  to.set(from)
  return to
}
