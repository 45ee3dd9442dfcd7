/** What the operators of expressions compute, in 64 bits and unsigned, as the generated programs do. */

/** Operators that numbers can be combined with. Comparisons give 0 or 1 and are unsigned. */
export type BinaryOp = '+' | '-' | '*' | '&' | '|' | '>>' | '<<' | '==' | '!=' | '<' | '<=' | '>' | '>='

const OPERATORS: Readonly<Record<BinaryOp, (left: bigint, right: bigint) => bigint>> = {
  '+': (left, right) => left + right,
  '-': (left, right) => left - right,
  '*': (left, right) => left * right,
  '&': (left, right) => left & right,
  '|': (left, right) => left | right,
  '>>': (left, right) => left >> (right & 63n),
  '<<': (left, right) => left << (right & 63n),
  '==': (left, right) => BigInt(left === right),
  '!=': (left, right) => BigInt(left !== right),
  '<': (left, right) => BigInt(left < right),
  '<=': (left, right) => BigInt(left <= right),
  '>': (left, right) => BigInt(left > right),
  '>=': (left, right) => BigInt(left >= right),
}

/** A number as the 64 bits of a register. */
export function toWord(value: bigint): bigint {
  return BigInt.asUintN(64, value)
}

/** `left op right` of two words. */
export function compute(op: BinaryOp, left: bigint, right: bigint): bigint {
  return toWord(OPERATORS[op](left, right))
}

export function isComparison(op: BinaryOp): boolean {
  return op === '==' || op === '!=' || op === '<' || op === '<=' || op === '>' || op === '>='
}

/** The integers that a place of `bits` bits can hold. */
export function rangeOf(bits: number, signed: boolean): { readonly low: bigint; readonly high: bigint } {
  const span = 1n << BigInt(bits)
  return signed ? { low: -(span / 2n), high: span / 2n - 1n } : { low: 0n, high: span - 1n }
}

/** `value` as a bigint. @throws {RangeError} naming `place` when it is no integer from `low` to `high` */
export function checkedInteger(value: number | bigint, place: string, low: bigint, high: bigint): bigint {
  const isWhole = typeof value === 'bigint' || Number.isSafeInteger(value)
  if (!isWhole)
    throw new RangeError(`Cannot use ${value} as ${place}: it is not a whole number that is exact`)
  const number = BigInt(value)
  if (number < low || number > high) {
    throw new RangeError(`Cannot use ${value} as ${place}: it must be from ${low} to ${high}`)
  }
  return number
}
