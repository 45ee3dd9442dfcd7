/** Finds actions of processes that are missing among the events, to compare them with the declared losses. */

import { actionsOf, type SeenProcess, type Truth } from './truth.js'

/** Missing actions, and the complaints that they explain. */
export interface Gaps {
  readonly count: number
  /** Whether a complaint is about a process that misses an action: the facts of that action are missing with it. */
  explain(complaint: string): boolean
}

/** Looks for the records that are missing of processes with a known truth, and of all others in a family. */
export function findGaps(
  truths: readonly Truth[],
  seen: readonly SeenProcess[],
  family: readonly SeenProcess[],
): Gaps {
  const missing = new Map<number, number>()
  const note = (pid: number, count: number): void => {
    if (count > 0) missing.set(pid, (missing.get(pid) ?? 0) + count)
  }
  const known = new Set(truths.map(({ pid }) => pid))
  for (const pid of known) {
    const parts = truths.filter((truth) => truth.pid === pid)
    const actions = seen.filter((one) => one.pid === pid).flatMap(actionsOf)
    note(pid, missingOf(actions, parts))
  }
  for (const one of family) {
    if (!known.has(one.pid)) note(one.pid, missingOf(actionsOf(one), []))
  }
  return {
    count: [...missing.values()].reduce((sum, count) => sum + count, 0),
    explain: (complaint) => missing.has(Number(/\bpid (\d+)/.exec(complaint)?.[1])),
  }
}

/** A pid may have been used by several processes: their truths are added up. */
function missingOf(actions: readonly string[], truths: readonly Truth[]): number {
  const lives = Math.max(1, truths.length)
  const total = (count: (truth: Truth) => number): number =>
    truths.reduce((sum, truth) => sum + count(truth), 0)
  const expected = {
    fork: lives,
    exit: lives,
    exec: total(({ execs }) => execs ?? 1),
    commChange: total(({ commChanges }) => commChanges ?? 0),
    idChange: total(({ idChange }) => (idChange === undefined ? 0 : 1)),
  }
  return Object.entries(expected).reduce(
    (sum, [action, count]) => sum + Math.max(0, count - actions.filter((one) => one === action).length),
    0,
  )
}
