/**
 * Parser of rules. Each line is parsed by itself, so that all problems of a text are found at once.
 *
 * ```
 * line      := action "on" ( "any" | some ) | "list" NAME "=" VALUE… | "macro" NAME "=" some | test
 * action    := "pass" | "drop" | "warn" | "fail" | "poison" NUMBER
 * some      := all { "or" all }
 * all       := one { [ "and" ] one }
 * one       := "not" one | "(" some ")" | "$"MACRO | FIELD value
 * value     := VALUE | "[" VALUE… "]" | "$"LIST
 * test      := "test" TITLE ( action | "none" ) "on" { FIELD VALUE }
 * ```
 */

import { suggestion } from '../options/suggest.js'
import type { RuleField } from './fields.js'
import { type RuleProblem, splitRules, type Word } from './lex.js'
import type { Condition, Rule, RuleAction, Rules, RuleTest, RuleValue } from './syntax.js'
import { valueOf } from './values.js'

/** Most rules of a text, and most problems that are reported of it. */
export const MAX_RULES = 65_536
export const MAX_PROBLEMS = 100
/** How deep conditions may lie in each other, macros included. */
const MAX_DEPTH = 64
/** Values of a list, and conditions of a rule with those of its macros. */
const MAX_VALUES = 65_536

const ACTIONS = ['pass', 'drop', 'warn', 'fail', 'poison'] as const
const STATEMENTS = [...ACTIONS, 'list', 'macro', 'test']

class Problem extends Error {
  readonly place: RuleProblem

  constructor({ line, column }: Word, message: string) {
    super(message)
    this.place = { line, column, message }
  }
}

/** Parses a text; what is wrong is added to `problems`, at most `MAX_PROBLEMS`. */
export function parseRules(
  text: string,
  fields: ReadonlyMap<string, RuleField>,
  problems: RuleProblem[],
): Rules {
  const parser = new Parser(fields)
  for (const words of splitRules(text, problems)) {
    if (problems.length >= MAX_PROBLEMS) break
    try {
      parser.line(words)
    } catch (error) {
      if (!(error instanceof Problem)) throw error
      problems.push(error.place)
    }
  }
  problems.sort((a, b) => a.line - b.line || a.column - b.column)
  problems.length = Math.min(problems.length, MAX_PROBLEMS)
  return { rules: parser.rules, tests: parser.tests }
}

class Parser {
  readonly rules: Rule[] = []
  readonly tests: RuleTest[] = []
  readonly #fields: ReadonlyMap<string, RuleField>
  readonly #lists = new Map<string, readonly Word[]>()
  readonly #macros = new Map<string, Condition>()
  #words: readonly Word[] = []
  #at = 0
  #depth = 0
  /** How many fields and values each condition of a macro asks about. */
  readonly #sizes = new Map<Condition, number>()

  constructor(fields: ReadonlyMap<string, RuleField>) {
    this.#fields = fields
  }

  line(words: readonly Word[]): void {
    this.#words = words
    this.#at = 0
    this.#depth = 0
    const first = words[0] as Word
    if (this.#takes('list')) this.#list()
    else if (this.#takes('macro')) this.#macro()
    else if (this.#takes('test')) this.#test(first)
    else this.#rule(first)
  }

  #rule(first: Word): void {
    const action = this.#action(false)
    this.#expect('on')
    const condition: Condition = this.#takes('any') ? { kind: 'any' } : this.#some()
    this.#end()
    this.#checkSize(first, condition)
    if (this.rules.length >= MAX_RULES) throw new Problem(first, `there are more than ${MAX_RULES} rules`)
    const text = this.#words.map(written).join(' ')
    this.rules.push({ action: action as RuleAction, condition, at: placeOf(first), text })
  }

  #action(mayBeNone: boolean): RuleAction | { readonly name: 'none' } {
    const word = this.#next('an action: pass, drop, poison, warn or fail')
    if (!word.isQuoted && mayBeNone && word.text === 'none') return { name: 'none' }
    const name = word.isQuoted ? undefined : ACTIONS.find((action) => action === word.text)
    if (name === undefined) {
      throw new Problem(word, `there is no action "${shown(word)}": ${suggestion(word.text, STATEMENTS)}`)
    }
    if (name !== 'poison') return { name }
    const tag = this.#next('the tag to give, a number')
    return { name, tag: numberOf(tag, 64) }
  }

  #list(): void {
    const name = this.#name('list')
    const values = this.#words.slice(this.#at)
    if (values.length === 0) throw new Problem(name, `list "${shown(name)}" has no values`)
    this.#lists.set(
      name.text,
      values.flatMap((word) => this.#valuesOf(word)),
    )
    if ((this.#lists.get(name.text) as readonly Word[]).length > MAX_VALUES) {
      throw new Problem(name, `a list has at most ${MAX_VALUES} values`)
    }
  }

  #macro(): void {
    const name = this.#name('macro')
    const condition = this.#some()
    this.#end()
    this.#sizes.set(condition, this.#checkSize(name, condition))
    this.#macros.set(name.text, condition)
  }

