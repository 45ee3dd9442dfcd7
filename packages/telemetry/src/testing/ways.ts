/** Kinds with one way to learn of them only, for tests: as on kernels that have no better ones. */

import { BackendError, OptionError } from '../errors.js'
import type { Fact } from '../facts/fact.js'
import { catalogueOf } from '../kinds/catalogue.js'
import { cgroupKind } from '../kinds/cgroup/index.js'
import type { QuarkOptions } from '../kinds/index.js'
import type { Kind } from '../kinds/kind.js'
import { processKind } from '../kinds/process/index.js'
import { openQuark, type Quark } from '../quark.js'
import { SORTS, sortOf } from './rung-sorts.js'

/** Sorts of rungs of programs, best first, and other backends. */
export const WAYS = [...SORTS, 'audit', 'procConnector'] as const

export type Way = (typeof WAYS)[number]

/**
 * A queue that learns of processes, and of a kind in one way; facts that have no such rung are left out. If this kernel does not
 * offer it, the reason; undefined if the kind has nothing of the sort.
 */
export async function openWay(
  way: Way,
  kind: Kind,
  options: QuarkOptions,
): Promise<Quark | string | undefined> {
  const names = new Set<string>()
  const facts: Kind['facts'] = (surroundings): Fact[] =>
    kind.facts(surroundings).flatMap((fact) => {
      const rungs = fact.rungs.filter((rung) => (sortOf(rung) ?? rung.by) === way)
      if (rungs.length === 0) return []
      names.add(fact.name)
      return [{ ...fact, rungs }]
    })
  const backend = way === 'audit' || way === 'procConnector' ? way : 'ebpf'
  try {
    const quark = (await openQuark(catalogueOf([processKind, cgroupKind, { ...kind, facts }]), {
      ...options,
      backends: [backend],
    })) as unknown as Quark
    const { missing } = quark.capabilities
    const reasons = [...names].map((name) => missing.find(({ fact }) => fact === name)?.reason)
    if (reasons.includes(undefined)) return quark
    await quark.close()
    return reasons.length === 0 ? undefined : [...new Set(reasons)].join('; ')
  } catch (error) {
    if (!(error instanceof BackendError || error instanceof OptionError)) throw error
    if (names.size === 0) return undefined
    return error.message.replace(/^Option .* cannot be met with the backend \w+: /, '')
  }
}
