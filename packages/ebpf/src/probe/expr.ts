/** The values that the body of a declaration works with: each of them holds a node (`nodes.ts`). */

import { checkedInteger, rangeOf } from './operators.js'
import type { ExprNode, HelperName, NumberSize, PathNode } from './nodes.js'

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

/** A number of a declaration: a value, or a constant from -2^63 to 2^64 - 1. */
export type Operand = Scalar | number | bigint

/** The node behind a value of a declaration. */
export function nodeOf(value: Value): ExprNode {
  const node = (value as { [NODE]?: ExprNode })[NODE]
  if (node === undefined) throw new TypeError('Cannot use a value that no probe argument leads to')
  return node
}

export function fromNode<T>(node: ExprNode): T {
  return { [NODE]: node } as T
}

/** The node behind an operand. */
export function operandNode(value: Operand): ExprNode {
  return nodeOf(typeof value === 'object' ? value : constant(value))
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

/**
 * The element `index` of an array, or of what a pointer points to. An enumerator's value is taken from the kernel's BTF.
 * An index that is computed needs a bound: numbers behind it, and members of elements behind it, are 0. Arrays whose
 * length the kernel's BTF says have it as their bound; of a pointer, `count` is the bound.
 *
 * @throws {RangeError} for a constant index that is negative or not a whole number
 */
export function at<T>(array: Elements<T>, index: number | Scalar, count?: number | Scalar): T {
  const path = pathOf(array, 'index')
  if (typeof index === 'number') {
    checkedInteger(index, 'an index', 0n, 0x7fff_ffffn)
    return pathValue({ ...path, steps: [...path.steps, { kind: 'index', index }] })
  }
  const node = nodeOf(index)
  if (node.kind === 'enum') {
    return pathValue({ ...path, steps: [...path.steps, { kind: 'index', index: node }] })
  }
  const bound = count === undefined ? undefined : operandNode(count)
  return pathValue({ ...path, steps: [...path.steps, { kind: 'computedIndex', index: node, count: bound }] })
}

/** The task that runs when the hook fires. */
export function currentTask<T>(): T {
  return pathValue({ kind: 'path', root: { kind: 'current', struct: 'task_struct' }, steps: [] })
}

/**
 * The memory at an address, seen as a structure of the kernel: `cast<TcpSock>('tcp_sock', sk).bytes_acked`. Numbers
 * behind an address where nothing lies are 0. Programs that load directly do so from Linux 6.2 on, and call
 * probe_read_kernel before.
 */
export function cast<T>(struct: string, address: Value): T {
  return pathValue({ kind: 'path', root: { kind: 'address', struct, address: nodeOf(address) }, steps: [] })
}

/** An enumerator's value on the running kernel. */
export function enumValue(enumName: string, valueName: string): Scalar {
  return fromNode({ kind: 'enum', enumName, valueName })
}

/**
 * The structure that a member lies in: `containerOf<Mount>('mount', 'mnt', file.f_path.mnt)`. Numbers behind an address of
 * 0 are 0. Programs that load directly do so from Linux 6.2 on, and call probe_read_kernel before.
 *
 * @param member its name; dots separate those of members of members
 * @param address where the member lies
 */
export function containerOf<T>(struct: string, member: string, address: Value): T {
  const offset: ExprNode = { kind: 'offset', struct, members: member.split('.') }
  const found = nodeOf(address)
  const start: ExprNode = { kind: 'binary', op: '-', left: found, right: offset }
  return pathValue({
    kind: 'path',
    root: { kind: 'address', struct, address: { kind: 'ifThen', condition: found, value: start } },
    steps: [],
  })
}

/**
 * A constant of 64 bits, signed or unsigned.
 *
 * @throws {RangeError} when it is not a whole number, or does not fit
 */
export function constant(value: number | bigint): Scalar {
  const { low } = rangeOf(64, true)
  const { high } = rangeOf(64, false)
  return fromNode({ kind: 'constant', value: checkedInteger(value, 'a constant', low, high) })
}

/**
 * Bytes of the packet that a socket filter looks at, in host order. `offset` counts from its start.
 *
 * @throws {RangeError} for a place that no packet has
 */
export function packet(offset: number, size: NumberSize): Scalar {
  checkedInteger(offset, 'an offset into a packet', 0n, 0xffffn)
  checkSize(size, 'packet')
  return fromNode({ kind: 'packet', offset, size })
}

/**
 * An unsigned number in the user memory of the current task, `offset` bytes behind `address`; 0 where nothing can be
 * read. Other threads may change it at any time.
 *
 * @throws {RangeError} for a size that no number has, or an offset beyond 31 bits
 */
export function userValue(address: Operand, offset: number, size: NumberSize): Scalar {
  return userNumber(address, offset, size, false)
}

/** As `userValue`, for numbers of either sign. */
export function userNumber(address: Operand, offset: number, size: NumberSize, signed: boolean): Scalar {
  checkedInteger(offset, 'an offset into user memory', -0x8000_0000n, 0x7fff_ffffn)
  checkSize(size, 'userValue')
  return fromNode({ kind: 'user', address: operandNode(address), offset, size, signed })
}

function checkSize(size: number, what: string): void {
  if (![1, 2, 4, 8].includes(size)) {
    throw new RangeError(`Cannot use ${size} as the size of ${what}(…): a number has 1, 2, 4 or 8 bytes`)
  }
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

function helper(name: HelperName, argument?: Value): Scalar {
  return fromNode({ kind: 'helper', name, argument: argument === undefined ? undefined : nodeOf(argument) })
}

/** `tgid << 32 | pid` of the current task, in the words of the kernel. Needs Linux 4.2. */
export function currentPidTgid(): Scalar {
  return helper('pidTgid')
}
/** `gid << 32 | uid` of the current task. Needs Linux 4.2. */
export function currentUidGid(): Scalar {
  return helper('uidGid')
}
/** Id of the current task's cgroup in the v2 hierarchy. Needs Linux 4.18. */
export function currentCgroupId(): Scalar {
  return helper('cgroupId')
}
/** ns of CLOCK_BOOTTIME. Needs Linux 5.8. */
export function bootNs(): Scalar {
  return helper('bootNs')
}
/** ns of CLOCK_MONOTONIC. Needs Linux 4.1. */
export function monotonicNs(): Scalar {
  return helper('monotonicNs')
}
/**
 * Address of the registers with which the current task left its program, a `struct pt_regs`: those of the system call that
 * it is in, if it is in one. Needs Linux 5.15.
 */
export function userRegisters(): Scalar {
  return helper('userRegisters')
}
/** Number of the CPU that the program runs on. Needs Linux 4.1. */
export function cpu(): Scalar {
  return helper('cpu')
}
/**
 * The number that the kernel gives a socket for its lifetime. `socket` is an argument of the hook that the kernel types
 * as a socket; a program that runs on packets leaves it out, and gets that of its packet.
 * Needs Linux 5.12 in a tracing program, 4.12 elsewhere.
 */
export function socketCookie(socket?: Value): Scalar {
  if (socket !== undefined) {
    const { root, steps } = pathOf(socket, 'take the cookie')
    if (root.kind !== 'argument' || steps.length > 0) {
      throw new TypeError('Cannot take the cookie of a socket that is no argument of the hook')
    }
  }
  return helper('socketCookie', socket)
}

/**
 * As `socketCookie`, of the socket that an open file is; 0 of another file. `file` is an argument of the hook that the
 * kernel types as a file, such as that of the iterator `task_file`. Needs Linux 5.12.
 */
export function fileSocketCookie(file: Value): Scalar {
  const { root, steps } = pathOf(file, 'take the cookie')
  if (root.kind !== 'argument' || steps.length > 0) {
    throw new TypeError('Cannot take the cookie of the socket of a file that is no argument of the hook')
  }
  return helper('fileSocketCookie', file)
}