  /** The name that is defined, and the sign after it. */
  #name(what: string): Word {
    const name = this.#next(`the name of the ${what}`)
    if (!/^[A-Za-z_][\w-]{0,63}$/.test(name.text)) {
      throw new Problem(name, `"${shown(name)}" is no name: use letters, digits, "_" and "-"`)
    }
    if (this.#lists.has(name.text) || this.#macros.has(name.text)) {
      throw new Problem(name, `"${name.text}" is defined already`)
    }
    this.#expect('=')
    return name
  }

  #test(first: Word): void {
    const title = this.#next('a title in quotes')
    const action = this.#action(true)
    this.#expect('on')
    const values: RuleTest['values'][number][] = []
    while (this.#at < this.#words.length) {
      const word = this.#next('a field')
      const field = this.#fieldOf(word)
      const value = this.#next(`a value of ${field.name}`)
      this.#valueFor(field, value)
      values.push({ field, value: value.text, at: placeOf(word) })
    }
    const tag = action.name === 'poison' ? action.tag : 0n
    this.tests.push({ name: title.text, action: action.name, tag, values, at: placeOf(first) })
  }

  #some(): Condition {
    const of = [this.#all()]
    while (this.#takes('or')) of.push(this.#all())
    return of.length === 1 ? (of[0] as Condition) : { kind: 'some', of }
  }

  #all(): Condition {
    const of = [this.#one()]
    for (;;) {
      if (this.#takes('and')) of.push(this.#one())
      else if (this.#at < this.#words.length && !this.#isNext('or') && !this.#isNext(')'))
        of.push(this.#one())
      else return of.length === 1 ? (of[0] as Condition) : { kind: 'all', of }
    }
  }

  #one(): Condition {
    const word = this.#next('what it is about, such as process.exe')
    this.#depth += 1
    if (this.#depth > MAX_DEPTH) throw new Problem(word, `more than ${MAX_DEPTH} levels of "not" and "("`)
    const condition = this.#oneOf(word)
    this.#depth -= 1
    return condition
  }

  #oneOf(word: Word): Condition {
    if (isWord(word, 'not')) return { kind: 'not', of: this.#one() }
    if (isWord(word, '(')) {
      const condition = this.#some()
      this.#expect(')')
      return condition
    }
    const macro = referenceOf(word)
    if (macro !== undefined) return this.#macroOf(word, macro)
    const field = this.#fieldOf(word)
    return { kind: 'field', field, values: this.#values(field), at: placeOf(word) }
  }

  #macroOf(word: Word, name: string): Condition {
    const condition = this.#macros.get(name)
    if (condition !== undefined) return condition
    const known = [...this.#macros.keys()]
    const advice =
      known.length === 0 ? `define it in a line before: macro ${name} = …` : suggestion(name, known)
    throw new Problem(word, `there is no macro "${name}": ${advice}`)
  }

  /** Macros of macros must not grow without an end. Returns how large it is. */
  #checkSize(word: Word, condition: Condition): number {
    const size = this.#sizeOf(condition)
    if (size > MAX_VALUES) throw new Problem(word, `it asks for more than ${MAX_VALUES} values`)
    return size
  }

  #sizeOf(condition: Condition): number {
    const known = this.#sizes.get(condition)
    if (known !== undefined) return known
    switch (condition.kind) {
      case 'any':
        return 1
      case 'field':
        return condition.values.length
      case 'not':
        return this.#sizeOf(condition.of)
      default:
        return condition.of.reduce((sum, one) => sum + this.#sizeOf(one), 0)
    }
  }

  #fieldOf(word: Word): RuleField {
    const field = word.isQuoted ? undefined : this.#fields.get(word.text)
    if (field !== undefined) return field
    const advice = suggestion(word.text, [...this.#fields.keys()])
    throw new Problem(word, `there is no field "${shown(word)}": ${advice}`)
  }

  #values(field: RuleField): RuleValue[] {
    const word = this.#next(`a value of ${field.name}`)
    const words = isWord(word, '[') ? this.#listed(word, field) : this.#valuesOf(word)
    if (words.length > MAX_VALUES) throw new Problem(word, `a field has at most ${MAX_VALUES} values`)
    return words.map((one) => this.#valueFor(field, one))
  }

  #valueFor(field: RuleField, word: Word): RuleValue {
    try {
      return valueOf(field, word.text)
    } catch (error) {
      if (!(error instanceof RangeError)) throw error
      throw new Problem(word, error.message)
    }
  }

  #listed(open: Word, field: RuleField): Word[] {
    const words: Word[] = []
    for (;;) {
      const word = this.#next(`a value of ${field.name}, or "]"`)
      if (isWord(word, ']')) {
        if (words.length === 0) throw new Problem(open, 'there is nothing between the brackets')
        return words
      }
      words.push(...this.#valuesOf(word))
    }
  }

  /** The word itself, or what the list has that it names. */
  #valuesOf(word: Word): readonly Word[] {
    const name = referenceOf(word)
    const list = name === undefined ? undefined : this.#lists.get(name)
    return list ?? [word]
  }

  #next(what: string): Word {
    const word = this.#words[this.#at]
    if (word === undefined) {
      const last = this.#words.at(-1) as Word
      throw new Problem({ ...last, column: last.column + written(last).length }, `here follows ${what}`)
    }
    this.#at += 1
    return word
  }

  #isNext(text: string): boolean {
    const word = this.#words[this.#at]
    return word !== undefined && isWord(word, text)
  }

  #takes(text: string): boolean {
    if (!this.#isNext(text)) return false
    this.#at += 1
    return true
  }

  #expect(text: string): void {
    const word = this.#next(`"${text}"`)
    if (!isWord(word, text)) throw new Problem(word, `"${text}" must stand here, not "${shown(word)}"`)
  }

  #end(): void {
    const word = this.#words[this.#at]
    if (word !== undefined) throw new Problem(word, `nothing can follow here: "${shown(word)}"`)
  }
}

