/*
 * Memory of a perf ring (include/uapi/linux/perf_event.h), positions counted in bytes since creation:
 *
 *   page 0       data_head, u64 at 1024: how far the kernel has written
 *                data_tail, u64 at 1032: how far it may not overwrite
 *   page 1 ...   the data, a power of two of pages; records wrap around its end
 *
 * A record is `type u32 | misc u16 | size u16` and, with the sample type below, one of
 *
 *   SAMPLE  pid u32, tid u32 | time u64 | cpu u32, reserved u32 | size u32, raw bytes
 *   LOST    id u64 | lost u64 | pid u32, tid u32 | time u64 | cpu u32, reserved u32
 */

/** The `sample_type` of the records: TID, TIME, CPU, RAW. */
export const PERF_SAMPLE_TYPE = 0x2 | 0x4 | 0x80 | 0x400

const HEAD_WORD = 1024 / 8
const TAIL_WORD = 1032 / 8
const HEADER_SIZE_BYTES = 8
const PERF_RECORD_LOST = 2
const PERF_RECORD_SAMPLE = 9
const RAW_AT = 36
const LOST_SIZE_BYTES = 24

/** One hit of an event. */
export interface PerfSample {
  /** The CPU whose ring it was in. */
  readonly cpu: number
  /** The thread that hit, in the pid namespace of whoever opened the event. */
  readonly tid: number
  /** ns of the clock that the event was opened with. */
  readonly timeNs: bigint
  /** The event's fields, as laid out by its `format`; a copy. */
  readonly raw: Buffer
}

/** Takes what is in a perf ring. */
export interface PerfSink {
  sample(sample: PerfSample): void
  /** The kernel dropped `count` records of this CPU here, or a record was malformed. */
  lost(cpu: number, count: number): void
}

/** The memory of a ring, as laid out above. */
export interface PerfMemory {
  readonly control: BigUint64Array
  readonly data: Buffer
}

/** Walks the records of one CPU's ring; knows only memory, nothing of where it comes from. */
export class PerfCursor {
  readonly cpu: number
  #memory: PerfMemory | undefined
  #broken = 0

  /** The size of `memory.data` is a power of two. */
  constructor(cpu: number, memory: PerfMemory) {
    this.cpu = cpu
    this.#memory = memory
  }

  /** Malformed records so far. */
  get broken(): number {
    return this.#broken
  }

  /** Bytes that wait; 0 after `stop`. */
  get backlogBytes(): number {
    if (this.#memory === undefined) return 0
    const { control } = this.#memory
    return Number(Atomics.load(control, HEAD_WORD) - Atomics.load(control, TAIL_WORD))
  }

  /** Used share of the ring, 0 to 1. */
  get fullness(): number {
    return this.#memory === undefined ? 0 : this.backlogBytes / this.#memory.data.length
  }

  /**
   * Hands over what was written when the call began, and frees its space. Malformed records are counted and reported
   * as lost, never thrown; after a record whose length is impossible, the rest is one loss.
   */
  drain(sink: PerfSink): void {
    if (this.#memory === undefined) return
    const { control, data } = this.#memory
    const head = Atomics.load(control, HEAD_WORD)
    let position = Number(Atomics.load(control, TAIL_WORD))
    const end = Number(head)
    // The kernel never writes further ahead than this.
    if (end - position > data.length) {
      this.#reject(sink)
      position = end
    }
    while (position < end) {
      const sizeBytes = this.#record(data, position, end, sink)
      if (sizeBytes === undefined) {
        this.#reject(sink)
        break
      }
      position += sizeBytes
    }
    Atomics.store(control, TAIL_WORD, head)
  }

  /** Forgets the memory, which may go then. */
  stop(): void {
    this.#memory = undefined
  }

  /** The size of the record at `position`; undefined if the size in its header is impossible. */
  #record(data: Buffer, position: number, end: number, sink: PerfSink): number | undefined {
    const at = position % data.length
    // Records begin at multiples of 8, so a header never wraps.
    if (end - position < HEADER_SIZE_BYTES || at % 8 !== 0) return undefined
    const type = data.readUInt32LE(at)
    const sizeBytes = data.readUInt16LE(at + 6)
    if (sizeBytes < HEADER_SIZE_BYTES || sizeBytes % 8 !== 0 || sizeBytes > end - position) return undefined
    if (type === PERF_RECORD_SAMPLE) this.#sample(unwrapped(data, at, sizeBytes), sink)
    else if (type === PERF_RECORD_LOST) this.#lost(unwrapped(data, at, sizeBytes), sink)
    return sizeBytes
  }

  #sample(record: Buffer, sink: PerfSink): void {
    const rawBytes = record.length < RAW_AT ? undefined : record.readUInt32LE(RAW_AT - 4)
    if (rawBytes === undefined || rawBytes > record.length - RAW_AT) {
      this.#reject(sink)
      return
    }
    sink.sample({
      cpu: this.cpu,
      tid: record.readUInt32LE(12),
      timeNs: record.readBigUInt64LE(16),
      raw: record.subarray(RAW_AT, RAW_AT + rawBytes),
    })
  }

  #lost(record: Buffer, sink: PerfSink): void {
    if (record.length < LOST_SIZE_BYTES) this.#reject(sink)
    else sink.lost(this.cpu, Number(record.readBigUInt64LE(16)))
  }

  #reject(sink: PerfSink): void {
    this.#broken += 1
    sink.lost(this.cpu, 1)
  }
}

/** A copy of a record that may wrap around the end of the ring. */
function unwrapped(data: Buffer, at: number, sizeBytes: number): Buffer {
  const record = Buffer.allocUnsafe(sizeBytes)
  const copied = data.copy(record, 0, at, Math.min(at + sizeBytes, data.length))
  data.copy(record, copied, 0, sizeBytes - copied)
  return record
}
