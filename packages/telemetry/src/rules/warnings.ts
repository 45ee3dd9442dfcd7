/** Rules that can never decide, which is hardly what was meant. */

import type { RuleProblem } from './lex.js'
import type { Condition, Rule, RuleValue } from './syntax.js'

const MAX_WARNINGS = 100

/** What is to be said about rules that are right but do nothing. */
export function warningsOf(rules: readonly Rule[]): RuleProblem[] {
  const warnings: RuleProblem[] = []
  const seen = new Map<string, number>()
  let decides: number | undefined
  for (const { action, condition, at, text } of rules) {
    const say = (message: string): unknown =>
      warnings.length < MAX_WARNINGS && warnings.push({ ...at, message })
    if (decides !== undefined)
      say(`this rule is never asked: the one in line ${decides} decides about every event`)
    else if (isContradiction(condition))
      say('this rule never matches: a field cannot have two values at once')
    const what = text.slice(text.indexOf(' on ') + 1)
    const before = action.name === 'poison' ? undefined : seen.get(what)
    if (before !== undefined && decides === undefined) {
      say(`this rule never decides: the one in line ${before} asks for the same`)
    }
    if (action.name !== 'poison') {
      seen.set(what, before ?? at.line)
      if (condition.kind === 'any') decides ??= at.line
    }
  }
  return warnings
}

/** Whether one field must have two different values. */
function isContradiction(condition: Condition): boolean {
  if (condition.kind === 'some') return condition.of.every(isContradiction)
  if (condition.kind !== 'all') return false
  if (condition.of.some(isContradiction)) return true
  const ranges = new Map<string, readonly RuleValue[]>()
  for (const one of condition.of) {
    if (one.kind !== 'field' || one.field.isList === true) continue
    const before = ranges.get(one.field.name)
    if (before !== undefined && !before.some((value) => one.values.some((other) => mayBeEqual(value, other))))
      return true
    ranges.set(one.field.name, one.values)
  }
  return false
}

function mayBeEqual(one: RuleValue, other: RuleValue): boolean {
  if (one.kind === 'range' && other.kind === 'range') return one.from <= other.to && other.from <= one.to
  if (one.kind === 'text' && other.kind === 'text') {
    return one.text === other.text || one.text.includes('*') || other.text.includes('*')
  }
  return true
}
