/**
 * What a probe may say about kernel memory: paths through structures, numbers computed from them, and
 * conditions. Everything here is data; nothing is resolved before a BTF is at hand (`resolve.ts`).
 */

/** Operators that numbers can be combined with. Comparisons give 0 or 1 and are unsigned. */
export type BinaryOp = '+' | '-' | '*' | '&' | '|' | '>>' | '<<' | '==' | '!=' | '<' | '<=' | '>' | '>='

/** Where a path begins. */
export type Root =
  | { readonly kind: 'argument'; readonly index: number }
  | { readonly kind: 'current'; readonly struct: string }

/** One step of a path: a member's name, or an index, which may be an enumerator of the running kernel. */
export type Step =
  | { readonly kind: 'member'; readonly name: string }
  | { readonly kind: 'index'; readonly index: number | EnumNode }

export interface PathNode {
  readonly kind: 'path'
  readonly root: Root
  readonly steps: readonly Step[]
}

export interface EnumNode {
  readonly kind: 'enum'
  readonly enumName: string
  readonly valueName: string
}

export type ExprNode =
  | PathNode
  | EnumNode
  | { readonly kind: 'constant'; readonly value: number }
  | { readonly kind: 'resolves'; readonly of: readonly ExprNode[] }
  | { readonly kind: 'binary'; readonly op: BinaryOp; readonly left: ExprNode; readonly right: ExprNode }
  | { readonly kind: 'firstOf'; readonly choices: readonly ExprNode[] }
  | { readonly kind: 'packet'; readonly offset: number; readonly size: 1 | 2 | 4 | 8 }
  | {
      readonly kind: 'lookup'
      readonly map: ProbeMap
      readonly key: ExprNode
      readonly gives: 'value' | 'presence'
    }

/**
 * A map that probes share with each other and with user space: numbers by numbers. Declaring one creates
 * nothing; a session creates it with the first probe that uses it.
 */
export interface ProbeMap {
  /** Unique among the maps of a session; at most 15 characters of [A-Za-z0-9_]. */
  readonly name: string
  readonly type: 'hash' | 'lruHash'
  readonly keySizeBytes: 4 | 8
  readonly valueSizeBytes: 4 | 8
  readonly maxEntries: number
}

/** What a probe does to a map when its condition holds. */
export type MapEffect =
  | { readonly kind: 'store'; readonly map: ProbeMap; readonly key: ExprNode; readonly value: ExprNode }
  | { readonly kind: 'remove'; readonly map: ProbeMap; readonly key: ExprNode }
  | { readonly kind: 'claim'; readonly map: ProbeMap; readonly key: ExprNode; readonly unless: ExprNode }

/** Holds the node behind a typed value. */
export const NODE: unique symbol = Symbol('node')

declare const SCALAR: unique symbol
declare const BYTES: unique symbol

/** A number in kernel memory, or computed from one: an integer, an enum, a bool, or a pointer's value. */
export interface Scalar {
  readonly [SCALAR]: true
}

/** A fixed run of bytes in kernel memory, such as `task_struct.comm`. */
export interface Chars {
  readonly [BYTES]: true
}

/** An array or pointer to elements of `T`; see `at`. */
export interface Elements<T> {
  readonly element?: T
}

/** Anything that a declaration can be given: the interfaces of kernel structures are such types too. */
export type Value = object

/** The node behind a value of a declaration. */
export function nodeOf(value: Value): ExprNode {
  const node = (value as { [NODE]?: ExprNode })[NODE]
  if (node === undefined) throw new TypeError('Cannot use a value that no probe argument leads to')
  return node
}

function fromNode<T>(node: ExprNode): T {
  return { [NODE]: node } as T
}

/** A value whose properties are the members of the structure at the end of `path`. */
export function pathValue<T>(path: PathNode): T {
  const target = { [NODE]: path }
  return new Proxy(target, {
    get(object, key): unknown {
      if (key === NODE) return object[NODE]
      if (typeof key === 'symbol') return undefined
      return pathValue({ ...path, steps: [...path.steps, { kind: 'member', name: key }] })
    },
  }) as T
}

function pathOf(value: Value, what: string): PathNode {
  const node = nodeOf(value)
  if (node.kind !== 'path')
    throw new TypeError(`Cannot ${what}: the value is not a path through kernel memory`)
  return node
}

/** The element `index` of an array member; an enumerator's value is taken from the kernel's BTF. */
export function at<T>(array: Elements<T>, index: number | Scalar): T {
  const path = pathOf(array, 'index')
  if (typeof index === 'number')
    return pathValue({ ...path, steps: [...path.steps, { kind: 'index', index }] })
  const node = nodeOf(index)
  if (node.kind !== 'enum') throw new TypeError('Cannot index: the index must be a number or enumValue(…)')
  return pathValue({ ...path, steps: [...path.steps, { kind: 'index', index: node }] })
}

/** The task that runs when the hook fires. */
export function currentTask<T>(): T {
  return pathValue({ kind: 'path', root: { kind: 'current', struct: 'task_struct' }, steps: [] })
}

/** An enumerator's value on the running kernel. */
export function enumValue(enumName: string, valueName: string): Scalar {
  return fromNode({ kind: 'enum', enumName, valueName })
}

