/** Where rules are decided, and why there. */

import type { RuleField } from './fields.js'
import { fieldsIn } from './match.js'
import type { Rule } from './syntax.js'

/** A rule, and where it is decided. */
export interface RuleExplanation {
  /** As it is written. */
  readonly text: string
  readonly line: number
  /** `kernel` when no record of what it drops is sent; `user space` when the event is put together first. */
  readonly place: 'kernel' | 'user space'
  readonly reason: string
}

/** Explains a rule. */
export function explained({ text, at, condition, action }: Rule): RuleExplanation {
  return { text, line: at.line, place: 'user space', reason: reasonOf([...fieldsIn(condition)], action.name) }
}

/** Records are joined to events after they left the kernel, and a rule is about all of an event. */
function reasonOf(fields: readonly RuleField[], action: string): string {
  if (action === 'poison') return 'tags are given in the order of events, which the kernel does not know'
  if (fields.length === 0) return 'it is about whole events, which are put together of several records'
  const names = fields.map(({ name }) => name).join(', ')
  return `it asks about ${names} of whole events, which are put together of several records`
}
