import { networkOf } from '../where/address.js'
import type { RuleField } from './fields.js'
import type { RuleValue } from './syntax.js'

const MOST = { number: 2n ** 32n - 1n, tag: 2n ** 64n - 1n } as const
/** Digits of the greatest number. */
const MAX_DIGITS = 20

/**
 * A value of a field.
 *
 * @throws {RangeError} with what is wrong and what to write
 */
export function valueOf(field: RuleField, text: string): RuleValue {
  switch (field.type) {
    case 'number':
    case 'tag':
      return rangeOf(field, field.type, text)
    case 'network':
      return networkValue(text)
    default:
      if (text === '') throw new RangeError(`${field.name} cannot be empty`)
      return { kind: 'text', text }
  }
}

function networkValue(text: string): RuleValue {
  if (text === '') throw new RangeError('an address cannot be empty')
  if (networkOf(text) === undefined && /^[\d.]+\/|:.*:|^[\d.]+$/.test(text)) {
    throw new RangeError(
      `"${text}" is no address: write one such as 192.0.2.1, 192.0.2.0/24 or 2001:db8::/32`,
    )
  }
  return { kind: 'text', text }
}

/** A number, or two with `..` between them. */
function rangeOf(field: RuleField, type: 'number' | 'tag', text: string): RuleValue {
  const [first = '', second, ...more] = text.split('..')
  const from = numberOf(first, MOST[type])
  const to = second === undefined ? from : numberOf(second, MOST[type])
  if (more.length > 0) throw new RangeError(`"${text}" is no range: write two numbers, such as 1000..1999`)
  if (from > to) throw new RangeError(`the range "${text}" is empty: write the smaller number first`)
  if (field.isNever0 === true && from === 0n) throw new RangeError(`${field.name} is never 0`)
  return { kind: 'range', from, to }
}

function numberOf(text: string, most: bigint): bigint {
  const isNumber = /^\d+$/.test(text)
  if (!isNumber) throw new RangeError(`"${text.slice(0, MAX_DIGITS)}" is no number: write digits only`)
  const value = text.length > 2 * MAX_DIGITS ? most + 1n : BigInt(text)
  if (value > most) throw new RangeError(`${text.slice(0, MAX_DIGITS)} is too large: the most is ${most}`)
  return value
}
