import type { BpfMap } from '../map/map.js'
import { type RecordSink, RingCursor } from './cursor.js'
import type { RingLease } from './lease.js'
import type { RingShares } from './shares.js'
import type { Fd } from '../sys/fd.js'
import { pageSizeBytes } from '../sys/libc.js'
import { MappedMemory } from '../sys/memory.js'

const LARGEST_RING_BYTES = 2 ** 30

/** The one consumer of a ring. Needs Linux 5.8. The map may be closed while the reader lives. */
export class RingReader implements Disposable {
  readonly capacityBytes: number
  /** The ring's descriptor, readable once a program wakes the reader: for a `Poller`. The map owns it. */
  readonly fd: Fd
  readonly #cursor: RingCursor
  readonly #mappings: readonly MappedMemory[]

  private constructor(
    map: BpfMap,
    consumer: MappedMemory,
    rest: MappedMemory,
    shares: RingShares | undefined,
  ) {
    const page = pageSizeBytes()
    this.capacityBytes = map.spec.maxEntries
    this.fd = map.fd
    this.#mappings = [consumer, rest]
    this.#cursor = new RingCursor(`ring "${map.spec.name}"`, this.capacityBytes, {
      consumer: new BigUint64Array(consumer.buffer, 0, 1),
      producer: new BigUint64Array(rest.buffer, 0, 1),
      headers: new Int32Array(rest.buffer, page),
      words: new Uint32Array(rest.buffer, page),
      bytes: Buffer.from(rest.buffer, page),
      shares,
    })
  }

  /**
   * Maps a ring for reading. Only one reader may consume a ring.
   *
   * @param shares what a session's programs count by kind
   * @throws {KernelError} when mmap(2) refuses
   * @throws {TypeError} when `map` is no ring
   */
  static open(map: BpfMap, shares?: RingShares): RingReader {
    if (map.spec.type !== 'ringbuf' || map.spec.maxEntries > LARGEST_RING_BYTES) {
      throw new TypeError(`Map "${map.spec.name}" is not a ring of at most ${LARGEST_RING_BYTES} bytes`)
    }
    const page = pageSizeBytes()
    const what = `ring "${map.spec.name}"`
    const consumer = MappedMemory.map(map.fd, page, { what, writable: true })
    try {
      const sizeBytes = page + 2 * map.spec.maxEntries
      const rest = MappedMemory.map(map.fd, sizeBytes, { what, writable: false, offsetBytes: page })
      return new RingReader(map, consumer, rest, shares)
    } catch (error) {
      consumer.close()
      throw error
    }
  }

  /**
   * Bytes that are written and not yet given back, headers included.
   *
   * @throws {ClosedError}
   */
  get backlogBytes(): number {
    return this.#cursor.backlogBytes
  }

  /**
   * Share of the ring that is written and not yet given back, 0 to 1.
   *
   * @throws {ClosedError}
   */
  get fullness(): number {
    return this.backlogBytes / this.capacityBytes
  }

  /**
   * Hands each finished record to `sink`, as `RingCursor.drain` says. The sink may close the reader.
   *
   * @returns how many records the sink got
   * @throws {ClosedError}
   * @throws {TypeError} when called from the sink, or while a lease is held
   */
  drain(sink: RecordSink, max?: number): number {
    return this.#cursor.drain(sink, max)
  }

  /**
   * Holds up to `max` finished records, without copying, until the lease is released; the ring fills meanwhile.
   *
   * @throws {ClosedError}
   * @throws {TypeError} when called from a sink, or while another lease is held
   */
  lease(max?: number): RingLease {
    return this.#cursor.lease(max)
  }

  /** Unmaps the ring and ends a lease. What was not consumed stays in the map. */
  close(): void {
    if (this.#cursor.stop()) {
      for (const mapping of this.#mappings) {
        mapping.close()
      }
    }
  }

  [Symbol.dispose](): void {
    this.close()
  }
}
