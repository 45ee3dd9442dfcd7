/** What rules say, as the parser has read it. */

import type { RuleField } from './fields.js'

/** A place in a text of rules, from 1. */
export interface Place {
  readonly line: number
  readonly column: number
}

/** What a rule does with an event that it matches. */
export type RuleAction =
  | { readonly name: 'pass' | 'drop' | 'warn' | 'fail' }
  /** The process and its descendants get a tag, and the rules after it are asked. */
  | { readonly name: 'poison'; readonly tag: bigint }

/** A value of a field. */
export type RuleValue =
  | { readonly kind: 'text'; readonly text: string }
  /** From the first to the last, both included. */
  | { readonly kind: 'range'; readonly from: bigint; readonly to: bigint }

/** What an event must be. */
export type Condition =
  | { readonly kind: 'any' }
  | { readonly kind: 'all' | 'some'; readonly of: readonly Condition[] }
  | { readonly kind: 'not'; readonly of: Condition }
  /** One of the values. */
  | {
      readonly kind: 'field'
      readonly field: RuleField
      readonly values: readonly RuleValue[]
      readonly at: Place
    }

/** One rule. */
export interface Rule {
  readonly action: RuleAction
  readonly condition: Condition
  readonly at: Place
  /** As it is written, with one blank between words. */
  readonly text: string
}

/** What an event must do, as the rules have it: `test "shells are dropped" drop on process.exe /bin/sh`. */
export interface RuleTest {
  readonly name: string
  /** `none` when no rule is to decide. */
  readonly action: RuleAction['name'] | 'none'
  readonly tag: bigint
  /** Values of the event and its process, by names of fields. */
  readonly values: readonly { readonly field: RuleField; readonly value: string; readonly at: Place }[]
  readonly at: Place
}

/** All that a text of rules has. */
export interface Rules {
  readonly rules: readonly Rule[]
  readonly tests: readonly RuleTest[]
}