/** A constant. Must fit a signed 32-bit integer. */
export function constant(value: number): Scalar {
  if (!Number.isInteger(value) || value < -0x80000000 || value > 0x7fffffff) {
    throw new RangeError(`Cannot use the constant ${value} as it does not fit a signed 32-bit integer`)
  }
  return fromNode({ kind: 'constant', value })
}

/** Bytes of the packet that a socket filter looks at, in host order. `offset` counts from its start. */
export function packet(offset: number, size: 1 | 2 | 4 | 8): Scalar {
  return fromNode({ kind: 'packet', offset, size })
}

/** The first choice that the running kernel's BTF can resolve: for members that were renamed or added. */
export function firstOf<T extends Value>(...choices: readonly [T, ...T[]]): T {
  const nodes = choices.map(nodeOf)
  return fromNode({ kind: 'firstOf', choices: nodes })
}

/** 1 when the running kernel's BTF can resolve all of these, else 0: what a record needs to say what it knows. */
export function resolves(...values: readonly Value[]): Scalar {
  return fromNode({ kind: 'resolves', of: values.map(nodeOf) })
}

type Operand = Scalar | number

function operand(value: Operand): ExprNode {
  return nodeOf(typeof value === 'number' ? constant(value) : value)
}

function binary(op: BinaryOp, left: Operand, right: Operand): Scalar {
  return fromNode({ kind: 'binary', op, left: operand(left), right: operand(right) })
}

/** `left + right`, in 64 bits. */
export function add(left: Operand, right: Operand): Scalar {
  return binary('+', left, right)
}
/** `left - right`, in 64 bits. */
export function sub(left: Operand, right: Operand): Scalar {
  return binary('-', left, right)
}
/** `left * right`, in 64 bits. */
export function mul(left: Operand, right: Operand): Scalar {
  return binary('*', left, right)
}
/** Bitwise and. */
export function and(left: Operand, right: Operand): Scalar {
  return binary('&', left, right)
}
/** Bitwise or; of two conditions, whether either holds. */
export function or(left: Operand, right: Operand): Scalar {
  return binary('|', left, right)
}
/** Logical shift to the right. */
export function shiftRight(left: Operand, right: Operand): Scalar {
  return binary('>>', left, right)
}
/** Shift to the left. */
export function shiftLeft(left: Operand, right: Operand): Scalar {
  return binary('<<', left, right)
}
/** 1 when both are equal, else 0. */
export function eq(left: Operand, right: Operand): Scalar {
  return binary('==', left, right)
}
/** 1 when the two differ, else 0. */
export function ne(left: Operand, right: Operand): Scalar {
  return binary('!=', left, right)
}
/** 1 when `left < right` unsigned, else 0. */
export function lt(left: Operand, right: Operand): Scalar {
  return binary('<', left, right)
}
/** 1 when `left > right` unsigned, else 0. */
export function gt(left: Operand, right: Operand): Scalar {
  return binary('>', left, right)
}

/** The value of `key` in a map, or 0 when it is not there. */
export function lookup(map: ProbeMap, key: Operand): Scalar {
  return fromNode({ kind: 'lookup', map, key: operand(key), gives: 'value' })
}
/** 1 when a map has `key`, else 0. */
export function has(map: ProbeMap, key: Operand): Scalar {
  return fromNode({ kind: 'lookup', map, key: operand(key), gives: 'presence' })
}
/** Stores a number in a map. A full map of type `hash` stays as it is. */
export function store(map: ProbeMap, key: Operand, value: Operand): MapEffect {
  return { kind: 'store', map, key: operand(key), value: operand(value) }
}
/**
 * Puts a key into a map; when it is there already, the probe ends and writes no record: of several hooks that fire
 * for one thing, on whichever CPUs, the first one tells of it. Left out where `unless` is known to be 1.
 */
export function claim(map: ProbeMap, key: Operand, unless: Operand = 0): MapEffect {
  return { kind: 'claim', map, key: operand(key), unless: operand(unless) }
}
/** Removes a key from a map, if it is there. */
export function remove(map: ProbeMap, key: Operand): MapEffect {
  return { kind: 'remove', map, key: operand(key) }
}

/** A path or expression as a person would write it, for messages and documentation. */
export function describe(node: ExprNode, argumentNames: readonly string[]): string {
  switch (node.kind) {
    case 'constant':
      return String(node.value)
    case 'enum':
      return node.valueName
    case 'resolves':
      return `resolves(${node.of.map((value) => describe(value, argumentNames)).join(', ')})`
    case 'packet':
      return `packet[${node.offset}..${node.offset + node.size - 1}]`
    case 'lookup':
      return node.gives === 'value'
        ? `${node.map.name}[${describe(node.key, argumentNames)}]`
        : `${node.map.name} has ${describe(node.key, argumentNames)}`
    case 'firstOf':
      return node.choices.map((choice) => describe(choice, argumentNames)).join(' ?? ')
    case 'binary':
      return `(${describe(node.left, argumentNames)} ${node.op} ${describe(node.right, argumentNames)})`
    case 'path': {
      const root = node.root.kind === 'current' ? 'current' : (argumentNames[node.root.index] ?? '?')
      return node.steps.reduce((text, step) => {
        if (step.kind === 'member') return `${text}.${step.name}`
        return `${text}[${typeof step.index === 'number' ? step.index : step.index.valueName}]`
      }, root)
    }
  }
}
