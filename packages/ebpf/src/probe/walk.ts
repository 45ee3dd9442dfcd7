/** Follows the steps of a path through the types of one kernel. */

import { type Btf, BTF_KIND_STRUCT, BTF_KIND_UNION, type TypeId } from '../btf/index.js'
import { type ResolvedPath, Unresolved } from './resolved.js'

/** A path without its root. */
export type Place = Omit<ResolvedPath, 'root'>

/** Follows member and index steps, turning each pointer that is passed into one load. */
export class Walk {
  readonly #btf: Btf
  readonly #derefs: number[] = []
  #type: TypeId
  #offset = 0
  #bits: { shift: number; width: number } | undefined

  constructor(btf: Btf, struct: TypeId) {
    this.#btf = btf
    this.#type = struct
  }

  /** Goes through a pointer, if there is one, so that members of what it points to can be reached. */
  #enter(): void {
    const pointee = this.#btf.pointee(this.#type)
    if (pointee === undefined) return
    this.#derefs.push(this.#offset)
    this.#offset = 0
    this.#type = pointee
  }

  member(name: string): Unresolved | undefined {
    this.#enter()
    const type = this.#btf.resolve(this.#type)
    const kind = this.#btf.kindOf(type)
    if (kind !== BTF_KIND_STRUCT && kind !== BTF_KIND_UNION) {
      return new Unresolved(`${this.#btf.typeName(type)} has no member ${name}`)
    }
    const member = this.#btf.member(type, name)
    if (member === undefined) return new Unresolved(`no ${this.#btf.typeName(type)}.${name}`)
    this.#type = member.type
    if (member.bitSize > 0) {
      // The smallest aligned word that holds the whole bit-field.
      const size = this.#btf.sizeOf(member.type) ?? 4
      const start = Math.floor(member.bitOffset / (size * 8)) * size
      this.#offset += start
      this.#bits = { shift: member.bitOffset - start * 8, width: member.bitSize }
    } else {
      this.#offset += member.bitOffset / 8
    }
    return undefined
  }

  index(index: number): Unresolved | undefined {
    const element = this.#btf.element(this.#type)
    if (element !== undefined) {
      // Arrays of length 0 and 1 at the end of a structure are how older kernels spell flexible ones.
      if (element.count > 1 && index >= element.count) {
        return new Unresolved(`index ${index} is beyond ${this.#btf.typeName(this.#type)}`)
      }
      this.#type = element.type
    } else {
      const pointee = this.#btf.pointee(this.#type)
      if (pointee === undefined) return new Unresolved(`${this.#btf.typeName(this.#type)} has no elements`)
      this.#enter()
    }
    this.#offset += index * (this.#btf.sizeOf(this.#type) ?? 0)
    return undefined
  }

  /** The type of what the steps so far lead to. */
  get type(): TypeId {
    return this.#type
  }

  finish(rootType: TypeId): Place | Unresolved {
    const type = this.#btf.resolve(this.#type)
    const kind = this.#btf.kindOf(type)
    const address =
      this.#btf.element(type) !== undefined || kind === BTF_KIND_STRUCT || kind === BTF_KIND_UNION
    const sizeBytes = this.#btf.sizeOf(type) ?? 0
    if (!address && ![1, 2, 4, 8].includes(sizeBytes)) {
      return new Unresolved(`${this.#btf.typeName(type)} is not a number`)
    }
    return {
      rootType,
      derefs: this.#derefs,
      offset: this.#offset,
      sizeBytes,
      signed: this.#btf.integer(type)?.signed ?? false,
      address,
      bare: false,
      ...(this.#bits === undefined ? {} : { bits: this.#bits }),
    }
  }
}
