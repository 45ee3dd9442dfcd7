/** Numbers that are computed from others. */

import { fromNode, nodeOf, type Operand, operandNode, type Scalar } from './expr.js'
import type { ExprNode } from './nodes.js'
import { type BinaryOp, checkedInteger, compute, rangeOf, toWord } from './operators.js'

function binary(op: BinaryOp, left: Operand, right: Operand): Scalar {
  return fromNode({ kind: 'binary', op, left: operandNode(left), right: operandNode(right) })
}

function shift(op: '<<' | '>>', left: Operand, right: Operand): Scalar {
  const by = constantOf(operandNode(right))
  if (by !== undefined) checkedInteger(by, 'the distance of a shift', 0n, 63n)
  return binary(op, left, right)
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
/**
 * Bitwise and; of two conditions, whether both hold. As a condition, or as a part of one, it reads what the right one
 * needs only if the left one holds.
 */
export function and(left: Operand, right: Operand, ...more: readonly Operand[]): Scalar {
  return more.reduce<Scalar>((all, one) => binary('&', all, one), binary('&', left, right))
}
/** Bitwise or; of two conditions, whether either holds, with the right one read only if the left one does not hold. */
export function or(left: Operand, right: Operand, ...more: readonly Operand[]): Scalar {
  return more.reduce<Scalar>((all, one) => binary('|', all, one), binary('|', left, right))
}
/** Logical shift to the right, by 0 to 63. @throws {RangeError} for a constant distance beyond that */
export function shiftRight(left: Operand, right: Operand): Scalar {
  return shift('>>', left, right)
}
/** Shift to the left, by 0 to 63. @throws {RangeError} for a constant distance beyond that */
export function shiftLeft(left: Operand, right: Operand): Scalar {
  return shift('<<', left, right)
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
/** 1 when `left <= right` unsigned, else 0. */
export function le(left: Operand, right: Operand): Scalar {
  return binary('<=', left, right)
}
/** 1 when `left > right` unsigned, else 0. */
export function gt(left: Operand, right: Operand): Scalar {
  return binary('>', left, right)
}
/** 1 when `left >= right` unsigned, else 0. */
export function ge(left: Operand, right: Operand): Scalar {
  return binary('>=', left, right)
}
/** 1 when `value` is 0, else 0. */
export function not(value: Scalar): Scalar {
  return binary('==', value, 0)
}

/** The first of the values that is not 0, or 0: what comes behind it is not read. */
export function firstNonZero(...values: readonly [Scalar, ...Scalar[]]): Scalar {
  return fromNode({ kind: 'firstNonZero', choices: values.map(nodeOf) })
}

/** `value` if the condition holds, else 0: then the value is not read. */
export function ifThen(condition: Scalar, value: Operand): Scalar {
  return fromNode({ kind: 'ifThen', condition: nodeOf(condition), value: operandNode(value) })
}

/**
 * 1 when `value` is one of the numbers, else 0: a search that halves them, however many there are. Members of a signed
 * type are widened by their sign, so that -1 finds them.
 *
 * @throws {RangeError} for a number that does not fit 64 bits
 */
export function oneOf(value: Scalar, numbers: Iterable<number | bigint>): Scalar {
  const { low } = rangeOf(64, true)
  const { high } = rangeOf(64, false)
  const words = new Set<bigint>()
  for (const number of numbers) words.add(toWord(checkedInteger(number, 'a number of oneOf(…)', low, high)))
  const sorted = [...words].sort((a, b) => (a < b ? -1 : 1))
  return fromNode({ kind: 'oneOf', value: nodeOf(value), numbers: sorted })
}

/** The number that a declaration's expression is on every kernel; `undefined` when it depends on one. */
export function constantOf(node: ExprNode): bigint | undefined {
  if (node.kind === 'constant') return node.value
  if (node.kind !== 'binary') return undefined
  const left = constantOf(node.left)
  const right = constantOf(node.right)
  return left === undefined || right === undefined ? undefined : compute(node.op, toWord(left), toWord(right))
}

/**
 * @throws {RangeError} when `node` is, or may become, a constant that `place`, a number of `bits` bits, cannot hold
 */
export function checkFits(node: ExprNode, place: string, bits: number, signed: boolean): void {
  if (node.kind === 'ifThen') {
    checkFits(node.value, place, bits, signed)
    return
  }
  if (node.kind === 'firstNonZero' || node.kind === 'firstOf') {
    for (const choice of node.choices) checkFits(choice, place, bits, signed)
    return
  }
  const value = constantOf(node)
  if (value === undefined) return
  const { low, high } = rangeOf(bits, signed)
  // What was computed is a word, of which a signed place sees the sign.
  const seen = signed && node.kind !== 'constant' ? BigInt.asIntN(64, value) : value
  checkedInteger(seen, place, low, high)
}
