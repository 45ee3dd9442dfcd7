/** The numbers that fields of records, and keys and values of maps, are filled with. */

import type { ExprNode, FieldNodes, MapField, NumberSize } from './nodes.js'
import { rangeOf } from './operators.js'
import type { FixedField } from './record.js'
import { type ResolvedExpr, type ResolvedNumber, Unresolved } from './resolved.js'

/** What resolves expressions against a kernel. */
interface ExprResolver {
  expr(node: ExprNode): ResolvedExpr | Unresolved
}

/** The fields' numbers at their places; runs of bytes become words. */
export function resolveMapNumbers(resolver: ExprResolver, fields: FieldNodes): ResolvedNumber[] | Unresolved {
  const numbers: ResolvedNumber[] = []
  for (const { field, node } of fields) {
    const expr = resolver.expr(node)
    if (expr instanceof Unresolved) return expr
    const isRun = field.kind === 'chars' || (field.sizeBytes === 8 && isEightBytes(expr))
    const found = isRun ? bytesOf(expr, field) : numberOf(expr, field)
    if (found instanceof Unresolved) return found
    numbers.push(...found)
  }
  return numbers
}

/** Eight bytes in place, seen as one number. */
function isEightBytes(expr: ResolvedExpr): boolean {
  return expr.kind === 'load' && expr.path.address && expr.path.sizeBytes === 8
}

function numberOf(
  expr: ResolvedExpr,
  { name, kind, offset, sizeBytes }: MapField,
): ResolvedNumber[] | Unresolved {
  const place = name === '' ? kind : `${name} (${kind})`
  const lacking = misfit(expr, sizeBytes, kind === 's32' || kind === 's64')
  if (lacking !== undefined) return new Unresolved(`${lacking} does not fit ${place}`)
  return [{ offset, sizeBytes: sizeBytes as NumberSize, expr }]
}

/**
 * What fills a fixed field of a record: one number, or the words of a run of bytes. What lies in memory as it is has
 * neither: it is copied from there.
 */
export function recordNumbers(expr: ResolvedExpr, field: FixedField): readonly ResolvedNumber[] | Unresolved {
  const { offset, type } = field
  const place = { name: '', kind: type.kind, offset, sizeBytes: type.sizeBytes }
  if (expr.kind === 'load' && (expr.path.address || type.kind === 'chars')) {
    const isRun = type.kind === 'chars' || type.sizeBytes === 8
    return isRun && expr.path.address && wordAt(expr, type.sizeBytes - 8) !== undefined
      ? []
      : new Unresolved(`no ${type.kind === 'chars' ? `run of ${type.sizeBytes} bytes` : 'number'} lies there`)
  }
  return type.kind === 'chars' ? bytesOf(expr, place) : numberOf(expr, place)
}

/** The number that a place of so many bytes cannot hold, if a resolved expression is or may become one. */
function misfit(expr: ResolvedExpr, sizeBytes: number, signed: boolean): bigint | undefined {
  switch (expr.kind) {
    case 'ifThen':
      return misfit(expr.value, sizeBytes, signed)
    case 'firstNonZero':
      return expr.choices
        .map((choice) => misfit(choice, sizeBytes, signed))
        .find((what) => what !== undefined)
    case 'constant': {
      const { low, high } = rangeOf(sizeBytes * 8, signed)
      const value = signed ? BigInt.asIntN(64, expr.value) : expr.value
      return value < low || value > high ? value : undefined
    }
    default:
      return undefined
  }
}

/** A run of bytes as words of eight, from its place on. */
function bytesOf(
  expr: ResolvedExpr,
  { offset, sizeBytes }: { readonly offset: number; readonly sizeBytes: number },
): ResolvedNumber[] | Unresolved {
  const words: ResolvedNumber[] = []
  for (let at = 0; at < sizeBytes; at += 8) {
    const word = wordAt(expr, at)
    if (word === undefined) return new Unresolved('not a run of bytes')
    words.push({ offset: offset + at, sizeBytes: 8, expr: word })
  }
  return words
}

function wordAt(expr: ResolvedExpr, at: number): ResolvedExpr | undefined {
  if (expr.kind === 'load' && expr.path.address) {
    const { path } = expr
    // A flexible array has the size 0.
    if (path.sizeBytes > 0 && at + 8 > path.sizeBytes) return undefined
    return {
      kind: 'load',
      path: { ...path, offset: path.offset + at, sizeBytes: 8, signed: false, address: false },
    }
  }
  if (expr.kind !== 'lookup' || expr.gives === 'presence' || expr.gives.sizeBytes !== 8) return undefined
  return { ...expr, gives: { ...expr.gives, offset: expr.gives.offset + at, signed: false } }
}
