/** Where rules are decided, and why there. */

import type { RuleField } from './fields.js'
import { compileCondition, fieldsIn } from './match.js'
import type { Condition, Rule } from './syntax.js'

/** Where something is decided: by programs, which then write no record; or by the library, of what it put together. */
export type RulePlace = 'kernel' | 'user space'

/** A field that a rule asks about, and where that is decided. */
export interface ClauseExplanation {
  readonly field: string
  readonly place: RulePlace
  readonly reason: string
}

/** A rule, and where it is decided. */
export interface RuleExplanation {
  /** As it is written. */
  readonly text: string
  readonly line: number
  /** `kernel` when programs write no record of what it drops, of the kinds of events in `kinds`. */
  readonly place: RulePlace
  readonly reason: string
  /**
   * The kinds of events that programs leave out for it; of all others the event is put together first. Empty for all kinds, if
   * it is about whole trees of processes.
   */
  readonly kinds: readonly string[]
  readonly clauses: readonly ClauseExplanation[]
}

/**
 * What is known of a condition before there is an event of a kind: it always or never holds, depends on the process alone,
 * or also on the rest of the event.
 */
type Outcome = 'yes' | 'no' | 'process' | 'event'

/** What is known of rules together. */
interface Together {
  /** The kinds of events that programs may leave out. */
  readonly alone: readonly string[]
  /** The numbers of the rules that drop events about connections by their ends, by the kind of event. */
  readonly byEnds: readonly (readonly [kind: string, rules: ReadonlySet<number>])[]
  /** The rules that drop all events of processes with a tag, by the tag. */
  readonly closed: ReadonlyMap<bigint, number>
}

/** Explains rules. */
export function explained(rules: readonly Rule[], { alone, byEnds, closed }: Together): RuleExplanation[] {
  const open = new Blocked(alone)
  return rules.map((rule, index) => {
    const { text, at, condition, action } = rule
    const tree = treeReason(rule, index, closed)
    if (tree !== undefined) {
      const clauses = [...fieldsIn(condition)].map((field) => clauseOf(field, []))
      open.add(rule)
      return { text, line: at.line, place: 'kernel', reason: tree, kinds: [], clauses }
    }
    const kinds = action.name === 'drop' ? open.kindsOf(rule) : []
    const ended = byEnds.flatMap(([kind, dropping]) => (dropping.has(index) ? kind : []))
    const reasons = [
      ...(kinds.length === 0
        ? []
        : [`programs write no records of ${listOf(kinds)} events of processes that it drops all of them of`]),
      ...(ended.length === 0
        ? []
        : [
            `programs write no records of ${listOf(ended)} events with ports and addresses that it drops, whatever the process`,
          ]),
    ]
    const reason = reasons.length > 0 ? reasons.join('; ') : reasonOf(rule, alone, open)
    open.add(rule)
    const clauses = [...fieldsIn(condition)].map((field) => clauseOf(field, ended))
    const place = reasons.length > 0 ? 'kernel' : 'user space'
    return { text, line: at.line, place, reason, kinds: [...kinds, ...ended], clauses }
  })
}

/** Why a rule is about whole trees of which programs write no records; undefined if it is not. */
function treeReason(
  { action }: Rule,
  index: number,
  closed: ReadonlyMap<bigint, number>,
): string | undefined {
  if (action.name === 'poison' && closed.has(action.tag)) {
    return 'user space gives the tag, and programs know it from then on: children have it before they run, and no record of them is written'
  }
  const tags = [...closed].filter(([, rule]) => rule === index).map(([tag]) => `${tag}`)
  if (tags.length === 0) return undefined
  return `programs write no records of processes with the tag ${listOf(tags)}: these rules drop all that they and their descendants do`
}

/** The kinds of events about which an earlier rule decides, or has to be asked with the event. */
class Blocked {
  readonly #left: Set<string>
  /** The rule that took the last one. */
  by: Rule | undefined

  constructor(alone: readonly string[]) {
    this.#left = new Set(alone)
  }

