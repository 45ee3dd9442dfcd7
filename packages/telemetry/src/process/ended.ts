import type { Redaction } from '../event/redaction.js'
import type { TimeBase } from '../event/time-base.js'
import { Slab } from '../memory/slab.js'
import { PACKED_FIXED_BYTES, packedTextLength, packFixed, SharedFacts, unpack } from './packed.js'
import type { HeldBytes } from './held.js'
import { NOWHERE } from '../memory/pid-index.js'
import type { ProcessRecord } from './entry.js'
import { latin1Of, writeLatin1 } from '../memory/text.js'

const FIRST_CAPACITY = 256
/** Numbers wrap around at this value, so that they are small integers to the engine. */
const NUMBERS = 2 ** 30
/** Words per process: pid, halves of the start, place, and size of its packed bytes. */
const WORDS = 5
/** Place of a process that is not packed. */
const NONE = -1
/** A place is the number of a chunk of the slab, and an offset in it in units of 8 bytes. */
const CHUNK_SHIFT = 15
const OFFSET_MASK = (1 << CHUNK_SHIFT) - 1

/** Larger ones are kept as objects, which can be cut when there is no room. */
const MAX_TEXT_BYTES = 16 << 10

/** Whether a process has more than the text that would be packed, and too much of it. */
function hasLargeFacts({ image, cwdText, cgroup, past }: ProcessRecord, text: string): boolean {
  return (
    (image !== undefined && image.textBytes > MAX_TEXT_BYTES && !image.isIn(text)) ||
    (cwdText.length > MAX_TEXT_BYTES && cwdText !== text) ||
    (cgroup !== undefined && cgroup.length > MAX_TEXT_BYTES) ||
    (past?.image !== undefined && past.image.textBytes > MAX_TEXT_BYTES) ||
    (past !== undefined && past.cwdText.length > MAX_TEXT_BYTES)
  )
}

/** A process that ended: its number, its pid, the halves of its start time, and when it was noticed. */
export interface Ended {
  number: number
  pid: number
  startLo: number
  startHi: number
  timeNs: number
}

/**
 * Processes that ended, in the order of their ends. They are kept in arrays and bytes, not as objects: in a storm
 * there are tens of thousands, which the garbage collector would have to copy.
 */
export class EndedProcesses {
  /** The oldest; valid while `count` is not 0. */
  readonly first: Ended = { number: 0, pid: 0, startLo: 0, startHi: 0, timeNs: 0 }
  count = 0
  /** Bytes of those that are packed, without images that are not in their records. */
  sizeBytes = 0
  readonly #timeBase: TimeBase
  readonly #redaction: Redaction | undefined
  readonly #held: HeldBytes
  readonly #slab = new Slab()
  /** Each has five words, a time and facts, at its number in a ring; the capacity is a power of two. */
  #words = new Int32Array(FIRST_CAPACITY * WORDS)
  #times = new Float64Array(FIRST_CAPACITY)
  #facts = Array.from<SharedFacts | undefined>({ length: FIRST_CAPACITY })
  #lastFacts: SharedFacts | undefined = undefined

  /** `held` counts images. */
  constructor(timeBase: TimeBase, held: HeldBytes, redaction?: Redaction) {
    this.#timeBase = timeBase
    this.#redaction = redaction
    this.#held = held
  }

