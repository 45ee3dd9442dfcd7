import { QuarkError } from '../errors.js'
import type { EventSpec } from '../event/spec.js'
import { type EndQuestion, questionsIn } from './ends.js'
import { explained, type RuleExplanation } from './explain.js'
import { type RuleField, type RuleFieldOf, ruleFields, type Subject } from './fields.js'
import type { RuleProblem } from './lex.js'
import { compileCondition, type Test } from './match.js'
import { parseRules } from './parse.js'
import type { Condition, Rule, RuleAction, Rules, RuleTest } from './syntax.js'
import { valueOf } from './values.js'
import { warningsOf } from './warnings.js'

/** Longest text of rules. */
export const MAX_TEXT_CHARS = 16 << 20

/** A text of rules is not usable. `problems` are at most 100, in the order of the text. */
export class RuleError extends QuarkError {
  /** Where the text is from. */
  readonly path: string
  readonly problems: readonly RuleProblem[]

  constructor(path: string, problems: readonly RuleProblem[]) {
    const lines = problems.map(({ line, column, message }) => `${path}:${line}:${column}: ${message}`)
    super('ERR_QUARK_RULES', lines.join('\n'))
    this.path = path
    this.problems = problems
  }
}

/** What rules decide about an event. */
export interface RuleVerdict {
  /** `pass` also when no rule decides. */
  readonly action: 'pass' | 'drop' | 'warn' | 'fail'
  /** Number of the rule that decided, from 0; absent when none did. */
  readonly rule?: number
  /** The tag of the process from now on, if a rule gave one. */
  readonly tag?: bigint
}

/** A rule, and how often it was asked and matched. */
export interface RuleCounter {
  /** As it is written. */
  readonly text: string
  /** Where it begins in the text; 0 for one that was appended. */
  readonly line: number
  readonly evals: number
  readonly hits: number
  /** Those of `hits` of which the kernel wrote no record. */
  readonly leftOut: number
  /** How often it was not known whether it matches: a secret is gone from the recording about which it asks. */
  readonly undecided: number
}

/** A rule that is not parsed: the fields must all have their values. */
export interface RuleParts {
  readonly action: 'pass' | 'drop' | 'warn' | 'fail' | { readonly poison: bigint }
  /** Values by names of fields, as a text of rules has them; of a list one is enough. None: any event. */
  readonly fields?: Readonly<Record<string, string | number | bigint | readonly (string | number | bigint)[]>>
}

interface Compiled extends Rule {
  readonly test: Test
  evals: number
  hits: number
  leftOut: number
  undecided: number
}

/** How rules drop every event of an open subject. */
export interface CertainDrop {
  /** Number of the rule that drops it. */
  readonly rule: number
  /** Numbers of rules before it that match and give the tag that the process has already. */
  readonly poisons: readonly number[]
}

/** What is dropped by the ends of connections alone, whatever else is in an event, and whichever process it is of. */
export interface EndDrops {
  /** The number of a question is its bit in the numbers of answers. */
  readonly questions: readonly EndQuestion[]
  /** For each kind of event, by the number that all answers together make; undefined where it may not be dropped. */
  readonly drops: readonly (readonly (CertainDrop | undefined)[])[]
}

/** The kinds of events that programs may leave out. */
export interface LeavableKinds {
  /** Nothing else is made of their records. */
  readonly alone: readonly string[]
  /** Events about connections, of which the records have both ends. */
  readonly ended: readonly string[]
}

const NO_KINDS: LeavableKinds = { alone: [], ended: [] }

/**
 * Rules, which decide about events: the first that matches and says `pass`, `drop`, `warn` or `fail` does; `poison` tags
 * the process and its descendants and goes on. An event about which no rule decides passes. All that the C library's
 * grammar has means the same here.
 *
 * @example
 * ```ts
 * const rules = RuleSet.parse('drop on process.exe /usr/bin/*\npass on any')
 * ```
 */
export class RuleSet {
  /** What is probably meant otherwise: rules that can never decide. */
  readonly warnings: readonly RuleProblem[]
  /** What the text says that events must do. */
  readonly tests: readonly RuleTest[]
  readonly #fields: ReadonlyMap<string, RuleField>
  readonly #rules: Compiled[]
  readonly #leavable: LeavableKinds
  /** Of as many rules as there were then. */
  #endDrops: { readonly size: number; readonly found: EndDrops | undefined } | undefined

  /** @internal */
  constructor({ rules, tests }: Rules, fields: ReadonlyMap<string, RuleField>, leavable: LeavableKinds) {
    this.#fields = fields
    this.#leavable = leavable
    this.#rules = rules.map(compiled)
    this.tests = tests
    this.warnings = warningsOf(rules)
  }

