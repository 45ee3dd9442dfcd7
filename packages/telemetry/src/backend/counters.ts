import type { BackendCounters } from './backend.js'

/** The sums of the counters of two backends that are read together. */
export function addCounters(one: BackendCounters, other: BackendCounters): BackendCounters {
  return {
    produced: sum(one.produced, other.produced),
    lost: sum(one.lost, other.lost),
    recursionMisses: one.recursionMisses + other.recursionMisses,
  }
}

function sum(one: ReadonlyMap<number, number>, other: ReadonlyMap<number, number>): Map<number, number> {
  const both = new Map(one)
  for (const [type, count] of other) both.set(type, (both.get(type) ?? 0) + count)
  return both
}
