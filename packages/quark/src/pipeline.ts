import { HEADER_SIZE_BYTES, TAIL_LENGTH_MASK } from '@quark/ebpf/probe'
import { Aggregator } from './aggregate/aggregate.js'
import type { AggregationTable } from './aggregate/table.js'
import type { LostCause, QuarkEvent } from './event/event.js'
import type { Kind, RecordType, Tables } from './event/kind.js'
import { LossRecord, lostEventOf, RECORD_LOSS } from './event/loss.js'
import { RecordGroup } from './event/raw.js'
import { u64Of } from './event/time-base.js'
import { RecordBuffer, type RecordBufferOptions } from './order/buffer.js'
import { SequenceTracker } from './order/sequence.js'

export interface PipelineOptions extends RecordBufferOptions {
  readonly kinds: readonly Kind[]
  readonly aggregation: AggregationTable
}

/** Counters since the pipeline was made. */
export interface PipelineCounters {
  readonly insertions: number
  readonly removals: number
  /** Events made of several records, and of one. */
  readonly aggregations: number
  readonly nonAggregations: number
  /** Broken records. */
  readonly rejected: number
  /** Records whose loss was seen as a gap in the numbers of their CPU. */
  readonly missing: number
}

/** A record that is held: for pictures of the buffer. */
export interface BufferedRecord {
  readonly pid: number
  /** CLOCK_BOOTTIME. */
  readonly timeNs: bigint
  readonly type: string
}

/** What validation needs of a record type; `pid` and `tails` are offsets in words, `pid` 0 for none. */
interface Shape {
  readonly fixedSizeBytes: number
  readonly pid: number
  readonly tails: readonly number[]
  readonly recordType: RecordType
}

/**
 * A record that no other can join waits only so long, for older ones of other CPUs. They write into one ring,
 * in nearly the order of time, so this is ample.
 */
const ORDER_TIME_NS = 20e6
const MAX_RECORD_TYPE = 31

/**
 * The way from records to events: validate, order, aggregate, apply. It is deterministic: the same calls give
 * the same events, live and in a replay.
 */
export class Pipeline {
  readonly tables: Tables
  readonly #shapes: (Shape | undefined)[] = new Array(MAX_RECORD_TYPE + 1).fill(undefined)
  readonly #table: AggregationTable
  readonly #buffer: RecordBuffer
  readonly #aggregator: Aggregator
  readonly #group: RecordGroup
  readonly #sequence = new SequenceTracker()
  readonly #loss = new LossRecord()
  /** Of the first record. Times are relative to it, so that they are exact numbers for 104 days. */
  #baseLo = 0
  #baseHi = 0
  #latestLo = 0
  #latestHi = 0
  #hasBase = false
  #insertions = 0
  #removals = 0
  #aggregations = 0
  #nonAggregations = 0
  #rejected = 0
  #rejectedUntold = 0
  #evictedTold = 0
  #missing = 0

