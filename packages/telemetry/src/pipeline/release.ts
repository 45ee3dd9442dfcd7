import type { Aggregator } from '../aggregate/aggregate.js'
import type { RecordShapes } from '../event/shapes.js'
import type { RecordType } from '../kinds/kind.js'
import type { RecordBuffer } from '../order/buffer.js'

/**
 * How long a record that no other can join waits for older ones of other CPUs. They write into one ring in nearly
 * the order of time, so this is ample.
 */
const ORDER_TIME_NS = 20e6

/** Decides how long records are held. */
export class Release {
  readonly #buffer: RecordBuffer
  readonly #aggregator: Aggregator
  readonly #isEarly: boolean
  /** By the number of a shape: nothing follows such a record in its chain; it is in the chains of another kind. */
  readonly #isLast: Uint8Array
  readonly #isForeign: Uint8Array
  readonly #hasForeign: boolean

  /** @param isEarly whether an event that cannot grow any more is delivered before its hold time is over */
  constructor(
    buffer: RecordBuffer,
    shapes: RecordShapes<RecordType>,
    aggregator: Aggregator,
    isEarly: boolean,
  ) {
    this.#buffer = buffer
    this.#aggregator = aggregator
    this.#isEarly = isEarly
    const all = Array.from({ length: shapes.count }, (_, number) => shapes.at(number))
    this.#isLast = Uint8Array.from(all, (shape) => (shape?.recordType.isLast === true ? 1 : 0))
    this.#isForeign = Uint8Array.from(all, (shape) => (shape?.isForeign === true ? 1 : 0))
    this.#hasForeign = this.#isForeign.includes(1)
  }

  /** When the oldest record is to be delivered, on the clock of the buffer. */
  dueNs(oldest: number): number {
    const buffer = this.#buffer
    const holdNs = buffer.holdTimeNs()
    const dueNs = buffer.timeOf(oldest) + holdNs
    if (!this.#isEarly) return dueNs
    const last = this.#hasForeign ? this.#lastOwn(oldest) : buffer.lastOf(oldest)
    const isComplete =
      this.#aggregator.isChildless(buffer.shapeOf(oldest)) || this.#isLast[buffer.shapeOf(last)] === 1
    return isComplete ? Math.min(dueNs, buffer.timeOf(last) + Math.min(holdNs, ORDER_TIME_NS)) : dueNs
  }

  /** The last record of a record's chain that is of the chain's own kind. */
  #lastOwn(index: number): number {
    const buffer = this.#buffer
    let last = buffer.lastOf(index)
    while (last !== index && this.#isForeign[buffer.shapeOf(last)] === 1) last = buffer.previousOf(last)
    return last
  }
}
