import { HEADER_SEQ, HEADER_SIZE_BYTES, HEADER_TIME } from 'quark-ebpf/probe'
import { Aggregator } from '../aggregate/aggregate.js'
import type { AggregationTable } from '../aggregate/table.js'
import type { BaseEvent, LostCause } from '../event/event.js'
import type { Kind, RecordType, Tables } from '../kinds/kind.js'
import { LossRecord, lostEventOf } from '../event/loss.js'
import { RecordGroup } from '../event/raw.js'
import { ChainSpaces, NO_CHAIN } from '../event/chains.js'
import { NO_SHAPE, type RecordShape, RecordShapes } from '../event/shapes.js'
import { u64Of } from '../event/time-base.js'
import { RecordBuffer, type RecordBufferOptions } from '../order/buffer.js'
import { SequenceTracker } from '../order/sequence.js'
import { ProcessRecord } from '../process/entry.js'
import { type Relatives, RelativesFinder } from '../process/relatives.js'

export interface PipelineOptions extends RecordBufferOptions {
  readonly kinds: readonly Kind[]
  readonly aggregation: AggregationTable
  /** Deliver an event that cannot grow any more before its hold time is over. Default true. */
  readonly releaseEarly?: boolean
  /** CPUs that records can come from; default: any number. */
  readonly cpus?: number
  /** Lanes of each CPU, of which `level * cpus + cpu` is one; 1 when absent. Lanes beyond them are of no CPU. */
  readonly levels?: number
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
  /** Records whose loss was seen as a gap in the numbers of their lane. */
  readonly missing: number
}

/** A record that is held: for pictures of the buffer. */
export interface BufferedRecord {
  readonly pid: number
  /** CLOCK_BOOTTIME. */
  readonly timeNs: bigint
  readonly type: string
}

/** An event that may be about a process. */
interface RelatedEvent extends BaseEvent {
  readonly process?: unknown
  relatives?: Relatives | undefined
}

const SEQ = HEADER_SEQ >> 2
const TIME_LO = HEADER_TIME >> 2
const TIME_HI = TIME_LO + 1

/**
 * A record that no other can join waits only so long, for older ones of other CPUs. They write into one ring,
 * in nearly the order of time, so this is ample.
 */
const ORDER_TIME_NS = 20e6

/**
 * The way from records to events: validate, order, aggregate, apply. It is deterministic: the same calls give
 * the same events, live and in a replay.
 */
export class Pipeline {
  readonly tables: Tables
  readonly #shapes: RecordShapes<RecordType>
  readonly #cpus: number
  readonly #lanes: number
  readonly #releasesEarly: boolean
  readonly #buffer: RecordBuffer
  readonly #aggregator: Aggregator
  readonly #group: RecordGroup
  readonly #relatives: RelativesFinder
  readonly #sequence = new SequenceTracker()
  readonly #loss = new LossRecord()
  /** Time of the last record or `pump`, whatever came later: losses are told at it. */
  #latestLo = 0
  #latestHi = 0
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
    this.#releasesEarly = options.releaseEarly ?? true
    this.#cpus = options.cpus ?? Number.POSITIVE_INFINITY
    this.#lanes = this.#cpus * (options.levels ?? 1)
    const { kinds, aggregation } = options
    const spaces = new ChainSpaces(kinds, (type) => aggregation.crosses(type))
    this.#shapes = new RecordShapes(kinds, spaces)
    this.#buffer = new RecordBuffer(options, spaces.keyWords)
    this.#aggregator = new Aggregator(this.#buffer, aggregation, this.#shapes)
    this.#group = new RecordGroup(this.#buffer)
    this.#relatives = new RelativesFinder(tables.processes)
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
    const buffer = this.#buffer
    for (const index of buffer.indices()) {
      buffer.locate(index, this.#group)
      const { words, offsetBytes } = this.#group
      const timeNs = u64Of(
        words[(offsetBytes >> 2) + TIME_LO] as number,
        words[(offsetBytes >> 2) + TIME_HI] as number,
      )
      const shape = this.#shapes.at(buffer.shapeOf(index))
      const pid =
        shape === undefined || shape.pid === 0 ? 0 : (words[(offsetBytes >> 2) + shape.pid] as number)
      yield { pid, timeNs, type: shape?.recordType.name ?? 'lost' }
    }
  }

