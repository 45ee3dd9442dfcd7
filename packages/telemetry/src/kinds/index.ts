import { AggregationTable } from '../aggregate/table.js'
import type { Kind, RecordType } from '../event/kind.js'
import { processKind } from './process/index.js'

/** All kinds of events. */
export const kinds: readonly Kind[] = [processKind]

/** The record types of all kinds. */
export const recordTypes: readonly RecordType[] = kinds.flatMap((kind) => kind.records)

/** A new table in which records join as long as nothing that matters is lost: fork, exec and exit are one event. */
export function defaultAggregation(): AggregationTable {
  return new AggregationTable(
    recordTypes,
    kinds.flatMap((kind) => kind.aggregation.default),
  )
}

/** A new table in which only repeated changes of names and ids join. */
export function minimalAggregation(): AggregationTable {
  return new AggregationTable(
    recordTypes,
    kinds.flatMap((kind) => kind.aggregation.minimal),
  )
}

/** A new table in which nothing joins. */
export function noAggregation(): AggregationTable {
  return new AggregationTable(recordTypes)
}
