import { HEADER_SEQ, HEADER_SIZE_BYTES, HEADER_TIME } from 'quark-ebpf/probe'
import { Aggregator } from '../aggregate/aggregate.js'
import type { AggregationTable } from '../aggregate/table.js'
import type { BaseEvent, LostCause } from '../event/event.js'
import type { KindTable } from '../event/table.js'
import type { EventFilter, Kind, ProcessListFinder, RecordType, Tables } from '../kinds/kind.js'
import { RecordGroup } from '../event/raw.js'
import { ChainSpaces, NO_CHAIN } from '../event/chains.js'
import { RecordShapes } from '../event/shapes.js'
import { u64Of } from '../event/time-base.js'
import { RecordBuffer, type RecordBufferOptions } from '../order/buffer.js'
import { SequenceTracker } from '../order/sequence.js'
import { ProcessRecord } from '../process/entry.js'
import { type Relatives, RelativesFinder } from '../process/relatives.js'
import { FoundEvents } from './found.js'
import type { LossesOf } from '../backend/backend.js'
import type { Span } from './ledger.js'
import { Losses } from './losses.js'
import { Release } from './release.js'

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
  /** What the kernel counted and no record told of. */
  readonly unseen: number
}

/** A held record, for graphs of the buffer. */
export interface BufferedRecord {
  readonly pid: number
  /** CLOCK_BOOTTIME. */
  readonly timeNs: bigint
  readonly type: string
}

/** An event that may be about a process. */
interface RelatedEvent extends BaseEvent {
  process?: unknown
  relatives?: Relatives | undefined
}

/** Records whose kind may have further events of them. */
interface Unfinished {
  readonly recordType: RecordType
  readonly timeLo: number
  readonly timeHi: number
}

interface FoundEvent {
  readonly event: BaseEvent
  readonly timeNs: number
}

/** Half of a time after all others. */
const LATEST = -1

/** A batch ends when the records of its events had so many bytes together: all of them are in memory at the same time. */
const MAX_BATCH_BYTES = 4 << 20

const SEQ = HEADER_SEQ >> 2
const TIME_LO = HEADER_TIME >> 2
const TIME_HI = TIME_LO + 1

/**
 * Makes events of records: check, order, aggregate, apply, relate. It is deterministic: the same calls give
 * the same events, live and in a replay.
 */
export class Pipeline {
  readonly tables: Tables
  readonly #shapes: RecordShapes<RecordType>
  readonly #buffer: RecordBuffer
  readonly #aggregator: Aggregator
  readonly #release: Release
  readonly #group: RecordGroup
  readonly #relatives: RelativesFinder
  readonly #losses: Losses
  readonly #found = new FoundEvents()
  readonly #sequence = new SequenceTracker()
  readonly #all: readonly KindTable[]
  /** What events are to have of their processes, by its name. */
  readonly #lists: readonly (readonly [name: string, find: ProcessListFinder])[]
  #insertions = 0
  #removals = 0
  #aggregations = 0
  #nonAggregations = 0
  #missing = 0
  #isBehind = false
  #unfinished: Unfinished | undefined = undefined
  /** What is to be done when all records before a time are applied, in the order of times. */
  #turns: { readonly bootNs: number; readonly act: () => void }[] = []
  readonly #filter: EventFilter | undefined
  #hasBegun = false
  /** Events of a scan are filtered when they are delivered: by then all that was found is known. */
  #isScanning = false