  push(pid: number, startLo: number, startHi: number, timeNs: number): void {
    if (this.count === this.#times.length) this.#grow()
    const at = this.#at(this.first.number + this.count)
    this.#words[at * WORDS] = pid
    this.#words[at * WORDS + 1] = startLo
    this.#words[at * WORDS + 2] = startHi
    this.#words[at * WORDS + 3] = NONE
    this.#times[at] = timeNs
    this.count += 1
    if (this.count === 1) this.#showFirst()
  }

  /** Whether the process is the one that was pushed last. */
  isLast(process: ProcessRecord): boolean {
    if (this.count === 0) return false
    const w = this.#at(this.first.number + this.count - 1) * WORDS
    const words = this.#words
    return (
      (words[w] as number) >>> 0 === process.pid &&
      words[w + 1] === process.startLo &&
      words[w + 2] === process.startHi &&
      words[w + 3] === NONE
    )
  }

  /**
   * Packs the process that was pushed last.
   *
   * @returns its number, or `NOWHERE` when it cannot be packed, or not in so many bytes
   */
  packLast(process: ProcessRecord, maxBytes: number): number {
    const source = process.identity?.source
    if (source === undefined) return NOWHERE
    const { text, form } = source
    const sizeBytes = PACKED_FIXED_BYTES + ((text.length + 7) & ~7)
    if (sizeBytes > maxBytes || text.length > MAX_TEXT_BYTES || hasLargeFacts(process, text)) return NOWHERE
    const slab = this.#slab
    slab.reserve(sizeBytes)
    const { chunkId, offsetBytes } = slab
    packFixed(process, text, slab.wordsOf(chunkId), offsetBytes >> 2)
    writeLatin1(slab.bytesOf(chunkId), text, offsetBytes + PACKED_FIXED_BYTES)
    const number = (this.first.number + this.count - 1) % NUMBERS
    const at = this.#at(number)
    this.#words[at * WORDS + 3] = (chunkId << CHUNK_SHIFT) | (offsetBytes >> 3)
    this.#words[at * WORDS + 4] = sizeBytes
    const facts = this.#factsOf(process, form, text)
    this.#facts[at] = facts
    this.sizeBytes += sizeBytes + facts.hold(this.#held)
    return number
  }

  /** The process of a number that `packLast` gave and that was not dropped since: a new object. */
  unpack(number: number): ProcessRecord {
    const at = this.#at(number)
    const place = this.#words[at * WORDS + 3] as number
    const words = this.#slab.wordsOf(place >> CHUNK_SHIFT)
    const offsetBytes = (place & OFFSET_MASK) << 3
    const start = offsetBytes + PACKED_FIXED_BYTES
    const bytes = this.#slab.bytesOf(place >> CHUNK_SHIFT)
    const text = latin1Of(bytes, start, start + packedTextLength(words, offsetBytes >> 2))
    const pid = (this.#words[at * WORDS] as number) >>> 0
    return unpack(
      pid,
      this.#timeBase,
      this.#facts[at] as SharedFacts,
      words,
      offsetBytes >> 2,
      text,
      this.#redaction,
    )
  }

  /** Halves of the start time of a number's process. */
  startLoOf(number: number): number {
    return this.#words[this.#at(number) * WORDS + 1] as number
  }

  startHiOf(number: number): number {
    return this.#words[this.#at(number) * WORDS + 2] as number
  }

  /** Gives back the bytes of a number that was unpacked: it is in the order still. */
  release(number: number): void {
    const at = this.#at(number)
    const place = this.#words[at * WORDS + 3] as number
    if (place === NONE) return
    this.#words[at * WORDS + 3] = NONE
    this.#release(at, place)
  }

  /** Drops the oldest. */
  shift(): void {
    const at = this.#at(this.first.number)
    const place = this.#words[at * WORDS + 3] as number
    if (place !== NONE) this.#release(at, place)
    this.first.number = (this.first.number + 1) % NUMBERS
    this.count -= 1
    if (this.count > 0) this.#showFirst()
    else this.#lastFacts = undefined
  }

  #at(number: number): number {
    return number & (this.#times.length - 1)
  }

  #release(at: number, place: number): void {
    const facts = this.#facts[at] as SharedFacts
    this.sizeBytes -= (this.#words[at * WORDS + 4] as number) + facts.release(this.#held)
    this.#facts[at] = undefined
    if (facts.holders === 0 && facts === this.#lastFacts) this.#lastFacts = undefined
    this.#slab.release(place >> CHUNK_SHIFT)
  }

  #factsOf(process: ProcessRecord, form: SharedFacts['form'], text: string): SharedFacts {
    const last = this.#lastFacts
    if (last?.fits(process, form, text) === true) return last
    this.#lastFacts = new SharedFacts(process, form, text)
    return this.#lastFacts
  }

  #showFirst(): void {
    const { first } = this
    const at = this.#at(first.number)
    first.pid = (this.#words[at * WORDS] as number) >>> 0
    first.startLo = this.#words[at * WORDS + 1] as number
    first.startHi = this.#words[at * WORDS + 2] as number
    first.timeNs = this.#times[at] as number
  }

  #grow(): void {
    const old = this.#times.length
    const words = new Int32Array(old * 2 * WORDS)
    const times = new Float64Array(old * 2)
    const facts = Array.from<SharedFacts | undefined>({ length: old * 2 })
    for (let i = 0; i < this.count; i++) {
      const from = this.#at(this.first.number + i)
      const to = (this.first.number + i) & (old * 2 - 1)
      words.set(this.#words.subarray(from * WORDS, (from + 1) * WORDS), to * WORDS)
      times[to] = this.#times[from] as number
      facts[to] = this.#facts[from]
    }
    this.#words = words
    this.#times = times
    this.#facts = facts
  }
}
