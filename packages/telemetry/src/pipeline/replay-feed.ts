/** The replay feed: gives the pipeline what a live feed gave it, step by step. */

import type { BackendCounters } from '../backend/backend.js'
import type { BaseEvent } from '../event/event.js'
import { RecordingError } from '../errors.js'
import type { Feed } from './feed.js'
import type { Pipeline } from './pipeline.js'
import type { AttachedFact, MissingFact } from './stats.js'
import {
  FRAME_CGROUPS,
  FRAME_CLOCK,
  FRAME_CROWDING,
  FRAME_END,
  FRAME_LOSSES,
  FRAME_LOST,
  FRAME_MISSING,
  FRAME_SNAPSHOT,
  FRAME_STEP,
  FRAME_TABLE,
} from '../recording/format.js'
import type { Frame, RecordingReader } from '../recording/reader.js'
import type { RecordedTypes } from '../recording/types.js'
import { bootEpochOf, endOf, lossesOf, lossOf, missingOf, partOf, tableOf } from '../recording/values.js'

/** How often an event loop of the caller's own looks at a recording that is still coming. */
const STREAM_LOOK_MS = 50
const UNKNOWN_TYPE = 0
/** The kind whose table frames of cgroup names (version 1) are for. */
const NAMES_OF_CGROUPS = 'cgroup'

export class ReplayFeed implements Feed {
  readonly backend = 'replay'
  readonly isBacklogged = true
  readonly fds = []
  readonly kernel: string
  readonly attached: readonly AttachedFact[]
  readonly missing: readonly MissingFact[]
  readonly #reader: RecordingReader
  readonly #types: RecordedTypes
  readonly #pipeline: Pipeline
  readonly #produced = new Map<number, number>()
  readonly #skipped = new Map<string, number>()
  #ended = false
  #wake: (() => void) | undefined
  readonly #wakeUp = (): void => this.#wake?.()

  /** `missing` is what the replay lacks beside what the recorded queue lacked. */
  constructor(
    reader: RecordingReader,
    types: RecordedTypes,
    pipeline: Pipeline,
    missing: readonly MissingFact[] = [],
  ) {
    this.#reader = reader
    this.#types = types
    this.#pipeline = pipeline
    const { header } = reader
    this.kernel = header.kernel
    this.attached = header.attached
    this.missing = [...header.missing, ...types.missing, ...missing]
  }

  /** Counts of what the recording has and this version does not know, by name. */
  get skipped(): Readonly<Record<string, number>> {
    return Object.fromEntries(this.#skipped)
  }

  /** A recording has always more, until it is at its end, which `pump` reports; one that is still coming is looked at. */
  arm(): number {
    return this.#ended || this.#reader.isReady ? 0 : STREAM_LOOK_MS
  }

  /** One step of the recording. */
  pump(out: BaseEvent[]): boolean {
    while (!this.#ended && this.#reader.isReady) {
      const frame = this.#reader.next()
      if (frame === undefined) {
        // Events of the records so far are emitted before the error is thrown.
        if (this.#pipeline.flush(out) > 0) break
        this.#ended = true
        throw new RecordingError(
          this.#reader.path,
          this.#reader.offset,
          'it was cut short: it has no end mark',
          { isCutShort: true },
        )
      }
      if (this.#apply(frame, out)) break
    }
    return !this.#ended
  }

  /** True when the frame was a step. */
  #apply(frame: Frame, out: BaseEvent[]): boolean {
    const pipeline = this.#pipeline
    switch (frame.kind) {
      case FRAME_STEP:
        pipeline.pump(this.#insert(frame), out)
        return true
      case FRAME_SNAPSHOT:
        this.#insert(frame)
        pipeline.applyScan()
        return false
      case FRAME_CGROUPS:
        this.#reader.json(frame, (value) => this.#learn(NAMES_OF_CGROUPS, value))
        return false
      case FRAME_TABLE:
        this.#reader.json(frame, (value) => {
          const table = tableOf(value)
          return table && this.#learn(table.kind, table.value)
        })
        return false
      case FRAME_LOST: {
        const { cause, count } = this.#reader.json(frame, lossOf)
        pipeline.noteLost(cause, count)
        return false
      }
      case FRAME_LOSSES: {
        const { losses, span } = this.#reader.json(frame, lossesOf)
        pipeline.attribute(losses, span)
        return false
      }
      case FRAME_CROWDING:
        pipeline.holdLess(this.#reader.json(frame, partOf))
        return false
      case FRAME_MISSING: {
        const { cpu, seq } = this.#reader.json(frame, missingOf)
        pipeline.noteMissingUpTo(cpu, seq)
        return false
      }
      case FRAME_CLOCK:
        pipeline.tables.timeBase.bootEpochNs = this.#reader.json(frame, bootEpochOf)
        return false
      case FRAME_END:
        this.#reader.json(frame, endOf)
        pipeline.flush(out)
        this.#ended = true
        return true
      default:
        if (frame.isEssential) {
          throw new RecordingError(
            this.#reader.path,
            frame.offset,
            `a frame has the unknown kind ${frame.kind}`,
          )
        }
        this.#skip(`frame ${frame.kind}`)
        return false
    }
  }

  /** Loads what the table of a kind learnt; undefined if the value has another form. */
  #learn(kind: string, value: unknown): true | undefined {
    const learnt = this.#pipeline.tables.all.get(kind)?.learnt
    if (learnt === undefined) this.#skip(`table of ${kind}`)
    return learnt === undefined || learnt.load(value) ? true : undefined
  }

  #skip(name: string): void {
    this.#skipped.set(name, (this.#skipped.get(name) ?? 0) + 1)
  }

