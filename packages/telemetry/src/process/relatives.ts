import type { Process } from './process.js'

/** Processes that are related to the one of an event, as they were when it was delivered. */
export interface Relatives {
  readonly parent?: Process | undefined
  readonly groupLeader?: Process | undefined
  readonly sessionLeader?: Process | undefined
  readonly parentGroupLeader?: Process | undefined
  readonly sessionLeaderParent?: Process | undefined
}

type Lookup = (pid: number) => Process | undefined

/** A start time from /proc is cut to clock ticks, so a parent may seem this much younger than its child. */
const CLOCK_TICK_NS = 10_000_000n

/** Looks the relatives of a process up; each is undefined when it is not known. */
export function findRelatives(p: Process, lookup: Lookup): Relatives {
  const parent = p.ppid === undefined || p.ppid === 0 ? undefined : older(p, p.ppid, lookup)
  const leader = p.sid === undefined || p.sid === 0 ? undefined : older(p, p.sid, lookup)
  return {
    parent,
    groupLeader: groupLeaderOf(p, lookup),
    sessionLeader: leader,
    parentGroupLeader: parent === undefined ? undefined : groupLeaderOf(parent, lookup),
    sessionLeaderParent: leader?.ppid === undefined ? undefined : older(leader, leader.ppid, lookup),
  }
}

/** The leader of the group of `p`, which may have begun after `p` did: setpgid(2) moves processes. */
function groupLeaderOf(p: Process, lookup: Lookup): Process | undefined {
  if (p.pgid === undefined || p.pgid === 0) return undefined
  return p.pgid === p.pid ? p : lookup(p.pgid)
}

/**
 * The process with a pid, which is that of the parent or session leader of `p`. One that began after `p` did
 * is another process: the pid was used again.
 */
function older(p: Process, pid: number, lookup: Lookup): Process | undefined {
  if (pid === p.pid) return p
  const found = lookup(pid)
  if (found?.startTimeNs === undefined || p.startTimeNs === undefined) return found
  return found.startTimeNs <= p.startTimeNs + CLOCK_TICK_NS ? found : undefined
}
