/** Makes records of the proc connector's messages, completed from /proc. */

import type { ProcExitMessage, ProcForkMessage, ProcIdMessage } from 'quark-ebpf'
import type { ProcessSettings as Settings } from '../../options.js'
import { HAS_COMM, HAS_ENDING, HAS_IDS, HAS_PARENT, HAS_SESSION } from '../../../../process/known.js'
import { PROC_EVENT_GID, PROC_EVENT_SID, PROC_EVENT_UID } from '../../kernel-ids.js'
import {
  commLayout,
  execLayout,
  exitLayout,
  forkLayout,
  idChangeLayout,
  threadExitLayout,
  threadForkLayout,
} from '../../records.js'
import type { CgroupHierarchy } from '../../../../process/procfs/cgroup-mounts.js'
import { readLatin1 } from '../../../../process/procfs/read.js'
import type { Maker, RecordWriter, TimedProcMessage as TimedMessage } from '../../../../facts/rungs.js'
import { type LiveProcess, readLiveProcess } from '../live-processes.js'
import {
  cwdField,
  Enricher,
  findStat,
  type Found,
  identityFields,
  type IdentityFields,
  imageFields,
  STALE_ALL,
  STALE_BY_EXEC,
  STALE_BY_IDS,
  STALE_BY_SESSION,
  TICK_NS,
} from '../../../../process/procfs/enrich.js'

/** The parent of all kernel threads. */
const KTHREADD = 2
/** `SIGNAL_GROUP_EXIT`: the group's code counts (include/linux/sched/signal.h). */
const SIGNAL_GROUP_EXIT = 4

/** A record in the making. */
interface Draft {
  readonly tid: number
  /** What its message changed: groups of facts that /proc shows changed, however old the record. */
  readonly changes: number
  /** Writes the record, except facts that, by a later message, were changed before they were read. */
  readonly write: ((stale: number) => void) | undefined
}

export class ProcConnectorRecords implements Maker<TimedMessage> {
  /** Records that lack facts because their process was gone before it could be read. */
  unenriched = 0
  readonly #settings: Settings
  readonly #records: RecordWriter
  readonly #live: Map<number, LiveProcess>
  readonly #enricher: Enricher
  /** Where the tails of an exec are cut. */
  readonly #limits: { readonly argv: number; readonly env: number }
  /** Processes that wait for the end of their other threads. */
  readonly #leaderless = new Set<LiveProcess>()
  /** Drafts of the messages that were taken, until `make` writes their records. */
  #drafts: readonly Draft[] = []
  /** What was found of processes since the last `take`. */
  readonly #found = new Map<number, Found | undefined>()

  /** @param live the processes that run when the first message comes; it is kept up to date */
  constructor(
    settings: Settings,
    hierarchy: CgroupHierarchy | undefined,
    records: RecordWriter,
    live: Map<number, LiveProcess>,
  ) {
    const { maxArgvBytes, maxEnvBytes } = settings
    this.#settings = settings
    this.#records = records
    this.#live = live
    this.#enricher = new Enricher(settings, hierarchy)
    this.#limits = { argv: maxArgvBytes, env: maxEnvBytes }
    for (const process of live.values()) {
      if (process.leaderEnd !== undefined) this.#leaderless.add(process)
    }
  }

  take(messages: readonly TimedMessage[]): void {
    this.#found.clear()
    this.#drafts = messages.map((message) => this.#draft(message))
  }

  make(later: readonly TimedMessage[]): void {
    const drafts = this.#drafts
    this.#drafts = []
    const changed = new Map<number, number>()
    for (const message of later) addChanges(changed, message.tid, changesOf(message))
    const stale = drafts.map(() => 0)
    for (let i = drafts.length - 1; i >= 0; i--) {
      const { tid, changes } = drafts[i] as Draft
      stale[i] = changed.get(tid) ?? 0
      addChanges(changed, tid, changes)
    }
    for (const [i, { write }] of drafts.entries()) {
      write?.(stale[i] as number)
      // One by one: a message may be older than the one before on its CPU, and numbers must not fall.
      this.#records.settle()
    }
  }

