import { ticksOf } from '../event/time-base.js'
import { KNOWN_START, type ProcessRecord, REPLACED } from './entry.js'
import type { Origin } from './entry-point.js'
import type { Process } from './process.js'
import type { ProcessTable } from './table.js'

/** Processes that are related to the one of an event, as they were when that began. */
export interface Relatives {
  readonly parent?: Process | undefined
  /** The process itself if it leads its group; as for the session. */
  readonly groupLeader?: Process | undefined
  readonly sessionLeader?: Process | undefined
  readonly parentGroupLeader?: Process | undefined
  readonly sessionLeaderParent?: Process | undefined
  /** The process that it descends from: see `Process.entry`. Undefined when the table has forgotten it. */
  readonly entryLeader?: Process | undefined
  /** Its parent, the parent of that and so on; only as many as the option `ancestors` says. */
  readonly ancestors?: readonly Process[] | undefined
}

/** Looks processes up; what it returns does not change any more. */
export interface ProcessLookup {
  lookup(pid: number): ProcessRecord | undefined
}

/** The processes of a table as they were at a time (CLOCK_BOOTTIME, signed halves). */
export class ProcessesAt implements ProcessLookup {
  timeLo = 0
  timeHi = 0
  readonly #table: ProcessLookup

  constructor(table: ProcessLookup) {
    this.#table = table
  }

  lookup(pid: number): ProcessRecord | undefined {
    return this.#table.lookup(pid)?.at(this.timeLo, this.timeHi)
  }
}

/** A start time from /proc is cut to clock ticks, so a parent may seem this much younger than its child. */
const CLOCK_TICK_NS = 10_000_000

/**
 * The relatives of a process; each is undefined when it is not known, or its pid was used again.
 *
 * @param most most ancestors; 0 for none
 */
export function findRelatives(p: ProcessRecord, table: ProcessLookup, most = 0): Relatives {
  const { ppid, sid } = p
  const parent = ppid === undefined || ppid === 0 ? undefined : older(p, ppid, table)
  const sessionLeader = sid === undefined || sid === 0 ? undefined : older(p, sid, table)
  return {
    parent,
    groupLeader: groupLeaderOf(p, table),
    sessionLeader,
    parentGroupLeader: parent === undefined ? undefined : groupLeaderOf(parent, table),
    sessionLeaderParent:
      sessionLeader?.ppid === undefined || sessionLeader.ppid === 0
        ? undefined
        : older(sessionLeader, sessionLeader.ppid, table),
    entryLeader: entryLeaderOf(p, table),
    ...(most === 0 ? {} : { ancestors: ancestorsOf(p, parent, table, most) }),
  }
}

function ancestorsOf(
  p: ProcessRecord,
  parent: ProcessRecord | undefined,
  table: ProcessLookup,
  most: number,
): ProcessRecord[] {
  const found: ProcessRecord[] = []
  let child = p
  for (let at = parent; at !== undefined && at !== child && found.length < most;) {
    found.push(at)
    child = at
    at = at.ppid === undefined || at.ppid === 0 ? undefined : older(at, at.ppid, table)
  }
  return found
}

/** The entry leader, if the table still has it, and not another process with its pid. */
function entryLeaderOf(p: ProcessRecord, table: ProcessLookup): ProcessRecord | undefined {
  const { origin } = p
  if (origin === undefined) return undefined
  if (origin.pid === p.pid) return p
  const found = table.lookup(origin.pid)
  if (found === undefined || (origin.startLo | origin.startHi) === 0) return found
  return found.startTicks === ticksOf(origin.startLo, origin.startHi) ? found : undefined
}

/** The leader of the group of `p`, which may have begun after `p` did: setpgid(2) moves processes. */
function groupLeaderOf(p: ProcessRecord, table: ProcessLookup): ProcessRecord | undefined {
  const { pgid } = p
  // Kernel threads are in no group.
  if (pgid === undefined || pgid === 0) return undefined
  return pgid === p.pid ? p : table.lookup(pgid)
}

/**
 * The process with a pid, which is that of the parent or session leader of `p`. One that began after `p` did
 * is another process: the pid was used again.
 */
function older(p: ProcessRecord, pid: number, table: ProcessLookup): ProcessRecord | undefined {
  if (pid === p.pid) return p
  const found = table.lookup(pid)
  if (found === undefined || (found.known & p.known & KNOWN_START) === 0) return found
  return startNs(found) <= startNs(p) + CLOCK_TICK_NS ? found : undefined
}

/** When a process began, ns of CLOCK_BOOTTIME; 0 when that is not known. */
export function startNs({ startHi, startLo }: ProcessRecord): number {
  return (startHi >>> 0) * 2 ** 32 + (startLo >>> 0)
}

/** Siblings of so many parents are remembered. */
const REMEMBERED = 64

/** Relatives that all of several siblings have. */
interface Shared {
  readonly relatives: Relatives
  readonly ppid: number | undefined
  readonly pgid: number | undefined
  readonly sid: number | undefined
  readonly origin: Origin | undefined
  /** Start of the oldest sibling that they were found for: to an older one they may be too young. */
  readonly startNs: number
  /** `arrivals` of the table when some of them were missing. */
  readonly arrivals: number
}

