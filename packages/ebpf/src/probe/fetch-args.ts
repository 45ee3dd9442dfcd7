/**
 * Fetch arguments for the kprobe events of tracefs, generated from declarations: what a program would read
 * with loads, the kernel reads by such an argument, and the expressions are computed in user space.
 *
 *     pgid=+4(+56(+8(+1912(%di)))):u32      the register, pointers inside out, the type
 */

import type { Btf } from '../btf/index.js'
import { BuildError } from '../errors.js'
import type { ExprNode, PathNode, Step } from './nodes.js'
import { compute } from './operators.js'
import type { FixedType } from './fields.js'
import { type FilledTail, Lack, type Probe } from './probe.js'
import { type ResolvedExpr, type ResolvedPath, Resolver, Unresolved } from './resolve.js'
import { FetchArgs, type FetchArg, fetchAt, type FetchedValues, type ReadValue } from './fetch-list.js'
import { type ReadTail, type TailFetcher, tooLong } from './tails/fetch.js'
import { untilNul } from './tails/tail.js'
import type { MissingField } from './target.js'

const REGISTERS: Readonly<Record<string, readonly string[]>> = {
  x64: ['%di', '%si', '%dx', '%cx', '%r8', '%r9'],
  arm64: ['%x0', '%x1', '%x2', '%x3', '%x4', '%x5'],
}

/** A kernel function at whose entry a probe's hook is found again. */
export interface FunctionEntry {
  readonly function: string
  /** For each argument of the hook, which parameter of the function has it; undefined when none has. */
  readonly parameters: readonly (number | undefined)[]
  /** The parameter that is the current task. */
  readonly currentTask?: number
  /** Paths that are reached another way from here: dotted, starting with the name of one of the hook's arguments. */
  readonly aliases?: Readonly<Record<string, string>>
  /** What stands for bytes of the packet, by their offset: a parameter's number, or a constant. */
  readonly packet?: Readonly<Record<number, { readonly parameter: number } | { readonly constant: number }>>
}

/** The record of a hit: fields as `encodeRecord` takes them; what could not be read is left out. */
export interface FetchedRecord {
  /** Set if the probe declares a `time`. */
  readonly timeNs: bigint | undefined
  readonly fields: Readonly<Record<string, unknown>>
  /** Tails that are longer than what was fetched. A path among them has only its known components, from the leaf. */
  readonly cut: readonly string[]
}

/** The fetch arguments that a probe's record is decoded from, and how. */
export interface FetchPlan {
  readonly probe: Probe
  readonly function: string
  readonly args: readonly FetchArg[]
  /** Fields that fetch arguments cannot supply here. */
  readonly missing: readonly MissingField[]
  /** Undefined when the probe's condition does not hold. */
  read(values: FetchedValues): FetchedRecord | undefined
}

export interface FetchTarget {
  readonly btf: Btf
  readonly architecture: 'x64' | 'arm64'
  /** Most bytes of user memory per tail. */
  readonly maxUserBytes: number
}

/**
 * Plans the fetch arguments of a probe at the entry of a function.
 *
 * @throws {BuildError} when the condition or the time of the probe cannot be fetched there
 */
export function planFetch(probe: Probe, entry: FunctionEntry, target: FetchTarget): FetchPlan {
  return new Planner(probe, entry, target).plan()
}

class Planner {
  readonly #probe: Probe
  readonly #entry: FunctionEntry
  readonly #target: FetchTarget
  readonly #resolver: Resolver
  readonly #args = new FetchArgs()
  readonly #fetcher: TailFetcher
  readonly #missing: MissingField[] = []

