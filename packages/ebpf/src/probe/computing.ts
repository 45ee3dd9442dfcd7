/** How operators become instructions. */

import type { AluOp } from '../asm/index.js'
import type { BinaryOp } from './operators.js'
import { isAtom, type ResolvedExpr } from './resolved.js'

/** Those that are one instruction. */
export const ALU: Partial<Record<BinaryOp, AluOp>> = {
  '+': 'add',
  '-': 'sub',
  '*': 'mul',
  '&': 'and',
  '|': 'or',
  '<<': 'lsh',
  '>>': 'rsh',
}

/** A word as the sign-extended immediate that stands for it, if there is one. */
export function immediate(value: bigint): number | undefined {
  const signed = BigInt.asIntN(64, value)
  return signed >= -0x8000_0000n && signed <= 0x7fff_ffffn ? Number(signed) : undefined
}

/** How many places an expression needs at once at the least. */
export function weightOf(expr: ResolvedExpr): number {
  if (expr.kind === 'oneOf') return weightOf(expr.value)
  if (expr.kind === 'firstNonZero' || expr.kind === 'ifThen') return 2
  if (expr.kind !== 'binary') return isAtom(expr) ? 1 : 0
  const left = weightOf(expr.left)
  const right = weightOf(expr.right)
  return left === right ? left + 1 : Math.max(left, right)
}
