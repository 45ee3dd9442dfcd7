/** A kind with one sort of rungs only, for tests: as on kernels that have no better ones. */

import type { Fact } from '../facts/fact.js'
import type { Rung } from '../facts/rungs.js'
import type { Kind } from '../kinds/kind.js'

/** Sorts of rungs of programs, best first. */
export const SORTS = ['functions', 'kprobes', 'calls'] as const

export type Sort = (typeof SORTS)[number]

/** By what the programs of a rung hook beside tracepoints and system calls; undefined if it has none. */
export function sortOf(rung: Rung): Sort | undefined {
  if (rung.by !== 'ebpf') return undefined
  const hooks = new Set<string>(rung.probes.map(({ hook }) => hook.kind))
  if (hooks.has('fentry') || hooks.has('fexit')) return 'functions'
  return hooks.has('kprobe') || hooks.has('kretprobe') ? 'kprobes' : 'calls'
}

/** The kind whose facts have rungs of a sort only; facts that have none are left out. */
export function withSort<K extends Pick<Kind, 'facts'>>(kind: K, sort: Sort): K {
  const facts = (surroundings: Parameters<K['facts']>[0]): Fact[] =>
    kind.facts(surroundings).flatMap((fact) => {
      const rungs = fact.rungs.filter((rung) => sortOf(rung) === sort)
      return rungs.length === 0 ? [] : [{ ...fact, rungs }]
    })
  return { ...kind, facts }
}
