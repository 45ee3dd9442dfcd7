/**
 * Record layouts. A layout is computed once from a declaration and is the only truth about a record: the
 * generated program stores by it, decoders read by it, and `encodeRecord` writes by it.
 *
 * ```
 *  0        2      4        8              16                      fixedSizeBytes
 *  ┌────────┬──────┬────────┬──────────────┬───────────────────────┬──────────────┬──────────────┐
 *  │ type   │ cpu  │ seq    │ timeNs (boot)│ fixed fields, C rules │ tail 1       │ tail 2 …     │
 *  └────────┴──────┴────────┴──────────────┴───────────────────────┴──────────────┴──────────────┘
 * ```
 *
 * Each tail has a 32-bit descriptor among the fixed fields: its length in the low 24 bits, flags above.
 */

import type { TailKind } from './fields.js'
import { type Field, type FieldSpec, isTail } from './fields.js'

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

/** Part of a tail's descriptor that holds its length. */
export const TAIL_LENGTH_MASK = 0xffffff
/** The tail was cut at its limit. */
export const TAIL_TRUNCATED = 1 << 24
/** The memory could not be read; the tail is empty. */
export const TAIL_FAILED = 1 << 25
/** Path: the file has no place in any directory (memfd, pipe, detached): the only component is its name. */
export const TAIL_PSEUDO = 1 << 26
/** Path: the file was unlinked when the record was written. */
export const TAIL_DELETED = 1 << 27

/** One fixed field at its place. */
export interface FixedField {
  readonly name: string
  readonly offset: number
  readonly sizeBytes: number
  readonly spec: FieldSpec<unknown>
}

/** One variable part, in the order in which they lie behind the fixed fields. */
export interface TailField {
  readonly name: string
  readonly kind: TailKind
  /** Offset of the 32-bit descriptor. */
  readonly offset: number
  /** Most bytes that the kernel side writes. */
  readonly maxBytes: number
  readonly spec: FieldSpec<unknown>
}

/** Where every field of a record lies. `at` has each field's offset; of a tail, its descriptor's. */
export interface RecordLayout<F extends Record<string, Field> = Record<string, Field>> {
  readonly type: number
  readonly name: string
  readonly at: { readonly [K in keyof F]: number }
  readonly fixed: readonly FixedField[]
  readonly tails: readonly TailField[]
  /** Header and fixed fields: where the first tail begins. */
  readonly fixedSizeBytes: number
  /** The largest record that this layout can have. */
  readonly maxSizeBytes: number
}

/** Lays fields out by C's rules, in the order of declaration, after the header. */
export function layoutOf<F extends Record<string, Field>>(
  type: number,
  name: string,
  fields: F,
): RecordLayout<F> {
  const at: Record<string, number> = {}
  const fixed: FixedField[] = []
  const tails: TailField[] = []
  let offset = HEADER_SIZE_BYTES
  for (const [field, value] of Object.entries<Field>(fields)) {
    const { spec } = value
    const align = isTail(spec) ? 4 : spec.align
    offset = Math.ceil(offset / align) * align
    at[field] = offset
    if (isTail(spec)) {
      tails.push({ name: field, kind: spec.kind, offset, maxBytes: spec.maxBytes, spec })
      offset += 4
    } else {
      fixed.push({ name: field, offset, sizeBytes: spec.sizeBytes, spec })
      offset += spec.sizeBytes
    }
  }
  const fixedSizeBytes = Math.ceil(offset / 8) * 8
  const maxSizeBytes = tails.reduce((sum, tail) => sum + tail.maxBytes, fixedSizeBytes)
  return { type, name, at: at as RecordLayout<F>['at'], fixed, tails, fixedSizeBytes, maxSizeBytes }
}

/** A layout as text, one field a line: what golden tests and the documentation show. */
export function describeLayout(layout: RecordLayout): string {
  const rows = [
    ...layout.fixed.map((field) => ({ offset: field.offset, text: `${field.name}: ${field.spec.kind}` })),
    ...layout.tails.map((tail) => ({ offset: tail.offset, text: `${tail.name}: ${tail.kind} tail` })),
  ].sort((a, b) => a.offset - b.offset)
  const lines = rows.map(({ offset, text }) => `  ${String(offset).padStart(4)} ${text}`)
  return [`${layout.name} (type ${layout.type}, ${layout.fixedSizeBytes} bytes fixed)`, ...lines].join('\n')
}
