/** The compact form of what probes need to know about one kernel that carries no BTF. See docs/offsets.md. */

import { BtfError } from '../errors.js'

/**
 * A type in few characters, read from left to right:
 *
 *     s4 u8      a signed or unsigned number of that many bytes; enums, bools and characters are such numbers
 *     *T         a pointer to T; a * at the end is a pointer to what the table does not describe
 *     [16]T      an array
 *     =name      a struct or union of the table, in place
 *     =24        one that the table does not describe, of that many bytes
 */
export type OffsetType = string

/** Offset in bytes and type; of a bit-field also its first bit, counted from that byte, and its width. */
export type OffsetMember = readonly [number, OffsetType, number?, number?]

/** A struct or union: its size and those members that probes may touch. Anonymous ones are dissolved into it. */
export interface OffsetStruct {
  readonly sizeBytes: number
  readonly members: Readonly<Record<string, OffsetMember>>
}

/** Names and types of the parameters of a function or tracepoint. */
export type OffsetParameters = readonly (readonly [string, OffsetType])[]

/** One kernel of an offset table. */
export interface OffsetEntry {
  /** Who built it, such as `debian`. */
  readonly name: string
  /** As `uname -r` prints it; with a final `*`, what the release begins with. */
  readonly release: string
  readonly architecture: 'x64' | 'arm64'
  readonly structs: Readonly<Record<string, OffsetStruct>>
  readonly enums: Readonly<Record<string, Readonly<Record<string, number>>>>
  readonly functions: Readonly<Record<string, OffsetParameters>>
  readonly tracepoints: Readonly<Record<string, OffsetParameters>>
}

/** An offset table as its file holds it. */
export interface OffsetTable {
  readonly format: 1
  readonly kernels: readonly OffsetEntry[]
}

/**
 * Reads an offset table.
 *
 * @param text JSON
 * @param origin what messages call it, for example a path
 * @throws {BtfError} naming the invalid part
 */
export function parseOffsetTable(text: string, origin: string): OffsetTable {
  let table: unknown
  try {
    table = JSON.parse(text)
  } catch (cause) {
    throw new BtfError(`Broken offset table ${origin}: it is not JSON`, { cause })
  }
  const check = new Checker(origin)
  const { format, kernels } = check.object(table, 'the whole')
  if (format !== 1)
    throw new BtfError(`Cannot read offset table ${origin}: its format is ${String(format)}, not 1`)
  check.array(kernels, 'kernels').forEach((kernel, index) => check.entry(kernel, `kernels[${index}]`))
  return table as OffsetTable
}

const TYPE = /^(?:\*|\[\d+\])*(?:[su][1248]|=\w+|(?<=\*))$/

class Checker {
  readonly #origin: string

  constructor(origin: string) {
    this.#origin = origin
  }

  entry(value: unknown, where: string): void {
    const entry = this.object(value, where)
    for (const key of ['name', 'release']) {
      if (typeof entry[key] !== 'string' || entry[key] === '') this.#fail(`${where}.${key}`, 'a text')
    }
    if (entry['architecture'] !== 'x64' && entry['architecture'] !== 'arm64') {
      this.#fail(`${where}.architecture`, 'x64 or arm64')
    }
    this.#each(entry['structs'], `${where}.structs`, (struct, at) => this.#struct(struct, at))
    this.#each(entry['enums'], `${where}.enums`, (values, at) =>
      this.#each(values, at, (number, name) => this.#integer(number, name)),
    )
    for (const key of ['functions', 'tracepoints']) {
      this.#each(entry[key], `${where}.${key}`, (parameters, at) => this.#parameters(parameters, at))
    }
  }

  object(value: unknown, where: string): Record<string, unknown> {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) this.#fail(where, 'an object')
    return value as Record<string, unknown>
  }

  array(value: unknown, where: string): readonly unknown[] {
    if (!Array.isArray(value)) this.#fail(where, 'a list')
    return value as readonly unknown[]
  }

  #struct(value: unknown, where: string): void {
    const { sizeBytes, members } = this.object(value, where)
    this.#integer(sizeBytes, `${where}.sizeBytes`)
    this.#each(members, `${where}.members`, (member, at) => {
      const [offset, type, ...bits] = this.array(member, at)
      for (const number of [offset, ...bits]) this.#integer(number, at)
      if (bits.length !== 0 && bits.length !== 2) this.#fail(at, 'two or four values')
      this.#type(type, at)
    })
  }

  #parameters(value: unknown, where: string): void {
    for (const parameter of this.array(value, where)) {
      const [name, type] = this.array(parameter, where)
      if (typeof name !== 'string') this.#fail(where, 'pairs of name and type')
      this.#type(type, where)
    }
  }

  #each(value: unknown, where: string, check: (value: unknown, where: string) => void): void {
    for (const [name, inner] of Object.entries(this.object(value, where))) check(inner, `${where}.${name}`)
  }

  #integer(value: unknown, where: string): void {
    if (!Number.isInteger(value) || Math.abs(value as number) > 0xffff_ffff)
      this.#fail(where, 'a whole number')
  }

  #type(value: unknown, where: string): void {
    if (typeof value !== 'string' || !TYPE.test(value))
      this.#fail(where, 'a type such as s4, *=task_struct or [16]u1')
  }

  #fail(where: string, wanted: string): never {
    throw new BtfError(`Broken offset table ${this.#origin}: ${where} has to be ${wanted}`)
  }
}

/** The text of an offset table, with a line for each struct so that differences can be read. */
export function offsetTableText({ kernels }: OffsetTable): string {
  return `{"format":1,"kernels":[\n${kernels.map(entryText).join(',\n')}\n]}\n`
}

function entryText({
  name,
  release,
  architecture,
  structs,
  enums,
  functions,
  tracepoints,
}: OffsetEntry): string {
  const lines = Object.entries(structs).map(
    ([struct, value]) => `${JSON.stringify(struct)}:${JSON.stringify(value)}`,
  )
  const rest = JSON.stringify({ enums, functions, tracepoints }).slice(1)
  const head = JSON.stringify({ name, release, architecture }).slice(0, -1)
  return `${head},"structs":{\n${lines.join(',\n')}},\n${rest}`
}
