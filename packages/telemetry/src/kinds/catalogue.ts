/** The catalogue: all that the rest of quark knows about which kinds there are. */

import { AggregationTable } from '../aggregate/table.js'
import { coreOptions } from '../options/declare.js'
import type { OptionSpecs } from '../options/spec.js'
import { relatedOf } from '../event/plain.js'
import { ownSpecs, STREAM_KINDS } from '../event/own-specs.js'
import { type EventOf, type EventSpec, fieldsOf, type NamedField } from '../event/spec.js'
import { summaryMembersOf } from '../event/summary-spec.js'
import { ruleOptions } from '../rules/options.js'
import { type FilterOptions, filterOptions } from '../where/options.js'
import type { Kind, LimitCounter, ProcessList, RecordQueue, RecordType } from './kind.js'

/** Kinds, with their options, events and limits together. */
export interface Catalogue<S extends OptionSpecs = OptionSpecs> {
  readonly kinds: readonly Kind[]
  readonly recordTypes: readonly RecordType[]
  /** The options of every queue, and those of all kinds. */
  readonly options: S
  /** The events of all kinds, and quark's own. */
  readonly events: readonly EventSpec[]
  readonly factLabels: Readonly<Record<string, string>>
  readonly limits: readonly TableLimit[]
  /** What records wait in that do not come through a ring, by their names. */
  readonly queues: Readonly<Record<string, RecordQueue>>
}

/** A counter of what a limit dropped, and the kind whose table has it. */
export interface TableLimit extends LimitCounter {
  readonly kind: string
}

/**
 * The catalogue of some kinds.
 *
 * @throws {RangeError} naming what two of them share and may not: their name or number, a record type or its name, an
 * option, the kind of an event, a list of processes, or a member of a summary
 */
export function catalogueOf<K extends readonly Kind[]>(kinds: K): Catalogue<SpecsOf<K>> {
  const unique = new Names()
  const lists = fieldsOfLists(kinds)
  const events = [
    ...kinds.flatMap((kind) => kind.events ?? []).map((spec) => withLists(spec, lists)),
    ...ownSpecs,
  ]
  const filters = filterOptions(events)
  for (const name of Object.keys({ ...coreOptions, ...ruleOptions, ...filters }))
    unique.add({ name: 'every queue' }, 'option', name)
  for (const { kind } of ownSpecs) unique.add({ name: 'every queue' }, 'event', kind)
  for (const name of summaryMembersOf(ownSpecs))
    unique.add({ name: 'every queue' }, 'member of a summary', name)
  for (const kind of STREAM_KINDS) unique.add({ name: 'every stream' }, 'event', kind)
  for (const kind of kinds) {
    unique.add(kind, 'name', kind.name)
    unique.add(kind, 'number', String(kind.number))
    for (const { name, layout } of kind.records) {
      unique.add(kind, 'record', name)
      unique.add(kind, 'record type', String(layout.type))
    }
    for (const name of Object.keys(kind.options)) unique.add(kind, 'option', name)
    for (const event of kind.events ?? []) unique.add(kind, 'event', event.kind)
    for (const { name } of kind.processLists ?? []) unique.add(kind, 'list of processes', name)
    for (const name of summaryMembersOf(kind.events ?? [])) unique.add(kind, 'member of a summary', name)
  }
  return {
    kinds,
    recordTypes: kinds.flatMap((kind) => kind.records),
    options: Object.assign(
      {},
      coreOptions,
      ruleOptions,
      filters,
      ...kinds.map((kind) => kind.options),
    ) as SpecsOf<K>,
    events,
    factLabels: Object.assign({}, ...kinds.map(({ factLabels }) => factLabels)) as Record<string, string>,
    limits: kinds.flatMap(({ name, limits = [] }) => limits.map((limit) => ({ ...limit, kind: name }))),
    queues: Object.fromEntries(
      kinds
        .flatMap(({ records }) => records)
        .flatMap(({ name, queue }) => (queue === undefined ? [] : [[name, queue]])),
    ),
  }
}

/** The lists that kinds have of processes, as fields of events. */
function fieldsOfLists(kinds: readonly Kind[]): NamedField[] {
  return kinds
    .flatMap((kind) => kind.processLists ?? [])
    .map(({ name, doc, object, ecs }): NamedField => [name, { type: 'objects', object, doc, ecs }])
}

/**
 * The declaration with these fields, if its events have a process.
 *
 * @throws {RangeError} when the event has a field of that name
 */
function withLists(spec: EventSpec, lists: readonly NamedField[]): EventSpec {
  if (lists.length === 0 || relatedOf(fieldsOf(spec)) === undefined) return spec
  for (const [name] of lists) {
    if (name in spec.fields)
      throw new RangeError(`A list of processes has the name of a field of the event "${spec.kind}": ${name}`)
  }
  return { ...spec, fields: { ...spec.fields, ...Object.fromEntries(lists) } }
}

/** The lists that some kinds have of the processes of all events; each is there if it was asked for, and is not empty. */
export type ListsOf<K extends readonly Kind[]> = Together<
  ListOf<NonNullable<K[number]['processLists']>[number]>
>

/** Kinds whose lists are not in their types have none. */
type ListOf<L> =
  L extends ProcessList<infer N, infer T>
    ? string extends N
      ? never
      : { readonly [Name in N]?: readonly T[] }
    : never

/** The options of every queue, and those of some kinds. */
export type SpecsOf<K extends readonly Kind[]> = typeof coreOptions &
  typeof ruleOptions & {
    readonly [Name in keyof FilterOptions]: FilterOptions<KindsIn<K>, ActionsIn<K>>[Name]
  } & AllOf<K[number]['options']>

type EventsOf<K extends readonly Kind[]> = EventOf<NonNullable<K[number]['events']>[number]>

type KindsIn<K extends readonly Kind[]> = EventsOf<K>['kind']

type ActionIn<E> = E extends { readonly actions: readonly (infer A extends string)[] }
  ? A
  : E extends { readonly action: infer A extends string }
    ? A
    : never

type ActionsIn<K extends readonly Kind[]> = ActionIn<EventsOf<K>>

/** The members that the events of some kinds add to the report of a summary. */
export type ReportOf<K extends readonly Kind[]> = Together<
  PartOf<NonNullable<K[number]['events']>[number] | (typeof ownSpecs)[number]>
>

type PartOf<S> = S extends { readonly summary?: { readonly part?: infer R } } ? R : never

type Together<U> = (U extends unknown ? (one: U) => void : never) extends (all: infer I) => void ? I : never

/** The intersection of the members of a union. */
type AllOf<U> = (U extends unknown ? (one: U) => void : never) extends (
  all: infer I extends OptionSpecs,
) => void
  ? I
  : never

interface Owner {
  readonly name: string
}

class Names {
  readonly #owners = new Map<string, Owner>()

  add(kind: Owner, what: string, name: string): void {
    const key = `${what} "${name}"`
    const owner = this.#owners.get(key)
    if (owner !== undefined) {
      throw new RangeError(`Kinds "${owner.name}" and "${kind.name}" both have the ${key}: rename one`)
    }
    this.#owners.set(key, kind)
  }
}

/** A new table of joins: the default rows of all kinds, the minimal ones, or none. */
export function aggregationOf(
  { kinds, recordTypes }: Catalogue,
  rows: 'default' | 'minimal' | 'none',
): AggregationTable {
  return AggregationTable.of(recordTypes, rows === 'none' ? [] : kinds.flatMap((kind) => kind.joins[rows]))
}
