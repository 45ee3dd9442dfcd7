/** Resolves the paths of a declaration against one kernel's BTF: names become offsets. */

import type { Btf, TypeId } from '../btf/index.js'
import { BTF_KIND_STRUCT, BTF_KIND_UNION } from '../btf/index.js'
import { BuildError } from '../errors.js'
import type { BinaryOp, EnumNode, ExprNode, PathNode, ProbeMap, Root, Step } from './expr.js'
import { type Hook, hookType } from './hooks/index.js'
import { findPrototype } from './prototype.js'

/** Where a value lies: follow `derefs` (offsets of pointers) from the root, then look at `offset`. */
export interface ResolvedPath {
  readonly root: Root
  /** Type id of the structure that the root points to; 0 for a number. */
  readonly rootType: TypeId
  readonly derefs: readonly number[]
  readonly offset: number
  readonly sizeBytes: number
  readonly signed: boolean
  /** Set for bit-fields: position within the `sizeBytes` bytes at `offset`. */
  readonly bits?: { readonly shift: number; readonly width: number }
  /** The value is the address itself: an array, or a structure that lies in place. */
  readonly address: boolean
  /** The value is a root: argument or task pointer, with nothing to load. Only `sizeBytes` of it are valid. */
  readonly bare: boolean
}

export type ResolvedExpr =
  | {
      readonly kind: 'lookup'
      readonly map: ProbeMap
      readonly key: ResolvedExpr
      readonly gives: 'value' | 'presence'
    }
  | { readonly kind: 'load'; readonly path: ResolvedPath }
  | { readonly kind: 'constant'; readonly value: number }
  | { readonly kind: 'packet'; readonly offset: number; readonly size: 1 | 2 | 4 | 8 }
  | {
      readonly kind: 'binary'
      readonly op: BinaryOp
      readonly left: ResolvedExpr
      readonly right: ResolvedExpr
    }

/** Why something of a declaration cannot be had on this kernel. */
export class Unresolved {
  readonly reason: string
  constructor(reason: string) {
    this.reason = reason
  }
}

/** Bits and shifts of constants, such as a mask of what resolves, are computed here. */
function fold(op: BinaryOp, left: ResolvedExpr, right: ResolvedExpr): ResolvedExpr {
  if (left.kind === 'constant' && right.kind === 'constant') {
    if (op === '|') return { kind: 'constant', value: left.value | right.value }
    if (op === '<<') return { kind: 'constant', value: left.value << right.value }
  }
  return { kind: 'binary', op, left, right }
}

/** A path without its root. */
type Place = Omit<ResolvedPath, 'root'>

const PLACES = new WeakMap<Btf, Map<string, Place | Unresolved>>()

function stepKey(step: Step): string {
  if (step.kind === 'member') return `.${step.name}`
  return `[${typeof step.index === 'number' ? step.index : step.index.valueName}]`
}

/** Which of the declared arguments the kernel's prototype really has. */
export type PresentArguments = readonly boolean[]

export class Resolver {
  readonly #btf: Btf
  readonly #hook: Hook
  readonly #present: PresentArguments

  constructor(btf: Btf, hook: Hook, present: PresentArguments) {
    this.#btf = btf
    this.#hook = hook
    this.#present = present
  }

  /** Resolves an expression; of `firstOf`, the first choice that this kernel has. */
  expr(node: ExprNode): ResolvedExpr | Unresolved {
    switch (node.kind) {
      case 'constant':
      case 'packet':
        return node
      case 'enum': {
        const value = this.#enumerator(node)
        return value instanceof Unresolved ? value : { kind: 'constant', value }
      }
      case 'resolves': {
        const isMissing = node.of.some((value) => this.expr(value) instanceof Unresolved)
        return { kind: 'constant', value: isMissing ? 0 : 1 }
      }
      case 'path': {
        const path = this.#path(node)
        return path instanceof Unresolved ? path : { kind: 'load', path }
      }
      case 'binary': {
        const left = this.expr(node.left)
        if (left instanceof Unresolved) return left
        const right = this.expr(node.right)
        if (right instanceof Unresolved) return right
        return fold(node.op, left, right)
      }
      case 'lookup': {
        const key = this.expr(node.key)
        return key instanceof Unresolved ? key : { ...node, key }
      }
      case 'firstOf': {
        const reasons: string[] = []
        for (const choice of node.choices) {
          const resolved = this.expr(choice)
          if (!(resolved instanceof Unresolved)) return resolved
          reasons.push(resolved.reason)
        }
        return new Unresolved(reasons.join(', '))
      }
    }
  }

