/** Layouts of records as recordings have them. */

import { MIN_RECORD_BYTES, type RecordedField, type RecordedTail, type RecordedType } from './format.js'

/** A record type of a kind, as far as a recording describes it. */
interface Described {
  readonly name: string
  readonly isOwn?: boolean
  readonly layout: {
    readonly type: number
    readonly fixedSizeBytes: number
    readonly fixed: readonly {
      readonly name: string
      readonly offset: number
      readonly type: { readonly kind: string; readonly sizeBytes: number }
    }[]
    readonly tails: readonly {
      readonly name: string
      readonly offset: number
      readonly type: { readonly kind: string }
    }[]
  }
}

/** The description of a record type in a recording. */
export function describeType(kind: string, { name, layout, isOwn }: Described): RecordedType {
  return {
    kind,
    name,
    type: layout.type,
    size: layout.fixedSizeBytes,
    ...(isOwn === true ? { isOwn } : {}),
    fields: layout.fixed.map(({ name, offset, type }) => ({
      name,
      type: type.kind,
      offset,
      size: type.sizeBytes,
    })),
    tails: layout.tails.map(({ name, offset, type }) => ({ name, type: type.kind, offset })),
  }
}

/** Whether both have the same layout, whatever their numbers and names. */
export function areAlike(one: RecordedType, other: RecordedType): boolean {
  return textOf(one) === textOf(other)
}

function textOf({ size, fields, tails }: RecordedType): string {
  const fixed = fields.map(({ name, type, offset, size }) => [name, type, offset, size])
  return JSON.stringify([size, fixed, tails.map(({ name, type, offset }) => [name, type, offset])])
}

/** Kinds of tails as version 1 named them: by what a program read them from. */
const FIRST_TAILS: Readonly<Record<string, string>> = {
  userBytes: 'bytes',
  kernelString: 'string',
  userString: 'string',
}

const SIZES: Readonly<Record<string, number>> = { u8: 1, u16: 2, u32: 4, u64: 8, s32: 4, s64: 8 }

/** Largest size of a layout in files of version 1. */
const MAX_SIZE = 1 << 16

/**
 * A layout of version 1, which is a text: `quark_exit (type 3, 64 bytes fixed)`, then a line for each field, such as
 * `16 pid: u32` or `36 filename: userString tail`. Undefined for another text.
 */
export function parseLayout(text: string): RecordedType | undefined {
  const [head = '', ...lines] = text.split('\n')
  const [, name, type, size] = /^(\S+) \(type (\d{1,5}), (\d{1,6}) bytes fixed\)$/.exec(head) ?? []
  const rows = lines.map((line) => /^ *(\d{1,6}) (\w+): (\w+)( tail)?$/.exec(line))
  if (name === undefined || rows.includes(null) || Number(size) > MAX_SIZE || Number(size) < 16)
    return undefined
  const fields: RecordedField[] = []
  const tails: RecordedTail[] = []
  for (const [at, row] of rows.entries()) {
    const [, offsetText, field = '', kind = '', isTail] = row ?? []
    const offset = Number(offsetText)
    // The length of a `chars` field is the distance to the next field.
    const next = Number(rows[at + 1]?.[1] ?? size)
    const bytes = isTail === undefined ? (SIZES[kind] ?? next - offset) : 4
    if (bytes <= 0 || offset < MIN_RECORD_BYTES || offset + bytes > Number(size)) return undefined
    if (isTail === undefined) fields.push({ name: field, type: kind, offset, size: bytes })
    else tails.push({ name: field, type: FIRST_TAILS[kind] ?? kind, offset })
  }
  return { kind: '', name, type: Number(type), size: Number(size), fields, tails }
}