  /**
   * Parses rules.
   *
   * @param path what problems name as their place
   * @param specs of the events whose own fields can be asked about
   * @param leavable the kinds of events that programs may leave out
   * @throws {RuleError} with all that is wrong
   */
  static parse(text: string, specs: readonly EventSpec[], path = 'rules', leavable = NO_KINDS): RuleSet {
    if (text.length > MAX_TEXT_CHARS) {
      throw new RuleError(path, [
        { line: 1, column: 1, message: `the rules have more than ${MAX_TEXT_CHARS} characters` },
      ])
    }
    const fields = ruleFields(specs)
    const problems: RuleProblem[] = []
    const rules = parseRules(text, fields, problems)
    if (problems.length > 0) throw new RuleError(path, problems)
    return new RuleSet(rules, fields, leavable)
  }

  /** How many rules there are. */
  get size(): number {
    return this.#rules.length
  }

  /** Whether a rule asks about processes that others descend from: that takes a look-up for each. */
  get asksAncestors(): boolean {
    return this.#rules.some(({ condition }) => mentions(condition, 'ancestor.'))
  }

  /** Whether a rule gives tags. */
  get poisons(): boolean {
    return this.#rules.some(({ action }) => action.name === 'poison')
  }

  /**
   * Adds a rule behind the others.
   *
   * @throws {RuleError} for fields that there are not, and values that they cannot have
   */
  append({ action, fields = {} }: RuleParts): void {
    const conditions = Object.entries(fields).map(([name, given]) => this.#fieldCondition(name, given))
    const condition: Condition = conditions.length === 0 ? { kind: 'any' } : { kind: 'all', of: conditions }
    const named: RuleAction =
      typeof action === 'string' ? { name: action } : { name: 'poison', tag: action.poison }
    const head = named.name === 'poison' ? `poison ${named.tag}` : named.name
    const words = Object.entries(fields).flatMap(([name, given]) => [name, textOf(given)])
    const text = `${head} on ${words.length === 0 ? 'any' : words.join(' ')}`
    this.#rules.push(compiled({ action: named, condition, at: { line: 0, column: 0 }, text }))
  }

  #fieldCondition(name: string, given: NonNullable<RuleParts['fields']>[string]): Condition {
    const field = this.#fields.get(name)
    const at = { line: 0, column: 0 }
    if (field === undefined) {
      throw new RuleError('append', [{ ...at, message: `there is no field "${name}"` }])
    }
    try {
      const values = (Array.isArray(given) ? given : [given]).map((value) => valueOf(field, `${value}`))
      return { kind: 'field', field, values, at }
    } catch (error) {
      if (!(error instanceof RangeError)) throw error
      throw new RuleError('append', [{ ...at, message: error.message }])
    }
  }

  /** Asks the rules about an event, in their order, and counts. */
  match(subject: Subject): RuleVerdict {
    return this.#decide(subject, 1)
  }

  /** As `match`, without being counted. */
  decide(subject: Subject): RuleVerdict {
    return this.#decide(subject, 0)
  }

  /**
   * How all events of an open subject are dropped, each by the same rules and without another tag; undefined if one may
   * not be.
   */
  certainDrop(subject: Subject): CertainDrop | undefined {
    const poisons: number[] = []
    for (let i = 0; i < this.#rules.length; i++) {
      const { test, action } = this.#rules[i] as Compiled
      const truth = test(subject)
      if (truth === 'no' || truth === 'unknown') continue
      if (truth === 'open') return undefined
      if (action.name !== 'poison') return action.name === 'drop' ? { rule: i, poisons } : undefined
      if (action.tag !== subject.tag) return undefined
      poisons.push(i)
    }
    return undefined
  }

  /** What of events about connections is dropped by their ends alone; undefined if nothing is. */
  endDrops(): EndDrops | undefined {
    if (this.#endDrops?.size !== this.size) this.#endDrops = { size: this.size, found: this.#findEndDrops() }
    return this.#endDrops.found
  }

  #findEndDrops(): EndDrops | undefined {
    const questions = questionsIn(this.#rules.map(({ condition }) => condition))
    const names = [...questions.keys()]
    const drops = this.#leavable.ended.map((kind) =>
      Array.from({ length: 2 ** names.length }, (_, answers) => {
        const answerOf = (bit: number): 'yes' | 'no' => ((answers >>> bit) & 1 ? 'yes' : 'no')
        const ends = new Map(names.map((name, bit) => [name, answerOf(bit)]))
        const subject: Subject = {
          ...ANYTHING,
          event: { kind },
          open: OPEN_BUT_KIND,
          ends,
          tag: NO_TAG,
          withTag: () => subject,
        }
        return this.certainDrop(subject)
      }),
    )
    const isAny = drops.some((ofKind) => ofKind.some((drop) => drop !== undefined))
    return isAny ? { questions: [...questions.values()], drops } : undefined
  }

