import { BtfError } from '../errors.js'
import { ENUM_KINDS, enumeratorValue, findMember, STRUCT_KINDS } from './members.js'
import { declare, list, parametersOf } from './print.js'
import { nameBytes } from './strings.js'
import { kindSet, MAX_CHAIN, TypeTable } from './table.js'
import {
  BTF_KIND_ARRAY,
  BTF_KIND_DATASEC,
  BTF_KIND_ENUM,
  BTF_KIND_ENUM64,
  BTF_KIND_FLOAT,
  BTF_KIND_FUNC,
  BTF_KIND_FUNC_PROTO,
  BTF_KIND_INT,
  BTF_KIND_PTR,
  BTF_KIND_STRUCT,
  BTF_KIND_TYPEDEF,
  BTF_KIND_UNION,
  BTF_KIND_UNKN,
  BTF_KIND_VAR,
  type BtfKind,
  type FunctionPrototype,
  type IntegerShape,
  type Member,
  type Parameter,
  type TypeId,
} from './types.js'

const POINTER_SIZE_BYTES = 8
const SIZED_KINDS = kindSet(
  BTF_KIND_INT,
  BTF_KIND_STRUCT,
  BTF_KIND_UNION,
  BTF_KIND_ENUM,
  BTF_KIND_ENUM64,
  BTF_KIND_FLOAT,
  BTF_KIND_DATASEC,
)

// Bits 24..27 of the word that follows BTF_KIND_INT.
const INT_SIGNED = 1 << 24
const INT_CHAR = 1 << 25
const INT_BOOL = 1 << 26

/**
 * The types of a kernel, decoded lazily: opening only indexes where each type starts. Look-ups by name are cached.
 * Every method that follows references throws {@link BtfError} if these are broken, or if the id does not exist.
 */
export class Btf {
  readonly #table: TypeTable
  readonly #found = new Map<string, TypeId | undefined>()
  readonly #members = new Map<TypeId, Map<string, Member | undefined>>()
  readonly #enumerators = new Map<string, number | undefined>()

  private constructor(bytes: Uint8Array, origin: string) {
    this.#table = new TypeTable(bytes, origin)
  }

  /**
   * Reads raw BTF, or the `.BTF` section of an ELF file. Keeps a reference to `bytes`: they must not change while
   * the result is in use.
   *
   * @param origin what messages call the bytes, for example a path
   * @throws BtfError when the bytes are not little-endian BTF of version 1, or are broken.
   */
  static parse(bytes: Uint8Array, origin = 'the given bytes'): Btf {
    return new Btf(bytes, origin)
  }

  /** What messages call this BTF. */
  get origin(): string {
    return this.#table.origin
  }

  /** Number of types that were indexed, without `void`: ids run from 1 to this one. */
  get typeCount(): number {
    return this.#table.typeCount
  }

  /**
   * The first type of a kind that this package does not know, if there is one. Its size is unknown, so neither it
   * nor any later type can be read or found.
   */
  get truncatedAtType(): TypeId | undefined {
    return this.#table.truncatedAtType
  }

  /** The type with this kind and name; the first one when there are several. */
  findType(kind: BtfKind, name: string): TypeId | undefined {
    return this.#find(kindSet(kind), name)
  }

  /** The struct or union with this name. */
  findStruct(name: string): TypeId | undefined {
    return this.#find(STRUCT_KINDS, name)
  }

  /** The function with this name; the first one when there are several static ones. */
  findFunction(name: string): FunctionPrototype | undefined {
    const id = this.#find(kindSet(BTF_KIND_FUNC), name)
    if (id === undefined) return undefined
    return this.#prototype(id, name, this.#table.sizeOrType(id))
  }

  /**
   * The tracepoint with this name, as a BTF-typed program sees it: without the `void *` that every probe function
   * gets first. Names of parameters are there where BTF has them.
   */
  findTracepoint(name: string): FunctionPrototype | undefined {
    const id = this.#find(kindSet(BTF_KIND_TYPEDEF), `btf_trace_${name}`)
    const proto = id === undefined ? undefined : this.pointee(id)
    if (id === undefined || proto === undefined) return undefined
    const typed = this.#prototype(id, name, proto)
    // Types of function pointers have no parameter names; the function that calls all probes has the same
    // parameters with names.
    const iterator = this.findFunction(`__traceiter_${name}`)
    if (iterator?.parameters.length === typed.parameters.length) {
      typed.parameters.forEach((parameter, index) => {
        parameter.name = iterator.parameters[index]!.name
      })
    }
    const first = typed.parameters[0]
    if (first !== undefined && this.pointee(first.type) === 0) typed.parameters.shift()
    return typed
  }