  /**
   * Called when no message waits. A process that is gone and whose first thread has ended is reported as ended then:
   * the message of its last thread was lost.
   */
  idle(): void {
    for (const process of this.#leaderless) {
      const { pid, statStartNs, leaderEnd } = process
      if (leaderEnd === undefined) {
        this.#leaderless.delete(process)
        continue
      }
      const stat = findStat({ pid, tid: pid, timeNs: leaderEnd.timeNs, startBootNs: statStartNs })
      if (stat === undefined || stat.ended) this.#end(process, leaderEnd)(0)
      this.#records.settle()
    }
  }

  #draft(message: TimedMessage): Draft {
    return { tid: message.tid, changes: changesOf(message), write: this.#writeOf(message) }
  }

  #writeOf(message: TimedMessage): Draft['write'] {
    switch (message.kind) {
      case 'fork':
        return message.tid === message.pid ? this.#fork(message) : this.#threadFork(message)
      case 'exec':
        return this.#exec(message)
      case 'exit':
        return message.tid === message.pid ? this.#leaderExit(message) : this.#threadExit(message)
      case 'uid':
        return this.#idChange(message, PROC_EVENT_UID, message)
      case 'gid':
        return this.#idChange(message, PROC_EVENT_GID, message)
      case 'sid':
        return this.#idChange(message, PROC_EVENT_SID, undefined)
      case 'comm':
        return this.#comm(message)
      case 'ptrace':
      case 'other':
        return undefined
    }
  }

  #fork(message: TimedMessage & ProcForkMessage): Draft['write'] {
    const { pid, ppid, timeNs } = message
    this.#found.delete(pid)
    this.#live.delete(pid)
    const found = this.#find(message)
    const process: LiveProcess = {
      pid,
      startBootNs: startOf(timeNs, found),
      statStartNs: found?.startBootNs,
      ppid,
      pgid: found?.pgid,
      // Only setsid(2) changes it, and that is reported.
      sid: found?.sid ?? this.#live.get(ppid)?.sid,
      kernelThread: found?.kernelThread ?? ppid === KTHREADD,
      tids: new Map(),
      leaderEnd: undefined,
    }
    this.#live.set(pid, process)
    if (!this.#isWanted(process)) return undefined
    return (stale) => {
      if (found === undefined) this.unenriched += 1
      const identity = this.#identity(message, process, found, stale)
      this.#records.push(forkLayout, message, { ...identity, ppid, ...cwdField(found) })
    }
  }

  #exec(message: TimedMessage): Draft['write'] {
    const process = this.#processOf(message)
    const found = this.#find(message)
    if (process !== undefined) {
      // All other threads are gone, and the one that called is the first now.
      process.tids.clear()
      process.leaderEnd = undefined
      process.kernelThread = false
      process.pgid = found?.pgid ?? process.pgid
    }
    return (stale) => {
      const image = imageFields(found, stale)
      if (image.exe === undefined) this.unenriched += 1
      const identity = this.#identity(message, process, found, stale)
      this.#records.push(execLayout, message, { ...identity, ...cwdField(found), ...image }, this.#limits)
    }
  }

  #leaderExit(message: TimedMessage & ProcExitMessage): Draft['write'] {
    const { pid, timeNs, cpu, status } = message
    const process = this.#live.get(pid)
    if (process === undefined) {
      if (message.ppid === KTHREADD && !this.#settings.kernelThreads) return undefined
      return () => this.#pushExit(message, undefined)
    }
    if (message.ppid !== 0) process.ppid = message.ppid
    if (process.tids.size === 0) return this.#end(process, message)
    process.leaderEnd = { timeNs, cpu, status }
    this.#leaderless.add(process)
    return this.#threadEnd(message, process, process.startBootNs)
  }

  #threadExit(message: TimedMessage & ProcExitMessage): Draft['write'] {
    const process = this.#live.get(message.pid)
    const threadStartNs = process?.tids.get(message.tid)
    if (process === undefined || threadStartNs === undefined) return undefined
    process.tids.delete(message.tid)
    if (process.tids.size > 0 || process.leaderEnd === undefined) {
      return this.#threadEnd(message, process, threadStartNs)
    }
    // In a group exit all threads have the group's status.
    return this.#end(process, message)
  }

  /** The process ended, with the status of its last thread. */
  #end(process: LiveProcess, end: NonNullable<LiveProcess['leaderEnd']>): (stale: number) => void {
    const { pid, statStartNs } = process
    const stat = findStat({ pid, tid: pid, timeNs: end.timeNs, startBootNs: statStartNs })
    process.pgid = stat?.pgid ?? process.pgid
    this.#leaderless.delete(process)
    this.#live.delete(pid)
    return () => {
      if (this.#isWanted(process)) this.#pushExit({ ...end, pid, ppid: process.ppid }, process)
    }
  }

  #pushExit(
    end: { pid: number; ppid: number; status: number; cpu: number; timeNs: bigint },
    process: LiveProcess | undefined,
  ): void {
    const { pid, ppid, status } = end
    const { startBootNs, pgid, sid } = process ?? {}
    const hasSession = pgid !== undefined && sid !== undefined
    this.#records.push(exitLayout, end, {
      pid,
      tid: pid,
      known: HAS_ENDING | (ppid === 0 ? 0 : HAS_PARENT) | (hasSession ? HAS_SESSION : 0),
      ...(startBootNs === undefined ? {} : { startBootNs }),
      ppid,
      ...(hasSession ? { pgid, sid } : {}),
      leaderExitCode: status,
      groupExitCode: status,
      signalFlags: SIGNAL_GROUP_EXIT,
    })
  }

  #threadFork(message: TimedMessage & ProcForkMessage): Draft['write'] {
    const { pid, tid, timeNs } = message
    const process = this.#processOf(message)
    process?.tids.set(tid, timeNs)
    if (!this.#settings.threads || (process !== undefined && !this.#isWanted(process))) return undefined
    const comm = readLatin1(`/proc/${pid}/task/${tid}/comm`)?.slice(0, -1)
    return (stale) => {
      this.#records.push(threadForkLayout, message, {
        pid,
        tid,
        ...(process === undefined ? {} : { startBootNs: process.startBootNs }),
        threadStartBootNs: timeNs,
        ...(comm === undefined || (stale & HAS_COMM) !== 0 ? {} : { comm: Buffer.from(comm, 'latin1') }),
      })
    }
  }

  #threadEnd(
    message: TimedMessage & ProcExitMessage,
    process: LiveProcess,
    threadStartBootNs: bigint,
  ): Draft['write'] {
    if (!this.#settings.threads || !this.#isWanted(process)) return undefined
    const { pid, tid, status: exitCode } = message
    const { startBootNs } = process
    return () => {
      this.#records.push(threadExitLayout, message, { pid, tid, startBootNs, threadStartBootNs, exitCode })
    }
  }

  #idChange(message: TimedMessage, what: number, ids: ProcIdMessage | undefined): Draft['write'] {
    const process = this.#processOf(message)
    const found = this.#find(message)
    if (what === PROC_EVENT_SID && process !== undefined) {
      process.pgid = process.pid
      process.sid = process.pid
    }
    if (process !== undefined && !this.#isWanted(process)) return undefined
    return (stale) => {
      const tooNew = ids === undefined || agrees(found, ids) ? stale : stale | STALE_BY_IDS
      const identity = this.#identity(message, process, found, tooNew)
      if (what === PROC_EVENT_SID) {
        Object.assign(identity, { pgid: message.pid, sid: message.pid })
        identity.known |= HAS_SESSION
      } else if ((identity.known & HAS_IDS) === 0) {
        this.unenriched += 1
      }
      this.#records.push(idChangeLayout, message, { what, ...identity })
    }
  }

  #comm(message: TimedMessage & { readonly kind: 'comm' }): Draft['write'] {
    const { pid, tid, comm } = message
    if (pid !== tid) return undefined
    const process = this.#processOf(message)
    if (process !== undefined && !this.#isWanted(process)) return undefined
    return () => {
      const start = process === undefined ? {} : { startBootNs: process.startBootNs }
      this.#records.push(commLayout, message, { pid, tid, ...start, comm })
    }
  }

  /** The identity in a record: from the messages, and from what was found in /proc. */
  #identity(
    { pid, tid }: TimedMessage,
    process: LiveProcess | undefined,
    found: Found | undefined,
    stale: number,
  ): IdentityFields & { pid: number; tid: number; startBootNs?: bigint } {
    const fields = { pid, tid, ...identityFields(found, stale) }
    // If the parent is gone, the child has another parent now.
    const isOrphan = process === undefined || !this.#live.has(process.ppid)
    const ppid = isOrphan ? (found?.ppid ?? process?.ppid) : process.ppid
    if (ppid !== undefined) {
      fields.ppid = ppid
      fields.known |= HAS_PARENT
    }
    const startBootNs = pid === tid ? process?.startBootNs : process?.tids.get(tid) || found?.startBootNs
    return startBootNs === undefined ? fields : { ...fields, startBootNs }
  }

  /** The process that a message is about; one whose fork was lost is looked up in /proc. */
  #processOf({ pid, timeNs }: TimedMessage): LiveProcess | undefined {
    const known = this.#live.get(pid)
    if (known !== undefined) return known
    const process = readLiveProcess(pid, timeNs)
    if (process !== undefined) this.#live.set(pid, process)
    return process
  }

  #find({ pid, tid, timeNs }: TimedMessage): Found | undefined {
    if (this.#found.has(tid)) return this.#found.get(tid)
    const process = pid === tid ? this.#live.get(pid) : undefined
    const found = this.#enricher.find({ pid, tid, timeNs, startBootNs: process?.statStartNs })
    if (process !== undefined) process.statStartNs ??= found?.startBootNs
    this.#found.set(tid, found)
    return found
  }

  #isWanted({ kernelThread }: LiveProcess): boolean {
    return !kernelThread || this.#settings.kernelThreads
  }
}