function isWord(word: Word, text: string): boolean {
  return !word.isQuoted && word.text === text
}

/** The name behind a `$`. */
function referenceOf({ text, isQuoted }: Word): string | undefined {
  return !isQuoted && /^\$[A-Za-z_][\w-]*$/.test(text) ? text.slice(1) : undefined
}

function placeOf({ line, column }: Word): { line: number; column: number } {
  return { line, column }
}

function numberOf(word: Word, bits: 32 | 64): bigint {
  try {
    const value = valueOf(
      { name: 'poison', type: bits === 64 ? 'tag' : 'number', of: 'tag', doc: '', read: () => 0 },
      word.text,
    )
    if (value.kind === 'range' && value.from === value.to) return value.from
  } catch (error) {
    if (!(error instanceof RangeError)) throw error
    throw new Problem(word, error.message)
  }
  throw new Problem(word, `"${shown(word)}" is no number`)
}

/** The word as one could write it again. */
function written({ text, isQuoted }: Word): string {
  const isPlain = !isQuoted && /^[^\s"#\\]+$/.test(text)
  return isPlain ? text : `"${text.replaceAll(/["\\]/g, '\\$&')}"`
}

const MAX_SHOWN = 40

function shown({ text }: Word): string {
  return text.length <= MAX_SHOWN ? text : `${text.slice(0, MAX_SHOWN)}…`
}
