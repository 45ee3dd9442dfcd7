/** Turns an entry of an offset table back into BTF, so that code that reads BTF can use the table. */

import { BtfError } from '../errors.js'
import { Btf } from './btf.js'
import type { OffsetEntry, OffsetParameters, OffsetStruct, OffsetType } from './offsets.js'
import {
  BTF_KIND_ARRAY,
  BTF_KIND_ENUM,
  BTF_KIND_FUNC,
  BTF_KIND_FUNC_PROTO,
  BTF_KIND_INT,
  BTF_KIND_PTR,
  BTF_KIND_STRUCT,
  BTF_KIND_TYPEDEF,
  type BtfKind,
  type TypeId,
} from './types.js'

const HEADER_SIZE_BYTES = 24
const BTF_MAGIC = 0xeb9f
const INT_SIGNED = 1 << 24
/** `void *` in place of what is not described. */
const VOID: TypeId = 0

/**
 * The part of a kernel's BTF that an offset table keeps: members, enumerators and prototypes are found as in the
 * original. Type ids differ from the kernel's, so it cannot serve programs that the kernel checks against BTF.
 *
 * @throws {BtfError} when a type is not described as `OffsetType` says
 */
export function offsetEntryBtf(entry: OffsetEntry): Btf {
  const origin = `the offset table (${entry.name} ${entry.release})`
  const types = new Types(entry.structs, origin)
  for (const [name, values] of Object.entries(entry.enums)) types.enum(name, values)
  for (const [name, parameters] of Object.entries(entry.functions)) types.function(name, parameters)
  for (const [name, parameters] of Object.entries(entry.tracepoints)) types.tracepoint(name, parameters)
  return Btf.parse(types.bytes(), origin)
}

class Types {
  readonly #origin: string
  readonly #words: number[] = []
  readonly #strings: number[] = [0]
  readonly #known = new Map<string, TypeId>()
  #count = 0

  /** Structs come first and in order, so that types may refer to them before they are written. */
  constructor(structs: OffsetEntry['structs'], origin: string) {
    this.#origin = origin
    const names = Object.keys(structs)
    names.forEach((name, index) => this.#known.set(`=${name}`, index + 1))
    const places = Object.entries(structs).map(([name, struct]) => this.#declareStruct(name, struct))
    Object.values(structs).forEach((struct, index) => this.#defineMembers(places[index] ?? 0, struct))
  }

  enum(name: string, values: Readonly<Record<string, number>>): void {
    const words = Object.entries(values).flatMap(([value, number]) => [this.#string(value), number >>> 0])
    this.#add(name, BTF_KIND_ENUM, 4, words, words.length / 2)
  }

  function(name: string, parameters: OffsetParameters): void {
    this.#add(name, BTF_KIND_FUNC, this.#prototype(parameters))
  }

  /** A tracepoint is known by the type of its probe functions, which get a pointer of their own first. */
  tracepoint(name: string, parameters: OffsetParameters): void {
    const prototype = this.#prototype([['', '*'], ...parameters])
    this.#add(`btf_trace_${name}`, BTF_KIND_TYPEDEF, this.#add('', BTF_KIND_PTR, prototype))
  }

  /** Header (magic u16, version u8, flags u8, five u32), types, strings. */
  bytes(): Uint8Array {
    const typesSize = this.#words.length * 4
    const bytes = new Uint8Array(HEADER_SIZE_BYTES + typesSize + this.#strings.length)
    const view = new DataView(bytes.buffer)
    view.setUint16(0, BTF_MAGIC, true)
    view.setUint8(2, 1)
    const header = [HEADER_SIZE_BYTES, 0, typesSize, typesSize, this.#strings.length]
    header.forEach((word, index) => view.setUint32(4 + index * 4, word, true))
    this.#words.forEach((word, index) => view.setUint32(HEADER_SIZE_BYTES + index * 4, word, true))
    bytes.set(this.#strings, HEADER_SIZE_BYTES + typesSize)
    return bytes
  }

  /** Reserves the words of the members: their types are not known yet. */
  #declareStruct(name: string, { sizeBytes, members }: OffsetStruct): number {
    const count = Object.keys(members).length
    const at = this.#words.length
    this.#add(name, BTF_KIND_STRUCT, sizeBytes, new Array<number>(count * 3).fill(0), count, true)
    return at + 3
  }

  /** With kind_flag set, an offset is a width of 8 bits (0: no bit-field) above a bit offset of 24. */
  #defineMembers(at: number, { members }: OffsetStruct): void {
    Object.entries(members).forEach(([name, member], index) => {
      const [offset, type, shift = 0, width = 0] = member
      const place = [this.#string(name), this.#type(type), ((width << 24) | (offset * 8 + shift)) >>> 0]
      place.forEach((word, n) => (this.#words[at + index * 3 + n] = word))
    })
  }

  #prototype(parameters: OffsetParameters): TypeId {
    const words = parameters.flatMap(([name, type]) => [this.#string(name), this.#type(type)])
    return this.#add('', BTF_KIND_FUNC_PROTO, VOID, words, parameters.length)
  }

  #type(text: OffsetType): TypeId {
    if (text === '') return VOID
    let id = this.#known.get(text)
    if (id === undefined) {
      id = this.#newType(text)
      this.#known.set(text, id)
    }
    return id
  }

  #newType(text: OffsetType): TypeId {
    if (text.startsWith('*')) return this.#add('', BTF_KIND_PTR, this.#type(text.slice(1)))
    const [, count, element, number, sizeBytes] = /^\[(\d+)\](.+)$|^([su][1248])$|^=(\d+)$/.exec(text) ?? []
    if (element !== undefined) {
      return this.#add('', BTF_KIND_ARRAY, 0, [this.#type(element), this.#type('u4'), Number(count)])
    }
    if (sizeBytes !== undefined) return this.#add('', BTF_KIND_STRUCT, Number(sizeBytes))
    if (number === undefined) {
      throw new BtfError(`Broken offset table: ${this.#origin} has no type "${text}"`)
    }
    const size = Number(number.slice(1))
    const encoding = number.startsWith('s') ? INT_SIGNED : 0
    return this.#add(number, BTF_KIND_INT, size, [encoding | (size * 8)])
  }

  #add(name: string, kind: BtfKind, sizeOrType: number, rest: number[] = [], vlen = 0, flag = false): TypeId {
    const info = ((flag ? 0x8000_0000 : 0) | (kind << 24) | vlen) >>> 0
    this.#words.push(this.#string(name), info, sizeOrType, ...rest)
    return ++this.#count
  }

  #string(text: string): number {
    if (text === '') return 0
    const offset = this.#strings.length
    this.#strings.push(...Buffer.from(text), 0)
    return offset
  }
}
