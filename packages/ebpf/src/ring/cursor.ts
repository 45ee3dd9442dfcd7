import { ClosedError } from '../errors.js'
import { type LeasedRange, RingLease } from './lease.js'
import type { RingShares } from './shares.js'

/*
 * Memory of a BPF_MAP_TYPE_RINGBUF (kernel/bpf/ringbuf.c), positions counted in bytes since creation:
 *
 *   page 0        consumer position, u64     read and write
 *   page 1        producer position, u64     read only
 *   page 2 ...    the data, mapped twice in a row, so that no record ever wraps
 *
 * A record is an 8-byte header and its bytes, padded to 8:
 *
 *   31      30        29 ... 0   | 32 bits
 *   busy    discarded length     | page offset, for the kernel's own use
 */
const BUSY = 0x8000_0000 | 0
const DISCARDED = 0x4000_0000
const LENGTH_MASK = 0x3fff_ffff
const HEADER_SIZE_BYTES = 8

/** Takes records out of a ring. */
export interface RecordSink {
  /**
   * One record. Nothing of it may be kept: the memory is the kernel's again after the batch.
   *
   * @param words the ring's data as 32-bit words; records begin at multiples of 8 bytes
   * @param bytes the same memory as bytes
   * @param offsetBytes where the record begins
   * @param lengthBytes how long it is
   */
  record(words: Uint32Array, bytes: Buffer, offsetBytes: number, lengthBytes: number): void
}

/** The memory of a ring, as laid out above; `bytes`, `words` and `headers` show the data twice in a row. */
export interface RingMemory {
  readonly consumer: BigUint64Array
  readonly producer: BigUint64Array
  readonly headers: Int32Array
  readonly words: Uint32Array
  readonly bytes: Buffer
  readonly shares?: RingShares | undefined
}

/** Walks the records of a ring; knows only memory, nothing of where it comes from. */
export class RingCursor {
  readonly capacityBytes: number
  readonly #name: string
  /** Dropped at `stop()`, so that no view is touched after the memory is gone. */
  #memory: RingMemory | undefined
  /** Consumer position; exact as a number for 2^53 bytes. */
  #position: number
  #committed: number
  #busyWith: 'drain' | 'lease' | undefined
  #lease: RingLease | undefined

  /** `name` is for errors; `capacityBytes` is a power of two, at most 2^30. */
  constructor(name: string, capacityBytes: number, memory: RingMemory) {
    this.#name = name
    this.capacityBytes = capacityBytes
    this.#memory = memory
    this.#position = Number(Atomics.load(memory.consumer, 0))
    this.#committed = this.#position
  }

  /**
   * Bytes that are written and not yet given back, headers included.
   *
   * @throws {ClosedError}
   */
  get backlogBytes(): number {
    return Number(Atomics.load(this.#open().producer, 0)) - this.#committed
  }

  /**
   * Hands each finished record to `sink`, without copying, up to what was written when the call began or `max` records.
   * A record that a program has not finished yet ends the batch; discarded ones are skipped. Space is given back once
   * per batch, or at every quarter of the ring. A record with an impossible length is passed with length 0, and what
   * was written after it is skipped. When the sink throws, the record it threw at counts as consumed, so that one bad
   * record cannot stop the ring. The sink may stop the cursor.
   *
   * @returns how many records the sink got
   * @throws {ClosedError}
   * @throws {TypeError} when called from the sink, or while a lease is held
   */
  drain(sink: RecordSink, max: number = Number.POSITIVE_INFINITY): number {
    const memory = this.#begin('drain')
    const { words, bytes, headers, shares } = memory
    const quarter = this.capacityBytes / 4
    const end = Number(Atomics.load(memory.producer, 0))
    const mask = this.capacityBytes - 1
    let position = this.#position
    let offset = position % this.capacityBytes
    let count = 0
    try {
      while (position < end && count < max) {
        const header = Atomics.load(headers, offset >> 2)
        if ((header & BUSY) !== 0) {
          break
        }
        let lengthBytes = header & LENGTH_MASK
        const sizeBytes = (lengthBytes + HEADER_SIZE_BYTES + 7) & ~7
        const start = offset + HEADER_SIZE_BYTES
        const isPossible = sizeBytes <= end - position
        if (isPossible) {
          position += sizeBytes
          offset = (offset + sizeBytes) & mask
          shares?.add(words[start >> 2]! & 0xffff, sizeBytes)
        } else {
          // The start of the next record is unknown. Every sink refuses and counts a record of length 0.
          lengthBytes = 0
          position = end
          shares?.skip()
        }
        this.#position = position
        if ((header & DISCARDED) === 0 || !isPossible) {
          count += 1
          sink.record(words, bytes, start, lengthBytes)
          if (this.#memory === undefined) {
            break
          }
        }
        if (position - this.#committed >= quarter) {
          this.#commit()
        }
      }
    } finally {
      this.#busyWith = undefined
      this.#commit()
    }
    return count
  }

  /**
   * Holds up to `max` finished records, without copying, until the lease is released; the ring fills meanwhile. A
   * record with an impossible length is treated as `drain` does.
   *
   * @throws {ClosedError}
   * @throws {TypeError} when called from a sink, or while another lease is held
   */
  lease(max: number = Number.POSITIVE_INFINITY): RingLease {
    const memory = this.#begin('lease')
    const end = Number(Atomics.load(memory.producer, 0))
    const ranges: LeasedRange[] = []
    while (this.#position < end && ranges.length < max) {
      const offset = this.#position % this.capacityBytes
      const header = Atomics.load(memory.headers, offset >> 2)
      if ((header & BUSY) !== 0) {
        break
      }
      const lengthBytes = header & LENGTH_MASK
      const sizeBytes = (lengthBytes + HEADER_SIZE_BYTES + 7) & ~7
      if (sizeBytes > end - this.#position) {
        ranges.push({ offsetBytes: offset + HEADER_SIZE_BYTES, lengthBytes: 0 })
        this.#position = end
        memory.shares?.skip()
        break
      }
      if ((header & DISCARDED) === 0) {
        ranges.push({ offsetBytes: offset + HEADER_SIZE_BYTES, lengthBytes })
      }
      this.#position += sizeBytes
      memory.shares?.add(memory.words[(offset + HEADER_SIZE_BYTES) >> 2]! & 0xffff, sizeBytes)
    }
    this.#lease = new RingLease(memory.bytes, ranges, () => {
      this.#lease = undefined
      this.#busyWith = undefined
      this.#commit()
    })
    return this.#lease
  }

  /** Gives consumed space back, ends a lease and forgets the memory; false when that was done before. */
  stop(): boolean {
    if (this.#memory === undefined) {
      return false
    }
    this.#commit()
    this.#memory = undefined
    this.#lease?.release()
    return true
  }

  #open(): RingMemory {
    if (this.#memory === undefined) {
      throw new ClosedError(`Reader of ${this.#name}`)
    }
    return this.#memory
  }

  #begin(what: 'drain' | 'lease'): RingMemory {
    const memory = this.#open()
    if (this.#busyWith !== undefined) {
      throw new TypeError(`Cannot begin a ${what} of ${this.#name}: a ${this.#busyWith} is not finished`)
    }
    this.#busyWith = what
    return memory
  }

  /** Gives consumed space back to the producers; does nothing after `close()`. */
  #commit(): void {
    if (this.#memory !== undefined && this.#position !== this.#committed) {
      this.#memory.shares?.commit()
      Atomics.store(this.#memory.consumer, 0, BigInt(this.#position))
      this.#committed = this.#position
    }
  }
}
