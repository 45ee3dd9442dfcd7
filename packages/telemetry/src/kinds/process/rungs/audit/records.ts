/** Makes records of audit events, completed from /proc. */

import { monotonicMs } from '../../../../event/time-base.js'
import {
  AUDIT_CWD,
  AUDIT_EXECVE,
  AUDIT_PATH,
  auditArgument,
  auditArguments,
  auditNumber,
  auditText,
  clockNs,
} from 'quark-ebpf'
import type { ProcessSettings as Settings } from '../../options.js'
import { HAS_COMM, HAS_ENDING, HAS_IDS, HAS_PARENT, HAS_SESSION } from '../../../../process/known.js'
import { PROC_EVENT_GID, PROC_EVENT_SID, PROC_EVENT_UID } from '../../kernel-ids.js'
import {
  commLayout,
  execFailedLayout,
  execLayout,
  exitLayout,
  forkLayout,
  idChangeLayout,
} from '../../records.js'
import type { CgroupHierarchy } from '../../../../process/procfs/cgroup-mounts.js'
import { callOf, type ProcessCall } from './calls.js'
import { changesOf, exitStatusOf, type Fields, idsOf, isFork, pathOf } from './fields.js'
import { childOf, isSingle, isThread } from './pids.js'
import type { AuditEvent, Maker, MakerContext, RecordWriter } from '../../../../facts/rungs.js'
import {
  cwdField,
  Enricher,
  findStat,
  type Found,
  identityFields,
  type IdentityFields,
  imageFields,
  STALE_ALL,
} from '../../../../process/procfs/enrich.js'

const CLONE_PARENT = 0x8000
const CLONE_THREAD = 0x1_0000
const CLONE_NEWUSER = 0x1000_0000
const SIGNAL_GROUP_EXIT = 4
/** Ended processes that are remembered: the fork of one may be reported after its end. */
const MAX_ENDED = 4096
/** The clock of audit events stands still for some ms, and is that of the beginning of a call. */
const CLOCK_SLACK_NS = 100_000_000n
/** A fork makes its child soon after the call began: a process with the pid that began later is another one. */
const FORK_TIME_NS = 1_000_000_000n
/** How often killed processes are checked for. */
const POLL_INTERVAL_MS = 1000
/** After so long, a single thread that called exit(2) is gone. */
const EXIT_TIME_MS = 100

/** What is known of a process from its events. */
interface AuditedProcess {
  readonly pid: number
  /** 0 when it is not known. */
  startBootNs: bigint
  /** It is as /proc has it, and so identifies the directory there. */
  isStartExact: boolean
  /** Time of its first event. */
  readonly firstNs: bigint
  /** Its fork was reported, or was before the queue was opened. */
  isForkReported: boolean
  hasEnded: boolean
  /** Its ids in its last call, as text. */
  ids: string | undefined
}

/** A record in the making. */
interface Draft {
  readonly pid: number
  /** What the call changed: groups of facts that /proc shows changed, however old the record. */
  readonly changes: number
  /** Writes the record, but for the facts that a later call changed before they were read. */
  readonly write: (stale: number) => void
}

export class AuditRecords implements Maker<AuditEvent> {
  /** Records that lack facts because their process was gone before it could be read. */
  unenriched = 0
  readonly #records: RecordWriter
  readonly #cpu: number
  #drafts: readonly Draft[] = []
  readonly #enricher: Enricher
  readonly #failedExecs: boolean
  /** Where the tails of an exec are cut. */
  readonly #limits: { readonly argv: number; readonly env: number }
  readonly #processes = new Map<number, AuditedProcess>()
  readonly #ended: AuditedProcess[] = []
  #nextLookMs = 0
  /** Processes that seemed gone at the last poll. */
  #gone = new Set<AuditedProcess>()
  /** Calls of exit(2) by single threads, until /proc shows whether the process ended. */
  #exits: { readonly call: AuditEvent; readonly sinceMs: number }[] = []

  /**
   * @param live the processes that run, and when they began
   */
  constructor(
    { settings, hierarchy }: { settings: Settings; hierarchy: CgroupHierarchy | undefined },
    { records, unknownCpu }: MakerContext,
    live: ReadonlyMap<number, bigint>,
  ) {
    const { maxArgvBytes, maxEnvBytes } = settings
    this.#records = records
    this.#cpu = unknownCpu
    this.#enricher = new Enricher(settings, hierarchy)
    this.#failedExecs = settings.failedExecs
    this.#limits = { argv: maxArgvBytes, env: maxEnvBytes }
    for (const [pid, startBootNs] of live) {
      const process = this.#processOf(pid, 0n)
      process.startBootNs = startBootNs
      process.isStartExact = true
      process.isForkReported = true
    }
  }

