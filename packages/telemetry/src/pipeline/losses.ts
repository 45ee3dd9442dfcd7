import { HEADER_TIME } from 'quark-ebpf/probe'
import type { BaseEvent, LostCause, LostEvent } from '../event/event.js'
import type { Made } from '../event/forms.js'
import { LossRecord, lostEventOf, NO_TABLE } from '../event/loss.js'
import type { RecordPlace } from '../event/raw.js'
import { NO_SHAPE } from '../event/shapes.js'
import type { KindTable } from '../event/table.js'
import type { Tables } from '../kinds/kind.js'
import type { RecordBuffer } from '../order/buffer.js'
import { LossLedger, type Span } from './ledger.js'

const TIME_LO = HEADER_TIME >> 2
const TIME_HI = TIME_LO + 1

/** The table whose losses are reported without its name: at first there was no other. */
const UNNAMED = 'process'

/** The lanes of CPUs; the CPU of a loss in another lane is unknown. */
export interface Lanes {
  readonly cpus: number
  readonly lanes: number
}

/**
 * Inserts losses among the records, at the time of the record before, or of the last step if that came later. Losses
 * in this process (broken records, evictions) come in large numbers: many are reported as one.
 */
export class Losses {
  /** Broken records; how many of them were reported is counted beside it. */
  rejected = 0
  reportedRejected = 0
  /** Halves of the time of the last record or step, whatever came later. */
  latestLo = 0
  latestHi = 0
  readonly ledger = new LossLedger()
  readonly #buffer: RecordBuffer
  readonly #tables: Tables
  readonly #lanes: Lanes
  readonly #record = new LossRecord()
  /** Tables, their names in losses, and how many losses of each were reported. */
  readonly #all: readonly KindTable[]
  readonly #names: readonly string[]
  readonly #reportedEvicted: Float64Array
  /** The same of what nobody saw. */
  readonly #reportedUnseen: Float64Array
  /** Records that were reported as lost on their way. */
  #onTheWay = 0

  constructor(buffer: RecordBuffer, tables: Tables, lanes: Lanes) {
    this.#buffer = buffer
    this.#tables = tables
    this.#lanes = lanes
    this.#all = [...tables.all.values()]
    this.#names = [...tables.all.keys()]
    this.#reportedEvicted = new Float64Array(this.#all.length)
    this.#reportedUnseen = new Float64Array(this.#all.length)
  }

  note(cause: LostCause, count: number, lane?: number, table = NO_TABLE): void {
    const { cpus, lanes } = this.#lanes
    if (cause !== 'evicted' && cause !== 'unseen') this.#onTheWay += count
    const cpu = lane !== undefined && lane < lanes ? lane % cpus : undefined
    const { words, bytes } = this.#record
    this.#record.set(this.latestLo, this.latestHi, cause, count, cpu, table)
    this.#buffer.insert(words, bytes, 0, bytes.length, 0, 0, NO_SHAPE)
  }

  /** Reports broken records. */
  reportRejected(): void {
    if (this.rejected === this.reportedRejected) return
    this.note('rejected', this.rejected - this.reportedRejected)
    this.reportedRejected = this.rejected
  }

  /** What the kernel counted and no record told of, as far as it was reported. */
  get unseen(): number {
    return this.#reportedUnseen.reduce((sum, count) => sum + count, 0)
  }

  /** Reports broken records, what tables had no room for, and what was not seen; false if there was nothing. */
  reportOwn(): boolean {
    let hasAny = this.rejected !== this.reportedRejected
    this.reportRejected()
    for (let at = 0; at < this.#all.length; at++) {
      if (this.#reportUnseen(at)) hasAny = true
      const evicted = (this.#all[at] as KindTable).evicted - (this.#reportedEvicted[at] as number)
      if (evicted === 0) continue
      hasAny = true
      this.note('evicted', evicted, undefined, this.#names[at] === UNNAMED ? NO_TABLE : at)
      ;(this.#reportedEvicted[at] as number) += evicted
    }
    return hasAny
  }

  /** Any record that was lost on its way may be one of those that are missed. */
  #reportUnseen(at: number): boolean {
    const { unseen = 0 } = this.#all[at] as KindTable
    const count = unseen - this.#onTheWay - (this.#reportedUnseen[at] as number)
    if (count <= 0) return false
    this.note('unseen', count, undefined, at)
    ;(this.#reportedUnseen[at] as number) += count
    return true
  }

  /** Appends the events of a loss that was put among the records: one for each user, where they are known. */
  eventsOf(place: RecordPlace, out: BaseEvent[]): void {
    const event = lostEventOf(place, this.#tables.timeBase.bootEpochNs, this.#names)
    if (event.cause === 'ringFull') {
      for (const { uid, count } of this.ledger.split(event.count)) {
        const share: Made<LostEvent> = uid === undefined ? { ...event, count } : { ...event, count, uid }
        out.push(share)
        if (uid === undefined) this.ledger.touchAll(untilOf(place))
      }
      return
    }
    out.push(event)
    if (event.cause !== 'evicted') this.ledger.touchAll(untilOf(place))
  }
}

/** All that was before a loss. */
function untilOf({ words, offsetBytes }: RecordPlace): Span {
  const w = offsetBytes >> 2
  const toNs = (words[w + TIME_HI] as number) * 2 ** 32 + (words[w + TIME_LO] as number)
  return { fromNs: 0, toNs }
}
