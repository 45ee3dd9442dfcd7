import type { AggregationTable } from '../aggregate/table.js'
import { aggregationOf, catalogueOf } from './catalogue.js'
import { processKind } from './process/index.js'

/** All kinds, one line each. */
export const kinds = [processKind] as const

/** What `Quark` knows. */
export const catalogue = catalogueOf(kinds)

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
