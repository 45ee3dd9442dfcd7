import type { Call } from './faults.js'

/** At most so many calls of each kind and phase, spread evenly, in their order. */
export function sampleOf<T extends Call>(calls: readonly T[], mostOfKind: number): T[] {
  const kinds = new Map<string, T[]>()
  for (const call of calls) {
    const key = `${call.phase} ${call.kind}`
    const same = kinds.get(key)
    if (same === undefined) kinds.set(key, [call])
    else same.push(call)
  }
  const chosen = new Set<T>()
  for (const same of kinds.values()) {
    const count = Math.min(mostOfKind, same.length)
    for (let i = 0; i < count; i += 1) {
      // The first and the last are among them.
      chosen.add(same[count === 1 ? 0 : Math.round((i * (same.length - 1)) / (count - 1))] as T)
    }
  }
  return calls.filter((call) => chosen.has(call))
}
