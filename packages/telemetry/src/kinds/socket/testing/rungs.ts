/** The kind with one sort of rungs only, for tests: as on kernels that have no better ones. */

import type { AttachedFact, Fact } from '../../../facts/fact.js'
import type { Rung } from '../../../facts/rungs.js'
import { catalogueOf } from '../../catalogue.js'
import { cgroupKind } from '../../cgroup/index.js'
import { processKind } from '../../process/index.js'
import { socketKind } from '../index.js'

/** Sorts of rungs, best first: what their programs hook beside tracepoints and iterators. */
export const RUNGS = {
  functions: ['fentry', 'fexit', 'cgroupSock', 'cgroupSockAddr'],
  kprobes: ['kprobe', 'kretprobe'],
  cgroups: ['cgroupSock', 'cgroupSockAddr', 'cgroupSkb'],
  states: [],
} as const satisfies Readonly<Record<string, readonly string[]>>

export type RungName = keyof typeof RUNGS

const EVERYWHERE = ['tracepoint', 'iterator']

function isOf(rung: Rung, hooks: readonly string[]): boolean {
  if (rung.by === 'source') return true
  return rung.by === 'ebpf' && rung.probes.every(({ hook }) => hooks.includes(hook.kind))
}

/** The catalogue in which facts of sockets have rungs of a sort only; those that have none are left out. */
export function catalogueWith(name: RungName) {
  const hooks = [...EVERYWHERE, ...RUNGS[name]]
  const facts = (surroundings: Parameters<typeof socketKind.facts>[0]): Fact[] =>
    socketKind.facts(surroundings).flatMap((fact) => {
      const rungs = fact.rungs.filter((rung) => isOf(rung, hooks))
      return rungs.length === 0 ? [] : [{ ...fact, rungs }]
    })
  return catalogueOf([processKind, cgroupKind, { ...socketKind, facts }] as const)
}

/** How hooks of a sort of rungs begin in `Capabilities`. */
const SHOWN: Readonly<Record<RungName, RegExp>> = {
  functions: /^f(entry|exit)\//,
  kprobes: /^k(ret)?probe\//,
  cgroups: /^cgroup/,
  states: /\/inet_sock_set_state$/,
}

/** Whether this kernel has the rungs: some fact is learnt by what distinguishes them. */
export function hasRungs(name: RungName, attached: readonly AttachedFact[]): boolean {
  return attached.some(({ fact, hook }) => fact.startsWith('socket') && SHOWN[name].test(hook))
}