/**
 * Finds relatives at delivery. Siblings share them as long as the table has the same objects, so that a shell that
 * starts a thousand processes costs one look-up, and an event no memory.
 */
export class RelativesFinder implements ProcessLookup {
  readonly #table: ProcessTable
  readonly #shared: (Shared | undefined)[] = new Array(REMEMBERED).fill(undefined)
  readonly #then: ProcessesAt
  readonly #mostAncestors: number
  /** How many look-ups for the current process found nothing. */
  #missed = 0
  /** A relative has changed since the time of the event. */
  #hasChanged = false

  constructor(table: ProcessTable, mostAncestors = 0) {
    this.#table = table
    this.#mostAncestors = mostAncestors
    this.#then = new ProcessesAt(table)
  }

  /** The relatives of the process of an event that began at a time (CLOCK_BOOTTIME, halves). */
  find(p: ProcessRecord, timeLo: number, timeHi: number): Relatives {
    const { pid, ppid, pgid, sid, origin } = p
    this.#then.timeLo = timeLo | 0
    this.#then.timeHi = timeHi | 0
    // A leader is its own relative, and the table may not have it.
    if (pid === ppid || pid === pgid || pid === sid || pid === origin?.pid)
      return findRelatives(p, this.#then, this.#mostAncestors)
    const at = (ppid ?? 0) & (REMEMBERED - 1)
    const shared = this.#shared[at]
    if (
      shared !== undefined &&
      shared.ppid === ppid &&
      shared.pgid === pgid &&
      shared.sid === sid &&
      shared.origin === origin &&
      startNs(p) >= shared.startNs &&
      shared.arrivals === this.#table.arrivals &&
      areCurrent(shared.relatives)
    ) {
      return shared.relatives
    }
    return this.#findShared(p, at)
  }

  #findShared(p: ProcessRecord, at: number): Relatives {
    const { ppid, pgid, sid, origin } = p
    this.#missed = 0
    this.#hasChanged = false
    const relatives = findRelatives(p, this, this.#mostAncestors)
    // Not shared: a relative that is too young for this process, as it need not be so for the next one, and a past
    // state of a relative.
    if (
      !this.#hasChanged &&
      this.#missed === countMissing(p, relatives) &&
      (p.known & KNOWN_START) !== 0 &&
      areSmall(relatives)
    ) {
      const { arrivals } = this.#table
      this.#shared[at] = { relatives, ppid, pgid, sid, origin, startNs: startNs(p), arrivals }
    }
    return relatives
  }

  lookup(pid: number): ProcessRecord | undefined {
    const found = this.#table.lookup(pid)
    if (found === undefined) {
      this.#missed += 1
      this.#table.expect(pid)
      return undefined
    }
    const then = found.at(this.#then.timeLo, this.#then.timeHi)
    if (then !== found) this.#hasChanged = true
    return then
  }
}

/** Siblings of larger relatives look them up: what is remembered here is not counted by the table. */
const MAX_REMEMBERED_BYTES = 16 << 10

function areSmall(relatives: Relatives): boolean {
  for (const name of RELATIVES) {
    const relative = relatives[name] as ProcessRecord | undefined
    if (relative?.isLongerThan(MAX_REMEMBERED_BYTES) === true) return false
  }
  return true
}

const RELATIVES = [
  'parent',
  'groupLeader',
  'sessionLeader',
  'parentGroupLeader',
  'sessionLeaderParent',
  'entryLeader',
] as const satisfies Exclude<keyof Relatives, 'ancestors'>[]

/** How many relatives exist that are not known. */
function countMissing(p: ProcessRecord, relatives: Relatives): number {
  const { parent, groupLeader, sessionLeader, parentGroupLeader, sessionLeaderParent, entryLeader } =
    relatives
  return (
    missing(p.origin?.pid, entryLeader) +
    missing(p.ppid, parent) +
    missing(p.pgid, groupLeader) +
    missing(p.sid, sessionLeader) +
    missing(parent?.pgid, parentGroupLeader) +
    missing(sessionLeader?.ppid, sessionLeaderParent)
  )
}

/** Pid 0 is that of the kernel. */
function missing(pid: number | undefined, found: Process | undefined): number {
  return found === undefined && pid !== undefined && pid !== 0 ? 1 : 0
}

function areCurrent(relatives: Relatives): boolean {
  const { parent, groupLeader, sessionLeader, parentGroupLeader, sessionLeaderParent, entryLeader } =
    relatives
  return (
    isCurrent(entryLeader) &&
    isCurrent(parent) &&
    isCurrent(groupLeader) &&
    isCurrent(sessionLeader) &&
    isCurrent(parentGroupLeader) &&
    isCurrent(sessionLeaderParent) &&
    (relatives.ancestors === undefined || relatives.ancestors.every(isCurrent))
  )
}

/** Whether the table still has this object of a relative. */
function isCurrent(relative: Process | undefined): boolean {
  return relative === undefined || ((relative as ProcessRecord).known & REPLACED) === 0
}
