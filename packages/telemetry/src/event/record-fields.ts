/** Fields of the record that is shown, at the offsets that its layout gives. */

import { cstringAt, pathAt } from '../memory/text.js'
import { TAIL_FAILED, TAIL_LENGTH_MASK } from 'quark-ebpf/probe'
import type { RecordPlace } from './raw.js'
import { stringTail, textOf } from './record-text.js'
import { type TimeBase, u64Of } from './time-base.js'

/** Words of the header in which the time of a record is. */
const TIME_LO = 2
const TIME_HI = 3

/** When it happened, in epoch ns. */
export function timeNsAt({ words, offsetBytes }: RecordPlace, { bootEpochNs }: TimeBase): bigint {
  const w = offsetBytes >> 2
  return u64Of(words[w + TIME_LO] as number, words[w + TIME_HI] as number) + bootEpochNs
}

export function u32At({ words, offsetBytes }: RecordPlace, offset: number): number {
  return words[(offsetBytes + offset) >> 2] as number
}

export function s32At(place: RecordPlace, offset: number): number {
  return u32At(place, offset) | 0
}

export function u64At(place: RecordPlace, offset: number): bigint {
  return u64Of(u32At(place, offset), u32At(place, offset + 4))
}

/** The same as a number; exact up to 2^53. */
export function s64At(place: RecordPlace, offset: number): number {
  return s32At(place, offset + 4) * 2 ** 32 + u32At(place, offset)
}

/** Text in place; undefined if there is none. */
export function charsAt(place: RecordPlace, offset: number, sizeBytes: number): string | undefined {
  const text = cstringAt(textOf(place), offset, sizeBytes)
  return text === '' ? undefined : text
}

/** Tails in their order: where each begins depends on those before it. */
export class TailReader {
  readonly #place: RecordPlace
  readonly #text: string
  #start: number

  constructor(place: RecordPlace, layout: { readonly fixedSizeBytes: number }) {
    this.#place = place
    this.#text = textOf(place)
    this.#start = layout.fixedSizeBytes
  }

  /** A text; undefined if it could not be read. */
  string(offset: number): string | undefined {
    return this.take(offset, stringTail)
  }

  /** A path; undefined if it could not be read. */
  path(offset: number): string | undefined {
    return this.take(offset, (text, start, descriptor) =>
      (descriptor & TAIL_FAILED) === 0 ? pathAt(text, start, descriptor) : undefined,
    )
  }

  /** Whatever can be read of a tail. */
  take<T>(offset: number, read: (text: string, start: number, descriptor: number) => T): T {
    const descriptor = u32At(this.#place, offset)
    const start = this.#start
    this.#start += descriptor & TAIL_LENGTH_MASK
    return read(this.#text, start, descriptor)
  }
}
