/** Conditions as jumps: the deciding values are loaded first, the others only if needed. */

import { type Assembler, type JumpOp, R0, R1, type Register } from '../asm/index.js'
import { immediate } from './computing.js'
import { type BinaryOp, isComparison } from './operators.js'
import { isTruth, type ResolvedExpr } from './resolved.js'
import type { Temporaries } from './temporaries.js'

/** Comparisons, and their negations. */
const INVERSE: Partial<Record<BinaryOp, JumpOp>> = {
  '==': '!=',
  '!=': '==',
  '<': '>=',
  '<=': '>',
  '>': '<=',
  '>=': '<',
}

/** Where to continue, if an expression is not 0 (`when`), or if it is 0. */
interface Goal {
  readonly label: string
  readonly when: boolean
}

/** What computes the parts of a condition. */
interface Computer {
  readonly asm: Assembler
  readonly temporaries: Temporaries
  /** Fetches what an expression consists of. */
  fetch(expr: ResolvedExpr): void
  evaluate(expr: ResolvedExpr): void
  emitOperands(left: ResolvedExpr, right: ResolvedExpr): number | undefined
  emitConstant(dst: Register, value: bigint): void
}

/** Jumps to the label if the expression is what the goal says; else falls through. */
export function emitBranch(computer: Computer, expr: ResolvedExpr, goal: Goal): void {
  if (expr.kind === 'constant') {
    if ((expr.value !== 0n) === goal.when) emitAlways(computer, goal.label)
    return
  }
  if (expr.kind === 'oneOf') {
    emitOneOf(computer, expr.value, expr.numbers, goal)
    return
  }
  if (expr.kind === 'ifThen') {
    emitJunction(computer, [expr.condition, expr.value], goal, false)
    return
  }
  if (expr.kind === 'firstNonZero') {
    emitJunction(computer, expr.choices, goal, true)
    return
  }
  if (expr.kind !== 'binary') {
    emitNumber(computer, expr, goal)
    return
  }
  const { op, left, right } = expr
  const areTruths = isTruth(left) && isTruth(right)
  if (areTruths && op === '&') emitJunction(computer, [left, right], goal, false)
  else if (areTruths && op === '|') emitJunction(computer, [left, right], goal, true)
  else if (isZero(right) && (op === '==' || op === '!=')) {
    emitBranch(computer, left, { label: goal.label, when: op === '!=' ? goal.when : !goal.when })
  } else if (isComparison(op)) {
    computer.fetch(expr)
    const imm = computer.emitOperands(left, right)
    const jump = goal.when ? (op as JumpOp) : (INVERSE[op] as JumpOp)
    if (imm === undefined) computer.asm.jumpIf(jump, R0, R1, goal.label)
    else computer.asm.jumpIfImm(jump, R0, imm, goal.label)
    computer.temporaries.jump(goal.label)
  } else emitNumber(computer, expr, goal)
}

/** Parts of which the first that is `decisive` decides: one that is not 0 in an `or`, one that is 0 in an `and`. */
function emitJunction(
  computer: Computer,
  parts: readonly ResolvedExpr[],
  goal: Goal,
  decisive: boolean,
): void {
  if (goal.when === decisive) {
    for (const part of parts) emitBranch(computer, part, goal)
    return
  }
  const decided = computer.asm.uniqueLabel('decided')
  for (const part of parts.slice(0, -1)) emitBranch(computer, part, { label: decided, when: decisive })
  for (const part of parts.slice(-1)) emitBranch(computer, part, goal)
  computer.asm.label(decided)
  computer.temporaries.label(decided, true)
}

function emitNumber(computer: Computer, expr: ResolvedExpr, { label, when }: Goal): void {
  computer.evaluate(expr)
  computer.asm.jumpIfImm(when ? '!=' : '==', R0, 0, label)
  computer.temporaries.jump(label)
}

/** A jump that is always taken, in the form of a conditional one: the verifier refuses unreachable code. */
function emitAlways({ asm, temporaries }: Computer, label: string): void {
  asm.movImm(R0, 0).jumpIfImm('==', R0, 0, label)
  temporaries.jump(label)
}

function isZero(expr: ResolvedExpr): boolean {
  return expr.kind === 'constant' && expr.value === 0n
}

interface Run {
  readonly low: bigint
  readonly high: bigint
}

function emitOneOf(
  computer: Computer,
  value: ResolvedExpr,
  numbers: readonly bigint[],
  { label, when }: Goal,
): void {
  const { asm, temporaries } = computer
  const other = asm.uniqueLabel('other')
  const [yes, no] = when ? [label, other] : [other, label]
  computer.evaluate(value)
  temporaries.jump(label)
  emitSearch(computer, runsOf(numbers), yes, no)
  asm.label(other)
}

/** Numbers without a gap between them are one run. */
function runsOf(numbers: readonly bigint[]): Run[] {
  const runs: { low: bigint; high: bigint }[] = []
  for (const number of numbers) {
    const last = runs.at(-1)
    if (last !== undefined && number === last.high + 1n) last.high = number
    else runs.push({ low: number, high: number })
  }
  return runs
}

/** Goes to `yes` if R0 is within one of the runs, else to `no`. */
function emitSearch(computer: Computer, runs: readonly Run[], yes: string, no: string): void {
  const { asm } = computer
  const [first] = runs
  if (first !== undefined && runs.length === 1) {
    // Most values match no run: they fall through, as a CPU expects of jumps that it has no history of.
    if (first.low !== first.high) emitCompare(computer, '<', first.low, no)
    emitCompare(computer, first.low === first.high ? '==' : '<=', first.high, yes)
    asm.jump(no)
    return
  }
  const middle = Math.ceil(runs.length / 2)
  const upper = asm.uniqueLabel('upper')
  emitCompare(computer, '>=', runs[middle]?.low ?? 0n, upper)
  emitSearch(computer, runs.slice(0, middle), yes, no)
  asm.label(upper)
  emitSearch(computer, runs.slice(middle), yes, no)
}

function emitCompare(computer: Computer, op: JumpOp, number: bigint, label: string): void {
  const { asm } = computer
  const imm = immediate(number)
  if (imm !== undefined) {
    asm.jumpIfImm(op, R0, imm, label)
    return
  }
  computer.emitConstant(R1, number)
  asm.jumpIf(op, R0, R1, label)
}