  constructor(options: PipelineOptions, tables: Tables) {
    this.tables = tables
    this.#table = options.aggregation
    this.#buffer = new RecordBuffer(options)
    this.#aggregator = new Aggregator(this.#buffer, options.aggregation)
    this.#group = new RecordGroup(this.#buffer)
    for (const recordType of options.kinds.flatMap((kind) => kind.records)) {
      const { type, fixedSizeBytes, at, tails } = recordType.layout
      this.#shapes[type] = {
        fixedSizeBytes,
        pid: (at['pid'] ?? 0) >> 2,
        tails: tails.map((tail) => tail.offset >> 2),
        recordType,
      }
    }
  }

  get counters(): PipelineCounters {
    return {
      insertions: this.#insertions,
      removals: this.#removals,
      aggregations: this.#aggregations,
      nonAggregations: this.#nonAggregations,
      rejected: this.#rejected,
      missing: this.#missing,
    }
  }

  /** How many more records fit in the buffer: at most so many should be drained before the next `pump`. */
  room(): number {
    return this.#buffer.room()
  }

  /** The held records, oldest first. */
  *buffered(): IterableIterator<BufferedRecord> {
    const base = u64Of(this.#baseLo, this.#baseHi)
    for (const index of this.#buffer.indices()) {
      const type = this.#shapes[this.#buffer.typeOf(index)]?.recordType.name ?? 'lost'
      yield { pid: this.#buffer.pidOf(index), timeNs: base + BigInt(this.#buffer.timeOf(index)), type }
    }
  }

  /**
   * Takes in one record, of which nothing is kept; arguments as of `RecordSink.record`. A broken record is
   * counted and told as lost.
   */
  insert(words: Uint32Array, bytes: Uint8Array, offsetBytes: number, lengthBytes: number): void {
    const w = offsetBytes >> 2
    const first = words[w] as number
    const shape = this.#shapes[first & 0xffff]
    if (shape === undefined || !isWhole(shape, words, w, lengthBytes)) {
      this.#reject(words, w, lengthBytes)
      return
    }
    const timeLo = words[w + 2] as number
    const timeHi = words[w + 3] as number
    this.#latestLo = timeLo
    this.#latestHi = timeHi
    if (!this.#hasBase) this.#setBase(timeLo, timeHi)
    if (this.#rejectedUntold !== 0) this.#tellRejected()
    if (shape.recordType.isOwn !== true) {
      const missing = this.#sequence.missingBefore(first >>> 16, words[w + 1] as number)
      if (missing !== 0) {
        this.#missing += missing
        this.noteLost('ringFull', missing, first >>> 16)
      }
    }
    const pid = shape.pid === 0 ? 0 : (words[w + shape.pid] as number)
    this.#insertions += 1
    this.#buffer.insert(
      this.#relative(timeLo, timeHi),
      pid,
      first & 0xffff,
      words,
      bytes,
      offsetBytes,
      lengthBytes,
    )
  }

  /**
   * All records of a CPU up to number `seq` have come or are lost: tells those that are missing, which no later
   * record has revealed yet.
   *
   * @returns how many
   */
  noteMissingUpTo(cpu: number, seq: number): number {
    const missing = this.#sequence.missingUpTo(cpu, seq)
    if (missing > 0) {
      this.#missing += missing
      this.noteLost('ringFull', missing, cpu)
    }
    return missing
  }

  /** Puts a loss into the stream, at the time of the latest record. */
  noteLost(cause: LostCause, count: number, cpu?: number): void {
    this.#loss.set(this.#latestLo, this.#latestHi, cause, count, cpu)
    const { words, bytes } = this.#loss
    const timeNs = this.#relative(this.#latestLo, this.#latestHi)
    this.#buffer.insert(timeNs, 0, RECORD_LOSS, words, bytes, 0, bytes.length)
  }

  /**
   * Appends the events that are due to `out`, at most `limit`.
   *
   * @param nowBootNs CLOCK_BOOTTIME; must not fall from call to call
   * @returns how many
   */
  pump(nowBootNs: number, out: QuarkEvent[], limit = Number.POSITIVE_INFINITY): number {
    this.#tellOwnLosses()
    this.tables.processes.collect(nowBootNs)
    const nowNs = this.#relativeNow(nowBootNs)
    const before = out.length
    while (out.length - before < limit) {
      const oldest = this.#buffer.oldest()
      if (oldest === -1 || nowNs < this.#dueNs(oldest)) break
      this.#deliver(oldest, out)
    }
    return out.length - before
  }

  /** ns from `nowBootNs` until the next event is due, if no record comes; Infinity when none is held. */
  dueInNs(nowBootNs: number): number {
    const oldest = this.#buffer.oldest()
    if (oldest === -1) return Number.POSITIVE_INFINITY
    return Math.max(0, this.#dueNs(oldest) - this.#relativeNow(nowBootNs))
  }

  /** Appends the events of all held records to `out`, however young they are; returns how many. */
  flush(out: QuarkEvent[]): number {
    const before = out.length
    do {
      this.#tellOwnLosses()
      for (let oldest = this.#buffer.oldest(); oldest !== -1; oldest = this.#buffer.oldest()) {
        this.#deliver(oldest, out)
      }
    } while (this.tables.processes.evicted !== this.#evictedTold)
    return out.length - before
  }

  /** When the oldest record is to be delivered, relative as all times here. */
  #dueNs(oldest: number): number {
    const buffer = this.#buffer
    const holdNs = buffer.holdTimeNs()
    const dueNs = buffer.timeOf(oldest) + holdNs
    const last = buffer.lastOfPid(oldest)
    const isComplete =
      this.#table.isChildless(buffer.typeOf(oldest)) ||
      this.#shapes[buffer.typeOf(last)]?.recordType.isLast === true
    return isComplete ? Math.min(dueNs, buffer.timeOf(last) + Math.min(holdNs, ORDER_TIME_NS)) : dueNs
  }

  /** Makes an event of the oldest record and those that join it, and takes them out of the buffer. */
  #deliver(oldest: number, out: QuarkEvent[]): void {
    const group = this.#group
    const buffer = this.#buffer
    this.#aggregator.gather(oldest, group)
    const shape = this.#shapes[buffer.typeOf(oldest)]
    if (shape === undefined) {
      buffer.locate(oldest, group)
      out.push(lostEventOf(group, this.tables.timeBase.bootEpochNs))
    } else {
      const event = shape.recordType.apply(group, this.tables)
      if (event !== undefined) out.push(event)
      this.#removals += group.count
      if (group.count > 1) this.#aggregations += 1
      else this.#nonAggregations += 1
    }
    for (let i = 0; i < group.count; i++) buffer.remove(group.indexAt(i))
  }

  #reject(words: Uint32Array, w: number, lengthBytes: number): void {
    this.#rejected += 1
    this.#rejectedUntold += 1
    if (lengthBytes < HEADER_SIZE_BYTES) return
    this.#sequence.noteBroken((words[w] as number) >>> 16, words[w + 1] as number)
  }

  #tellRejected(): void {
    this.noteLost('rejected', this.#rejectedUntold)
    this.#rejectedUntold = 0
  }

  /** Losses of this process's making: told once for many, as they come in crowds. */
  #tellOwnLosses(): void {
    if (this.#rejectedUntold !== 0) this.#tellRejected()
    const { evicted } = this.tables.processes
    if (evicted === this.#evictedTold) return
    this.noteLost('evicted', evicted - this.#evictedTold)
    this.#evictedTold = evicted
  }

  #setBase(lo: number, hi: number): void {
    this.#hasBase = true
    this.#baseLo = lo
    this.#baseHi = hi
  }

  #relativeNow(bootNs: number): number {
    return bootNs - (this.#baseHi * 2 ** 32 + this.#baseLo)
  }

  #relative(lo: number, hi: number): number {
    return (hi - this.#baseHi) * 2 ** 32 + (lo - this.#baseLo)
  }
}

/** Whether a record is as long as its layout and the lengths of its tails say. */
function isWhole(
  { fixedSizeBytes, tails }: Shape,
  words: Uint32Array,
  w: number,
  lengthBytes: number,
): boolean {
  if (lengthBytes < fixedSizeBytes) return false
  let sizeBytes = fixedSizeBytes
  for (let i = 0; i < tails.length; i++) {
    sizeBytes += (words[w + (tails[i] as number)] as number) & TAIL_LENGTH_MASK
  }
  return sizeBytes <= lengthBytes
}