  #insert(frame: Frame): number {
    return this.#reader.records(frame, (words, bytes, at, length) => this.#take(words, bytes, at, length))
  }

  /** A record as the recording has it. */
  #take(words: Uint32Array, bytes: Uint8Array, at: number, length: number): void {
    const pipeline = this.#pipeline
    const w = at >> 2
    const treatment = this.#types.of((words[w] as number) & 0xffff)
    const made = treatment?.type
    if (made !== undefined) this.#produced.set(made, (this.#produced.get(made) ?? 0) + 1)
    if (treatment === undefined || length < treatment.recorded.size) {
      // A type that no kind can have: the record is counted as broken.
      if (length >= 4) words[w] = (words[w] as number) & ~0xffff
      pipeline.insert(words, bytes, at, length)
      return
    }
    const { name, type, transcoder, recorded } = treatment
    if (type === undefined) {
      this.#skip(name)
      pipeline.skip(words, at, recorded.isOwn === true)
      return
    }
    if (transcoder === undefined) {
      words[w] = ((words[w] as number) & ~0xffff) | type
      pipeline.insert(words, bytes, at, length)
    } else if (transcoder.write(bytes, at, length)) {
      pipeline.insert(transcoder.words, transcoder.bytes, 0, transcoder.lengthBytes)
    } else {
      words[w] = (words[w] as number) & ~0xffff
      pipeline.insert(words, bytes, at, length)
    }
  }

  finish(out: BaseEvent[], limit = Number.POSITIVE_INFINITY): boolean {
    this.#ended ||= this.#pipeline.flush(out, limit) < limit
    return this.#ended
  }

  get isRead(): boolean {
    return this.#ended
  }

  /** A replay waits for no more than what is still coming, and lets others run. */
  async wait(timeoutMs?: number, signal?: AbortSignal): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve))
    if (this.#ended || this.#reader.isReady || signal?.aborted === true) return
    let timer: NodeJS.Timeout | undefined
    const others = new Promise<void>((resolve) => {
      this.#wake = resolve
      signal?.addEventListener('abort', this.#wakeUp, { once: true })
      if (timeoutMs !== undefined) timer = setTimeout(resolve, timeoutMs)
    })
    await Promise.race([this.#reader.more(), others])
    clearTimeout(timer)
    signal?.removeEventListener('abort', this.#wakeUp)
    this.#wake = undefined
  }

  wake(): void {
    this.#wake?.()
  }

  counters(): BackendCounters {
    // The types of lost records are not in the recording.
    const lost = new Map([[UNKNOWN_TYPE, this.#pipeline.counters.missing]])
    return { produced: this.#produced, lost, recursionMisses: 0 }
  }

  close(): void {
    this.wake()
    this.#reader[Symbol.dispose]()
  }
}
