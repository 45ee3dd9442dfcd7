import type { BackendCounters } from './backend.js'

/** The counters of two that are read together. */
export function addCounters(one: BackendCounters, other: BackendCounters): BackendCounters {
  return {
    produced: sum(one.produced, other.produced),
    lost: sum(one.lost, other.lost),
    recursionMisses: one.recursionMisses + other.recursionMisses,
  }
}

function sum(one: Float64Array, other: Float64Array): Float64Array {
  const { length } = one.length < other.length ? other : one
  return Float64Array.from({ length }, (_, type) => (one[type] ?? 0) + (other[type] ?? 0))
}