  #enumerator({ enumName, valueName }: EnumNode): number | Unresolved {
    const value = this.#btf.enumValue(enumName, valueName) ?? this.#btf.findEnumValue(valueName)
    return value ?? new Unresolved(`no enumerator ${valueName}`)
  }

  #rootStruct(root: Root): string | undefined | Unresolved {
    if (root.kind === 'current') return root.struct
    const argument = this.#hook.arguments[root.index]
    if (argument === undefined)
      throw new BuildError(`Cannot use argument ${root.index} of ${this.#hook.target}`)
    if (this.#present[root.index] !== true) return new Unresolved(`no argument ${argument.name}`)
    return argument.struct
  }

  #path({ root, steps }: PathNode): ResolvedPath | Unresolved {
    const structName = this.#rootStruct(root)
    if (structName instanceof Unresolved) return structName
    if (steps.length === 0) return this.#bare(root)
    if (structName === undefined) return new Unresolved('a number has no members')
    const place = this.#place(structName, steps)
    return place instanceof Unresolved ? place : { ...place, root }
  }

  /** Where steps from a structure lead. Declarations share most of their paths, so each is walked once. */
  #place(structName: string, steps: readonly Step[]): Place | Unresolved {
    let places = PLACES.get(this.#btf)
    if (places === undefined) {
      places = new Map()
      PLACES.set(this.#btf, places)
    }
    const key = `${structName}${steps.map(stepKey).join('')}`
    let place = places.get(key)
    if (place === undefined) {
      place = this.#walk(structName, steps)
      places.set(key, place)
    }
    return place
  }

  #walk(structName: string, steps: readonly Step[]): Place | Unresolved {
    const struct = this.#btf.findStruct(structName)
    if (struct === undefined) return new Unresolved(`no struct ${structName}`)
    const walk = new Walk(this.#btf, struct)
    for (const step of steps) {
      const failed = step.kind === 'member' ? walk.member(step.name) : this.#index(walk, step.index)
      if (failed !== undefined) return failed
    }
    return walk.finish(struct)
  }

  #bare(root: Root): ResolvedPath {
    const structName = this.#rootStruct(root)
    const rootType = typeof structName === 'string' ? (this.#btf.findStruct(structName) ?? 0) : 0
    const place = { root, rootType, derefs: [], offset: 0, address: false, bare: true }
    const argument = root.kind === 'argument' ? this.#hook.arguments[root.index] : undefined
    const sizeBytes = argument?.sizeBytes
    if (root.kind === 'current' || sizeBytes === undefined) return { ...place, sizeBytes: 8, signed: false }
    const prototype = findPrototype(this.#hook, this.#btf)
    const { hiddenArguments = 0 } = hookType(this.#hook)
    const parameter = prototype?.parameters[hiddenArguments + root.index]
    const type = argument?.isResult === true ? prototype?.returnType : parameter?.type
    return { ...place, sizeBytes, signed: type !== undefined && this.#btf.integer(type)?.signed === true }
  }

  #index(walk: Walk, index: number | EnumNode): Unresolved | undefined {
    const value = typeof index === 'number' ? index : this.#enumerator(index)
    return value instanceof Unresolved ? value : walk.index(value)
  }
}

/** Follows member and index steps, turning each pointer that is passed into one load. */
class Walk {
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
