/** A declaration's expressions, resolved for one kernel: places in memory, and words computed from them. */

import type { TypeId } from '../btf/index.js'
import type { HelperName, NumberSize, ProbeMap } from './nodes.js'
import type { BinaryOp } from './operators.js'

/** Where a path begins. */
export type ResolvedRoot =
  | { readonly kind: 'argument'; readonly index: number }
  | { readonly kind: 'current' }
  | { readonly kind: 'address'; readonly address: ResolvedExpr }

/** Where a value lies: follow `derefs` (offsets of pointers) from the root, then read at `offset`. */
export interface ResolvedPath {
  readonly root: ResolvedRoot
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

/** A number of a key or of a value, and where it lies there. */
export interface ResolvedNumber {
  readonly offset: number
  readonly sizeBytes: NumberSize
  readonly expr: ResolvedExpr
}

/** The result of a look-up in a map: whether the key is there, or a number of its value, 0 if it is not there. */
export interface ResolvedLookup {
  readonly kind: 'lookup'
  readonly map: ProbeMap
  readonly key: readonly ResolvedNumber[]
  readonly gives:
    | 'presence'
    | { readonly offset: number; readonly sizeBytes: NumberSize; readonly signed: boolean }
}

/** A number at an address that is computed, in the memory of the kernel or of the current task. */
export interface ResolvedMemory {
  readonly kind: 'memory'
  readonly space: 'kernel' | 'user'
  readonly address: ResolvedExpr
  readonly sizeBytes: NumberSize
  readonly signed: boolean
}

export interface ResolvedHelper {
  readonly kind: 'helper'
  readonly name: HelperName
  /** Which argument of the hook the helper gets; absent where it gets the context, or nothing. */
  readonly argument: number | undefined
  /** Where `struct socket` has its `sk`, if the argument is one or leads to one. */
  readonly offset?: number
}

export type ResolvedExpr =
  | ResolvedLookup
  | ResolvedMemory
  | ResolvedHelper
  | { readonly kind: 'load'; readonly path: ResolvedPath }
  /** A word: from 0 to 2^64 - 1. */
  | { readonly kind: 'constant'; readonly value: bigint }
  | { readonly kind: 'packet'; readonly offset: number; readonly size: NumberSize }
  | {
      readonly kind: 'binary'
      readonly op: BinaryOp
      readonly left: ResolvedExpr
      readonly right: ResolvedExpr
    }
  | { readonly kind: 'oneOf'; readonly value: ResolvedExpr; readonly numbers: readonly bigint[] }
  | { readonly kind: 'firstNonZero'; readonly choices: readonly ResolvedExpr[] }
  | { readonly kind: 'ifThen'; readonly condition: ResolvedExpr; readonly value: ResolvedExpr }

/** What has to be fetched from somewhere, rather than computed. */
export type Atom = Extract<
  ResolvedExpr,
  { readonly kind: 'load' | 'packet' | 'memory' | 'helper' | 'lookup' }
>

export function isAtom(expr: ResolvedExpr): expr is Atom {
  return ['load', 'packet', 'memory', 'helper', 'lookup'].includes(expr.kind)
}

/** Why an expression cannot be resolved on this kernel. */
export class Unresolved {
  readonly reason: string
  constructor(reason: string) {
    this.reason = reason
  }
}

const KEYS = new WeakMap<ResolvedExpr, string>()

/** The same text for expressions that are the same value at the same moment. */
export function keyOf(expr: ResolvedExpr): string {
  let key = KEYS.get(expr)
  if (key === undefined) {
    key = makeKey(expr)
    KEYS.set(expr, key)
  }
  return key
}

function makeKey(expr: ResolvedExpr): string {
  switch (expr.kind) {
    case 'constant':
      return String(expr.value)
    case 'packet':
      return `packet ${expr.offset}:${expr.size}`
    case 'helper':
      return `${expr.name}(${expr.argument ?? ''})`
    case 'memory':
      return `${expr.space}[${keyOf(expr.address)}]${expr.signed ? 's' : 'u'}${expr.sizeBytes}`
    case 'binary':
      return `(${keyOf(expr.left)} ${expr.op} ${keyOf(expr.right)})`
    case 'oneOf':
      return `(${keyOf(expr.value)} in ${expr.numbers.join(',')})`
    case 'firstNonZero':
      return `(${expr.choices.map(keyOf).join(' ?: ')})`
    case 'ifThen':
      return `(${keyOf(expr.condition)} ? ${keyOf(expr.value)})`
    case 'lookup': {
      const { gives } = expr
      return `${lookupKey(expr)}${gives === 'presence' ? '?' : `.${gives.offset}${gives.signed ? 's' : 'u'}${gives.sizeBytes}`}`
    }
    case 'load': {
      const { path } = expr
      const bits = path.bits === undefined ? '' : `:${path.bits.shift}:${path.bits.width}`
      const how = `${path.signed ? 's' : 'u'}${path.address ? '&' : ''}${path.bare ? '!' : ''}`
      return `${rootKey(path)}->${path.derefs.join('->')}+${path.offset}:${path.sizeBytes}${how}${bits}`
    }
  }
}

/** The same text for look-ups of the same key in the same map. */
export function lookupKey({ map, key }: ResolvedLookup): string {
  return `${map.name}[${key.map(({ offset, sizeBytes, expr }) => `${offset}:${sizeBytes}=${keyOf(expr)}`).join()}]`
}

/** The same text for paths that begin at the same place, seen as the same structure. */
export function rootKey({ root, rootType }: ResolvedPath): string {
  switch (root.kind) {
    case 'current':
      return 'current'
    case 'argument':
      return `argument ${root.index}`
    case 'address':
      return `(${rootType})${keyOf(root.address)}`
  }
}

/** What must be known before an atom can be fetched. */
export function inputsOf(atom: Atom): readonly ResolvedExpr[] {
  switch (atom.kind) {
    case 'load':
      return atom.path.root.kind === 'address' ? [atom.path.root.address] : []
    case 'memory':
      return [atom.address]
    case 'lookup':
      return atom.key.map(({ expr }) => expr)
    default:
      return []
  }
}

/** Whether a value is 0 or 1. */
export function isTruth(expr: ResolvedExpr): boolean {
  switch (expr.kind) {
    case 'constant':
      return expr.value <= 1n
    case 'lookup':
      return expr.gives === 'presence'
    case 'oneOf':
      return true
    case 'firstNonZero':
      return expr.choices.every(isTruth)
    case 'ifThen':
      return isTruth(expr.value)
    case 'binary':
      if (expr.op === '&') return isTruth(expr.left) || isTruth(expr.right)
      if (expr.op === '|' || expr.op === '*') return isTruth(expr.left) && isTruth(expr.right)
      return ['==', '!=', '<', '<=', '>', '>='].includes(expr.op)
    default:
      return false
  }
}

/** Whether looking into a map is part of computing it. */
export function looksUp(expr: ResolvedExpr): boolean {
  switch (expr.kind) {
    case 'binary':
      return looksUp(expr.left) || looksUp(expr.right)
    case 'oneOf':
      return looksUp(expr.value)
    case 'firstNonZero':
      return expr.choices.some(looksUp)
    case 'ifThen':
      return looksUp(expr.condition) || looksUp(expr.value)
    case 'constant':
      return false
    default:
      return expr.kind === 'lookup' || inputsOf(expr).some(looksUp)
  }
}
