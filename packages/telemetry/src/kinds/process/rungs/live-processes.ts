/** The running processes and threads: state that is needed to understand messages about them. */

import { readdirSync } from 'node:fs'
import { findStat } from '../../../process/procfs/enrich.js'

/** A running process, with what its records need and messages do not repeat. */
export interface LiveProcess {
  readonly pid: number
  readonly startBootNs: bigint
  /** As /proc shows it, once that was read: by it a later process with the same pid is recognised. */
  statStartNs: bigint | undefined
  ppid: number
  pgid: number | undefined
  sid: number | undefined
  kernelThread: boolean
  /** Threads beside the first, and when they began; 0 when that was not seen. */
  readonly tids: Map<number, bigint>
  /** Time and status of the end of the first thread, if others go on. */
  leaderEnd: { readonly timeNs: bigint; readonly cpu: number; readonly status: number } | undefined
}

/**
 * All processes that run. The messages that are about to be read may repeat what is here: adding and removing
 * threads twice does no harm.
 */
export function scanLiveProcesses(timeNs: bigint): Map<number, LiveProcess> {
  const processes = new Map<number, LiveProcess>()
  for (const name of readdirSync('/proc')) {
    const pid = /^\d+$/.test(name) ? Number(name) : 0
    const process = pid === 0 ? undefined : readLiveProcess(pid, timeNs)
    if (process !== undefined) processes.set(pid, process)
  }
  return processes
}

/** A process that is known by its pid only; undefined when it has ended, or began after `timeNs`. */
export function readLiveProcess(pid: number, timeNs: bigint): LiveProcess | undefined {
  const stat = findStat({ pid, tid: pid, timeNs })
  const { startBootNs, ppid, pgid, sid, kernelThread } = stat ?? {}
  if (stat === undefined || stat.ended || startBootNs === undefined || kernelThread === undefined)
    return undefined
  if (ppid === undefined || pgid === undefined || sid === undefined) return undefined
  const leaderEnd = stat.leaderEnded ? { timeNs, cpu: 0, status: 0 } : undefined
  const tids = tidsOf(pid)
  return { pid, startBootNs, statStartNs: startBootNs, ppid, pgid, sid, kernelThread, tids, leaderEnd }
}

function tidsOf(pid: number): Map<number, bigint> {
  try {
    const tids = readdirSync(`/proc/${pid}/task`).map(Number)
    return new Map(tids.filter((tid) => tid !== pid).map((tid) => [tid, 0n]))
  } catch {
    return new Map()
  }
}
