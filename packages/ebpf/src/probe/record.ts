/**
 * Records and their layouts. A layout is computed once from a declaration and is the only truth about a record: the
 * generated program stores by it, decoders read by it, and `encodeRecord` writes by it.
 *
 * ```
 *  0        2      4        8              16                      fixedSizeBytes
 *  ┌────────┬──────┬────────┬──────────────┬───────────────────────┬──────────────┬──────────────┐
 *  │ type   │ cpu  │ seq    │ timeNs (boot)│ fixed fields, C rules │ tail 1       │ tail 2 …     │
 *  └────────┴──────┴────────┴──────────────┴───────────────────────┴──────────────┴──────────────┘
 * ```
 *
 * Each tail has a 32-bit descriptor among the fixed fields (tails/descriptor.ts).
 */

import { type FieldType, type Fields, type FixedType, isTail } from './fields.js'
import type { TailType, Typed } from './tails/tail.js'

/** Bytes before the first declared field. */
export const HEADER_SIZE_BYTES = 16
/** Offset of the record type, u16. */
export const HEADER_TYPE = 0
/** Offset of the CPU that wrote the record, u16. */
export const HEADER_CPU = 2
/** Offset of the per-CPU sequence number, u32: it also advances when a record finds no room. */
export const HEADER_SEQ = 4
/** Offset of the time, u64 ns of CLOCK_BOOTTIME. */
export const HEADER_TIME = 8

/** One fixed field at its place. */
export interface FixedField {
  readonly name: string
  readonly offset: number
  readonly type: FixedType
}

/** One variable part, in the order in which they lie behind the fixed fields. */
export interface TailField {
  readonly name: string
  /** Offset of the 32-bit descriptor. */
  readonly offset: number
  readonly type: TailType
}

/** Where every field of a record lies. `at` has each field's offset; of a tail, its descriptor's. */
export interface RecordLayout<F extends Fields = Fields> {
  /** The high byte numbers the kind of records, the low byte the record within its kind. */
  readonly type: number
  readonly name: string
  readonly fields: F
  readonly at: { readonly [K in keyof F]: number }
  readonly fixed: readonly FixedField[]
  readonly tails: readonly TailField[]
  /** Header and fixed fields: where the first tail begins. */
  readonly fixedSizeBytes: number
}

/** The fields of a layout as they are decoded. */
export type FieldsOf<F extends Fields> = {
  readonly [K in keyof F]: F[K] extends Typed<infer Decoded, unknown, unknown> ? Decoded : never
}

/** The TypeScript type of a layout's records. */
export type RecordOf<L> =
  L extends RecordLayout<infer F>
    ? FieldsOf<F> & {
        readonly type: number
        readonly cpu: number
        readonly seq: number
        readonly timeNs: bigint
      }
    : never

/** Where tails are cut, by the names of their fields: as a probe would, whose limits may be lower than the layout's. */
export type TailLimits<F extends Fields> = { readonly [K in keyof F]?: number }

/** Largest record type: it is a u16 in the header. */
const MAX_TYPE = 0xffff

/**
 * Declares what a record holds, whatever fills it: its fields are laid out by C's rules, in the order of declaration,
 * after the header.
 *
 * @param type unique among the records that share a ring: 1 to 0xffff
 * @throws {RangeError} for another type
 */
export function record<const F extends Fields>(type: number, name: string, fields: F): RecordLayout<F> {
  if (!Number.isInteger(type) || type < 1 || type > MAX_TYPE) {
    throw new RangeError(`Cannot declare record "${name}" with type ${type}: use 1 to ${MAX_TYPE}`)
  }
  const at: Record<string, number> = {}
  const fixed: FixedField[] = []
  const tails: TailField[] = []
  let offset = HEADER_SIZE_BYTES
  for (const [field, type] of Object.entries<FieldType>(fields)) {
    const { align, sizeBytes } = isTail(type) ? DESCRIPTOR : type
    offset = Math.ceil(offset / align) * align
    at[field] = offset
    if (isTail(type)) tails.push({ name: field, offset, type })
    else fixed.push({ name: field, offset, type })
    offset += sizeBytes
  }
  checkScarceTails(name, tails)
  const fixedSizeBytes = Math.ceil(offset / 8) * 8
  return { type, name, fields, at: at as RecordLayout<F>['at'], fixed, tails, fixedSizeBytes }
}

/** @throws {RangeError} when something would be left behind a tail that is cut */
function checkScarceTails(name: string, tails: readonly TailField[]): void {
  const first = tails.findIndex(({ type }) => type.scarceBytes !== undefined)
  if (first === -1 || tails.slice(first + 1).every(({ type }) => type.scarceBytes === 0)) return
  throw new RangeError(
    `Cannot declare record "${name}": behind a tail with scarceBytes, each tail must have 0 scarceBytes`,
  )
}

const DESCRIPTOR = { sizeBytes: 4, align: 4 } as const

/** A layout as text, one field a line: what golden tests and the documentation show. */
export function describeLayout(layout: RecordLayout): string {
  const rows = [
    ...layout.fixed.map(({ name, offset, type }) => ({ offset, text: `${name}: ${type.kind}` })),
    ...layout.tails.map(({ name, offset, type }) => ({ offset, text: `${name}: ${type.kind} tail` })),
  ].sort((a, b) => a.offset - b.offset)
  const lines = rows.map(({ offset, text }) => `  ${String(offset).padStart(4)} ${text}`)
  return [`${layout.name} (type ${layout.type}, ${layout.fixedSizeBytes} bytes fixed)`, ...lines].join('\n')
}
