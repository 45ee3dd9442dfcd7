/** What a tail is: how its bytes are read and written, and what fills it in the kernel. */

import type { ExprNode } from '../nodes.js'
import type { Unresolved } from '../resolved.js'
import { MAX_TAIL_BYTES, TAIL_TRUNCATED } from './descriptor.js'
import type { ReadTail, TailFetcher } from './fetch.js'
import type { TailFrame, TailPlace } from './frame.js'

declare const TYPES: unique symbol

/** Types that go with a field: what it decodes to, what `encodeRecord` takes, and what a probe fills it with. */
export interface Typed<Decoded, Encodable, Filling> {
  readonly [TYPES]?: {
    readonly decoded: Decoded
    readonly encodable: Encodable
    readonly filling: Filling
  }
}

/** The bytes of a tail, with flags of its descriptor. */
export interface EncodedTail {
  readonly bytes: Buffer
  readonly flags: number
}

/** How the values of a tail lie in its bytes. A tail that could not be read has no value, and is not asked for one. */
export interface TailCodec {
  decode(descriptor: number, bytes: Buffer): unknown
  encode(value: unknown, maxBytes: number): EncodedTail
}

/** The type of a variable part of a record. */
export interface TailType<Decoded = unknown, Encodable = unknown, Filling = unknown> extends Typed<
  Decoded,
  Encodable,
  Filling
> {
  readonly kind: string
  /** No record has more; a probe may have a lower limit. */
  readonly maxBytes: number
  /** Bytes of one element, where a tail has elements. */
  readonly elementBytes?: 4 | 8
  /**
   * What is left of it in a record that finds the ring scarce, where users share rings (`SessionOptions.fairUsers`). All
   * of it when absent. Such tails are the last of their record, and all but the first of them leave nothing.
   */
  readonly scarceBytes?: number
  readonly codec: TailCodec
}

/** @throws {RangeError} for a size that no tail can have */
export function tailType<T extends TailType>(type: T): T {
  checkTailSize(type.maxBytes, MAX_TAIL_BYTES)
  return type
}

/** @throws {RangeError} for a size that is not one, or beyond `most` */
export function checkTailSize(maxBytes: number, most: number): void {
  if (!Number.isInteger(maxBytes) || maxBytes < 0 || maxBytes > most) {
    throw new RangeError(`Cannot declare a tail of ${maxBytes} bytes: the limit is ${most}`)
  }
}

/** The code that appends one kind of tail to a record. */
export interface TailWriter {
  /** It reads the context, whose register other tails overwrite. */
  readonly needsContext?: boolean
  /** Why this kernel cannot supply the tail. */
  refusal?(frame: TailFrame, place: TailPlace): string | undefined
  /** Appends the tail and stores its descriptor; `inputs` are temporaries. Uses R0 to R8. */
  emit(frame: TailFrame, place: TailPlace, inputs: readonly number[]): void
  /** Plans how it is fetched without a program. Absent for what a fetch argument cannot supply. */
  fetch?(fetcher: TailFetcher, inputs: readonly ExprNode[], maxBytes: number): ReadTail | Unresolved
  /** Functions that the emitted code calls, behind the program. */
  emitFunctions?(frame: TailFrame): void
}

/** What fills a tail of the kind `Fills` in the kernel. */
export interface TailSource<Fills extends string = string> {
  readonly kind: string
  readonly fills: Fills
  readonly inputs: readonly ExprNode[]
  /** Where the probe cuts it; at the end of the record's room when absent. */
  readonly maxBytes: number | undefined
  readonly writer: TailWriter
}

/** Bytes that are cut at their limit. */
export function cut(bytes: Buffer, maxBytes: number): EncodedTail {
  if (bytes.length <= maxBytes) return { bytes, flags: 0 }
  return { bytes: bytes.subarray(0, maxBytes), flags: TAIL_TRUNCATED }
}

/** The bytes of a text, those of an array being shared. */
export function bytesOf(text: string | Uint8Array): Buffer {
  return typeof text === 'string' ? Buffer.from(text) : Buffer.from(text.buffer, text.byteOffset, text.length)
}

/** The bytes before the first NUL. */
export function untilNul(bytes: Buffer): Buffer {
  const end = bytes.indexOf(0)
  return end === -1 ? bytes : bytes.subarray(0, end)
}
