import type { LostCause, LostEvent } from './event.js'
import type { Made } from './forms.js'
import type { RecordPlace } from './raw.js'
import { u64Of } from './time-base.js'

/*
 * A loss as a record, so that it takes its place among the others. Its type is 0, which no kind has.
 *
 *  0      4      8        16      20      24    28
 *  │ 0    │ 0    │ timeNs │ cause │ count │ cpu │ table │
 */
const TIME_LO = 2
const TIME_HI = 3
const CAUSE = 4
const COUNT = 5
const CPU = 6
const TABLE = 7
const WORDS = 8

const CAUSES: readonly LostCause[] = ['ringFull', 'rejected', 'recursion', 'evicted', 'unseen']
const NO_CPU = 0xffffffff
/** A loss that is of no table, or of that of processes. */
export const NO_TABLE = -1

/** The memory in which a loss is written before the buffer copies it. */
export class LossRecord {
  readonly words = new Uint32Array(WORDS)
  readonly bytes = Buffer.from(this.words.buffer)

  /** `table` is the number of the table that was full, or `NO_TABLE`. */
  set(
    timeLo: number,
    timeHi: number,
    cause: LostCause,
    count: number,
    cpu: number | undefined,
    table: number,
  ): void {
    this.words[TIME_LO] = timeLo
    this.words[TIME_HI] = timeHi
    this.words[CAUSE] = CAUSES.indexOf(cause)
    this.words[COUNT] = Math.min(count, 0xffffffff)
    this.words[CPU] = cpu ?? NO_CPU
    this.words[TABLE] = table
  }
}

/** The event of a loss; `tables` are the names of tables by their numbers. */
export function lostEventOf(
  { words, offsetBytes }: RecordPlace,
  bootEpochNs: bigint,
  tables: readonly string[],
): Made<LostEvent> {
  const w = offsetBytes >> 2
  const cpu = words[w + CPU] as number
  const table = tables[(words[w + TABLE] as number) | 0]
  return {
    kind: 'lost',
    timeNs: u64Of(words[w + TIME_LO] as number, words[w + TIME_HI] as number) + bootEpochNs,
    cause: CAUSES[words[w + CAUSE] as number] as LostCause,
    count: words[w + COUNT] as number,
    cpu: cpu === NO_CPU ? undefined : cpu,
    ...(table === undefined ? {} : { table }),
    process: undefined,
  }
}
