import type { RecordSink } from 'quark-ebpf'
import {
  type EncodableFieldsOf,
  encodeRecord,
  type Fields,
  HEADER_CPU,
  HEADER_SEQ,
  type RecordLayout,
  type TailLimits,
} from 'quark-ebpf/probe'
import type { RecordWriter } from '../facts/rungs.js'

/** Type of lost records whose type is unknown. */
const UNKNOWN_TYPE = 0

interface Waiting {
  readonly cpu: number
  readonly timeNs: bigint
  readonly bytes: Uint8Array
}

/**
 * Records that a backend makes in user space, as if they came from a ring. They may be pushed in any order of
 * time within one `settle`; each gets the next number of its CPU, and a number is left out for each loss, so
 * that losses are reported where they happened.
 */
export class Outbox implements RecordWriter {
  /** Number of the lane that is CPU 0 here; set before the first `settle`. */
  firstLane = 0
  /** By record type; of 0 are losses that only the kernel saw. */
  readonly produced = new Map<number, number>()
  readonly lost = new Map<number, number>()
  readonly #maxRecords: number
  readonly #sequences: Uint32Array
  /** Records for which there was no room since the last `settle`, by CPU. */
  readonly #overflowed = new Map<number, number>()
  #unsettled: Waiting[] = []
  #settled: Uint8Array[] = []
  #first = 0

  /** Holds at most `maxRecords`; more are counted as lost. */
  constructor(lanes: number, maxRecords: number) {
    this.#maxRecords = maxRecords
    this.#sequences = new Uint32Array(lanes)
  }

  /** Records that wait. */
  get length(): number {
    return this.#settled.length - this.#first + this.#unsettled.length
  }

  /** Share of the limit that is taken, 0 to 1. */
  get fullness(): number {
    return this.length / this.#maxRecords
  }

  /** Makes a record. `timeNs` is CLOCK_BOOTTIME; fields that are left out are unknown, and tails cut at `limits`. */
  push<F extends Fields>(
    layout: RecordLayout<F>,
    at: { readonly cpu: number; readonly timeNs: bigint },
    values: Partial<EncodableFieldsOf<F>>,
    limits?: TailLimits<F>,
  ): void {
    if (this.length >= this.#maxRecords) {
      this.#overflowed.set(at.cpu, (this.#overflowed.get(at.cpu) ?? 0) + 1)
      addTo(this.lost, layout.type, 1)
      return
    }
    addTo(this.produced, layout.type, 1)
    const bytes = encodeRecord(layout, { ...at, seq: 0 }, values, limits)
    this.#unsettled.push({ ...at, bytes })
  }

  /** `count` records of a CPU were dropped before they could be made; the kernel may not say of which type. */
  noteLost(cpu: number, count: number, type: number = UNKNOWN_TYPE): void {
    this.#leaveOut(cpu, count)
    addTo(this.lost, type, count)
  }

  /** All that was pushed so far is complete: puts it in order of time. */
  settle(): void {
    this.#unsettled.sort((a, b) => (a.timeNs < b.timeNs ? -1 : a.timeNs > b.timeNs ? 1 : 0))
    // Numbered only now, so that a CPU's numbers rise in the order in which its records are handed over.
    for (const { cpu, bytes } of this.#unsettled) {
      const header = new DataView(bytes.buffer, bytes.byteOffset)
      header.setUint16(HEADER_CPU, this.firstLane + cpu, true)
      header.setUint32(HEADER_SEQ, this.#next(cpu), true)
      this.#settled.push(bytes)
    }
    this.#unsettled = []
    for (const [cpu, count] of this.#overflowed) this.#leaveOut(cpu, count)
    this.#overflowed.clear()
  }

  /** Hands over at most `max` settled records; see `Backend.drain`. */
  drain(sink: RecordSink, max: number): number {
    const end = Math.min(this.#settled.length, this.#first + max)
    const count = end - this.#first
    while (this.#first < end) {
      const bytes = this.#settled[this.#first] as Uint8Array
      this.#first += 1
      sink.record(
        new Uint32Array(bytes.buffer, bytes.byteOffset),
        Buffer.from(bytes.buffer),
        bytes.byteOffset,
        bytes.length,
      )
    }
    if (this.#first === this.#settled.length) {
      this.#settled = []
      this.#first = 0
    }
    return count
  }

  /** Number of the last record that each CPU made; see `Backend.sequences`. */
  sequences(): Uint32Array {
    return this.#sequences.slice()
  }

  #leaveOut(cpu: number, count: number): void {
    this.#sequences[cpu] = ((this.#sequences[cpu] ?? 0) + count) >>> 0
  }

  #next(cpu: number): number {
    const seq = ((this.#sequences[cpu] ?? 0) + 1) >>> 0
    this.#sequences[cpu] = seq
    return seq
  }
}

function addTo(counts: Map<number, number>, type: number, count: number): void {
  counts.set(type, (counts.get(type) ?? 0) + count)
}
