import { ClosedError } from '../errors.js'
import { HEADER_TIME } from '../probe/record.js'
import { CPU_RING_HEADER_BYTES } from '../probe/scratch.js'
import type { RecordSink } from './cursor.js'
import type { RingShares } from './shares.js'

/** The memory of one ring: that of one level of one CPU (probe/scratch.ts). */
export interface CpuRingMemory {
  /** The bytes that were written so far. */
  readonly head: BigUint64Array
  /** The bytes that were consumed. */
  readonly tail: BigUint64Array
  /** The lower half of the position that is its first byte. */
  readonly origin: Uint32Array
  /** Where it begins. */
  readonly startBytes: number
  /** A power of two. */
  readonly sizeBytes: number
  readonly shares: RingShares | undefined
}

/** The memory of all rings. */
export interface CpuRingsMemory {
  readonly rings: readonly CpuRingMemory[]
  readonly words: Uint32Array
  readonly bytes: Buffer
}

/** The reader's position in one ring. */
interface Cursor extends CpuRingMemory {
  /** The position at the first byte. */
  firstAt: number
  /** Exact as a number for 2^53 bytes. */
  position: number
  committed: number
  /** What was written when the drain began. */
  end: number
  /** Where the next record's header is. */
  at: number
  /** The next record's time. */
  timeHigh: number
  timeLow: number
}

/**
 * The one consumer of rings that belong to one level of one CPU each (probe/output.ts). Knows only memory, nothing of where it
 * comes from.
 */
export class CpuRings {
  readonly #cursors: readonly Cursor[]
  /** Dropped at `stop()`, so that no view is touched after the memory is gone. */
  #memory: CpuRingsMemory | undefined
  #isDraining = false

  constructor(memory: CpuRingsMemory) {
    this.#memory = memory
    this.#cursors = memory.rings.map((ring) => {
      const position = Number(Atomics.load(ring.tail, 0))
      return {
        ...ring,
        firstAt: 0,
        position,
        committed: position,
        end: position,
        at: 0,
        timeHigh: 0,
        timeLow: 0,
      }
    })
  }

  /**
   * Bytes that are written and not yet given back, headers included.
   *
   * @throws {ClosedError}
   */
  get backlogBytes(): number {
    this.#open()
    return this.#cursors.reduce((sum, cursor) => sum + backlogOf(cursor), 0)
  }

  /**
   * Share of the fullest ring that waits, 0 to 1.
   *
   * @throws {ClosedError}
   */
  get fullness(): number {
    this.#open()
    return this.#cursors.reduce((most, cursor) => Math.max(most, backlogOf(cursor) / cursor.sizeBytes), 0)
  }

  /**
   * Hands what was written when the call began to `sink`, or `max` records of it, without copying: those of one ring in
   * their order, and those of several by their times. Room is given back at the end, and at every quarter of a ring.
   * When the sink throws, the record it threw at counts as consumed. The sink may stop the rings. A record with an
   * impossible length is passed with length 0, and what was written to that ring after it is skipped.
   *
   * @returns how many records the sink got
   * @throws {ClosedError}
   * @throws {TypeError} when called from the sink
   */
  drain(sink: RecordSink, max: number = Number.POSITIVE_INFINITY): number {
    const { words, bytes } = this.#open()
    if (this.#isDraining) throw new TypeError('Cannot begin a drain of rings: a drain is not finished')
    this.#isDraining = true
    let count = 0
    try {
      const filled = this.#begin(words)
      while (filled.length > 0 && count < max) {
        const index = earliest(filled)
        const cursor = filled[index]!
        const start = cursor.at + CPU_RING_HEADER_BYTES
        let lengthBytes = words[cursor.at >> 2]!
        if (lengthBytes <= cursor.end - cursor.position - CPU_RING_HEADER_BYTES) {
          const sizeBytes = (lengthBytes + CPU_RING_HEADER_BYTES + 7) & ~7
          cursor.position += sizeBytes
          cursor.shares?.add(words[start >> 2]! & 0xffff, sizeBytes)
        } else {
          // The start of the next record is unknown. Every sink refuses and counts a record of length 0.
          lengthBytes = 0
          cursor.position = cursor.end
          cursor.shares?.skip()
        }
        if (cursor.position < cursor.end) this.#look(cursor, words)
        else filled.splice(index, 1)
        count += 1
        sink.record(words, bytes, start, lengthBytes)
        if (this.#memory === undefined) break
        if (cursor.position - cursor.committed >= cursor.sizeBytes / 4) commit(cursor)
      }
    } finally {
      this.#isDraining = false
      if (this.#memory !== undefined) this.#cursors.forEach(commit)
    }
    return count
  }

  /** Gives consumed room back and forgets the memory, which may go then. */
  stop(): void {
    if (this.#memory === undefined) return
    this.#cursors.forEach(commit)
    this.#memory = undefined
  }

  /** The rings that are not empty, each at its next record. */
  #begin(words: Uint32Array): Cursor[] {
    for (const cursor of this.#cursors) cursor.end = Number(Atomics.load(cursor.head, 0))
    const filled = this.#cursors.filter(({ position, end }) => position < end)
    for (const cursor of filled) {
      // The origin moves only while the ring is empty: to where the reader is.
      if (Atomics.load(cursor.origin, 0) === cursor.position % 2 ** 32) cursor.firstAt = cursor.position
      this.#look(cursor, words)
    }
    return filled
  }

  #look(cursor: Cursor, words: Uint32Array): void {
    cursor.at = cursor.startBytes + ((cursor.position - cursor.firstAt) % cursor.sizeBytes)
    const time = (cursor.at + CPU_RING_HEADER_BYTES + HEADER_TIME) >> 2
    cursor.timeLow = words[time]!
    cursor.timeHigh = words[time + 1]!
  }

  #open(): CpuRingsMemory {
    if (this.#memory === undefined) throw new ClosedError('Reader of the rings')
    return this.#memory
  }
}

function backlogOf({ head, committed }: Cursor): number {
  return Number(Atomics.load(head, 0)) - committed
}

/** The index of the ring whose next record is the oldest. */
function earliest(cursors: readonly Cursor[]): number {
  let best = 0
  for (let i = 1; i < cursors.length; i++) {
    const cursor = cursors[i]!
    const first = cursors[best]!
    const high = cursor.timeHigh - first.timeHigh
    if (high < 0 || (high === 0 && cursor.timeLow < first.timeLow)) best = i
  }
  return best
}

function commit(cursor: Cursor): void {
  if (cursor.position === cursor.committed) return
  cursor.shares?.commit()
  Atomics.store(cursor.tail, 0, BigInt(cursor.position))
  cursor.committed = cursor.position
}
