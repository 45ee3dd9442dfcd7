/** The kinds of fields that a record can have, and the TypeScript type that each one decodes to. */

import { type Chars, type ExprNode, nodeOf, type Scalar, type Value } from './expr.js'

declare const DECODED: unique symbol

export type FixedKind = 'u8' | 'u16' | 'u32' | 'u64' | 's32' | 's64' | 'chars'
export type TailKind = 'path' | 'userBytes' | 'kernelString' | 'userString' | 'words'

export interface FixedSpec {
  readonly kind: FixedKind
  readonly sizeBytes: number
  readonly align: number
  readonly value: ExprNode
}

/** A tail's inputs: for a path the file's and the root's `struct path`, else addresses and lengths. */
export interface TailSpec {
  readonly kind: TailKind
  readonly maxBytes: number
  readonly inputs: readonly ExprNode[]
  /** Bytes of one element of `words`. */
  readonly elementBytes?: number
}

export type FieldSpec<T> = (FixedSpec | TailSpec) & { readonly [DECODED]?: T }

/** One declared field; `T` is what it decodes to. */
export interface Field<T = unknown> {
  readonly spec: FieldSpec<T>
}

export function isTail(spec: FieldSpec<unknown>): spec is TailSpec {
  return 'inputs' in spec
}

function fixed<T>(kind: FixedKind, sizeBytes: number, value: Value): Field<T> {
  return { spec: { kind, sizeBytes, align: Math.min(sizeBytes, 8), value: nodeOf(value) } }
}

/** An unsigned byte. */
export function u8(value: Scalar): Field<number> {
  return fixed('u8', 1, value)
}
/** An unsigned 16-bit number. */
export function u16(value: Scalar): Field<number> {
  return fixed('u16', 2, value)
}
/** An unsigned 32-bit number. */
export function u32(value: Scalar): Field<number> {
  return fixed('u32', 4, value)
}
/** An unsigned 64-bit number, or eight bytes in place seen as one; decodes to a bigint. */
export function u64(value: Scalar | Chars): Field<bigint> {
  return fixed('u64', 8, value)
}
/** A signed 32-bit number. */
export function s32(value: Scalar): Field<number> {
  return fixed('s32', 4, value)
}
/** A signed 64-bit number; decodes to a bigint. */
export function s64(value: Scalar): Field<bigint> {
  return fixed('s64', 8, value)
}

/** A fixed run of characters, such as a comm; decodes to the text before the first NUL. */
export function chars(lengthBytes: number, value: Chars): Field<string> {
  if (!Number.isInteger(lengthBytes) || lengthBytes <= 0 || lengthBytes % 8 !== 0) {
    throw new RangeError(`Cannot declare chars of ${lengthBytes} bytes as the length must be a multiple of 8`)
  }
  return { spec: { kind: 'chars', sizeBytes: lengthBytes, align: 8, value: nodeOf(value) } }
}

/** Largest tail of any kind: its length must fit the descriptor, its end the scratch of one CPU. */
export const MAX_TAIL_BYTES = 4 << 20
/** What one path may take: PATH_MAX, the longest component, and two terminators. */
export const PATH_TAIL_BYTES = 4096 + 256 + 2

function tail<T>(spec: TailSpec): Field<T> {
  if (!Number.isInteger(spec.maxBytes) || spec.maxBytes < 0 || spec.maxBytes > MAX_TAIL_BYTES) {
    throw new RangeError(`Cannot declare a tail of ${spec.maxBytes} bytes: the limit is ${MAX_TAIL_BYTES}`)
  }
  return { spec }
}

/** The members of `struct path` that a walk needs. */
export interface PathStruct {
  readonly mnt: Scalar
  readonly dentry: Scalar
}

/** What a path field decodes to. */
export interface DecodedPath {
  /** From the process's root; `memfd:name` and the like for files that have no place. */
  readonly path: string
  /** Path of the process's root directory in its mount namespace; absent when the file lies outside it. */
  readonly root?: string
  readonly truncated: boolean
  readonly deleted: boolean
}

/**
 * The path of a `struct path`, walked to the root of its mount namespace with the place of `root` marked.
 * The bytes are components from the leaf upwards, each NUL-terminated; an empty one is the mark.
 */
export function path(file: PathStruct, root: PathStruct): Field<DecodedPath | undefined> {
  return tail({
    kind: 'path',
    maxBytes: PATH_TAIL_BYTES,
    inputs: [nodeOf(file.dentry), nodeOf(file.mnt), nodeOf(root.dentry), nodeOf(root.mnt)],
  })
}

/** The user memory from `start` to `end` of the current task, cut at `maxBytes`. 0 captures nothing. */
export function userBytes(start: Scalar, end: Scalar, maxBytes: number): Field<Uint8Array | undefined> {
  return tail({ kind: 'userBytes', maxBytes, inputs: [nodeOf(start), nodeOf(end)] })
}

/** A NUL-terminated string in kernel memory, cut at `maxBytes` with its terminator. */
export function kernelString(address: Scalar, maxBytes: number): Field<string | undefined> {
  return tail({ kind: 'kernelString', maxBytes, inputs: [nodeOf(address)] })
}

/** A NUL-terminated string in the user memory of the current task, cut at `maxBytes` with its terminator. */
export function userString(address: Scalar, maxBytes: number): Field<string | undefined> {
  return tail({ kind: 'userString', maxBytes, inputs: [nodeOf(address)] })
}

/** `count` numbers of `elementBytes` bytes from kernel memory at `address`, cut at `maxBytes`. */
export function words(
  address: Value,
  count: Scalar,
  elementBytes: 4 | 8,
  maxBytes: number,
): Field<number[] | undefined> {
  return tail({ kind: 'words', maxBytes, elementBytes, inputs: [nodeOf(address), nodeOf(count)] })
}