  /** The kinds that a rule is decided about by what is known of the process. */
  kindsOf({ condition }: Rule): string[] {
    return [...this.#left].filter((kind) => ['yes', 'process'].includes(outcomeOf(condition, kind, 'event')))
  }

  add(rule: Rule): void {
    for (const kind of this.#left) {
      // With another process a rule that also asks about it may be decided without the event.
      const outcome = outcomeOf(rule.condition, kind, 'yes')
      const isEvent = outcomeOf(rule.condition, kind, 'event') === 'event'
      if (outcome !== 'yes' || (rule.action.name === 'poison' && !isEvent)) continue
      this.#left.delete(kind)
      this.by = rule
    }
  }

  get isEmpty(): boolean {
    return this.#left.size === 0
  }
}

function reasonOf({ action, condition }: Rule, alone: readonly string[], blocked: Blocked): string {
  if (action.name === 'poison') return 'tags are given and inherited in the order of events'
  if (action.name !== 'drop') return 'what it delivers is put together of records first'
  if (alone.length === 0) return 'no kind of event is left out by programs'
  const { by } = blocked
  if (blocked.isEmpty && by !== undefined)
    return `the rule in line ${by.at.line} has to be asked first, about the event`
  const late = [...fieldsIn(condition)].filter((field) => field.of === 'event' || field.of === 'ancestors')
  const [first] = late
  if (first !== undefined && alone.some((kind) => outcomeOf(condition, kind, 'event') === 'event'))
    return `it asks about ${late.map(({ name }) => name).join(', ')}: ${WHY_LATE[first.of as 'event' | 'ancestors']}`
  return 'records of its events also say what processes, sockets or files are, which other events have'
}

const WHY_NOT_ENDS =
  'programs compare it only in rules that drop, about nothing but the kind of event, ports and addresses, and only behind such rules; of one field 16 values, no names, and 8 such clauses'

const WHY_LATE = {
  event: 'that is known when the event is put together',
  ancestors: 'those change without the process',
} as const

/** @param ended the kinds of events that its rule drops by their ends */
function clauseOf({ name, of, end }: RuleField, ended: readonly string[]): ClauseExplanation {
  if (end !== undefined) {
    return ended.length > 0
      ? {
          field: name,
          place: 'kernel',
          reason: `programs compare it before they write records of ${listOf(ended)} events`,
        }
      : { field: name, place: 'user space', reason: WHY_NOT_ENDS }
  }
  switch (of) {
    case 'kind':
      return { field: name, place: 'kernel', reason: 'each program writes records of one kind' }
    case 'process':
      return {
        field: name,
        place: 'kernel',
        reason: 'user space decides once, and programs know it until something changes the process',
      }
    case 'tag':
      return { field: name, place: 'kernel', reason: 'as what is known of the process, which has the tag' }
    default:
      return { field: name, place: 'user space', reason: WHY_LATE[of] }
  }
}

/** @param late what stands for a field that is not known before there is an event */
function outcomeOf(condition: Condition, kind: string, late: 'event' | 'yes'): Outcome {
  switch (condition.kind) {
    case 'any':
      return 'yes'
    case 'not': {
      const outcome = outcomeOf(condition.of, kind, late)
      return outcome === 'yes' ? 'no' : outcome === 'no' ? 'yes' : outcome
    }
    case 'all':
      return together(condition.of, kind, late, 'no', 'yes')
    case 'some':
      return together(condition.of, kind, late, 'yes', 'no')
    case 'field':
      return fieldOutcome(condition, kind, late)
  }
}

function fieldOutcome(
  condition: Extract<Condition, { readonly kind: 'field' }>,
  kind: string,
  late: 'event' | 'yes',
): Outcome {
  const { of, kinds } = condition.field
  if (of === 'process' || of === 'tag') return 'process'
  if (of === 'kind') return compileCondition(condition)(ofKind(kind)) === 'yes' ? 'yes' : 'no'
  return kinds === undefined || kinds.has(kind) ? late : 'no'
}

function together(
  conditions: readonly Condition[],
  kind: string,
  late: 'event' | 'yes',
  decides: Outcome,
  otherwise: Outcome,
): Outcome {
  const outcomes = conditions.map((one) => outcomeOf(one, kind, late))
  if (outcomes.includes(decides)) return decides
  if (outcomes.includes('event')) return 'event'
  return outcomes.includes('process') ? 'process' : otherwise
}

function ofKind(kind: string): Parameters<ReturnType<typeof compileCondition>>[0] {
  const subject = { event: { kind }, process: undefined, tag: 0n, ancestors: [], withTag: () => subject }
  return subject
}

function listOf(names: readonly string[]): string {
  const last = names.at(-1) as string
  return names.length === 1 ? last : `${names.slice(0, -1).join(', ')} and ${last}`
}