  /**
   * Takes in one record, of which nothing is kept; arguments as of `RecordSink.record`. A broken record is
   * counted and told as lost.
   */
  insert(words: Uint32Array, bytes: Uint8Array, offsetBytes: number, lengthBytes: number): void {
    const w = offsetBytes >> 2
    const shape = this.#shapes.check(words, w, lengthBytes)
    if (shape === undefined) {
      this.#reject(words, w, lengthBytes)
      return
    }
    this.#latestLo = words[w + TIME_LO] as number
    this.#latestHi = words[w + TIME_HI] as number
    if (this.#rejectedUntold !== 0) this.#tellRejected()
    if (shape.recordType.isOwn !== true) {
      const lane = (words[w] as number) >>> 16
      this.#tellMissing(lane, this.#sequence.missingBefore(lane, words[w + SEQ] as number))
    }
    this.#insertions += 1
    const { space, number } = shape
    const key = space === NO_CHAIN ? 0 : this.#keyOf(shape, words, w)
    this.#buffer.insert(words, bytes, offsetBytes, lengthBytes, key, space, number)
  }

  #keyOf({ keyWord, space, key }: RecordShape, words: Uint32Array, w: number): number {
    return keyWord !== 0 ? (words[w + keyWord] as number) : this.#buffer.wideKey(space, words, w, key)
  }

  /**
   * All records of a lane up to number `seq` have come or are lost: tells those that are missing, which no later
   * record has revealed yet.
   *
   * @returns how many
   */
  noteMissingUpTo(lane: number, seq: number): number {
    return this.#tellMissing(lane, this.#sequence.missingUpTo(lane, seq))
  }

