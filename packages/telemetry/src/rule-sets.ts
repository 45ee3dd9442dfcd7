/** Rules about the events that `Quark` knows. */

import { type RuledKinds, ruledRecords } from './kernel-rules.js'
import { catalogue } from './kinds/index.js'
import { type RuleField, ruleFields } from './rules/fields.js'
import { type LeavableKinds, RuleSet } from './rules/rule-set.js'
import { type RuleTestResult, runTests } from './rules/test-rules.js'

/** What rules can ask, by name. */
export const RULE_FIELDS: ReadonlyMap<string, RuleField> = ruleFields(catalogue.events)

/** The kinds of events that programs may leave out. */
const LEAVABLE = leavableKinds(ruledRecords(catalogue))

function leavableKinds({ events, ended }: RuledKinds): LeavableKinds {
  return { alone: events.flat(), ended }
}

/**
 * Makes rules of a text, see docs/rules.md. Rule files of the C library mean the same.
 *
 * @param path what problems name as their place
 * @throws {RuleError} with everything that is wrong
 */
export function rulesOf(text: string, path?: string): RuleSet {
  return RuleSet.parse(text, catalogue.events, path, LEAVABLE)
}

/** Runs the tests that stand beside the rules in their text. */
export function testRules(rules: RuleSet): RuleTestResult[] {
  return runTests(rules)
}
