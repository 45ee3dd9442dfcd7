import type { AggregationTable } from '../aggregate/table.js'
import {
  aggregationOf,
  type Catalogue,
  catalogueOf,
  type ListsOf,
  type ReportOf,
  type SpecsOf,
} from './catalogue.js'
import type { OptionsOf, ReplayedNames, SettingsOf } from '../options/spec.js'
import type { LostEvent } from '../event/event.js'
import type { RawEvent } from '../event/raw-event.js'
import type { EventOf } from '../event/spec.js'
import type { Kind } from './kind.js'
import * as list from './list.js'

/**
 * All kinds. Their types are named, so that declarations of this file refer to them and editors find the comments on
 * options.
 */
export const kinds: readonly (typeof list)[keyof typeof list][] = Object.values(list).sort(
  (a: Kind, b: Kind) => a.number - b.number,
)

type Specs = SpecsOf<typeof kinds>

/** The catalogue of `Quark`. */
export const catalogue: Catalogue<Specs> = catalogueOf(kinds)

/** The options of `Quark.open`. Every member has a default, and an empty object is the usual call. */
export interface QuarkOptions extends OptionsOf<Specs> {}

/** The options of `Quark.replay`. Options that are left out are those of the recorded queue. */
export interface ReplayOptions extends Pick<QuarkOptions, ReplayedNames<Specs> | 'signal'> {}

/** The events that `Quark` delivers: those of all kinds, losses, and in bypass mode raw records. */
export type QuarkEvent =
  | WithLists<EventOf<NonNullable<(typeof kinds)[number]['events']>[number]>>
  | LostEvent
  | RawEvent

/** What kinds know of the process of an event, where options ask for it: `processSockets`. */
export interface ProcessLists extends ListsOf<typeof kinds> {}

type WithLists<E> = E extends { readonly process: infer P }
  ? [P] extends [undefined]
    ? E
    : E & ProcessLists
  : E

/** The members that the kinds, and losses, have in the report of a summary. */
export interface KindsReport extends ReportOf<typeof kinds> {}

/** Options with every default filled in. */
export type QuarkSettings = SettingsOf<Specs>

/** Every option as it is declared: type, default, range, and how the command gives it. */
export const OPTIONS: Specs = catalogue.options

/** Names for facts of `Capabilities` in sentences; other facts are called by their own names. */
export const FACT_LABELS = catalogue.factLabels

/** Counters of what limits dropped, with the options that set them. */
export const LIMITS = catalogue.limits
/** What records wait in that do not come through a ring, by their names. */
export const QUEUES = catalogue.queues

/** A new table in which records join as long as nothing that matters is lost: fork, exec and exit are one event. */
export function defaultAggregation(): AggregationTable {
  return aggregationOf(catalogue, 'default')
}

/** A new table in which only repeated changes of names and ids join. */
export function minimalAggregation(): AggregationTable {
  return aggregationOf(catalogue, 'minimal')
}

/** A new table in which nothing joins. */
export function noAggregation(): AggregationTable {
  return aggregationOf(catalogue, 'none')
}
