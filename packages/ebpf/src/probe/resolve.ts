/** Resolves the paths of a declaration against one kernel's BTF: names become offsets. */

import type { Btf, TypeId } from '../btf/index.js'
import { BTF_KIND_STRUCT, BTF_KIND_UNION } from '../btf/index.js'
import { BuildError } from '../errors.js'
import { parameterOf } from './hooks/arguments.js'
import type { Hook } from './hooks/index.js'
import type { EnumNode, ExprNode, LookupNode, NumberSize, OffsetNode, PathNode, Root, Step } from './nodes.js'
import { compute, toWord } from './operators.js'
import type { BinaryOp } from './operators.js'
import { findPrototype, type PresentArguments } from './prototype.js'
import { resolveMapNumbers } from './numbers.js'
import { isTruth, type ResolvedExpr, type ResolvedPath, type ResolvedRoot, Unresolved } from './resolved.js'
import { type Place, Walk } from './walk.js'

export { type ResolvedExpr, type ResolvedPath, Unresolved } from './resolved.js'

function constant(value: bigint): ResolvedExpr {
  return { kind: 'constant', value: toWord(value) }
}

/** The operator that means the same when its operands change places. */
const MIRRORED: Partial<Record<BinaryOp, BinaryOp>> = {
  '+': '+',
  '*': '*',
  '&': '&',
  '|': '|',
  '==': '==',
  '!=': '!=',
  '<': '>',
  '<=': '>=',
  '>': '<',
  '>=': '<=',
}

function binary(op: BinaryOp, left: ResolvedExpr, right: ResolvedExpr): ResolvedExpr {
  if (left.kind === 'constant' && right.kind === 'constant') {
    return constant(compute(op, left.value, right.value))
  }
  const mirrored = MIRRORED[op]
  // A constant on the right is an immediate, which costs no instruction.
  if (left.kind === 'constant' && mirrored !== undefined) return binary(mirrored, right, left)
  // Parts that a setting or the kernel makes constant cost no instruction.
  if (right.kind === 'constant' && right.value === 0n) {
    if (op === '|' || op === '+') return left
    if (op === '&' || op === '*') return right
  } else if (right.kind === 'constant' && right.value === 1n) {
    if (op === '*' || (op === '&' && isTruth(left))) return left
    if (op === '|' && isTruth(left)) return right
  }
  return { kind: 'binary', op, left, right }
}

const PLACES = new WeakMap<Btf, Map<string, Place | Unresolved>>()

function stepKey(step: Step): string {
  if (step.kind === 'member') return `.${step.name}`
  if (step.kind === 'computedIndex') return '[]'
  return `[${typeof step.index === 'number' ? step.index : step.index.valueName}]`
}

const NO_ADDRESSES =
  'this kernel refuses bpf_probe_read_kernel (lockdown=confidentiality), and has no bpf_rdonly_cast (Linux 6.2)'

/** An array, or what a pointer points to: where it begins, and what it consists of. */
interface Elements {
  readonly base: ResolvedExpr
  readonly type: TypeId
  readonly count: number | undefined
}

export class Resolver {
  readonly #btf: Btf
  readonly #hook: Hook
  readonly #present: PresentArguments
  readonly #readsAddresses: boolean
  readonly #resolved = new Map<ExprNode, ResolvedExpr | Unresolved>()

  /** @param readsAddresses whether programs can read memory at an address that they compute; default: true */
  constructor(btf: Btf, hook: Hook, present: PresentArguments, readsAddresses = true) {
    this.#readsAddresses = readsAddresses
    this.#btf = btf
    this.#hook = hook
    this.#present = present
  }

  /** Resolves an expression; of `firstOf`, the first choice that this kernel has. */
  expr(node: ExprNode): ResolvedExpr | Unresolved {
    let resolved = this.#resolved.get(node)
    if (resolved === undefined) {
      resolved = this.#resolve(node)
      this.#resolved.set(node, resolved)
    }
    return resolved
  }