  constructor(options: PipelineOptions, tables: Tables) {
    const { kinds, aggregation, cpus = Number.POSITIVE_INFINITY, levels = 1, releaseEarly = true } = options
    const spaces = new ChainSpaces(kinds, (type) => aggregation.crosses(type))
    this.tables = tables
    this.#filter = tables.filter
    this.#all = [...tables.all.values()]
    this.#shapes = new RecordShapes(kinds, spaces)
    this.#buffer = new RecordBuffer(options, spaces.keyWords)
    this.#aggregator = new Aggregator(this.#buffer, aggregation, this.#shapes)
    this.#release = new Release(this.#buffer, this.#shapes, this.#aggregator, releaseEarly)
    this.#group = new RecordGroup(this.#buffer)
    this.#relatives = new RelativesFinder(
      tables.processes,
      (tables.settings['ancestors'] as number | undefined) ?? 0,
    )
    this.#losses = new Losses(this.#buffer, tables, { cpus, lanes: cpus * levels })
    this.#lists = kinds.flatMap(({ processLists = [] }) =>
      processLists.flatMap((list) => {
        const find = list.finder(tables)
        return find === undefined ? [] : [[list.name, find] as const]
      }),
    )
  }

  get counters(): PipelineCounters {
    return {
      insertions: this.#insertions,
      removals: this.#removals,
      aggregations: this.#aggregations,
      nonAggregations: this.#nonAggregations,
      rejected: this.#losses.rejected,
      missing: this.#missing,
      unseen: this.#losses.unseen,
    }
  }

  /** Uses only a part of the limits of what is held, 0 to 1: the rest is delivered sooner. */
  holdLess(part: number): void {
    this.#buffer.part = part
  }

  /** Time of the last record, or of the last step if that came later: CLOCK_BOOTTIME. */
  get latestNs(): number {
    const { latestHi, latestLo } = this.#losses
    return latestHi * 2 ** 32 + latestLo
  }

  /** How many more records fit in the buffer: at most so many should be drained before the next `pump`. */
  room(): number {
    return this.#buffer.room()
  }

  /**
   * Calls `act` between the events of records before and from a time of CLOCK_BOOTTIME on, which must not be less than that of an
   * earlier call.
   */
  atTurn(bootNs: number, act: () => void): void {
    this.#turns.push({ bootNs, act })
  }

  /** Does what is to be done before a record of that time, in the unit of the buffer. */
  #turnTo(time: number): void {
    while (this.#turns[0] !== undefined && this.#buffer.relative(this.#turns[0].bootNs) <= time)
      this.#turns.shift()?.act()
  }

  /** Up to which time of CLOCK_BOOTTIME nothing is held, at most `bootNs`. */
  appliedUpToNs(bootNs: number): number {
    const oldest = this.#buffer.oldest()
    if (oldest === -1) return bootNs
    return Math.min(bootNs, bootNs - this.#buffer.relative(bootNs) + this.#buffer.timeOf(oldest))
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
   * Copies one record into the buffer; arguments as of `RecordSink.record`. A broken record is counted and reported
   * as lost.
   */
  insert(words: Uint32Array, bytes: Uint8Array, offsetBytes: number, lengthBytes: number): void {
    const w = offsetBytes >> 2
    const shape = this.#shapes.check(words, w, lengthBytes)
    if (shape === undefined) {
      this.#reject(words, w, lengthBytes)
      return
    }
    const losses = this.#losses
    losses.latestLo = words[w + TIME_LO] as number
    losses.latestHi = words[w + TIME_HI] as number
    if (losses.rejected !== losses.reportedRejected) losses.reportRejected()
    if (!shape.isOwn) {
      const lane = (words[w] as number) >>> 16
      const missing = this.#sequence.missingBefore(lane, words[w + SEQ] as number)
      if (missing !== 0) this.#noteMissing(lane, missing)
    }
    this.#insertions += 1
    const { keyWord, space, number, recordType } = shape
    if (recordType.learn !== undefined) {
      const place = { type: recordType.layout.type, words, bytes: bufferOf(bytes), offsetBytes, lengthBytes }
      recordType.learn(place, this.tables)
    }
    let key = 0
    if (keyWord !== 0) key = words[w + keyWord] as number
    else if (space !== NO_CHAIN) key = this.#buffer.wideKey(space, words, w, shape.key)
    this.#buffer.insert(words, bytes, offsetBytes, lengthBytes, key, space, number)
  }

  /**
   * Skips a valid record that no kind knows: only its number is noted, so that it is not reported as lost.
   *
   * @param isOwn it was written by quark itself, and has no number
   */
  skip(words: Uint32Array, offsetBytes: number, isOwn: boolean): void {
    const w = offsetBytes >> 2
    this.#losses.latestLo = words[w + TIME_LO] as number
    this.#losses.latestHi = words[w + TIME_HI] as number
    this.#losses.reportRejected()
    if (isOwn) return
    const lane = (words[w] as number) >>> 16
    this.#noteMissing(lane, this.#sequence.missingBefore(lane, words[w + SEQ] as number))
  }

  /**
   * Called when all records of a lane up to number `seq` have come or are lost: reports the missing ones which no
   * later record has revealed.
   *
   * @returns how many
   */
  noteMissingUpTo(lane: number, seq: number): number {
    return this.#noteMissing(lane, this.#sequence.missingUpTo(lane, seq))
  }

  #noteMissing(lane: number, missing: number): number {
    if (missing === 0) return 0
    this.#missing += missing
    this.noteLost('ringFull', missing, lane)
    return missing
  }

  /** Puts a loss into the stream: at the time of the record before, or of the `pump` if that came later. */
  noteLost(cause: LostCause, count: number, lane?: number): void {
    this.#losses.note(cause, count, lane)
  }

  /** Notes whose records were lost in a time, or, without `losses`, that it is not known. */
  attribute(losses: LossesOf | undefined, span: Span): void {
    const { ledger } = this.#losses
    if (losses === undefined) ledger.touchAll(span)
    else ledger.add(losses, span)
  }

  /** Records that found the ring full, by the real uid of the processes that ran, as far as it is known. */
  get lostByUid(): ReadonlyMap<number, number> {
    return this.#losses.ledger.byUid
  }

  #reject(words: Uint32Array, w: number, lengthBytes: number): void {
    this.#losses.rejected += 1
    if (lengthBytes < HEADER_SIZE_BYTES) return
    this.#sequence.noteBroken((words[w] as number) >>> 16, words[w + SEQ] as number)
  }

  /**
   * Appends the events that are due to `out`, at most `limit`.
   *
   * @param nowBootNs CLOCK_BOOTTIME; must not fall from call to call
   * @returns how many
   */
  pump(nowBootNs: number, out: BaseEvent[], limit = Number.POSITIVE_INFINITY): number {
    this.#losses.reportOwn()
    this.#losses.latestLo = nowBootNs % 2 ** 32
    this.#losses.latestHi = Math.floor(nowBootNs / 2 ** 32)
    const settledNs = this.#settledNs(nowBootNs)
    for (const table of this.#all) table.collect(nowBootNs, settledNs)
    return this.pumpMore(nowBootNs, out, limit)
  }

  /**
   * Goes on with a `pump` that reached its limit. Together they do what one without a limit does, as long as nothing is
   * inserted in between.
   */
  pumpMore(nowBootNs: number, out: BaseEvent[], limit: number): number {
    this.begin()
    const nowNs = this.#buffer.relative(nowBootNs)
    const before = out.length
    const leastBytes = this.#leastBytes(limit)
    this.#isBehind = false
    while (out.length - before < limit) {
      if (this.#unfinished !== undefined) {
        this.#takeMore(this.#unfinished, out)
        continue
      }
      const oldest = this.#buffer.oldest()
      if (this.#isFoundNext(oldest)) {
        this.#takeFound(out)
        continue
      }
      if (oldest === -1 || nowNs < this.#release.dueNs(oldest)) break
      if (this.#buffer.sizeBytes < leastBytes) {
        this.#isBehind = true
        break
      }
      this.#deliver(oldest, out)
    }
    return out.length - before
  }

  /**
   * Up to when all records have been applied. Whoever reads late finds records that are older than the grace time: what
   * they are about must not be forgotten before.
   */
  #settledNs(nowBootNs: number): number {
    const oldest = this.#buffer.oldest()
    if (oldest === -1) return nowBootNs
    const ageNs = this.#buffer.relative(nowBootNs) - this.#buffer.timeOf(oldest)
    return nowBootNs - Math.max(0, ageNs)
  }

  /** How much may be left in the buffer when a batch ends; one without a limit does not end early. */
  #leastBytes(limit: number): number {
    return limit === Number.POSITIVE_INFINITY ? limit * -1 : this.#buffer.sizeBytes - MAX_BATCH_BYTES
  }

  /** Whether the last `pump` or `pumpMore` left events that were due, as they had too many bytes for one batch. */
  get isBehind(): boolean {
    return this.#isBehind
  }

  /**
   * ns from `nowBootNs` until `pump` has something to do, if no record comes: an event is due, or a table has something
   * to forget. Infinity for neither.
   */
  dueInNs(nowBootNs: number): number {
    const oldest = this.#buffer.oldest()
    let dueInNs = Number.POSITIVE_INFINITY
    if (this.#unfinished !== undefined || this.#isFoundNext(oldest)) return 0
    if (oldest !== -1) {
      const nowNs = this.#buffer.relative(nowBootNs)
      dueInNs = Math.max(0, this.#release.dueNs(oldest) - nowNs)
      // Nothing is forgotten before.
      if (this.#buffer.timeOf(oldest) <= nowNs) return dueInNs
    }
    for (const table of this.#all) dueInNs = Math.min(dueInNs, table.collectInNs(nowBootNs))
    return dueInNs
  }

  /** Appends the events of all held records to `out`, however young they are, at most `limit`; returns how many. */
  flush(out: BaseEvent[], limit = Number.POSITIVE_INFINITY): number {
    this.begin()
    const before = out.length
    const leastBytes = this.#leastBytes(limit)
    while (this.#losses.reportOwn() || this.#buffer.oldest() !== -1 || this.#unfinished !== undefined) {
      for (
        let oldest = this.#buffer.oldest();
        oldest !== -1 || this.#unfinished !== undefined;
        oldest = this.#buffer.oldest()
      ) {
        if (out.length - before >= limit || this.#buffer.sizeBytes < leastBytes) return limit
        if (this.#unfinished !== undefined) this.#takeMore(this.#unfinished, out)
        else if (this.#isFoundNext(oldest)) this.#takeFound(out)
        else this.#deliver(oldest, out)
      }
    }
    while (!this.#found.isEmpty && out.length - before < limit) this.#takeFound(out)
    return out.length - before
  }

  /** What existed before is known from now on; called by the first `pump` if nobody did. */
  begin(): void {
    if (this.#hasBegun) return
    this.#hasBegun = true
    this.#filter?.begin(this.tables)
  }

  #takeFound(out: BaseEvent[]): void {
    const event = this.#found.take()
    if (this.#filter?.wants(event) === false) return
    // All that was found is in the tables by now.
    if (this.#lists.length > 0) this.#list(event)
    out.push(event)
  }

  /**
   * Applies all that is held: records of a scan of what exists. It is known from now on, and `pump` delivers the events
   * in order of time with those of other records, of which older ones may still come.
   */
  applyScan(): void {
    const { processes } = this.tables
    const { cutProcesses, evicted } = processes
    const found: FoundEvent[] = []
    const out: BaseEvent[] = []
    this.#isScanning = true
    for (let oldest = this.#buffer.oldest(); oldest !== -1; oldest = this.#buffer.oldest()) {
      const timeNs = this.#buffer.timeOf(oldest)
      this.#deliver(oldest, out)
      while (this.#unfinished !== undefined) this.#takeMore(this.#unfinished, out)
      for (const event of out.splice(0)) found.push({ event, timeNs })
    }
    this.#isScanning = false
    processes.settleOrigins()
    for (const { event, timeNs } of found) {
      // It may have been found before its parent.
      this.#relate(event, LATEST, LATEST)
      this.#found.add(event, timeNs)
    }
    // Events that wait must not keep what the table had to give up.
    if (processes.cutProcesses !== cutProcesses || processes.evicted !== evicted) this.#renewFound()
  }

  #renewFound(): void {
    for (const { event } of this.#found.waiting()) {
      const waiting = event as { -readonly [K in keyof RelatedEvent]: RelatedEvent[K] }
      const { process } = waiting
      if (!(process instanceof ProcessRecord)) continue
      waiting.process = this.tables.processes.present(process)
      this.#relate(event, LATEST, LATEST)
    }
  }

  /** Whether an event of a scan comes before those of the held records, of which this is the oldest. */
  #isFoundNext(oldest: number): boolean {
    if (this.#found.isEmpty) return false
    return oldest === -1 || this.#found.nextNs <= this.#buffer.timeOf(oldest)
  }

  /** Makes an event of the oldest record and those that join it, and takes them out of the buffer. */
  #deliver(oldest: number, out: BaseEvent[]): void {
    const group = this.#group
    const buffer = this.#buffer
    if (this.#turns.length > 0) this.#turnTo(buffer.timeOf(oldest))
    this.#aggregator.gather(oldest, group)
    const shape = this.#shapes.at(buffer.shapeOf(oldest))
    if (shape === undefined) {
      buffer.locate(oldest, group)
      this.#losses.eventsOf(group, out)
    } else {
      buffer.locate(oldest, group)
      const w = group.offsetBytes >> 2
      const timeLo = group.words[w + TIME_LO] as number
      const timeHi = group.words[w + TIME_HI] as number
      const { recordType } = shape
      const event = recordType.apply(group, this.tables)
      const { foreign } = group
      if (foreign.length > 0) this.#applyForeign(foreign, event)
      if (event !== undefined && this.#isWanted(event, recordType)) {
        this.#relate(event, timeLo, timeHi)
        if (this.#lists.length > 0 && !this.#isScanning) this.#list(event)
        out.push(event)
      }
      if (recordType.more !== undefined) this.#unfinished = { recordType, timeLo, timeHi }
      const count = group.count + foreign.length
      this.#removals += count
      if (count > 1) this.#aggregations += 1
      else this.#nonAggregations += 1
    }
    for (let i = 0; i < group.count; i++) buffer.remove(group.indexAt(i))
  }

  /** Takes a further event of records that are gone already. */
  #takeMore({ recordType, timeLo, timeHi }: Unfinished, out: BaseEvent[]): void {
    const event = recordType.more?.(this.tables)
    if (event === undefined) {
      this.#unfinished = undefined
      return
    }
    if (!this.#isWanted(event, recordType)) return
    this.#relate(event, timeLo, timeHi)
    if (this.#lists.length > 0 && !this.#isScanning) this.#list(event)
    out.push(event)
  }

  #isWanted(event: BaseEvent, { asksFilter }: RecordType): boolean {
    const filter = this.#filter
    return filter === undefined || asksFilter === true || this.#isScanning || filter.wants(event)
  }

  /** Applies records that joined an event of another kind. */
  #applyForeign(indices: readonly number[], event: BaseEvent | undefined): void {
    const buffer = this.#buffer
    for (const index of indices) {
      buffer.locate(index, this.#group)
      this.#shapes.at(buffer.shapeOf(index))?.recordType.applyJoined?.(this.#group, event, this.tables)
      buffer.remove(index)
    }
  }

  /** The process with all that is known of where it runs; what was delivered does not change. */
  #placed(process: ProcessRecord, cgroup: string): ProcessRecord {
    const { places, processes } = this.tables
    const place = places.placeOf(cgroup, process)
    return place === undefined || place === process.place ? process : processes.withPlace(process, place)
  }

  /** Adds what kinds know of the event's process. */
  #list(event: RelatedEvent): void {
    const { process } = event
    if (!(process instanceof ProcessRecord)) return
    for (const [name, find] of this.#lists) {
      const list = find(process)
      if (list !== undefined && list.length > 0) (event as unknown as Record<string, unknown>)[name] = list
    }
  }

  /** Sets the relatives of the event's process, as they were at that time of CLOCK_BOOTTIME. */
  #relate(event: RelatedEvent, timeLo: number, timeHi: number): void {
    const { process: made } = event
    if (!(made instanceof ProcessRecord)) return
    const process = made.cgroup === undefined ? made : this.#placed(made, made.cgroup)
    if (process !== made) event.process = process
    const relatives = this.#relatives.find(process, timeLo, timeHi)
    event.relatives = relatives
    const { ledger } = this.#losses
    if (ledger.isEmpty) return
    // Another event may have the same object.
    if (ledger.hasTouched(process, relatives.parent as ProcessRecord | undefined)) {
      event.process = process.incomplete()
    }
  }
}

function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
