import { BtfError } from '../errors.js'
import { indexTypes, locateSections, TYPE_WORDS, type TypeIndex } from './parse.js'
import { StringTable } from './strings.js'
import {
  BTF_KIND_CONST,
  BTF_KIND_RESTRICT,
  BTF_KIND_TYPE_TAG,
  BTF_KIND_TYPEDEF,
  BTF_KIND_UNKN,
  BTF_KIND_VOLATILE,
  type BtfKind,
  type TypeId,
} from './types.js'

/** Longest chain of types that refer to types; real kernels stay below 10, broken BTF may have cycles. */
export const MAX_CHAIN = 64

/** A set of kinds with one bit for each: `kindSet(BTF_KIND_ENUM, BTF_KIND_ENUM64)`. */
export function kindSet(...kinds: BtfKind[]): number {
  return kinds.reduce<number>((set, kind) => set | (1 << kind), 0)
}

const TRANSPARENT = kindSet(
  BTF_KIND_TYPEDEF,
  BTF_KIND_VOLATILE,
  BTF_KIND_CONST,
  BTF_KIND_RESTRICT,
  BTF_KIND_TYPE_TAG,
)

/** The types of one BTF as words, whose meaning depends on the kind: callers interpret them. */
export class TypeTable {
  readonly origin: string
  readonly strings: StringTable
  readonly #words: Uint32Array
  readonly #index: TypeIndex

  constructor(bytes: Uint8Array, origin: string) {
    const { words, strings } = locateSections(bytes, origin)
    this.origin = origin
    this.strings = new StringTable(strings, origin)
    this.#words = words
    this.#index = indexTypes(words, origin)
  }

  get typeCount(): number {
    return this.#index.wordAt.length - 1
  }

  get truncatedAtType(): TypeId | undefined {
    return this.#index.truncatedAtType
  }

  kindOf(id: TypeId): BtfKind {
    return id === 0 ? BTF_KIND_UNKN : (((this.#info(id) >>> 24) & 0x1f) as BtfKind)
  }

  isKind(id: TypeId, kinds: number): boolean {
    return ((kinds >>> this.kindOf(id)) & 1) === 1
  }

  /** The top bit of `info`: its meaning depends on the kind. */
  kindFlag(id: TypeId): boolean {
    return this.#info(id) >>> 31 === 1
  }

  /** Number of members, enumerators, parameters or variables. */
  vlen(id: TypeId): number {
    return this.#info(id) & 0xffff
  }

  nameOf(id: TypeId): string {
    return id === 0 ? '' : this.strings.at(this.#words[this.#at(id)]!)
  }

  /** The third word: a size in bytes or a type id, by kind. */
  sizeOrType(id: TypeId): number {
    return this.#words[this.#at(id) + 2]!
  }

  /** A word of what follows the type; `index` must be inside of it. */
  extra(id: TypeId, index: number): number {
    return this.#words[this.#at(id) + TYPE_WORDS + index]!
  }

  /** Skips typedefs, qualifiers and type tags. */
  resolve(id: TypeId): TypeId {
    let current = id
    for (let depth = 0; depth < MAX_CHAIN; depth++) {
      if (!this.isKind(current, TRANSPARENT)) return current
      current = this.sizeOrType(current)
    }
    throw this.endlessChain(id)
  }

  /** The first type with this name whose kind is in the set. */
  find(kinds: number, name: string): TypeId | undefined {
    const { nameOffset } = this.#index
    for (const offset of this.strings.offsetsOf(name)) {
      for (let id = nameOffset.indexOf(offset); id !== -1; id = nameOffset.indexOf(offset, id + 1)) {
        if (this.isKind(id, kinds)) return id
      }
    }
    return undefined
  }

  endlessChain(id: TypeId): BtfError {
    return new BtfError(`Broken BTF in ${this.origin}: type ${id} leads through more than ${MAX_CHAIN} types`)
  }

  #info(id: TypeId): number {
    return this.#words[this.#at(id) + 1]!
  }

  #at(id: TypeId): number {
    const at = this.#index.wordAt[id]
    if (at !== undefined) return at
    const end =
      this.truncatedAtType === undefined
        ? `its last type is ${this.typeCount}`
        : `type ${this.truncatedAtType} and later ones cannot be read, its kind is unknown`
    throw new BtfError(`No type ${id} in BTF of ${this.origin}: ${end}`)
  }
}
