/**
 * A declaration's expressions, as data: paths through kernel memory, numbers computed from them, look-ups in maps.
 * `resolve.ts` resolves them against a BTF.
 */

import type { BinaryOp } from './operators.js'

/** Bytes of a number in memory. */
export type NumberSize = 1 | 2 | 4 | 8

/** Where a path begins: at an argument, at the running task, or at any address, seen as a structure. */
export type Root =
  | { readonly kind: 'argument'; readonly index: number }
  | { readonly kind: 'current'; readonly struct: string }
  | { readonly kind: 'address'; readonly struct: string; readonly address: ExprNode }

/** One step of a path. An index may be an enumerator of the running kernel, or be computed when the program runs. */
export type Step =
  | { readonly kind: 'member'; readonly name: string }
  | { readonly kind: 'index'; readonly index: number | EnumNode }
  | { readonly kind: 'computedIndex'; readonly index: ExprNode; readonly count: ExprNode | undefined }

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

/** How many bytes behind the beginning of a structure a member of it lies. */
export interface OffsetNode {
  readonly kind: 'offset'
  readonly struct: string
  readonly members: readonly string[]
}

/** A value that a helper of the kernel returns. */
export type HelperName =
  | 'pidTgid'
  | 'uidGid'
  | 'cgroupId'
  | 'bootNs'
  | 'monotonicNs'
  | 'cpu'
  | 'userRegisters'
  | 'socketCookie'
  | 'fileSocketCookie'

export interface LookupNode {
  readonly kind: 'lookup'
  readonly map: ProbeMap
  readonly key: readonly ExprNode[]
  /** The name of a field of the value; of a value that is one number, ''. */
  readonly gives: { readonly field: string } | 'presence'
}

export interface WalkText {
  readonly struct: string
  readonly from: ExprNode
  readonly steps: number
  /** What is looked for at the first step. */
  readonly until: ExprNode
}

export type ExprNode =
  | PathNode
  | EnumNode
  | OffsetNode
  | LookupNode
  /** From -2^63 to 2^64 - 1. */
  | { readonly kind: 'constant'; readonly value: bigint }
  | { readonly kind: 'resolves'; readonly of: readonly ExprNode[] }
  | { readonly kind: 'binary'; readonly op: BinaryOp; readonly left: ExprNode; readonly right: ExprNode }
  /** The numbers are words, ascending, each once. */
  | { readonly kind: 'oneOf'; readonly value: ExprNode; readonly numbers: readonly bigint[] }
  /** The first that is not 0; what comes behind it is not read. */
  | { readonly kind: 'firstNonZero'; readonly choices: readonly ExprNode[] }
  /** 0 unless the condition holds; otherwise the value is not read. */
  | { readonly kind: 'ifThen'; readonly condition: ExprNode; readonly value: ExprNode }
  /** The result of a walk of several steps, and its short text. */
  | { readonly kind: 'walk'; readonly found: ExprNode; readonly text: WalkText }
  | { readonly kind: 'firstOf'; readonly choices: readonly ExprNode[] }
  | { readonly kind: 'packet'; readonly offset: number; readonly size: NumberSize }
  | {
      readonly kind: 'user'
      readonly address: ExprNode
      readonly offset: number
      readonly size: NumberSize
      readonly signed: boolean
    }
  | { readonly kind: 'helper'; readonly name: HelperName; readonly argument: ExprNode | undefined }

/** The types of maps that probes can share. */
export type ProbeMapType =
  | 'hash'
  | 'lruHash'
  | 'percpuHash'
  | 'lruPercpuHash'
  | 'array'
  | 'percpuArray'
  | 'lpmTrie'

/** The kinds of numbers and runs of bytes that keys and values are made of. */
export type MapFieldKind = 'u8' | 'u16' | 'u32' | 'u64' | 's32' | 's64' | 'chars'

/** One field of a key or a value, at its place. */
export interface MapField {
  /** '' of a key or value that is one number. */
  readonly name: string
  readonly kind: MapFieldKind
  readonly offset: number
  readonly sizeBytes: number
}

/** How a key or a value lies in memory, by C's rules. */
export interface MapShape {
  readonly fields: readonly MapField[]
  readonly sizeBytes: number
}

/**
 * A map that probes share with each other and with user space. Declaring one creates nothing; a session creates it with
 * the first probe that uses it.
 */
export interface ProbeMap {
  readonly name: string
  readonly type: ProbeMapType
  readonly key: MapShape
  readonly value: MapShape
  readonly maxEntries: number
}

/** A number, or a run of bytes, for each field of a value that is not left at 0. */
export type FieldNodes = readonly { readonly field: MapField; readonly node: ExprNode }[]

/** What a probe does to a map when its condition holds. */
export type MapEffect =
  | {
      readonly kind: 'store' | 'increase'
      readonly map: ProbeMap
      readonly key: readonly ExprNode[]
      readonly value: FieldNodes
    }
  | { readonly kind: 'remove'; readonly map: ProbeMap; readonly key: readonly ExprNode[] }
  | {
      readonly kind: 'count'
      readonly map: ProbeMap
      readonly key: readonly ExprNode[]
      readonly value: FieldNodes
      readonly equal: FieldNodes
    }
  | {
      readonly kind: 'claim'
      readonly map: ProbeMap
      readonly key: readonly ExprNode[]
      readonly value: FieldNodes
      readonly unless: ExprNode
    }
