/** The types of the fields that lie at a fixed place in a record. */

import type { Chars, Operand } from './expr.js'
import type { TailType, Typed } from './tails/tail.js'

export type FixedKind = 'u8' | 'u16' | 'u32' | 'u64' | 's32' | 's64' | 'chars'

/** The type of a field of a fixed size. */
export interface FixedType<Decoded = unknown, Encodable = unknown, Filling = unknown> extends Typed<
  Decoded,
  Encodable,
  Filling
> {
  readonly kind: FixedKind
  readonly sizeBytes: number
  readonly align: number
}

/** The type of any field: what it decodes to, what `encodeRecord` takes for it, and what a probe fills it with. */
export type FieldType<Decoded = unknown, Encodable = unknown, Filling = unknown> =
  | FixedType<Decoded, Encodable, Filling>
  | TailType<Decoded, Encodable, Filling>

/** The fields of a record by their names, in the order in which they lie there. */
export type Fields = Readonly<Record<string, FieldType>>

export function isTail(type: FieldType): type is TailType {
  return 'maxBytes' in type
}

function number<Decoded, Filling = Operand>(
  kind: FixedKind,
  sizeBytes: number,
): FixedType<Decoded, Decoded, Filling> {
  return { kind, sizeBytes, align: sizeBytes }
}

/** An unsigned byte. */
export const u8 = number<number>('u8', 1)
/** An unsigned 16-bit number. */
export const u16 = number<number>('u16', 2)
/** An unsigned 32-bit number. */
export const u32 = number<number>('u32', 4)
/** An unsigned 64-bit number, or eight bytes in place seen as one; decodes to a bigint. */
export const u64 = number<bigint, Operand | Chars>('u64', 8)
/** A signed 32-bit number. */
export const s32 = number<number>('s32', 4)
/** A signed 64-bit number; decodes to a bigint. */
export const s64 = number<bigint>('s64', 8)

/** A fixed run of characters, such as a comm; decodes to the text before the first NUL. */
export function chars(lengthBytes: number): FixedType<string, string | Uint8Array, Chars> {
  if (!Number.isInteger(lengthBytes) || lengthBytes <= 0 || lengthBytes % 8 !== 0) {
    throw new RangeError(`Cannot declare chars of ${lengthBytes} bytes as the length must be a multiple of 8`)
  }
  return { kind: 'chars', sizeBytes: lengthBytes, align: 8 }
}
