/**
 * The set of tracked processes in the kernel: a map that programs ask before they write a record. Children are put into
 * it when they are made, before they run, and processes are removed when their last thread ends.
 */

import {
  and,
  eq,
  has,
  increase,
  inTask,
  lookup,
  map,
  type MapEffect,
  narrowed,
  ne,
  oneOf,
  or,
  type Probe,
  probe,
  remove,
  type Scalar,
  store,
  struct,
  tracepoint,
  u32,
} from 'quark-ebpf/probe'
import type { Task } from '../kernel-types.js'
import { EXCLUDED, FOLLOWED, INHERITED, KEPT, LEFT_OUT } from './flags.js'

/** Most processes in the set. Those beyond it are counted. */
export const MAX_TRACKED = 16_384

/** Bits of a process, and the number of its exclusion, by its pid. */
export const trackedProcesses = map({
  name: 'quark_tracked',
  type: 'hash',
  key: u32,
  value: { flags: u32, exclusion: u32 },
  maxEntries: MAX_TRACKED,
})

/** How many children found no room in the set. */
export const untrackedCount = map({
  name: 'quark_untracked',
  type: 'array',
  key: u32,
  value: u32,
  maxEntries: 1,
})

/**
 * Puts the children of tracked processes into the set. It has to be attached before all programs that record forks, as
 * they ask for the child.
 *
 * A pid that is used again never keeps what an earlier process had: it gets what its own maker has.
 */
export function inheritProbe(): Probe {
  return probe(
    {
      name: 'quark_inherit',
      hook: inTask(
        tracepoint('sched_process_fork', [
          struct<Task>('task_struct', 'parent'),
          struct<Task>('task_struct', 'child'),
        ]),
      ),
    },
    (caller, child) => {
      const maker = lookup(trackedProcesses, caller.tgid)
      const flags = and(maker.flags, INHERITED)
      return {
        when: and(eq(child.pid, child.tgid), or(ne(flags, 0), has(trackedProcesses, child.tgid))),
        effects: [
          store(trackedProcesses, child.tgid, { flags, exclusion: maker.exclusion }),
          increase(untrackedCount, 0, eq(has(trackedProcesses, child.tgid), 0)),
        ],
      }
    },
  )
}

/** Removes a process that has ended. */
export function forget(pid: Scalar): MapEffect {
  return remove(trackedProcesses, pid)
}

/**
 * What records of a process pass: none of excluded ones and of those that rules leave out, and maybe only those of followed
 * ones and their relatives.
 */
function passes(pid: Scalar, isOnly: boolean): Scalar {
  const { flags } = lookup(trackedProcesses, pid)
  const isKept = oneOf(and(flags, FOLLOWED | KEPT | EXCLUDED | LEFT_OUT), [FOLLOWED, KEPT, FOLLOWED | KEPT])
  return isOnly ? isKept : eq(and(flags, EXCLUDED | LEFT_OUT), 0)
}

/**
 * A probe that asks the set about the process that its record is about, which every record has as `pid`. Records that
 * are about no process, and walks through what exists, pass.
 */
export function asking(probe: Probe, isOnly: boolean): Probe {
  if (probe.hook.kind === 'iterator') return probe
  return narrowed(probe, (filling) => {
    const pid = filling('pid')
    return pid === undefined ? undefined : passes(pid, isOnly)
  })
}
