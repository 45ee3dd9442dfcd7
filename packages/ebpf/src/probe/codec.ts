/**
 * The general codec of records, driven by their layout. It interprets every field, so hot paths read the
 * offsets of the layout themselves; this one serves tests, recordings, and callers of raw records.
 */

import type { Fields } from './fields.js'
import { type FixedValue, readFixed, writeFixed } from './fixed-codec.js'
import {
  HEADER_CPU,
  HEADER_SEQ,
  HEADER_TIME,
  HEADER_TYPE,
  type RecordLayout,
  type RecordOf,
  type TailLimits,
} from './record.js'
import { TAIL_FAILED, TAIL_LENGTH_MASK } from './tails/descriptor.js'
import type { EncodedTail, Typed } from './tails/tail.js'

export interface RecordHeader {
  readonly cpu: number
  readonly seq: number
  /** ns of CLOCK_BOOTTIME. */
  readonly timeNs: bigint
}

/**
 * Decodes one record, copying everything out of `bytes`.
 *
 * @throws {RangeError} when the record is shorter than its layout or its tails say
 */
export function decodeRecord<F extends Fields>(
  layout: RecordLayout<F>,
  bytes: Uint8Array,
): RecordOf<RecordLayout<F>> {
  if (bytes.length < layout.fixedSizeBytes) {
    throw new RangeError(`Cannot decode ${layout.name}: ${bytes.length} of ${layout.fixedSizeBytes} bytes`)
  }
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  const record: Record<string, unknown> = {
    type: buffer.readUInt16LE(HEADER_TYPE),
    cpu: buffer.readUInt16LE(HEADER_CPU),
    seq: buffer.readUInt32LE(HEADER_SEQ),
    timeNs: buffer.readBigUInt64LE(HEADER_TIME),
  }
  for (const { name, offset, type } of layout.fixed) {
    record[name] = readFixed(buffer, offset, type.sizeBytes, type.kind)
  }
  let start = layout.fixedSizeBytes
  for (const { name, offset, type } of layout.tails) {
    const descriptor = buffer.readUInt32LE(offset)
    const end = start + (descriptor & TAIL_LENGTH_MASK)
    if (end > buffer.length) throw new RangeError(`Cannot decode ${layout.name}: ${name} ends beyond it`)
    const isThere = (descriptor & TAIL_FAILED) === 0
    record[name] = isThere ? type.codec.decode(descriptor, buffer.subarray(start, end)) : undefined
    start = end
  }
  return record as RecordOf<RecordLayout<F>>
}

/** The fields of a layout as `encodeRecord` takes them. */
export type EncodableFieldsOf<F extends Fields> = {
  readonly [K in keyof F]: F[K] extends Typed<unknown, infer Encodable, unknown> ? Encodable : never
}

/**
 * Writes a record as a program would: for tests, and for records of other sources. Numbers that are left out are 0,
 * tails that are left out are marked as unreadable. As in a ring, the record begins at a multiple of 8 of its memory,
 * which goes on to the next one: it can be seen as words.
 *
 * @throws {RangeError} when a value does not fit its field
 */
export function encodeRecord<F extends Fields>(
  layout: RecordLayout<F>,
  header: RecordHeader,
  values: Partial<EncodableFieldsOf<F>>,
  limits: TailLimits<F> = {},
): Uint8Array {
  const given = values as Record<string, unknown>
  const tails = layout.tails.map(({ name, type }): EncodedTail => {
    const value = given[name]
    if (value === undefined) return UNREADABLE
    return type.codec.encode(value, Math.min(limits[name] ?? type.maxBytes, type.maxBytes))
  })
  const sizeBytes = tails.reduce((sum, { bytes }) => sum + bytes.length, layout.fixedSizeBytes)
  const buffer = Buffer.alloc(Math.ceil(sizeBytes / 8) * 8).subarray(0, sizeBytes)
  buffer.writeUInt16LE(layout.type, HEADER_TYPE)
  buffer.writeUInt16LE(header.cpu, HEADER_CPU)
  buffer.writeUInt32LE(header.seq, HEADER_SEQ)
  buffer.writeBigUInt64LE(header.timeNs, HEADER_TIME)
  for (const { name, offset, type } of layout.fixed) {
    const value = given[name]
    if (value !== undefined) writeFixed(buffer, offset, type.sizeBytes, type.kind, value as FixedValue)
  }
  let start = layout.fixedSizeBytes
  for (const [index, tail] of layout.tails.entries()) {
    const { bytes, flags } = tails[index] as EncodedTail
    buffer.writeUInt32LE((bytes.length | flags) >>> 0, tail.offset)
    bytes.copy(buffer, start)
    start += bytes.length
  }
  return buffer
}

const UNREADABLE: EncodedTail = { bytes: Buffer.alloc(0), flags: TAIL_FAILED }
