/** Who does something: what records of activities begin with. */

import { currentTask, firstOf, u32, u64 } from 'quark-ebpf/probe'
import type { RecordPlace } from '../event/raw.js'
import { timeNsAt, u32At } from '../event/record-fields.js'
import type { TimeBase } from '../event/time-base.js'
import { processAt } from './at.js'
import type { ProcessRecord } from './entry.js'
import type { Task } from './kernel-types.js'
import type { ProcessTable } from './table.js'

/** Fields of a record about something that a process does. */
export const actorFields = {
  pid: u32,
  /** Distinguishes the process from others that get its pid; 0 when it is not known. */
  startBootNs: u64,
} as const

/** Fills them with the process that runs. */
export function currentActor() {
  const { tgid, group_leader: leader } = currentTask<Task>()
  // Renamed in 5.5.
  return { pid: tgid, startBootNs: firstOf(leader.start_boottime, leader.real_start_time) }
}

/** What every event about an activity has: when, and who. */
export interface Actor {
  readonly timeNs: bigint
  readonly pid: number
  readonly process: ProcessRecord | undefined
}

/** Reads them; the process is as it was then, and undefined if it is not known. */
export function actorOf(
  place: RecordPlace,
  at: { readonly pid: number; readonly startBootNs: number },
  tables: { readonly timeBase: TimeBase; readonly processes: ProcessTable },
): Actor {
  const w = place.offsetBytes >> 2
  const pid = u32At(place, at.pid)
  return {
    timeNs: timeNsAt(place, tables.timeBase),
    pid,
    process: processAt(place.words, w, pid, w + (at.startBootNs >> 2), tables),
  }
}
