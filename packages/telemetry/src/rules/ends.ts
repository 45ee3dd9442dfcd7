/** What rules ask about the two ends of a connection: that can be answered without an event. */

import { networkOf, type Network } from '../where/address.js'
import type { RuleField } from './fields.js'
import type { Condition, RuleValue } from './syntax.js'

/** Most different questions that are answered together. */
export const MAX_QUESTIONS = 8
/** Most values of one question. */
export const MAX_QUESTION_VALUES = 16

const MAX_PORT = 65_535

/** Whether one of the ports is in one of the ranges, or the address of the other end in one of the networks. */
export interface EndQuestion {
  readonly ports: readonly { readonly from: number; readonly to: number }[]
  readonly networks: readonly Network[]
}

/** The name of the question that a field with such values asks, the same for the same values; undefined if it is none. */
export function questionKey({ name, end }: RuleField, values: readonly RuleValue[]): string | undefined {
  if (end === undefined || values.length > MAX_QUESTION_VALUES) return undefined
  const texts = values.map((value) => (value.kind === 'text' ? value.text : `${value.from}..${value.to}`))
  if (end === 'address' && texts.some((text) => networkOf(text) === undefined)) return undefined
  return `${name} ${texts.sort().join(' ')}`
}

/** The first of the questions that conditions ask, by their names. */
export function questionsIn(conditions: readonly Condition[]): ReadonlyMap<string, EndQuestion> {
  const found = new Map<string, EndQuestion>()
  const visit = (condition: Condition): void => {
    switch (condition.kind) {
      case 'any':
        return
      case 'not':
        visit(condition.of)
        return
      case 'field': {
        const { field, values } = condition
        const key = questionKey(field, values)
        if (key !== undefined && !found.has(key) && found.size < MAX_QUESTIONS)
          found.set(key, questionOf(values))
        return
      }
      default:
        condition.of.forEach(visit)
    }
  }
  conditions.forEach(visit)
  return found
}

function questionOf(values: readonly RuleValue[]): EndQuestion {
  return {
    ports: values.flatMap((value) =>
      value.kind === 'range' && value.from <= MAX_PORT
        ? { from: Number(value.from), to: Math.min(MAX_PORT, Number(value.to)) }
        : [],
    ),
    networks: values.flatMap((value) => (value.kind === 'text' ? (networkOf(value.text) ?? []) : [])),
  }
}
