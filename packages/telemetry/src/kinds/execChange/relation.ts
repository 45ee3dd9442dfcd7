/** Whether a process belongs to the one that wrote what it executes. */

import type { ExecChange } from '../../process/exec-change.js'
import type { ProcessTable } from '../../process/table.js'

interface Member {
  readonly pid: number
  /** 0 is the one of the first process, if that leads none. */
  readonly sid: number
  /** It is in the table: no other process has got its pid. */
  readonly isKnown?: boolean
}

/** So many ancestors of each are compared. */
const MOST_ANCESTORS = 32
const INIT = 1

/**
 * By their session, or as relatives: one descends from the other, or both from a process in the session of one of them.
 * Undefined for all others.
 */
export function relationOf(
  writer: Member,
  executor: Member,
  processes: ProcessTable,
): ExecChange['relation'] | undefined {
  if (writer.pid === executor.pid || writer.sid === executor.sid) return 'session'
  const ofExecutor = ancestorsOf(executor.pid, processes)
  const ofWriter =
    writer.isKnown === true ? ancestorsOf(writer.pid, processes) : new Map<number, number | undefined>()
  if (ofExecutor.has(writer.pid) || ofWriter.has(executor.pid)) return 'tree'
  for (const [pid, sid] of ofWriter) {
    if (!ofExecutor.has(pid)) continue
    // Only the nearest one: above it are those of everybody.
    return sid === writer.sid || sid === executor.sid ? 'tree' : undefined
  }
  return undefined
}

/** Their sessions by pid, the nearest first; without the process that all descend from. */
function ancestorsOf(pid: number, processes: ProcessTable): Map<number, number | undefined> {
  const found = new Map<number, number | undefined>()
  for (const { pid: ancestor, sid } of processes.ancestors(pid).slice(0, MOST_ANCESTORS)) {
    if (ancestor !== INIT) found.set(ancestor, sid)
  }
  return found
}