  take(events: readonly AuditEvent[]): void {
    this.#drafts = events.flatMap((event) => this.#draft(event) ?? [])
  }

  make(laterEvents: readonly AuditEvent[]): void {
    const drafts = this.#drafts
    this.#drafts = []
    const changed = new Map<number, number>()
    const note = (pid: number, changes: number): void => {
      changed.set(pid, (changed.get(pid) ?? 0) | changes)
    }
    for (const later of laterEvents) {
      const call = callOf(later)
      note(later.pid, changesOf(call))
      const child = auditNumber(later.fields.get('exit'))
      if (isFork(call) && child !== undefined) note(child, STALE_ALL)
    }
    const stale = drafts.map(() => 0)
    for (let i = drafts.length - 1; i >= 0; i--) {
      const { pid, changes } = drafts[i] as Draft
      stale[i] = changed.get(pid) ?? 0
      note(pid, changes)
    }
    for (const [i, { write }] of drafts.entries()) {
      write(stale[i] as number)
      // One by one: numbers must not fall, and times do, as calls are reported when they return.
      this.#records.settle()
    }
  }

  idle(): void {
    const nowMs = monotonicMs()
    this.settleExits(nowMs)
    if (nowMs < this.#nextLookMs) return
    this.#nextLookMs = nowMs + POLL_INTERVAL_MS
    this.endKilled(clockNs('boottime'))
  }

  /** Called when no message waits: reports processes that ended without a call, as killed ones do. */
  endKilled(nowNs: bigint): void {
    const gone = new Set<AuditedProcess>()
    for (const process of this.#processes.values()) {
      if (process.hasEnded || isRunning(process, nowNs)) continue
      // The event of its end may still be on its way.
      if (this.#gone.has(process)) this.#end(process, undefined, nowNs)()
      else gone.add(process)
    }
    this.#gone = gone
  }

  /** Reports those exits that have turned out to be the ends of processes. */
  settleExits(nowMs: number): void {
    this.#exits = this.#exits.filter(({ call, sinceMs }) => {
      const { pid, timeNs, fields } = call
      const process = this.#processes.get(pid)
      if (process === undefined || process.hasEnded) return false
      if (isRunning(process, timeNs + CLOCK_SLACK_NS)) return nowMs - sinceMs < EXIT_TIME_MS
      this.#end(process, exitStatusOf(fields), timeNs, auditNumber(fields.get('ppid')))()
      return false
    })
  }

