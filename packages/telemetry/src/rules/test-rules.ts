/** Tests that stand beside rules. */

import type { RuleField, Subject } from './fields.js'
import type { RuleSet } from './rule-set.js'
import type { RuleTest } from './syntax.js'

/** How a test went. */
export interface RuleTestResult {
  readonly name: string
  readonly line: number
  readonly hasPassed: boolean
  /** What the rules did and what the test wants, as rules have it: `drop`, `poison 7`, `none`. */
  readonly got: string
  readonly wanted: string
}

/** Runs the tests of rules. They are asked without being counted. */
export function runTests(rules: RuleSet): RuleTestResult[] {
  return rules.tests.map((test) => {
    const wanted = test.action === 'poison' ? `poison ${test.tag}` : test.action
    const { action, rule, tag } = rules.decide(subjectOf(test))
    const decided = rule === undefined ? 'none' : action
    const got = test.action === 'poison' ? (tag === undefined ? 'none' : `poison ${tag}`) : decided
    return { name: test.name, line: test.at.line, hasPassed: got === wanted, got, wanted }
  })
}

/** An event of which just those fields are known. */
function subjectOf({ values }: RuleTest): Subject {
  return statedSubject(new Map(values.map(({ field, value }) => [field.name, typed(field, value)])))
}

function typed({ type }: RuleField, value: string): string | number | bigint {
  return type === 'number' ? Number(value) : type === 'tag' ? BigInt(value) : value
}

function statedSubject(stated: ReadonlyMap<string, string | number | bigint>): Subject {
  return {
    event: { kind: '' },
    process: undefined,
    tag: 0n,
    ancestors: [],
    stated,
    withTag: (tag) => statedSubject(new Map([...stated, ['poison', tag]])),
  }
}