  constructor(probe: Probe, entry: FunctionEntry, target: FetchTarget) {
    this.#probe = probe
    this.#entry = entry
    this.#target = target
    const present = probe.hook.arguments.map((_, index) => entry.parameters[index] !== undefined)
    this.#resolver = new Resolver(target.btf, probe.hook, present)
    this.#fetcher = {
      args: this.#args,
      btf: target.btf,
      maxUserBytes: target.maxUserBytes,
      number: (node) => this.#number(node),
      place: (node) => this.#place(node),
    }
  }

  plan(): FetchPlan {
    const { fixed: fields, when, time } = this.#probe
    const condition = when === undefined ? undefined : this.#required('condition', when)
    const stamp = time === undefined ? undefined : this.#required('time', time)
    const fixed = fields.flatMap(({ field, value }) =>
      this.#keep(field.name, value instanceof Lack ? value : this.#fixed(field.type, value)),
    )
    const tails = this.#probe.tails.flatMap((tail) => this.#keep(tail.field.name, this.#tail(tail)))
    const read = (values: FetchedValues): FetchedRecord | undefined => {
      if (condition !== undefined && condition(values) === 0n) return undefined
      const fields: Record<string, unknown> = {}
      const cut: string[] = []
      for (const { name, read } of fixed) fields[name] = read(values)
      for (const { name, read } of tails) {
        const tail = read(values)
        if (tail === undefined) continue
        fields[name] = tail.value
        if (tail.isCut) cut.push(name)
      }
      return { timeNs: stamp?.(values), fields, cut }
    }
    const { list: args } = this.#args
    return { probe: this.#probe, function: this.#entry.function, args, missing: this.#missing, read }
  }

  #keep<T>(name: string, read: ReadValue<T> | Unresolved | Lack): { name: string; read: ReadValue<T> }[] {
    if (!(read instanceof Unresolved || read instanceof Lack)) return [{ name, read }]
    this.#missing.push({ field: name, reason: read.reason })
    return []
  }

  #required(what: string, node: ExprNode): ReadValue<bigint> {
    const read = this.#number(node)
    if (!(read instanceof Unresolved)) return read
    const { name } = this.#probe
    const reason = `Cannot fetch the ${what} of probe "${name}" at ${this.#entry.function}: ${read.reason}`
    throw new BuildError(reason)
  }

  #fixed({ kind, sizeBytes }: FixedType, value: ExprNode): ReadValue<unknown> | Unresolved {
    if (kind === 'chars') return this.#chars(value, sizeBytes)
    const read = this.#number(value, sizeBytes)
    if (read instanceof Unresolved) return read
    const bits = sizeBytes * 8
    const cast = kind === 's32' || kind === 's64' ? BigInt.asIntN : BigInt.asUintN
    return (values) => {
      const number = cast(bits, read(values))
      return sizeBytes === 8 ? number : Number(number)
    }
  }

  #chars(node: ExprNode, sizeBytes: number): ReadValue<Buffer> | Unresolved {
    const expr = this.#resolve(node)
    if (expr instanceof Unresolved) return expr
    if (expr.kind !== 'load' || !expr.path.address) return new Unresolved('not a run of bytes')
    const index = this.#args.words(fetchAt(expr.path.offset, this.#pointer(expr.path)), sizeBytes / 8)
    if (index === undefined) return tooLong
    return (values) => untilNul(values.bytes(index))
  }

  #tail({ source, maxBytes }: FilledTail): ReadTail | Unresolved | Lack {
    if (source instanceof Lack) return source
    const { kind, writer, inputs } = source
    if (writer.fetch === undefined) return new Unresolved(`a fetch argument cannot supply ${kind}`)
    return writer.fetch(this.#fetcher, inputs, maxBytes)
  }

  #place(node: ExprNode): string | Unresolved {
    const expr = this.#resolve(node)
    if (expr instanceof Unresolved) return expr
    if (expr.kind !== 'load') return new Unresolved('not a place in memory')
    const { path } = expr
    return path.bare ? this.#register(path) : fetchAt(path.offset, this.#pointer(path))
  }

  /** `sizeBytes` is the width that is wanted, which counts for structures that are read as a number. */
  #number(node: ExprNode, sizeBytes = 8): ReadValue<bigint> | Unresolved {
    const expr = this.#resolve(node)
    return expr instanceof Unresolved ? expr : this.#value(expr, sizeBytes)
  }

  #value(expr: ResolvedExpr, sizeBytes: number): ReadValue<bigint> | Unresolved {
    switch (expr.kind) {
      case 'constant': {
        const { value } = expr
        return () => value
      }
      case 'load':
        return this.#load(expr.path, sizeBytes)
      case 'binary': {
        const left = this.#value(expr.left, 8)
        if (left instanceof Unresolved) return left
        const right = this.#value(expr.right, 8)
        if (right instanceof Unresolved) return right
        const { op } = expr
        return (values) => compute(op, left(values), right(values))
      }
      case 'oneOf': {
        const value = this.#value(expr.value, 8)
        if (value instanceof Unresolved) return value
        const numbers = new Set(expr.numbers)
        return (values) => BigInt(numbers.has(value(values)))
      }
      case 'packet':
        return this.#packet(expr.offset, expr.size)
      default:
        return new Unresolved(`a fetch argument cannot supply a ${expr.kind}`)
    }
  }

  #packet(offset: number, sizeBytes: number): ReadValue<bigint> | Unresolved {
    const instead = this.#entry.packet?.[offset]
    if (instead === undefined) return new Unresolved('a kernel function has no packet')
    if ('constant' in instead) {
      const value = BigInt(instead.constant)
      return () => value
    }
    const index = this.#args.number(this.#parameter(instead.parameter), sizeBytes)
    return index === undefined ? tooLong : (values) => values.number(index)
  }

  #load(path: ResolvedPath, wantedBytes: number): ReadValue<bigint> | Unresolved {
    const sizeBytes = path.address ? wantedBytes : path.sizeBytes
    const text = path.bare ? this.#register(path) : fetchAt(path.offset, this.#pointer(path))
    const index = this.#args.number(text, sizeBytes)
    if (index === undefined) return tooLong
    const { bits, signed } = path
    if (bits !== undefined) {
      const mask = (1n << BigInt(bits.width)) - 1n
      return (values) => (values.number(index) >> BigInt(bits.shift)) & mask
    }
    if (!signed) return (values) => values.number(index)
    return (values) => BigInt.asUintN(64, BigInt.asIntN(sizeBytes * 8, values.number(index)))
  }

  #register({ root }: ResolvedPath): string {
    if (root.kind === 'address') return this.#address(root.address)
    return this.#parameter(
      root.kind === 'current' ? this.#entry.currentTask : this.#entry.parameters[root.index],
    )
  }

  /** An address that lies somewhere as it is: nothing is computed in the kernel here. */
  #address(address: ResolvedExpr): string {
    if (address.kind !== 'load') {
      throw new BuildError(
        `Cannot fetch at ${this.#entry.function}: a fetch argument cannot compute an address`,
      )
    }
    const { path } = address
    if (path.bare) return this.#register(path)
    const place = this.#pointer(path)
    return path.address ? `+${path.offset}(${place})` : fetchAt(path.offset, place)
  }

  /** The register that has a parameter. */
  #parameter(parameter: number | undefined): string {
    const register = parameter === undefined ? undefined : REGISTERS[this.#target.architecture]?.[parameter]
    if (register === undefined) {
      throw new BuildError(
        `Cannot fetch at ${this.#entry.function}: no register has what the probe begins with`,
      )
    }
    return register
  }

  /** The pointer to the structure that holds the value. */
  #pointer(path: ResolvedPath): string {
    return path.derefs.reduce((text, offset) => fetchAt(offset, text), this.#register(path))
  }

  #resolve(node: ExprNode): ResolvedExpr | Unresolved {
    const expr = this.#resolver.expr(this.#translate(node))
    return expr instanceof Unresolved || !computesAddress(expr) ? expr : noAddress
  }

  /** A declaration's expression as it is at the entry of the function. */
  #translate(node: ExprNode): ExprNode {
    switch (node.kind) {
      case 'path':
        return this.#translatePath(node)
      case 'binary':
        return { ...node, left: this.#translate(node.left), right: this.#translate(node.right) }
      case 'oneOf':
        return { ...node, value: this.#translate(node.value) }
      case 'ifThen':
        return { ...node, condition: this.#translate(node.condition), value: this.#translate(node.value) }
      case 'firstNonZero':
      case 'firstOf':
        return { ...node, choices: node.choices.map((choice) => this.#translate(choice)) }
      case 'resolves':
        return { ...node, of: node.of.map((value) => this.#translate(value)) }
      default:
        return node
    }
  }

  #translatePath(path: PathNode): PathNode {
    const { root, steps } = path
    if (root.kind === 'current') return path
    if (root.kind === 'address') return { ...path, root: { ...root, address: this.#translate(root.address) } }
    const { arguments: args } = this.#probe.hook
    for (const [from, to] of Object.entries(this.#entry.aliases ?? {})) {
      const [argument, ...members] = from.split('.')
      if (args[root.index]?.name !== argument || !beginsWith(steps, members)) continue
      const [target, ...instead] = to.split('.')
      const index = args.findIndex(({ name }) => name === target)
      const named: Step[] = instead.map((name) => ({ kind: 'member', name }))
      return {
        kind: 'path',
        root: { kind: 'argument', index },
        steps: [...named, ...steps.slice(members.length)],
      }
    }
    return path
  }
}

/** Whether an expression reads where an address leads to that has to be computed first. */
function computesAddress(expr: ResolvedExpr): boolean {
  if (expr.kind === 'binary') return computesAddress(expr.left) || computesAddress(expr.right)
  if (expr.kind === 'oneOf') return computesAddress(expr.value)
  if (expr.kind !== 'load' || expr.path.root.kind !== 'address') return false
  const { address } = expr.path.root
  return address.kind !== 'load' || computesAddress(address)
}

const noAddress = new Unresolved('a fetch argument cannot compute an address')

function beginsWith(steps: readonly Step[], members: readonly string[]): boolean {
  return members.every((name, index) => {
    const step = steps[index]
    return step?.kind === 'member' && step.name === name
  })
}
