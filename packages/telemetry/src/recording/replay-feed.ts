/** The replay feed: gives the pipeline what a live feed gave it, step by step. */

import type { BackendCounters } from '../backend/backend.js'
import type { BaseEvent } from '../event/event.js'
import { RecordingError } from '../errors.js'
import type { Feed } from '../pipeline/feed.js'
import type { Pipeline } from '../pipeline/pipeline.js'
import type { AttachedFact, MissingFact } from '../pipeline/stats.js'
import {
  FRAME_CGROUPS,
  FRAME_CLOCK,
  FRAME_END,
  FRAME_LOST,
  FRAME_MISSING,
  FRAME_SNAPSHOT,
  FRAME_STEP,
  FRAME_TABLE,
} from './format.js'
import type { Frame, RecordingReader } from './reader.js'
import { bootEpochOf, endOf, lossOf, missingOf, tableOf } from './values.js'

const UNKNOWN_TYPE = 0
/** What a frame of version 1 was about. */
const NAMES_OF_CGROUPS = 'cgroup'

export class ReplayFeed implements Feed {
  readonly backend = 'replay'
  readonly isBacklogged = true
  readonly kernel: string
  readonly attached: readonly AttachedFact[]
  readonly missing: readonly MissingFact[]
  readonly #reader: RecordingReader
  readonly #pipeline: Pipeline
  readonly #produced = new Map<number, number>()
  #ended = false

  constructor(reader: RecordingReader, pipeline: Pipeline) {
    this.#reader = reader
    this.#pipeline = pipeline
    const { kernel, attached, missing } = reader.header
    this.kernel = kernel
    this.attached = attached
    this.missing = missing
  }

  /** One step of the recording. */
  pump(out: BaseEvent[]): boolean {
    while (!this.#ended) {
      const frame = this.#reader.next()
      if (frame === undefined) {
        // What its records say is told before the complaint.
        if (this.#pipeline.flush(out) > 0) break
        throw new RecordingError(
          this.#reader.path,
          this.#reader.offset,
          'it was cut short: it has no end mark',
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
        pipeline.flushScan(out)
        return true
      case FRAME_CGROUPS:
        this.#reader.json(frame, (value) => this.#learn(NAMES_OF_CGROUPS, value))
        return false
      case FRAME_TABLE:
        this.#reader.json(frame, (value) => {
          const learnt = tableOf(value)
          return learnt && this.#learn(learnt.kind, learnt.value)
        })
        return false
      case FRAME_LOST: {
        const { cause, count } = this.#reader.json(frame, lossOf)
        pipeline.noteLost(cause, count)
        return false
      }
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
        throw new RecordingError(
          this.#reader.path,
          frame.offset,
          `a frame has the unknown kind ${frame.kind}`,
        )
    }
  }

  /** Undefined for what no table of that kind can have learnt. */
  #learn(kind: string, value: unknown): true | undefined {
    const learnt = this.#pipeline.tables.all.get(kind)?.learnt
    return learnt?.load(value) === true ? true : undefined
  }

  #insert(frame: Frame): number {
    return this.#reader.records(frame, (words, bytes, at, length) => {
      const type = (words[at >> 2] as number) & 0xffff
      this.#produced.set(type, (this.#produced.get(type) ?? 0) + 1)
      this.#pipeline.insert(words, bytes, at, length)
    })
  }

  finish(out: BaseEvent[]): void {
    if (!this.#ended) this.#pipeline.flush(out)
    this.#ended = true
  }

  /** A replay never has to wait, but lets others run. */
  async wait(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve))
  }

  wake(): void {
    // Nothing sleeps here.
  }

  counters(): BackendCounters {
    // Of which type lost records were, only the kernel knew.
    const lost = new Map([[UNKNOWN_TYPE, this.#pipeline.counters.missing]])
    return { produced: this.#produced, lost, recursionMisses: 0 }
  }

  close(): void {
    this.#reader[Symbol.dispose]()
  }
}
