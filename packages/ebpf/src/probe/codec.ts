/**
 * The general codec of records, driven by their layout. It interprets every field, so hot paths read the
 * offsets of the layout themselves; this one serves tests, recordings, and callers of raw records.
 */

import type { DecodedPath, Field } from './fields.js'
import { isTail } from './fields.js'
import {
  HEADER_CPU,
  HEADER_SEQ,
  HEADER_TIME,
  HEADER_TYPE,
  type RecordLayout,
  TAIL_DELETED,
  TAIL_FAILED,
  TAIL_LENGTH_MASK,
  TAIL_PSEUDO,
  TAIL_TRUNCATED,
  type TailField,
} from './layout.js'
import type { Probe, RecordOf } from './probe.js'

export interface RecordHeader {
  readonly cpu: number
  readonly seq: number
  /** ns of CLOCK_BOOTTIME. */
  readonly timeNs: bigint
}

/** The decoded fields of a layout. */
export type FieldsOf<F extends Record<string, Field>> = {
  readonly [K in keyof F]: F[K] extends Field<infer T> ? T : never
}

/**
 * Decodes one record, copying everything out of `bytes`.
 *
 * @throws {RangeError} when the record is shorter than its layout or its tails say
 */
export function decodeRecord<F extends Record<string, Field>>(
  layout: RecordLayout<F>,
  bytes: Uint8Array,
): RecordOf<Probe<F>> {
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
  for (const { name, offset, sizeBytes, spec } of layout.fixed) {
    record[name] = readFixed(buffer, offset, sizeBytes, spec.kind)
  }
  let start = layout.fixedSizeBytes
  for (const tail of layout.tails) {
    const descriptor = buffer.readUInt32LE(tail.offset)
    const end = start + (descriptor & TAIL_LENGTH_MASK)
    if (end > buffer.length) throw new RangeError(`Cannot decode ${layout.name}: ${tail.name} ends beyond it`)
    record[tail.name] = readTail(tail, descriptor, buffer.subarray(start, end))
    start = end
  }
  return record as RecordOf<Probe<F>>
}

function readFixed(buffer: Buffer, offset: number, sizeBytes: number, kind: string): unknown {
  switch (kind) {
    case 'u8':
      return buffer.readUInt8(offset)
    case 'u16':
      return buffer.readUInt16LE(offset)
    case 'u32':
      return buffer.readUInt32LE(offset)
    case 's32':
      return buffer.readInt32LE(offset)
    case 'u64':
      return buffer.readBigUInt64LE(offset)
    case 's64':
      return buffer.readBigInt64LE(offset)
    default:
      return untilNul(buffer.subarray(offset, offset + sizeBytes)).toString('utf8')
  }
}

function untilNul(bytes: Buffer): Buffer {
  const end = bytes.indexOf(0)
  return end === -1 ? bytes : bytes.subarray(0, end)
}

function readTail(tail: TailField, descriptor: number, bytes: Buffer): unknown {
  if ((descriptor & TAIL_FAILED) !== 0) return undefined
  switch (tail.kind) {
    case 'userBytes':
      return Uint8Array.from(bytes)
    case 'kernelString':
    case 'userString':
      return untilNul(bytes).toString('utf8')
    case 'words': {
      const size = isTail(tail.spec) ? (tail.spec.elementBytes ?? 8) : 8
      return Array.from({ length: Math.floor(bytes.length / size) }, (_, i) =>
        size === 4 ? bytes.readUInt32LE(i * 4) : Number(bytes.readBigUInt64LE(i * 8)),
      )
    }
    case 'path':
      return decodePath(descriptor, bytes.toString('latin1'))
  }
}

/**
 * Turns the bytes of a path tail around.
 *
 * @param components latin1 text of the tail: leaf first, each NUL-terminated, an empty one at the root
 */
export function decodePath(descriptor: number, components: string): DecodedPath {
  const names = components.split('\0')
  names.pop()
  const mark = names.indexOf('')
  const below = mark === -1 ? names : names.slice(0, mark)
  const above = mark === -1 ? undefined : names.slice(mark + 1).filter((name) => name !== '')
  const truncated = (descriptor & TAIL_TRUNCATED) !== 0
  const pseudo = (descriptor & TAIL_PSEUDO) !== 0
  return {
    path: utf8(pseudo ? (names[0] ?? '') : joined(below)),
    ...(above === undefined || truncated || pseudo ? {} : { root: utf8(joined(above)) }),
    truncated,
    deleted: (descriptor & TAIL_DELETED) !== 0,
  }
}

function joined(names: string[]): string {
  return `/${names.toReversed().join('/')}`
}

function utf8(latin1: string): string {
  return Buffer.from(latin1, 'latin1').toString('utf8')
}

/** A path to be encoded; bytes keep what is not UTF-8. */
export interface EncodablePath {
  readonly path: string | Uint8Array
  readonly root?: string | Uint8Array | undefined
  readonly truncated?: boolean
  readonly deleted?: boolean
}

type Encodable<T> = T extends DecodedPath ? EncodablePath : T extends string ? string | Uint8Array : T

/** The fields of a layout as `encodeRecord` takes them. */
export type EncodableFieldsOf<F extends Record<string, Field>> = {
  readonly [K in keyof F]: F[K] extends Field<infer T> ? Encodable<T> : never
}

