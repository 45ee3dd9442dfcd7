/** The kind with one sort of rungs only, for tests: as on kernels that have no better ones. */

import type { AttachedFact, Fact } from '../../../facts/fact.js'
import { OptionError } from '../../../errors.js'
import { openQuark } from '../../../quark.js'
import { type Sort, sortOf } from '../../../testing/rung-sorts.js'
import type { QuarkOptions } from '../../index.js'
import { catalogueOf } from '../../catalogue.js'
import { cgroupKind } from '../../cgroup/index.js'
import { processKind } from '../../process/index.js'
import { fileKind } from '../index.js'

interface Ways {
  readonly sort: Sort | undefined
  /** fanotify is beside them. */
  readonly isNoticed: boolean
}

/** Sorts of rungs, best first. */
export const RUNGS = {
  functions: { sort: 'functions', isNoticed: false },
  kprobes: { sort: 'kprobes', isNoticed: false },
  both: { sort: 'calls', isNoticed: true },
  calls: { sort: 'calls', isNoticed: false },
  notices: { sort: undefined, isNoticed: true },
} as const satisfies Readonly<Record<string, Ways>>

export type RungName = keyof typeof RUNGS

const FACTS = ['fileNames', 'fileContent', 'fileAttributes']
const NOTICES = 'fileNotices'

/** The catalogue in which facts of files have rungs of a sort only; those that have none are left out. */
function catalogueWith(name: RungName) {
  const { sort, isNoticed }: Ways = RUNGS[name]
  const facts = (surroundings: Parameters<typeof fileKind.facts>[0]): Fact[] =>
    fileKind.facts(surroundings).flatMap((fact) => {
      if (fact.name === NOTICES) return isNoticed ? [fact] : []
      const rungs = sort === undefined ? [] : fact.rungs.filter((rung) => sortOf(rung) === sort)
      return rungs.length === 0 ? [] : [{ ...fact, rungs }]
    })
  return catalogueOf([processKind, cgroupKind, { ...fileKind, facts }] as const)
}

/** The facts that a sort of rungs has. */
export function factsOf(name: RungName): readonly string[] {
  const { sort, isNoticed }: Ways = RUNGS[name]
  return [...(sort === undefined ? [] : FACTS), ...(isNoticed ? [NOTICES] : [])]
}

/** A queue that has such rungs only; the reason where this kernel does not have them. */
export async function openWith(name: RungName, options: QuarkOptions) {
  try {
    const quark = await openQuark(catalogueWith(name), { backends: ['ebpf'], ...options })
    const { attached, missing } = quark.capabilities
    if (hasRungs(name, attached)) return quark
    await quark.close()
    const reasons = missing.filter(({ fact }) => factsOf(name).includes(fact)).map(({ reason }) => reason)
    return [...new Set(reasons)].join('; ')
  } catch (error) {
    if (error instanceof OptionError) return error.message
    throw error
  }
}

/** Whether all of them are attached. */
function hasRungs(name: RungName, attached: readonly AttachedFact[]): boolean {
  return factsOf(name).every((fact) => attached.some((one) => one.fact === fact))
}
