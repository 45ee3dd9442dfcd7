/** Sorts of rungs, for tests that do without the better ones. */

import type { Rung } from '../facts/rungs.js'

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