  #draft(event: AuditEvent): Draft | undefined {
    const { pid, fields } = event
    const call = callOf(event)
    if (fields.get('success') === 'no') return call === 'exec' ? this.#execFailed(event) : undefined
    switch (call) {
      case 'abend':
        return this.#endBy(event, auditNumber(fields.get('sig')))
      case 'exec':
        return this.#exec(event)
      case 'fork':
      case 'clone':
      case 'clone3':
        return this.#fork(event, call)
      case 'exitGroup':
        return this.#endBy(event, exitStatusOf(fields))
      case 'exit':
        if (isSingle(pid)) this.#exits.push({ call: event, sinceMs: monotonicMs() })
        return undefined
      case 'setsid':
        return this.#idChange(event, PROC_EVENT_SID)
      case 'uid':
        return this.#idChange(event, PROC_EVENT_UID)
      case 'gid':
        return this.#idChange(event, PROC_EVENT_GID)
      case 'prctl':
        return this.#commChange(event)
      default:
        return undefined
    }
  }

  #exec({ pid, fields, records, timeNs }: AuditEvent): Draft {
    const process = this.#processOf(pid, timeNs)
    const seen = this.#find(process, timeNs)
    process.ids = idTextOf(fields)
    const argv = auditArguments(records.filter(({ type }) => type === AUDIT_EXECVE))
    const reportedCwd = auditText(records.find(({ type }) => type === AUDIT_CWD)?.fields.get('cwd'))
    const write = (stale: number): void => {
      const found = this.#ofTheSame(seen, stale)
      const exe = pathOf(auditText(fields.get('exe')), found)
      const cwd = pathOf(reportedCwd, found)
      const { env, envBytes } = imageFields(found, stale)
      const values = {
        ...this.#identity(process, found, fields, { stale }),
        ...(cwd === undefined ? cwdField(found) : { cwd }),
        ...(exe === undefined ? {} : { exe }),
        ...(argv === undefined || this.#limits.argv === 0 ? {} : { argv, argvBytes: argv.length }),
        ...(env === undefined || envBytes === undefined ? {} : { env, envBytes }),
      }
      this.#records.push(execLayout, this.#at(timeNs), values, this.#limits)
    }
    return { pid, changes: changesOf('exec'), write }
  }

  #execFailed({ pid, fields, records, timeNs }: AuditEvent): Draft | undefined {
    if (!this.#failedExecs) return undefined
    const filename = auditText(records.find(({ type }) => type === AUDIT_PATH)?.fields.get('name'))
    const { startBootNs } = this.#processOf(pid, timeNs)
    const write = (): void => {
      this.#records.push(execFailedLayout, this.#at(timeNs), {
        pid,
        tid: pid,
        startBootNs,
        result: auditNumber(fields.get('exit')) ?? 0,
        ...(filename === undefined ? {} : { filename }),
      })
    }
    return { pid, changes: 0, write }
  }

  #fork({ pid: callerPid, fields, timeNs }: AuditEvent, call: ProcessCall): Draft | undefined {
    const reportedPid = auditNumber(fields.get('exit'))
    // The flags of clone3(2) are in memory, and not reported.
    const flags = call === 'clone' ? auditArgument(fields.get('a0')) : call === 'fork' ? 0 : undefined
    if (reportedPid === undefined || reportedPid <= 0 || ((flags ?? 0) & CLONE_THREAD) !== 0) return undefined
    const pid = childOf(callerPid, reportedPid)
    const before = pid === undefined ? undefined : this.#processes.get(pid)
    // A call is reported when it returns: after vfork(2), the child has done something by then.
    const isLate = before !== undefined && !before.isForkReported && before.firstNs >= timeNs
    const thread = pid === undefined || flags !== undefined ? false : isThread(pid, isLate)
    if (thread === true) return undefined
    if (pid === undefined || thread === undefined) {
      this.unenriched += 1
      return undefined
    }
    // The pid was reused: if no exit of the process before was reported, it was killed.
    const endBefore =
      before === undefined || isLate || before.hasEnded ? undefined : this.#end(before, undefined, timeNs)
    const process = isLate ? before : this.#processOf(pid, timeNs)
    process.isForkReported = true
    const isNew = process.startBootNs === 0n
    const seen = process.hasEnded ? undefined : this.#find(process, timeNs + FORK_TIME_NS)
    // Exact to a step of audit's clock: without it, a process could not be distinguished from the next with its pid.
    if (isNew && seen === undefined) process.startBootNs = timeNs
    const isCopy = flags !== undefined && (flags & CLONE_NEWUSER) === 0
    const isSibling = ((flags ?? 0) & CLONE_PARENT) !== 0
    const write = (stale: number): void => {
      endBefore?.()
      if (stale === STALE_ALL && isNew) {
        process.startBootNs = timeNs
        process.isStartExact = false
      }
      const found = this.#ofTheSame(seen, stale)
      const ppid = isSibling ? auditNumber(fields.get('ppid')) : flags === undefined ? found?.ppid : callerPid
      const identity = this.#identity(process, found, fields, { stale, fromCall: isCopy ? HAS_IDS : 0 })
      if (ppid !== undefined) {
        identity.ppid = ppid
        identity.known |= HAS_PARENT
      }
      const creatorPid = flags === undefined ? 0 : callerPid
      this.#records.push(forkLayout, this.#at(timeNs), { ...identity, creatorPid, ...cwdField(found) })
    }
    return { pid, changes: STALE_ALL, write }
  }

  #endBy({ pid, fields, timeNs }: AuditEvent, status: number | undefined): Draft | undefined {
    // Several threads may call exit_group(2): only the first ends the process.
    if (this.#processes.get(pid)?.hasEnded === true) return undefined
    const write = this.#end(this.#processOf(pid, timeNs), status, timeNs, auditNumber(fields.get('ppid')))
    return { pid, changes: 0, write }
  }

  #idChange(event: AuditEvent, what: number): Draft | undefined {
    const { pid, fields, timeNs } = event
    const process = this.#processOf(pid, timeNs)
    const before = process.ids
    process.ids = idTextOf(fields)
    // The call may have set what was there.
    if (what !== PROC_EVENT_SID && before !== undefined && before === process.ids) return undefined
    const found = this.#find(process, timeNs)
    const write = (stale: number): void => {
      const identity = this.#identity(process, found, fields, { stale })
      if (what === PROC_EVENT_SID) {
        Object.assign(identity, { pgid: pid, sid: pid })
        identity.known |= HAS_SESSION
      }
      this.#records.push(idChangeLayout, this.#at(timeNs), { what, ...identity })
    }
    return { pid, changes: changesOf(callOf(event)), write }
  }

  /** A thread has named itself: the first one, if /proc shows the same name of the process. */
  #commChange({ pid, fields, timeNs }: AuditEvent): Draft | undefined {
    const process = this.#processOf(pid, timeNs)
    const comm = auditText(fields.get('comm'))
    const found = this.#find(process, timeNs)
    if (found === undefined) this.unenriched += 1
    if (comm === undefined || found?.comm === undefined || Buffer.compare(comm, found.comm) !== 0) {
      return undefined
    }
    const { startBootNs } = process
    const write = (): void =>
      this.#records.push(commLayout, this.#at(timeNs), { pid, tid: pid, startBootNs, comm })
    return { pid, changes: HAS_COMM, write }
  }

  /** Marks a process as ended, and returns a function that writes the record. */
  #end(process: AuditedProcess, status: number | undefined, timeNs: bigint, ppid?: number): () => void {
    process.hasEnded = true
    this.#ended.push(process)
    const oldest = this.#ended.length > MAX_ENDED ? this.#ended.shift() : undefined
    if (oldest !== undefined && this.#processes.get(oldest.pid) === oldest) this.#processes.delete(oldest.pid)
    return () => {
      const { pid, startBootNs } = process
      this.#records.push(exitLayout, this.#at(timeNs), {
        pid,
        tid: pid,
        known: (status === undefined ? 0 : HAS_ENDING) | (ppid === undefined ? 0 : HAS_PARENT),
        startBootNs,
        ppid: ppid ?? 0,
        leaderExitCode: status ?? 0,
        groupExitCode: status ?? 0,
        signalFlags: SIGNAL_GROUP_EXIT,
      })
      this.#records.settle()
    }
  }

  /** The identity in a record: the groups `fromCall` and the name are the call's, and the rest is as it was found. */
  #identity(
    { pid, startBootNs }: AuditedProcess,
    found: Found | undefined,
    fields: Fields,
    { stale, fromCall = HAS_IDS | HAS_PARENT }: { stale: number; fromCall?: number },
  ): IdentityFields & { pid: number; tid: number; startBootNs: bigint } {
    const identity = identityFields(found, fromCall | HAS_COMM | stale)
    const ids = (fromCall & HAS_IDS) === 0 ? undefined : idsOf(fields)
    const comm = auditText(fields.get('comm'))
    const ppid = (fromCall & HAS_PARENT) === 0 ? undefined : auditNumber(fields.get('ppid'))
    const known =
      (ids === undefined ? 0 : HAS_IDS) |
      (comm === undefined ? 0 : HAS_COMM) |
      (ppid === undefined ? 0 : HAS_PARENT)
    return {
      pid,
      tid: pid,
      startBootNs,
      ...identity,
      ...ids,
      ...(comm === undefined ? {} : { comm }),
      ...(ppid === undefined ? {} : { ppid }),
      known: identity.known | known,
    }
  }

  /** The CPU and time of a record: audit does not report the CPU of a call. */
  #at(timeNs: bigint): { readonly cpu: number; readonly timeNs: bigint } {
    return { cpu: this.#cpu, timeNs }
  }

  /** The process that has a pid: the one that is known, or a new one if that has ended before. */
  #processOf(pid: number, timeNs: bigint): AuditedProcess {
    const known = this.#processes.get(pid)
    if (known !== undefined && !known.hasEnded) return known
    const process = {
      pid,
      startBootNs: 0n,
      isStartExact: false,
      firstNs: timeNs,
      isForkReported: false,
      hasEnded: false,
      ids: undefined,
    }
    this.#processes.set(pid, process)
    return process
  }

  /**
   * What was found in /proc, unless the pid was reused since: then it may be of the next process.
   * Counts the record as unenriched if nothing is left.
   */
  #ofTheSame(found: Found | undefined, stale: number): Found | undefined {
    const same = stale === STALE_ALL ? undefined : found
    if (same === undefined) this.unenriched += 1
    return same
  }

  #find(process: AuditedProcess, timeNs: bigint): Found | undefined {
    const { pid, startBootNs, isStartExact } = process
    const found = this.#enricher.find({
      pid,
      tid: pid,
      timeNs: timeNs + CLOCK_SLACK_NS,
      startBootNs: isStartExact ? startBootNs : undefined,
    })
    if (startBootNs === 0n && found?.startBootNs !== undefined) {
      process.startBootNs = found.startBootNs
      process.isStartExact = true
    }
    return found
  }
}

function idTextOf(fields: Fields): string | undefined {
  const ids = idsOf(fields)
  return ids === undefined ? undefined : Object.values(ids).join()
}

function isRunning({ pid, startBootNs, isStartExact }: AuditedProcess, nowNs: bigint): boolean {
  const start = isStartExact ? startBootNs : undefined
  return findStat({ pid, tid: pid, timeNs: nowNs, startBootNs: start })?.ended === false
}
