import { HEADER_TIME } from 'quark-ebpf/probe'
import type { HeldRecords, RecordPlace } from '../event/raw.js'
import { holdTimeMs } from './hold-time.js'
import { NOWHERE, PidIndex } from '../memory/pid-index.js'
import { Slab } from '../memory/slab.js'

const FIRST_CAPACITY = 1024
/** Type of an entry whose record was taken; it stays until the queue has passed it. */
const TAKEN = 0xff
/** Taken entries that are tolerated whatever the number of held records. */
const TAKEN_SLACK = 4096
const NONE = -1
const TIME_LO = HEADER_TIME >> 2
const TIME_HI = TIME_LO + 1

export interface RecordBufferOptions {
  /** Most records that `room` makes place for. */
  readonly maxLength: number
  /** Bytes of records at which there is no more room. */
  readonly maxBufferBytes: number
  /** How long records are held when the buffer is nearly empty. */
  readonly holdMs: number
}

/**
 * Records held in order of time, and chained by pid. They stay bytes, in a slab, with what is needed to order
 * them in arrays: holding a record makes no garbage. Records come almost in order, so each is put at the tail
 * of the queue and moved forward past those that are younger. Equal times keep the order of arrival.
 *
 * ```
 *  queue   ┌ 4 ┬ 7 ┬ 5 ┬ 9 ┐   indices, oldest first
 *  pid 12    4 ────▶ 5        next/previous of the same pid; the index has each pid's last
 *  pid 30        7 ────▶ 9
 * ```
 */
export class RecordBuffer implements HeldRecords {
  /** Records held, and their bytes. */
  count = 0
  sizeBytes = 0
  readonly #options: RecordBufferOptions
  readonly #slab = new Slab()
  readonly #lastOfPid = new PidIndex()
  #capacity = FIRST_CAPACITY
  #time = new Float64Array(FIRST_CAPACITY)
  #pid = new Uint32Array(FIRST_CAPACITY)
  #type = new Uint8Array(FIRST_CAPACITY)
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

  constructor(options: RecordBufferOptions) {
    this.#options = options
  }

  /**
   * How many more records may be inserted. The limit of bytes is looked at between batches: one batch can go
   * beyond it by what it holds, at most a ring full.
   */
  room(): number {
    const { maxLength, maxBufferBytes } = this.#options
    return this.sizeBytes >= maxBufferBytes ? 0 : Math.max(0, maxLength - this.count)
  }

  /** Records for which there is memory; it does not shrink. */
  get capacity(): number {
    return this.#capacity
  }

  /** How long the oldest record must be held now, in ns: by the fuller of records and bytes. */
  holdTimeNs(): number {
    const { maxLength, maxBufferBytes, holdMs } = this.#options
    const byBytes = Math.floor((this.sizeBytes / maxBufferBytes) * maxLength)
    return holdTimeMs(Math.max(this.count, byBytes), maxLength, holdMs) * 1e6
  }

  /** Copies a record into the buffer. pid 0 stands for no process: such records are not chained. */
  insert(words: Uint32Array, bytes: Uint8Array, offsetBytes: number, lengthBytes: number, pid: number): void {
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
    this.#pid[index] = pid
    this.#type[index] = (words[w] as number) & 0xffff
    this.#chunk[index] = slab.chunkId
    this.#offset[index] = slab.offsetBytes
    this.#length[index] = lengthBytes
    this.#enqueue(index, timeNs)
    this.#chain(index, pid, timeNs)
    this.count += 1
    this.sizeBytes += lengthBytes
  }

  /** A time on CLOCK_BOOTTIME as `timeOf` has times. */
  relative(bootNs: number): number {
    return bootNs - (this.#baseHi * 2 ** 32 + this.#baseLo)
  }

  /** Index of the oldest record, or -1. */
  oldest(): number {
    while (this.#queued > 0) {
      const index = this.#queue[this.#head] as number
      if (this.#type[index] !== TAKEN) return index
      this.#head = (this.#head + 1) & (this.#capacity - 1)
      this.#queued -= 1
      this.#free[this.#freeCount] = index
      this.#freeCount += 1
    }
    return NONE
  }

  /** Index of the youngest record of a record's pid: itself when it has no pid. */
  lastOfPid(index: number): number {
    const last = this.#lastOfPid.get(this.#pid[index] as number)
    return last === NOWHERE ? index : last
  }

  typeOf(index: number): number {
    return this.#type[index] as number
  }

  pidOf(index: number): number {
    return this.#pid[index] as number
  }

  timeOf(index: number): number {
    return this.#time[index] as number
  }

  nextOf(index: number): number {
    return this.#next[index] as number
  }

  locate(index: number, place: RecordPlace): void {
    const chunk = this.#chunk[index] as number
    place.type = this.#type[index] as number
    place.words = this.#slab.wordsOf(chunk)
    place.bytes = this.#slab.bytesOf(chunk)
    place.offsetBytes = this.#offset[index] as number
    place.lengthBytes = this.#length[index] as number
  }

  /** Takes a record out; its bytes are lost. */
  remove(index: number): void {
    const next = this.#next[index] as number
    const previous = this.#previous[index] as number
    const pid = this.#pid[index] as number
    if (previous !== NONE) this.#next[previous] = next
    if (next !== NONE) this.#previous[next] = previous
    else if (previous !== NONE) this.#lastOfPid.set(pid, previous)
    else if (pid !== 0) this.#lastOfPid.delete(pid)
    this.#slab.release(this.#chunk[index] as number)
    this.#type[index] = TAKEN
    this.count -= 1
    this.sizeBytes -= this.#length[index] as number
    if (this.#queued > 2 * this.count + TAKEN_SLACK) this.#sweep()
  }

  /** The indices of all held records, oldest first. */
  *indices(): IterableIterator<number> {
    for (let i = 0; i < this.#queued; i++) {
      const index = this.#queue[(this.#head + i) & (this.#capacity - 1)] as number
      if (this.#type[index] !== TAKEN) yield index
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

  #chain(index: number, pid: number, timeNs: number): void {
    let previous = pid === 0 ? NOWHERE : this.#lastOfPid.get(pid)
    if (previous === NOWHERE) {
      this.#next[index] = NONE
      this.#previous[index] = NONE
      if (pid !== 0) this.#lastOfPid.set(pid, index)
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
    else this.#lastOfPid.set(pid, index)
  }

  /** Removes the taken entries from the queue. */
  #sweep(): void {
    const mask = this.#capacity - 1
    let kept = 0
    for (let i = 0; i < this.#queued; i++) {
      const index = this.#queue[(this.#head + i) & mask] as number
      if (this.#type[index] === TAKEN) {
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
    this.#pid = grown(this.#pid, new Uint32Array(capacity))
    this.#type = grown(this.#type, new Uint8Array(capacity))
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

function grown<T extends Float64Array | Uint32Array | Int32Array | Uint8Array>(from: T, to: T): T {
  to.set(from)
  return to
}