  #tellMissing(lane: number, missing: number): number {
    if (missing === 0) return 0
    this.#missing += missing
    this.noteLost('ringFull', missing, lane)
    return missing
  }

  /** Puts a loss into the stream: at the time of the record before, or of the `pump` if that came later. */
  noteLost(cause: LostCause, count: number, lane?: number): void {
    const known = lane !== undefined && lane < this.#lanes ? lane % this.#cpus : undefined
    this.#loss.set(this.#latestLo, this.#latestHi, cause, count, known)
    this.#buffer.insert(this.#loss.words, this.#loss.bytes, 0, this.#loss.bytes.length, 0, 0, NO_SHAPE)
  }

  /**
   * Appends the events that are due to `out`, at most `limit`.
   *
   * @param nowBootNs CLOCK_BOOTTIME; must not fall from call to call
   * @returns how many
   */
  pump(nowBootNs: number, out: BaseEvent[], limit = Number.POSITIVE_INFINITY): number {
    this.#tellOwnLosses()
    this.#latestHi = Math.floor(nowBootNs / 2 ** 32)
    this.#latestLo = nowBootNs % 2 ** 32
    this.tables.processes.collect(nowBootNs)
    const nowNs = this.#buffer.relative(nowBootNs)
    const before = out.length
    while (out.length - before < limit) {
      const oldest = this.#buffer.oldest()
      if (oldest === -1 || nowNs < this.#dueNs(oldest)) break
      this.#deliver(oldest, out)
    }
    return out.length - before
  }

  /**
   * ns from `nowBootNs` until `pump` has something to do, if no record comes: an event is due, or ended processes
   * are to be forgotten. Infinity for neither.
   */
  dueInNs(nowBootNs: number): number {
    const oldest = this.#buffer.oldest()
    const forgetInNs = this.tables.processes.collectInNs(nowBootNs)
    if (oldest === -1) return forgetInNs
    return Math.min(forgetInNs, Math.max(0, this.#dueNs(oldest) - this.#buffer.relative(nowBootNs)))
  }

  /** Appends the events of all held records to `out`, however young they are; returns how many. */
  flush(out: BaseEvent[]): number {
    return this.#flush(out, false)
  }

  #flush(out: BaseEvent[], isScan: boolean): number {
    const before = out.length
    do {
      this.#tellOwnLosses()
      for (let oldest = this.#buffer.oldest(); oldest !== -1; oldest = this.#buffer.oldest()) {
        this.#deliver(oldest, out, isScan)
      }
    } while (this.tables.processes.evicted !== this.#evictedTold)
    return out.length - before
  }

  /** As `flush`, for a scan of what exists: a process may be found before its parent. */
  flushScan(out: BaseEvent[]): void {
    let at = out.length
    this.#flush(out, true)
    for (; at < out.length; at++) this.#relate(out[at] as BaseEvent)
  }

  /** What an event is about is given its relatives, as they are now. */
  #relate(event: RelatedEvent): void {
    const { process } = event
    if (process instanceof ProcessRecord) event.relatives = this.#relatives.find(process)
  }

  /** When the oldest record is to be delivered, relative as all times here. */
  #dueNs(oldest: number): number {
    const buffer = this.#buffer
    const holdNs = buffer.holdTimeNs()
    const dueNs = buffer.timeOf(oldest) + holdNs
    if (!this.#releasesEarly) return dueNs
    const last = this.#lastOwn(oldest)
    const isComplete =
      this.#aggregator.isChildless(buffer.shapeOf(oldest)) ||
      this.#shapes.at(buffer.shapeOf(last))?.recordType.isLast === true
    return isComplete ? Math.min(dueNs, buffer.timeOf(last) + Math.min(holdNs, ORDER_TIME_NS)) : dueNs
  }

  /** The last record of a record's chain that is of the chain's own kind. */
  #lastOwn(index: number): number {
    const buffer = this.#buffer
    let last = buffer.lastOf(index)
    while (last !== index && this.#shapes.at(buffer.shapeOf(last))?.isForeign === true) {
      last = buffer.previousOf(last)
    }
    return last
  }

  /** Makes an event of the oldest record and those that join it, and takes them out of the buffer. */
  #deliver(oldest: number, out: BaseEvent[], isScan = false): void {
    const group = this.#group
    const buffer = this.#buffer
    this.#aggregator.gather(oldest, group)
    const shape = this.#shapes.at(buffer.shapeOf(oldest))
    if (shape === undefined) {
      buffer.locate(oldest, group)
      out.push(lostEventOf(group, this.tables.timeBase.bootEpochNs))
    } else {
      const event = shape.recordType.apply(group, this.tables)
      const { foreign } = group
      if (foreign.length > 0) this.#applyForeign(foreign, event)
      if (event !== undefined) {
        if (!isScan) this.#relate(event)
        out.push(event)
      }
      const count = group.count + foreign.length
      this.#removals += count
      if (count > 1) this.#aggregations += 1
      else this.#nonAggregations += 1
    }
    for (let i = 0; i < group.count; i++) buffer.remove(group.indexAt(i))
  }

  /** Records that joined an event of another kind. */
  #applyForeign(indices: readonly number[], event: BaseEvent | undefined): void {
    const buffer = this.#buffer
    for (const index of indices) {
      buffer.locate(index, this.#group)
      this.#shapes.at(buffer.shapeOf(index))?.recordType.applyJoined?.(this.#group, event, this.tables)
      buffer.remove(index)
    }
  }

  #reject(words: Uint32Array, w: number, lengthBytes: number): void {
    this.#rejected += 1
    this.#rejectedUntold += 1
    if (lengthBytes < HEADER_SIZE_BYTES) return
    this.#sequence.noteBroken((words[w] as number) >>> 16, words[w + SEQ] as number)
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
}