/**
 * Writes a record as the kernel side would: for tests, and for facts that come from elsewhere. Numbers that
 * are left out are 0, tails that are left out are marked as unreadable. As in a ring, the record begins at a
 * multiple of 8 of its memory, which goes on to the next one: it can be seen as words.
 *
 * @throws {RangeError} when a value does not fit its field
 */
export function encodeRecord<F extends Record<string, Field>>(
  layout: RecordLayout<F>,
  header: RecordHeader,
  values: Partial<EncodableFieldsOf<F>>,
): Uint8Array {
  const given = values as Record<string, unknown>
  const tails = layout.tails.map((tail) => writeTail(tail, given[tail.name]))
  const sizeBytes = tails.reduce((sum, { bytes }) => sum + bytes.length, layout.fixedSizeBytes)
  const buffer = Buffer.alloc(Math.ceil(sizeBytes / 8) * 8).subarray(0, sizeBytes)
  buffer.writeUInt16LE(layout.type, HEADER_TYPE)
  buffer.writeUInt16LE(header.cpu, HEADER_CPU)
  buffer.writeUInt32LE(header.seq, HEADER_SEQ)
  buffer.writeBigUInt64LE(header.timeNs, HEADER_TIME)
  for (const { name, offset, sizeBytes: size, spec } of layout.fixed) {
    const value = given[name]
    if (value !== undefined)
      writeFixed(buffer, offset, size, spec.kind, value as number | bigint | string | Uint8Array)
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

function writeFixed(
  buffer: Buffer,
  offset: number,
  sizeBytes: number,
  kind: string,
  value: number | bigint | string | Uint8Array,
): void {
  switch (kind) {
    case 'u8':
      buffer.writeUInt8(value as number, offset)
      return
    case 'u16':
      buffer.writeUInt16LE(value as number, offset)
      return
    case 'u32':
      buffer.writeUInt32LE(value as number, offset)
      return
    case 's32':
      buffer.writeInt32LE(value as number, offset)
      return
    case 'u64':
      buffer.writeBigUInt64LE(value as bigint, offset)
      return
    case 's64':
      buffer.writeBigInt64LE(value as bigint, offset)
      return
    default:
      bytesOf(value as string | Uint8Array).copy(buffer, offset, 0, sizeBytes)
  }
}

interface EncodedTail {
  readonly bytes: Buffer
  readonly flags: number
}

function writeTail(tail: TailField, value: unknown): EncodedTail {
  if (value === undefined) return { bytes: Buffer.alloc(0), flags: TAIL_FAILED }
  switch (tail.kind) {
    case 'userBytes':
      return cut(tail, Buffer.from(value as Uint8Array))
    case 'kernelString':
    case 'userString':
      return terminated(tail, bytesOf(value as string | Uint8Array))
    case 'words': {
      const size = isTail(tail.spec) ? (tail.spec.elementBytes ?? 8) : 8
      const numbers = value as number[]
      const bytes = Buffer.alloc(numbers.length * size)
      for (const [i, number] of numbers.entries()) {
        if (size === 4) bytes.writeUInt32LE(number, i * 4)
        else bytes.writeBigUInt64LE(BigInt(number), i * 8)
      }
      return cut(tail, bytes)
    }
    case 'path':
      return encodePath(tail, value as EncodablePath)
  }
}

function cut(tail: TailField, bytes: Buffer): EncodedTail {
  if (bytes.length <= tail.maxBytes) return { bytes, flags: 0 }
  return { bytes: bytes.subarray(0, tail.maxBytes), flags: TAIL_TRUNCATED }
}

/** A string that fills its tail counts as cut, since the kernel cannot tell. */
function terminated(tail: TailField, text: Buffer): EncodedTail {
  const bytes = Buffer.concat([text.subarray(0, Math.max(tail.maxBytes - 1, 0)), Buffer.alloc(1)])
  return { bytes, flags: bytes.length < tail.maxBytes ? 0 : TAIL_TRUNCATED }
}

function bytesOf(text: string | Uint8Array): Buffer {
  return typeof text === 'string' ? Buffer.from(text) : Buffer.from(text.buffer, text.byteOffset, text.length)
}

function encodePath(tail: TailField, { path, root, truncated, deleted }: EncodablePath): EncodedTail {
  const flags = (truncated === true ? TAIL_TRUNCATED : 0) | (deleted === true ? TAIL_DELETED : 0)
  const text = bytesOf(path).toString('latin1')
  if (!text.startsWith('/')) {
    return { bytes: Buffer.from(`${text}\0`, 'latin1'), flags: flags | TAIL_PSEUDO }
  }
  const above = root === undefined ? '' : `\0${upwards(bytesOf(root).toString('latin1'))}`
  const { bytes, flags: cutFlags } = cut(tail, Buffer.from(upwards(text) + above, 'latin1'))
  return { bytes, flags: flags | cutFlags }
}

/** The components of a path from the leaf upwards, each with its terminator. */
function upwards(path: string): string {
  const names = path.split('/').filter((name) => name !== '')
  return names
    .toReversed()
    .map((name) => `${name}\0`)
    .join('')
}