  /**
   * A member of a struct or union, also one of an anonymous struct or union inside of it. Undefined when there is
   * none, or when the type is neither (typedefs and qualifiers are skipped).
   */
  member(structId: TypeId, name: string): Member | undefined {
    let members = this.#members.get(structId)
    if (members === undefined) {
      members = new Map()
      this.#members.set(structId, members)
    }
    if (!members.has(name)) members.set(name, findMember(this.#table, structId, name))
    return members.get(name)
  }

  /** Skips typedefs, const, volatile, restrict and type tags. */
  resolve(id: TypeId): TypeId {
    return this.#table.resolve(id)
  }

  /** The kind of a type; BTF_KIND_UNKN for `void`. */
  kindOf(id: TypeId): BtfKind {
    return this.#table.kindOf(id)
  }

  /** The bare name of a type: empty for `void` and for anonymous types. */
  nameOf(id: TypeId): string {
    return this.#table.nameOf(id)
  }

  /** The size in bytes; undefined for what has none, as functions, `void` and structs that are only declared. */
  sizeOf(id: TypeId): number | undefined {
    let count = 1
    let current = id
    for (let depth = 0; depth < MAX_CHAIN; depth++) {
      current = this.#table.resolve(current)
      const kind = this.#table.kindOf(current)
      if (kind === BTF_KIND_ARRAY) {
        count *= this.#table.extra(current, 2)
        current = this.#table.extra(current, 0)
      } else if (kind === BTF_KIND_VAR) {
        current = this.#table.sizeOrType(current)
      } else if (kind === BTF_KIND_PTR) {
        return count * POINTER_SIZE_BYTES
      } else {
        return this.#table.isKind(current, SIZED_KINDS) ? count * this.#table.sizeOrType(current) : undefined
      }
    }
    throw this.#table.endlessChain(id)
  }

  /** What a pointer points to, without typedefs and qualifiers; undefined when the type is not a pointer. */
  pointee(id: TypeId): TypeId | undefined {
    const pointer = this.resolve(id)
    return this.kindOf(pointer) === BTF_KIND_PTR ? this.resolve(this.#table.sizeOrType(pointer)) : undefined
  }

  /** Element type (as declared) and element count of an array; undefined when the type is not an array. */
  element(id: TypeId): { type: TypeId; count: number } | undefined {
    const array = this.resolve(id)
    if (this.kindOf(array) !== BTF_KIND_ARRAY) return undefined
    return { type: this.#table.extra(array, 0), count: this.#table.extra(array, 2) }
  }

  /**
   * How to read an integer, enum or bool; undefined for other types. Enums of BTF that was made before Linux 6.0
   * always count as unsigned.
   */
  integer(id: TypeId): IntegerShape | undefined {
    const resolved = this.resolve(id)
    const kind = this.kindOf(resolved)
    if (kind === BTF_KIND_ENUM || kind === BTF_KIND_ENUM64) {
      const bits = this.#table.sizeOrType(resolved) * 8
      return { bits, signed: this.#table.kindFlag(resolved), bool: false, char: false }
    }
    if (kind !== BTF_KIND_INT) return undefined
    const encoding = this.#table.extra(resolved, 0)
    return {
      bits: encoding & 0xff,
      signed: (encoding & INT_SIGNED) !== 0,
      bool: (encoding & INT_BOOL) !== 0,
      char: (encoding & INT_CHAR) !== 0,
    }
  }

  /** The value of an enumerator of a named enum. Values beyond 2^53 are rounded to the nearest number. */
  enumValue(enumName: string, valueName: string): number | undefined {
    const id = this.#find(ENUM_KINDS, enumName)
    const text = nameBytes(valueName)
    return id === undefined || text === undefined ? undefined : enumeratorValue(this.#table, id, text)
  }

  /** The value of an enumerator of any enum, also an anonymous one. Values beyond 2^53 are rounded. */
  findEnumValue(valueName: string): number | undefined {
    if (!this.#enumerators.has(valueName)) this.#enumerators.set(valueName, this.#searchEnums(valueName))
    return this.#enumerators.get(valueName)
  }

  /** The type as C writes it, for messages: `struct task_struct *`, `unsigned int[4]`. */
  typeName(id: TypeId): string {
    return declare(this.#table, id)
  }

  #find(kinds: number, name: string): TypeId | undefined {
    const key = `${kinds} ${name}`
    if (!this.#found.has(key)) this.#found.set(key, this.#table.find(kinds, name))
    return this.#found.get(key)
  }

  #searchEnums(valueName: string): number | undefined {
    const text = nameBytes(valueName)
    if (text === undefined) return undefined
    for (let id = 1; id <= this.typeCount; id++) {
      if (!this.#table.isKind(id, ENUM_KINDS)) continue
      const value = enumeratorValue(this.#table, id, text)
      if (value !== undefined) return value
    }
    return undefined
  }

  #prototype(id: TypeId, name: string, protoId: TypeId): Prototype {
    const kind = this.kindOf(protoId)
    if (kind !== BTF_KIND_FUNC_PROTO) {
      const found = kind === BTF_KIND_UNKN ? 'void' : `kind ${kind}`
      throw new BtfError(
        `Broken BTF in ${this.origin}: "${name}" (type ${id}) leads to ${found}, not to a prototype`,
      )
    }
    const parameters = parametersOf(this.#table, protoId)
    return new Prototype(this.#table, id, name, parameters, this.#table.sizeOrType(protoId))
  }
}

class Prototype implements FunctionPrototype {
  readonly id: TypeId
  readonly name: string
  readonly parameters: Parameter[]
  readonly returnType: TypeId
  readonly #table: TypeTable

  constructor(table: TypeTable, id: TypeId, name: string, parameters: Parameter[], returnType: TypeId) {
    this.#table = table
    this.id = id
    this.name = name
    this.parameters = parameters
    this.returnType = returnType
  }

  toString(): string {
    return list(this.#table, this.parameters)
  }
}
