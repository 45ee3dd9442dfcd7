/** Makes functions of conditions. */

import { REDACTION_MARK } from '../event/redaction.js'
import { addressOf, isIn, networkOf } from '../where/address.js'
import { questionKey } from './ends.js'
import type { RuleField, Subject } from './fields.js'
import { compilePattern } from './pattern.js'
import type { Condition, RuleValue } from './syntax.js'

/** Whether an event is what a condition says; `open` when that depends on what is open of the subject. */
export type Truth = 'yes' | 'no' | 'unknown' | 'open'

/** Decides for an event. */
export type Test = (subject: Subject) => Truth

/** Compiles a condition. What is asked of a field that is not known is neither true nor false, also behind `not`. */
export function compileCondition(condition: Condition): Test {
  switch (condition.kind) {
    case 'any':
      return () => 'yes'
    case 'all':
      return untilOne(condition.of.map(compileCondition), 'no', 'yes')
    case 'some':
      return untilOne(condition.of.map(compileCondition), 'yes', 'no')
    case 'not': {
      const test = compileCondition(condition.of)
      return (subject) => OPPOSITE[test(subject)]
    }
    case 'field':
      return fieldTest(condition.field, condition.values)
  }
}

const OPPOSITE = { yes: 'no', no: 'yes', unknown: 'unknown', open: 'open' } as const

/** What decides when one of the tests says so; otherwise what all say, if none does not know. */
function untilOne(tests: readonly Test[], decides: Truth, otherwise: Truth): Test {
  return (subject) => {
    let truth = otherwise
    for (const test of tests) {
      const one = test(subject)
      if (one === decides) return one
      if (one === 'open' || (one === 'unknown' && truth !== 'open')) truth = one
    }
    return truth
  }
}

/** The fields that a condition asks about. */
export function fieldsIn(condition: Condition): Set<RuleField> {
  switch (condition.kind) {
    case 'any':
      return new Set()
    case 'field':
      return new Set([condition.field])
    case 'not':
      return fieldsIn(condition.of)
    default:
      return new Set(condition.of.flatMap((one) => [...fieldsIn(one)]))
  }
}

function fieldTest(field: RuleField, values: readonly RuleValue[]): Test {
  const { name, type, of, kinds, mayHoldSecrets } = field
  const question = questionKey(field, values)
  const asksAddresses = type === 'network' && values.every(isNetwork)
  const read = (asksAddresses ? field.readAddresses : undefined) ?? field.read
  const passes = valueTest(type, values)
  const truthOf = (value: string, { gone }: Subject): Truth => {
    if (passes(value)) return 'yes'
    if (gone === undefined || mayHoldSecrets !== true || !value.includes(REDACTION_MARK)) return 'no'
    gone.isAsked = true
    return 'unknown'
  }
  return (subject) => {
    const { open, ends } = subject
    const answer = ends === undefined || question === undefined ? undefined : ends.get(question)
    if (answer !== undefined) return kinds?.has(subject.event.kind) === false ? 'unknown' : answer
    if (open?.has(of) === true)
      return kinds === undefined || open.has('kind') || kinds.has(subject.event.kind) ? 'open' : 'unknown'
    const value = subject.stated === undefined ? read(subject) : subject.stated.get(name)
    if (!Array.isArray(value)) return value === undefined ? 'unknown' : truthOf(value as string, subject)
    let truth: Truth = value.length === 0 ? 'unknown' : 'no'
    for (const one of value as readonly (string | undefined)[]) {
      const truthOfOne = one === undefined ? 'unknown' : truthOf(one, subject)
      if (truthOfOne === 'yes') return truthOfOne
      if (truthOfOne === 'unknown') truth = truthOfOne
    }
    return truth
  }
}

function isNetwork(value: RuleValue): boolean {
  return value.kind === 'text' && networkOf(value.text) !== undefined
}

type ValueTest = (value: string | number | bigint) => boolean

function valueTest(type: RuleField['type'], values: readonly RuleValue[]): ValueTest {
  const texts = values.flatMap((value) => (value.kind === 'text' ? [value.text] : []))
  switch (type) {
    case 'number':
    case 'tag':
      return rangesTest(values)
    case 'pattern':
      return patternsTest(texts)
    case 'dnsName':
      return patternsTest(texts.map(plainName), plainName)
    case 'network':
      return networksTest(texts)
    case 'word':
      return wordsTest(texts)
  }
}

function rangesTest(values: readonly RuleValue[]): ValueTest {
  const ranges = values.flatMap((value) => (value.kind === 'range' ? [value] : []))
  const single = new Set(ranges.filter(({ from, to }) => from === to).map(({ from }) => from))
  // Numbers up to 2^32 are told apart faster as such.
  const numbers = new Set([...single].map(Number))
  const wide = ranges.filter(({ from, to }) => from !== to)
  return (value) => {
    if (typeof value === 'number' ? numbers.has(value) : single.has(value as bigint)) return true
    for (const { from, to } of wide) if ((value as bigint) >= from && (value as bigint) <= to) return true
    return false
  }
}

/** Plain texts are looked up together, however many there are. */
function patternsTest(patterns: readonly string[], prepare?: (text: string) => string): ValueTest {
  const plain = new Set(patterns.filter((pattern) => !pattern.includes('*')))
  const tests = patterns.filter((pattern) => pattern.includes('*')).map(compilePattern)
  return (value) => {
    const text = prepare === undefined ? (value as string) : prepare(value as string)
    if (plain.has(text)) return true
    for (const test of tests) if (test(text)) return true
    return false
  }
}

function wordsTest(words: readonly string[]): ValueTest {
  const known = new Set(words)
  return (value) => known.has(value as string)
}

function networksTest(texts: readonly string[]): ValueTest {
  const networks = texts.flatMap((text) => networkOf(text) ?? [])
  const matchesName = patternsTest(
    texts.filter((text) => networkOf(text) === undefined).map(plainName),
    plainName,
  )
  return (value) => {
    const address = addressOf(value as string)
    if (address === undefined) return matchesName(value)
    for (const network of networks) if (isIn(address, network)) return true
    return false
  }
}

/** Names of DNS are the same whatever their case, and with a dot at their end. */
function plainName(name: string): string {
  const lower = name.toLowerCase()
  return lower.length > 1 && lower.endsWith('.') ? lower.slice(0, -1) : lower
}
