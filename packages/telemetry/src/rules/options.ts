/** The option about rules. */

import type { OptionSpecs } from '../options/spec.js'
import { RuleSet } from './rule-set.js'

export const ruleOptions = {
  /** Rules, which decide about every event: see docs/rules.md. They are asked before `where`. Default: none. */
  rules: {
    type: 'instance',
    of: { class: RuleSet, noun: 'a RuleSet, which rulesOf makes of a text' },
    isReplayed: true,
    notWithBypass: true,
  },
} as const satisfies OptionSpecs
