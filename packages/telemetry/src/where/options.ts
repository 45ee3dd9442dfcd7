/** The options about which events are delivered. */

import { OptionError } from '../errors.js'
import { type EventSpec, fieldsOf, type FieldRole } from '../event/spec.js'
import type { CommandForm, MembersSpec, MemberSpec, NumbersSpec } from '../options/spec.js'
import { suggestion } from '../options/suggest.js'
import { type PredicateName, predicates, type PredicateSpec, type Where } from './predicates.js'
import { ValueProblem, valueType, type Words } from './values.js'

const MAX_PID = 0x7fff_ffff

/** Options of every queue, of which the words depend on the kinds. */
export interface FilterOptions<Kind extends string = string, Action extends string = string> {
  /** Which events are delivered: those that pass all of its filters (docs/filters.md). Default: all. */
  readonly where: MembersSpec<Where<Kind, Action>> & { readonly isReplayed: true }
  /**
   * Processes that are left out with all of their descendants, with eBPF in the kernel. An empty list is for a queue whose
   * `exclude` is called later. Default: none.
   */
  readonly excludePids: NumbersSpec & { readonly isReplayed: true }
}

/** The declarations of these options for some events. */
export function filterOptions(events: readonly EventSpec[]): FilterOptions {
  const words = wordsOf(events)
  return {
    where: {
      type: 'members',
      isReplayed: true,
      notWithBypass: true,
      members: Object.fromEntries(
        Object.entries(predicates).map(([name, spec]) => [name, memberOf(name, spec, words)]),
      ),
      checked: (option, value) => checkedWhere(option, value as object, words, events),
    },
    excludePids: {
      type: 'numbers',
      isReplayed: true,
      min: 1,
      max: MAX_PID,
      item: 'pid',
      notWithBypass: true,
      command: {
        group: 'filter',
        long: 'exclude-tree',
        argument: 'PID',
        help: 'leave out this process and its descendants; may be given several times',
        more: 'With eBPF the kernel leaves them out.',
      },
    },
  }
}

/** The kinds of events that filters are about, and what can happen in them. */
export function wordsOf(events: readonly EventSpec[]): Words {
  const kinds = events.filter(({ kind }) => !PASSING.has(kind)).map(({ kind }) => kind)
  return { kinds, actions: [...new Set(events.flatMap(actionsIn))] }
}

/** What is never left out: losses, and records in bypass mode. */
export const PASSING: ReadonlySet<string> = new Set(['lost', 'raw'])

/** What can happen in an event, by the words of its field. */
export function actionsIn(event: EventSpec): readonly string[] {
  return fieldsOf(event).flatMap(([name, { words = [] }]) =>
    name === 'actions' || name === 'action' ? words : [],
  )
}

/** Whether events have fields of a role. */
export function hasRole(event: EventSpec, role: FieldRole): boolean {
  return fieldsOf(event).some(([, { roles = [] }]) => roles.includes(role))
}

/** What the fields of a role have, in sentences. */
export const ROLE_WORDS: Readonly<Record<FieldRole, string>> = {
  port: 'a port',
  host: 'another end',
  dnsName: 'a name of DNS',
  path: 'the path of a file',
}

/** The filters that were given and read fields of a role. */
export function givenRoles(where: Where): [name: PredicateName, role: FieldRole][] {
  return Object.entries<PredicateSpec>(predicates).flatMap(([name, { role }]) =>
    role === undefined || where[name as PredicateName] === undefined ? [] : [[name as PredicateName, role]],
  )
}

function memberOf(name: string, spec: PredicateSpec, words: Words): MemberSpec {
  const type = valueType(spec.type)
  const own = spec.type === 'kinds' ? words.kinds : spec.type === 'actions' ? words.actions : undefined
  return {
    command: own === undefined ? spec.command : withWords(spec.command, own),
    values: type.values,
    doc: spec.doc,
    ...(own === undefined ? {} : { words: own }),
    parse: (text, before) => {
      const values = type.parse?.(text) ?? [text]
      for (const value of values) check(`where.${name}`, spec, value, words)
      if (isSingle(spec)) return values[0]
      return [...((before ?? []) as readonly unknown[]), ...values]
    },
  }
}

/** The form of an option whose argument is one of some words, or several. */
function withWords(form: CommandForm, words: readonly string[]): CommandForm {
  return { ...form, help: `${form.help}: ${words.join(', ')}`, more: 'Several with commas between.' }
}

function isSingle({ type }: PredicateSpec): boolean {
  return type === 'flag' || type === 'ms'
}

function check(option: string, spec: PredicateSpec, value: unknown, words: Words): void {
  try {
    valueType(spec.type).check(value, words)
  } catch (error) {
    if (!(error instanceof ValueProblem)) throw error
    const text = typeof value === 'string' ? JSON.stringify(value) : String(value)
    throw new OptionError(option, `Option "${option}" cannot be ${text}: ${error.message}`, error.message)
  }
}

function checkedWhere(option: string, value: object, words: Words, events: readonly EventSpec[]): Where {
  const names = Object.keys(predicates)
  for (const [name, given] of Object.entries(value)) {
    const path = `${option}.${name}`
    if (!Object.hasOwn(predicates, name)) {
      throw new OptionError(path, `Unknown filter "${name}" in "${option}": ${suggestion(name, names)}`)
    }
    if (given === undefined) continue
    const spec: PredicateSpec = predicates[name as PredicateName]
    if (isSingle(spec) || !Array.isArray(given)) check(path, spec, given, words)
    else if (given.length === 0) {
      throw new OptionError(
        path,
        `Option "${path}" is an empty list, so that nothing could pass: leave it out`,
      )
    } else for (const one of given) check(path, spec, one, words)
  }
  const where: Where = value
  checkTogether(option, where, events)
  return where
}

/** Refuses filters of which one lets only pass what the other one does not. */
function checkTogether(option: string, where: Where, events: readonly EventSpec[]): void {
  for (const [name, role] of givenRoles(where)) {
    if (events.some((event) => hasRole(event, role))) continue
    throw new OptionError(
      `${option}.${name}`,
      `No event has ${ROLE_WORDS[role]}: leave out "${option}.${name}"`,
    )
  }
  const kinds = where.event === undefined ? undefined : valuesOf(where.event)
  if (kinds === undefined) return
  const chosen = events.filter(({ kind }) => kinds.includes(kind))
  const refuse = (name: string, what: string): void => {
    throw new OptionError(
      `${option}.event`,
      `No event of ${kinds.join(' or ')} ${what}: leave out "${option}.${name}" or "${option}.event"`,
    )
  }
  if (where.action !== undefined) {
    const actions = valuesOf(where.action)
    const isPossible = chosen.some((event) => actionsIn(event).some((action) => actions.includes(action)))
    if (!isPossible) refuse('action', `has the action ${actions.join(' or ')}`)
  }
  for (const [name, role] of givenRoles(where)) {
    if (!chosen.some((event) => hasRole(event, role))) refuse(name, `has ${ROLE_WORDS[role]}`)
  }
  if (where.failed === true && !chosen.some(({ isFailure }) => isFailure !== undefined)) {
    refuse('failed', 'is a failure')
  }
  if (where.longerThanMs !== undefined && !chosen.some(({ runNs }) => runNs !== undefined)) {
    refuse('longerThanMs', 'says how long something ran')
  }
}

/** The values of a filter as a list. */
export function valuesOf<T>(value: T | readonly T[]): readonly T[] {
  return Array.isArray(value) ? (value as readonly T[]) : [value as T]
}