  /** Whether no event of an open subject gives its process another tag. */
  keepsTag(subject: Subject): boolean {
    for (const { test, action } of this.#rules) {
      if (action.name !== 'poison' || action.tag === subject.tag) continue
      const truth = test(subject)
      if (truth === 'yes' || truth === 'open') return false
    }
    return true
  }

  /**
   * The rules that drop all events of every process with a tag, by the tag: whatever the process is, and whatever becomes of it, it
   * keeps the tag, which its children have, too.
   */
  closedTags(): ReadonlyMap<bigint, number> {
    const closed = new Map<bigint, number>()
    const seen = new Set<bigint>([0n])
    for (const { action } of this.#rules) {
      if (action.name !== 'poison' || seen.has(action.tag)) continue
      seen.add(action.tag)
      const rule = this.#closedBy(action.tag)
      if (rule !== undefined) closed.set(action.tag, rule)
    }
    return closed
  }

  #closedBy(tag: bigint): number | undefined {
    const subject: Subject = { ...ANYTHING, tag, withTag: () => subject }
    for (const [index, { test, action }] of this.#rules.entries()) {
      const truth = test(subject)
      if (truth === 'no' || truth === 'unknown') continue
      if (action.name === 'poison' ? action.tag === tag : action.name === 'drop' && truth === 'open') continue
      return action.name === 'drop' ? index : undefined
    }
    return undefined
  }

  /** Counts events that were dropped so, and of which there is no record. */
  noteLeftOut({ rule, poisons }: CertainDrop, count: number): void {
    for (let i = 0; i <= rule; i++) (this.#rules[i] as Compiled).evals += count
    for (const i of [...poisons, rule]) {
      const hit = this.#rules[i] as Compiled
      hit.hits += count
      hit.leftOut += count
    }
  }

  #decide(subject: Subject, count: 0 | 1): RuleVerdict {
    let tag: bigint | undefined
    let asked = subject
    for (let i = 0; i < this.#rules.length; i++) {
      const rule = this.#rules[i] as Compiled
      rule.evals += count
      if (subject.gone !== undefined) subject.gone.isAsked = false
      const truth = rule.test(asked)
      if (truth === 'unknown' && subject.gone?.isAsked === true) rule.undecided += count
      if (truth !== 'yes') continue
      rule.hits += count
      const { action } = rule
      if (action.name !== 'poison') {
        return { action: action.name, rule: i, ...(tag === undefined ? {} : { tag }) }
      }
      tag = action.tag
      // The rules after it see the tag.
      asked = asked.withTag(tag)
    }
    return { action: 'pass', ...(tag === undefined ? {} : { tag }) }
  }

  /** The rules in their order, with how often they were asked and matched. */
  counters(): RuleCounter[] {
    return this.#rules.map(({ text, at, evals, hits, leftOut, undecided }) => ({
      text,
      line: at.line,
      evals,
      hits,
      leftOut,
      undecided,
    }))
  }

  /** Begins to count again, except how often processes got tags. */
  resetCounters(): void {
    for (const rule of this.#rules)
      if (rule.action.name !== 'poison') rule.evals = rule.hits = rule.leftOut = rule.undecided = 0
  }

  /** Where each rule is decided, and why. */
  explain(): RuleExplanation[] {
    const { alone, ended } = this.#leavable
    const endDrops = this.endDrops()?.drops ?? []
    const byEnds = ended.map(
      (kind, i) => [kind, new Set(endDrops[i]?.flatMap((drop) => drop?.rule ?? []))] as const,
    )
    return explained(this.#rules, { alone, byEnds, closed: this.closedTags() })
  }
}

/** Any event of any process. */
const ANYTHING: Omit<Subject, 'tag' | 'withTag'> = {
  event: { kind: '' },
  process: undefined,
  ancestors: [],
  open: new Set<RuleFieldOf>(['process', 'kind', 'event', 'ancestors']),
}

const OPEN_BUT_KIND = new Set<RuleFieldOf>(['process', 'tag', 'event', 'ancestors'])
/** That of no process: whichever tag a rule gives is another one. */
const NO_TAG = -1n

function compiled(rule: Rule): Compiled {
  return { ...rule, test: compileCondition(rule.condition), evals: 0, hits: 0, leftOut: 0, undecided: 0 }
}

function textOf(given: NonNullable<RuleParts['fields']>[string]): string {
  const one = (value: string | number | bigint): string =>
    typeof value === 'string' && !/^[^\s"#\\]+$/.test(value)
      ? `"${value.replaceAll(/["\\]/g, '\\$&')}"`
      : `${value}`
  return Array.isArray(given) ? `[ ${given.map(one).join(' ')} ]` : one(given as string)
}

function mentions(condition: Condition, prefix: string): boolean {
  switch (condition.kind) {
    case 'any':
      return false
    case 'field':
      return condition.field.name.startsWith(prefix)
    case 'not':
      return mentions(condition.of, prefix)
    default:
      return condition.of.some((one) => mentions(one, prefix))
  }
}