/**
 * The kernel reports a fork a moment after it took the time of the start, of which /proc shows the tick: both
 * together are exact to the tick, and nearly so within it.
 */
function startOf(timeNs: bigint, found: Found | undefined): bigint {
  const endOfTickNs = (found?.startBootNs ?? timeNs) + TICK_NS - 1n
  return timeNs < endOfTickNs ? timeNs : endOfTickNs
}

function changesOf({ kind }: TimedMessage): number {
  switch (kind) {
    case 'fork':
      return STALE_ALL
    case 'exec':
      return STALE_BY_EXEC
    case 'uid':
    case 'gid':
      return STALE_BY_IDS
    case 'sid':
      return STALE_BY_SESSION
    case 'comm':
      return HAS_COMM
    default:
      return 0
  }
}

function addChanges(changed: Map<number, number>, tid: number, changes: number): void {
  if (changes !== 0) changed.set(tid, (changed.get(tid) ?? 0) | changes)
}

/** Whether /proc shows the ids of the message: if not, they have changed again since. */
function agrees(found: Found | undefined, { kind, realId, effectiveId }: ProcIdMessage): boolean {
  return kind === 'uid'
    ? found?.uid === realId && found.euid === effectiveId
    : found?.gid === realId && found.egid === effectiveId
}
