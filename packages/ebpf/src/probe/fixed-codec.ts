/** Numbers and runs of bytes at a fixed place, as programs write them. */

import type { FixedKind } from './fields.js'
import { bytesOf, untilNul } from './tails/tail.js'

/** What a fixed place can be filled with: bigints go into 8 bytes, numbers into less. */
export type FixedValue = number | bigint | string | Uint8Array

/** A number, a bigint of 8 bytes, or the text before the first NUL. */
export function readFixed(buffer: Buffer, offset: number, sizeBytes: number, kind: FixedKind): unknown {
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
    case 'chars':
      return untilNul(buffer.subarray(offset, offset + sizeBytes)).toString('utf8')
  }
}

/** @throws {RangeError} when a number does not fit */
export function writeFixed(
  buffer: Buffer,
  offset: number,
  sizeBytes: number,
  kind: FixedKind,
  value: FixedValue,
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
    case 'chars':
      bytesOf(value as string | Uint8Array).copy(buffer, offset, 0, sizeBytes)
  }
}