  #resolve(node: ExprNode): ResolvedExpr | Unresolved {
    switch (node.kind) {
      case 'constant':
        return constant(node.value)
      case 'packet':
        return node
      case 'enum': {
        const value = this.#enumerator(node)
        return value instanceof Unresolved ? value : constant(BigInt(value))
      }
      case 'offset':
        return this.#offset(node)
      case 'resolves': {
        const isMissing = node.of.some((value) => this.expr(value) instanceof Unresolved)
        return constant(isMissing ? 0n : 1n)
      }
      case 'path':
        return this.#path(node)
      case 'binary': {
        const left = this.expr(node.left)
        if (left instanceof Unresolved) return left
        const right = this.expr(node.right)
        return right instanceof Unresolved ? right : binary(node.op, left, right)
      }
      case 'oneOf': {
        const value = this.expr(node.value)
        if (value instanceof Unresolved) return value
        if (value.kind === 'constant') return constant(BigInt(node.numbers.includes(value.value)))
        return node.numbers.length === 0 ? constant(0n) : { kind: 'oneOf', value, numbers: node.numbers }
      }
      case 'lookup':
        return this.#lookup(node)
      case 'user': {
        const address = this.expr(node.address)
        if (address instanceof Unresolved) return address
        const { size: sizeBytes, signed } = node
        const at = binary('+', address, constant(BigInt(node.offset)))
        return { kind: 'memory', space: 'user', address: at, sizeBytes, signed }
      }
      case 'helper':
        return this.#helper(node)
      case 'firstOf':
        return this.#firstOf(node.choices)
      case 'walk':
        return this.expr(node.found)
      case 'firstNonZero':
        return this.#firstNonZero(node.choices)
      case 'ifThen': {
        const condition = this.expr(node.condition)
        if (condition instanceof Unresolved) return condition
        const value = this.expr(node.value)
        if (value instanceof Unresolved) return value
        if (condition.kind !== 'constant') return { kind: 'ifThen', condition, value }
        return condition.value === 0n ? condition : value
      }
    }
  }

  #firstOf(choices: readonly ExprNode[]): ResolvedExpr | Unresolved {
    const reasons: string[] = []
    for (const choice of choices) {
      const resolved = this.expr(choice)
      if (!(resolved instanceof Unresolved)) return resolved
      reasons.push(resolved.reason)
    }
    return new Unresolved(reasons.join(', '))
  }

  #firstNonZero(nodes: readonly ExprNode[]): ResolvedExpr | Unresolved {
    const choices: ResolvedExpr[] = []
    for (const node of nodes) {
      const choice = this.expr(node)
      if (choice instanceof Unresolved) return choice
      if (choice.kind !== 'constant' || choice.value !== 0n) choices.push(choice)
      if (choice.kind === 'constant' && choice.value !== 0n) break
    }
    const [first] = choices
    if (first === undefined) return constant(0n)
    return choices.length === 1 ? first : { kind: 'firstNonZero', choices }
  }

  #lookup({ map, key: nodes, gives }: LookupNode): ResolvedExpr | Unresolved {
    const fields = map.key.fields.map((field, index) => ({ field, node: nodes[index] as ExprNode }))
    const key = resolveMapNumbers(this, fields)
    if (key instanceof Unresolved) return key
    if (gives === 'presence') return { kind: 'lookup', map, key, gives }
    const field = map.value.fields.find(({ name }) => name === gives.field)
    if (field === undefined) return new Unresolved(`the values of map ${map.name} have no ${gives.field}`)
    const { offset, kind } = field
    // Of a run of bytes that is its first word; `resolveBytes` takes all of them.
    const sizeBytes = Math.min(field.sizeBytes, 8) as NumberSize
    const signed = kind === 's32' || kind === 's64'
    return { kind: 'lookup', map, key, gives: { offset, sizeBytes, signed } }
  }

  #helper({ name, argument }: Extract<ExprNode, { kind: 'helper' }>): ResolvedExpr | Unresolved {
    if (argument?.kind !== 'path' || argument.root.kind !== 'argument') {
      return { kind: 'helper', name, argument: undefined }
    }
    const struct = this.#argumentStruct(argument.root.index)
    if (struct instanceof Unresolved) return struct
    const { index } = argument.root
    // A `struct socket` has the socket of the network behind it.
    if (name !== 'fileSocketCookie' && struct !== 'socket') return { kind: 'helper', name, argument: index }
    const socket = this.#btf.findStruct('socket')
    if (socket === undefined) return new Unresolved('no struct socket')
    const place = this.#place(socket, 'socket', [{ kind: 'member', name: 'sk' }])
    return place instanceof Unresolved
      ? place
      : { kind: 'helper', name, argument: index, offset: place.offset }
  }

  #enumerator({ enumName, valueName }: EnumNode): number | Unresolved {
    const value = this.#btf.enumValue(enumName, valueName) ?? this.#btf.findEnumValue(valueName)
    if (value === undefined) return new Unresolved(`no enumerator ${valueName}`)
    return Number.isSafeInteger(value) ? value : new Unresolved(`enumerator ${valueName} is too large`)
  }

  #offset({ struct, members }: OffsetNode): ResolvedExpr | Unresolved {
    const type = this.#btf.findStruct(struct)
    if (type === undefined) return new Unresolved(`no struct ${struct}`)
    const place = this.#place(
      type,
      struct,
      members.map((name) => ({ kind: 'member', name })),
    )
    if (place instanceof Unresolved) return place
    return place.derefs.length === 0
      ? constant(BigInt(place.offset))
      : new Unresolved(`struct ${struct} only points to ${members.join('.')}`)
  }

  #argumentStruct(index: number): string | undefined | Unresolved {
    const argument = this.#hook.arguments[index]
    if (argument === undefined) throw new BuildError(`Cannot use argument ${index} of ${this.#hook.target}`)
    return this.#present[index] === true ? argument.struct : new Unresolved(`no argument ${argument.name}`)
  }

  #path({ root, steps }: PathNode): ResolvedExpr | Unresolved {
    const begin = this.#root(root)
    if (begin instanceof Unresolved) return begin
    const structName = root.kind === 'argument' ? this.#argumentStruct(root.index) : root.struct
    if (structName instanceof Unresolved) return structName
    if (steps.length === 0) {
      return begin.kind === 'address' ? begin.address : this.#bare(begin, structName)
    }
    if (structName === undefined) return new Unresolved('a number has no members')
    const struct = this.#btf.findStruct(structName)
    return struct === undefined
      ? new Unresolved(`no struct ${structName}`)
      : this.#from(begin, struct, structName, steps)
  }

  #root(root: Root): ResolvedRoot | Unresolved {
    if (root.kind !== 'address') return root.kind === 'current' ? { kind: 'current' } : root
    if (!this.#readsAddresses) return new Unresolved(NO_ADDRESSES)
    const address = this.expr(root.address)
    return address instanceof Unresolved ? address : { kind: 'address', address }
  }

  /** What steps lead to from a structure; no other structure has the name. */
  #from(root: ResolvedRoot, struct: TypeId, name: string, steps: readonly Step[]): ResolvedExpr | Unresolved {
    const at = steps.findIndex(({ kind }) => kind === 'computedIndex')
    const step = steps[at]
    if (step?.kind === 'computedIndex') {
      const elements = this.#elements(root, struct, name, steps.slice(0, at))
      if (elements instanceof Unresolved) return elements
      return this.#element(elements, step, steps.slice(at + 1))
    }
    const place = this.#place(struct, name, steps)
    return place instanceof Unresolved ? place : { kind: 'load', path: { ...place, root } }
  }

  #elements(root: ResolvedRoot, struct: TypeId, name: string, steps: readonly Step[]): Elements | Unresolved {
    if (steps.length === 0) {
      const base =
        root.kind === 'address' ? root.address : ({ kind: 'load', path: bareRoot(root, struct) } as const)
      return { base, type: struct, count: undefined }
    }
    const base = this.#from(root, struct, name, steps)
    if (base instanceof Unresolved) return base
    const walk = this.#walk(struct, steps)
    if (walk instanceof Unresolved) return walk
    const array = this.#btf.element(walk.type)
    // Arrays of length 0 and 1 at the end of a structure are how older kernels spell flexible ones.
    if (array !== undefined)
      return { base, type: array.type, count: array.count > 1 ? array.count : undefined }
    const type = this.#btf.pointee(walk.type)
    return type === undefined
      ? new Unresolved(`${this.#btf.typeName(walk.type)} has no elements`)
      : { base, type, count: undefined }
  }

  #element(
    { base, type, count }: Elements,
    step: Extract<Step, { kind: 'computedIndex' }>,
    rest: readonly Step[],
  ): ResolvedExpr | Unresolved {
    if (!this.#readsAddresses) return new Unresolved(NO_ADDRESSES)
    const index = this.expr(step.index)
    if (index instanceof Unresolved) return index
    const declared = step.count === undefined ? undefined : this.expr(step.count)
    if (declared instanceof Unresolved) return declared
    const size = this.#btf.sizeOf(type)
    if (size === undefined || size === 0) return new Unresolved(`${this.#btf.typeName(type)} has no size`)
    const bounds = [count === undefined ? undefined : constant(BigInt(count)), declared]
    let inBounds: ResolvedExpr | undefined
    for (const bound of bounds) {
      if (bound === undefined) continue
      const below = binary('<', index, bound)
      inBounds = inBounds === undefined ? below : binary('&', inBounds, below)
    }
    if (inBounds === undefined) {
      return new Unresolved(
        `an index that is computed needs a bound: nobody knows how many ${this.#btf.typeName(type)} there are`,
      )
    }
    // The verifier refuses to add a number without a bound to a pointer, even if the sum is then used for nothing.
    const bounded =
      count === undefined
        ? index
        : binary('&', index, constant(BigInt(2 ** (32 - Math.clz32(count - 1)) - 1)))
    const address = binary('+', base, binary('*', bounded, constant(BigInt(size))))
    // An element that is none has the address 0, behind which everything is 0.
    return this.#atAddress({ kind: 'ifThen', condition: inBounds, value: address }, type, rest)
  }

  /** What steps lead to from a value of any type at an address. */
  #atAddress(address: ResolvedExpr, given: TypeId, steps: readonly Step[]): ResolvedExpr | Unresolved {
    const type = this.#btf.resolve(given)
    const kind = this.#btf.kindOf(type)
    const isStruct = kind === BTF_KIND_STRUCT || kind === BTF_KIND_UNION
    const [step] = steps
    const array = this.#btf.element(type)
    if (step === undefined) {
      if (isStruct || array !== undefined) return address
      const sizeBytes = this.#btf.sizeOf(type) ?? 0
      if (![1, 2, 4, 8].includes(sizeBytes))
        return new Unresolved(`${this.#btf.typeName(type)} is not a number`)
      const signed = this.#btf.integer(type)?.signed ?? false
      return { kind: 'memory', space: 'kernel', address, sizeBytes: sizeBytes as NumberSize, signed }
    }
    if (isStruct) return this.#from({ kind: 'address', address }, type, `type ${type}`, steps)
    const pointee = this.#btf.pointee(type)
    if (pointee !== undefined) {
      const pointer = { kind: 'memory', space: 'kernel', address, sizeBytes: 8, signed: false } as const
      if (step.kind === 'member') return this.#atAddress(pointer, pointee, steps)
      return this.#indexed({ base: pointer, type: pointee, count: undefined }, steps)
    }
    if (array !== undefined && step.kind !== 'member') {
      return this.#indexed({ base: address, type: array.type, count: array.count }, steps)
    }
    return new Unresolved(
      `${this.#btf.typeName(type)} has no ${step.kind === 'member' ? `member ${step.name}` : 'elements'}`,
    )
  }

  #indexed(elements: Elements, [step, ...rest]: readonly Step[]): ResolvedExpr | Unresolved {
    if (step?.kind === 'computedIndex') return this.#element(elements, step, rest)
    if (step?.kind !== 'index') return new Unresolved('elements have no members')
    const index = typeof step.index === 'number' ? step.index : this.#enumerator(step.index)
    if (index instanceof Unresolved) return index
    const { base, type, count } = elements
    if (count !== undefined && count > 1 && index >= count) {
      return new Unresolved(`index ${index} is beyond ${count} elements of ${this.#btf.typeName(type)}`)
    }
    const offset = constant(BigInt(index) * BigInt(this.#btf.sizeOf(type) ?? 0))
    return this.#atAddress(binary('+', base, offset), type, rest)
  }

  /** Where steps from a structure lead. Declarations share most of their paths, so each is walked once. */
  #place(struct: TypeId, name: string, steps: readonly Step[]): Place | Unresolved {
    let places = PLACES.get(this.#btf)
    if (places === undefined) {
      places = new Map()
      PLACES.set(this.#btf, places)
    }
    const key = `${name}${steps.map(stepKey).join('')}`
    let place = places.get(key)
    if (place === undefined) {
      const walk = this.#walk(struct, steps)
      place = walk instanceof Unresolved ? walk : walk.finish(struct)
      places.set(key, place)
    }
    return place
  }

  #walk(struct: TypeId, steps: readonly Step[]): Walk | Unresolved {
    const walk = new Walk(this.#btf, struct)
    for (const step of steps) {
      if (step.kind === 'computedIndex') return new Unresolved('more than one index of a path is computed')
      const failed = step.kind === 'member' ? walk.member(step.name) : this.#index(walk, step.index)
      if (failed !== undefined) return failed
    }
    return walk
  }

  #bare(root: ResolvedRoot, structName: string | undefined): ResolvedExpr {
    const rootType = structName === undefined ? 0 : (this.#btf.findStruct(structName) ?? 0)
    const path = bareRoot(root, rootType)
    const argument = root.kind === 'argument' ? this.#hook.arguments[root.index] : undefined
    const sizeBytes = argument?.sizeBytes
    if (root.kind !== 'argument' || sizeBytes === undefined) return { kind: 'load', path }
    const prototype = findPrototype(this.#hook, this.#btf)
    const parameter = prototype?.parameters[parameterOf(this.#hook, root.index, this.#btf)]
    const type = argument?.isResult === true ? prototype?.returnType : parameter?.type
    const signed = type !== undefined && this.#btf.integer(type)?.signed === true
    return { kind: 'load', path: { ...path, sizeBytes, signed } }
  }

  #index(walk: Walk, index: number | EnumNode): Unresolved | undefined {
    const value = typeof index === 'number' ? index : this.#enumerator(index)
    return value instanceof Unresolved ? value : walk.index(value)
  }
}

function bareRoot(root: ResolvedRoot, rootType: TypeId): ResolvedPath {
  return { root, rootType, derefs: [], offset: 0, sizeBytes: 8, signed: false, address: false, bare: true }
}
