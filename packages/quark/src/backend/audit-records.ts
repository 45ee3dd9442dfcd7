/** Makes records of audit events, with what /proc adds to them. */

import {
  AUDIT_ANOM_ABEND,
  AUDIT_CWD,
  AUDIT_EOE,
  AUDIT_EXECVE,
  AUDIT_PATH,
  AUDIT_SYSCALL,
  auditArgument,
  auditArguments,
  auditNumber,
  type AuditRecord,
  auditText,
} from '@quark/ebpf'
import type { Settings } from '../check-options.js'
import {
  execProbe,
  HAS_COMM,
  HAS_ENDING,
  HAS_IDS,
  HAS_PARENT,
  HAS_SESSION,
  PROC_EVENT_GID,
  PROC_EVENT_SID,
  PROC_EVENT_UID,
} from '../kinds/process/kernel.js'
import { execFailedLayout, exitLayout, forkLayout, idChangeLayout } from '../kinds/process/layouts.js'
import type { CgroupHierarchy } from '../state/cgroups-mounts.js'
import { type AuditedCall, auditedCalls } from './audit-calls.js'
import { childOf, isSingle, isThread } from './audit-pids.js'
import type { Outbox } from './outbox.js'
import {
  cwdField,
  Enricher,
  findStat,
  type Found,
  identityFields,
  type IdentityFields,
} from './proc-enrich.js'

const CLONE_PARENT = 0x8000
const CLONE_THREAD = 0x1_0000
const CLONE_NEWUSER = 0x1000_0000
const SIGNAL_GROUP_EXIT = 4
/** Events that may be incomplete at a time: older ones have lost their end. */
const MAX_OPEN_EVENTS = 256
/** The clock of audit events stands still for some ms, and is that of the beginning of a call. */
const CLOCK_SLACK_NS = 20_000_000n
/** A single thread that called exit(2) is gone by then. */
const EXIT_TIME_MS = 100
const DELETED = ' (deleted)'

type Fields = AuditRecord['fields']

/** A system call: its SYSCALL record and those that belong to it. */
interface Call {
  readonly call: AuditedCall
  readonly pid: number
  readonly fields: Fields
  readonly records: readonly AuditRecord[]
  readonly timeNs: bigint
}

export class AuditRecords {
  /** Records that lack facts because their process was gone before it could be looked at. */
  unenriched = 0
  readonly #outbox: Outbox
  readonly #enricher: Enricher
  readonly #failedExecs: boolean
  readonly #execLayout
  readonly #bootEpochNs: () => bigint
  readonly #calls = new Map(auditedCalls().map(({ arch, calls }) => [arch, calls]))
  readonly #open = new Map<number, AuditRecord[]>()
  /** Processes that run, when they began (0 when that is not known), and those that seemed gone before. */
  readonly #live: Map<number, bigint>
  #gone = new Set<number>()
  readonly #ids = new Map<number, string>()
  /** Calls of exit(2), which ends a thread, by single threads. */
  #exits: { readonly call: Call; readonly sinceMs: number }[] = []
  #lastMs = 0
  #inMs = 0

  /**
   * @param live the processes that run, and when they began; kept up to date
   * @param bootEpochNs the wall clock less CLOCK_BOOTTIME
   */
  constructor(
    { settings, hierarchy }: { settings: Settings; hierarchy: CgroupHierarchy | undefined },
    outbox: Outbox,
    live: Map<number, bigint>,
    bootEpochNs: () => bigint,
  ) {
    const { maxArgvBytes, maxEnvBytes } = settings
    this.#outbox = outbox
    this.#enricher = new Enricher(settings, hierarchy)
    this.#failedExecs = settings.failedExecs
    this.#live = live
    this.#bootEpochNs = bootEpochNs
    const limits = { maxArgvBytes, maxEnvBytes, cgroupHierarchy: 'unified', kernelThreads: false } as const
    this.#execLayout = execProbe(limits).layout
  }

  /** Takes in one record; those of an event follow each other, and others may come in between. */
  take(record: AuditRecord): void {
    const { type, serial } = record
    if (type === AUDIT_ANOM_ABEND) {
      this.#abend(record)
      return
    }
    if (type === AUDIT_EOE) {
      this.#complete(serial)
      return
    }
    const event = this.#open.get(serial)
    if (event !== undefined) {
      event.push(record)
      return
    }
    this.#open.set(serial, [record])
    const [oldest = serial] = this.#open.keys()
    if (this.#open.size > MAX_OPEN_EVENTS) this.#complete(oldest)
  }

  /** No record waits: tells of processes that ended without a call, as those do that are killed. */
  endKilled(nowNs: bigint): void {
    const gone = new Set<number>()
    for (const [pid, startBootNs] of this.#live) {
      const stat = findStat({ pid, tid: pid, timeNs: nowNs, ...(startBootNs === 0n ? {} : { startBootNs }) })
      if (stat !== undefined && !stat.ended) continue
      // What it said at its end may still be on its way.
      if (this.#gone.has(pid)) this.#end(pid, undefined, nowNs, undefined)
      else gone.add(pid)
    }
    this.#gone = gone
  }

  /** Tells of those exits that have turned out to be the ends of processes. */
  settleExits(nowMs: number): void {
    this.#exits = this.#exits.filter(({ call, sinceMs }) => {
      const { pid, timeNs, fields } = call
      if (!this.#live.has(pid)) return false
      const startBootNs = this.#live.get(pid) || undefined
      const stat = findStat({ pid, tid: pid, timeNs: timeNs + CLOCK_SLACK_NS, startBootNs })
      if (stat !== undefined && !stat.ended) return nowMs - sinceMs < EXIT_TIME_MS
      this.#end(pid, exitStatusOf(fields), timeNs, auditNumber(fields.get('ppid')))
      return false
    })
  }

  #complete(serial: number): void {
    const records = this.#open.get(serial)
    this.#open.delete(serial)
    const syscall = records?.find(({ type }) => type === AUDIT_SYSCALL)
    if (records === undefined || syscall === undefined) return
    const { fields, timeMs } = syscall
    const call = this.#calls
      .get(Number.parseInt(fields.get('arch') ?? '', 16))
      ?.get(Number(fields.get('syscall')))
    const pid = auditNumber(fields.get('pid'))
    if (call === undefined || pid === undefined) return
    const isFork = call === 'fork' || call === 'clone' || call === 'clone3'
    this.#apply({ call, pid, fields, records, timeNs: this.#timeNs(timeMs, isFork) })
    // One by one: numbers must not fall, and times do, as calls are told when they return.
    this.#outbox.settle()
  }

  /** Within the clock's step, children are made before anything else, and the rest keeps its order. */
  #timeNs(timeMs: number, isFork: boolean): bigint {
    this.#inMs = timeMs === this.#lastMs ? Math.min(this.#inMs + 1, 9000) : 0
    this.#lastMs = timeMs
    return BigInt(timeMs) * 1_000_000n - this.#bootEpochNs() + (isFork ? 0n : BigInt(1000 + this.#inMs * 100))
  }

  #apply(call: Call): void {
    const isSuccess = call.fields.get('success') === 'yes'
    switch (call.call) {
      case 'exec':
        if (isSuccess) this.#exec(call)
        else if (this.#failedExecs) this.#execFailed(call)
        return
      case 'fork':
      case 'clone':
      case 'clone3':
        if (isSuccess) this.#fork(call)
        return
      case 'exitGroup':
        this.#end(call.pid, exitStatusOf(call.fields), call.timeNs, auditNumber(call.fields.get('ppid')))
        return
      case 'exit':
        if (!isSingle(call.pid)) return
        this.#exits.push({ call, sinceMs: performance.now() })
        return
      case 'setsid':
        if (isSuccess) this.#idChange(call, PROC_EVENT_SID)
        return
      case 'uid':
      case 'gid':
        if (isSuccess) this.#idChange(call, call.call === 'uid' ? PROC_EVENT_UID : PROC_EVENT_GID)
    }
  }

  #exec(call: Call): void {
    const { pid, fields, records, timeNs } = call
    const found = this.#find(pid, timeNs)
    const exe = pathOf(auditText(fields.get('exe')), found)
    const argv = auditArguments(records.filter(({ type }) => type === AUDIT_EXECVE))
    if (found === undefined) this.unenriched += 1
    const cwd = pathOf(auditText(records.find(({ type }) => type === AUDIT_CWD)?.fields.get('cwd')), found)
    const isSameImage =
      found?.exe !== undefined && exe !== undefined && Buffer.compare(found.exe, exe.path) === 0
    const env = isSameImage ? found.env : undefined
    this.#outbox.push(
      this.#execLayout,
      { cpu: 0, timeNs },
      {
        ...this.#identity(pid, found, fields),
        ...(cwd === undefined ? cwdField(found) : { cwd }),
        ...(exe === undefined ? {} : { exe }),
        ...(argv === undefined || this.#maxArgvBytes === 0 ? {} : { argv, argvBytes: argv.length }),
        ...(env === undefined ? {} : { env, envBytes: found?.envSizeBytes ?? env.length }),
      },
    )
  }

  #execFailed({ pid, fields, records, timeNs }: Call): void {
    const filename = auditText(records.find(({ type }) => type === AUDIT_PATH)?.fields.get('name'))
    this.#outbox.push(
      execFailedLayout,
      { cpu: 0, timeNs },
      {
        pid,
        tid: pid,
        startBootNs: this.#live.get(pid) ?? 0n,
        result: auditNumber(fields.get('exit')) ?? 0,
        ...(filename === undefined ? {} : { filename }),
      },
    )
  }

  #fork({ call, pid: callerPid, fields, timeNs }: Call): void {
    const told = auditNumber(fields.get('exit'))
    const flags = call === 'clone' ? auditArgument(fields.get('a0')) : call === 'fork' ? 0 : undefined
    if (told === undefined || told <= 0 || ((flags ?? 0) & CLONE_THREAD) !== 0) return
    const pid = childOf(callerPid, told)
    // The flags of clone3(2) are in memory, and not told.
    if (flags === undefined && pid !== undefined && isThread(pid, this.#live.has(pid))) return
    if (pid === undefined || (flags === undefined && isThread(pid, this.#live.has(pid)) === undefined)) {
      this.unenriched += 1
      return
    }
    const found = this.#find(pid, timeNs)
    if (found === undefined) this.unenriched += 1
    const copied = flags !== undefined && (flags & CLONE_NEWUSER) === 0 ? HAS_IDS : 0
    const identity = this.#identity(pid, found, fields, copied | HAS_COMM)
    const isSibling = ((flags ?? 0) & CLONE_PARENT) !== 0
    const ppid = isSibling ? auditNumber(fields.get('ppid')) : flags === undefined ? found?.ppid : callerPid
    if (ppid !== undefined) {
      identity.ppid = ppid
      identity.known |= HAS_PARENT
    }
    this.#outbox.push(forkLayout, { cpu: 0, timeNs }, { ...identity, ...cwdField(found) })
  }

  #idChange({ pid, fields, timeNs }: Call, what: number): void {
    const before = this.#ids.get(pid)
    const found = this.#find(pid, timeNs)
    const identity = this.#identity(pid, found, fields)
    if (what === PROC_EVENT_SID) {
      Object.assign(identity, { pgid: pid, sid: pid })
      identity.known |= HAS_SESSION
    } else if (before !== undefined && before === this.#ids.get(pid)) {
      // The call set what was there.
      return
    }
    this.#outbox.push(idChangeLayout, { cpu: 0, timeNs }, { what, ...identity })
  }

  /** A signal that dumps core killed a process. */
  #abend({ fields, timeMs }: AuditRecord): void {
    const pid = auditNumber(fields.get('pid'))
    const signal = auditNumber(fields.get('sig'))
    if (pid === undefined || signal === undefined || !this.#live.has(pid)) return
    this.#end(pid, signal, this.#timeNs(timeMs, false), undefined)
    this.#outbox.settle()
  }

  #end(pid: number, status: number | undefined, timeNs: bigint, ppid: number | undefined): void {
    const startBootNs = this.#live.get(pid)
    // Several threads may end a process, of which one does.
    if (startBootNs === undefined) return
    this.#live.delete(pid)
    this.#ids.delete(pid)
    this.#outbox.push(
      exitLayout,
      { cpu: 0, timeNs },
      {
        pid,
        tid: pid,
        known: (status === undefined ? 0 : HAS_ENDING) | (ppid === undefined ? 0 : HAS_PARENT),
        startBootNs,
        ppid: ppid ?? 0,
        leaderExitCode: status ?? 0,
        groupExitCode: status ?? 0,
        signalFlags: SIGNAL_GROUP_EXIT,
      },
    )
    this.#outbox.settle()
  }

  /** The identity in a record: `told` groups of the call's, and the rest as it was found. */
  #identity(
    pid: number,
    found: Found | undefined,
    fields: Fields,
    told = HAS_IDS | HAS_COMM | HAS_PARENT,
  ): IdentityFields & { pid: number; tid: number; startBootNs: bigint } {
    const identity = identityFields(found, told)
    if ((told & HAS_IDS) !== 0) this.#readIds(pid, fields, identity)
    const comm = auditText(fields.get('comm'))
    if (comm !== undefined) {
      identity.comm = comm
      identity.known |= HAS_COMM
    }
    const ppid = auditNumber(fields.get('ppid'))
    if ((told & HAS_PARENT) !== 0 && ppid !== undefined) {
      identity.ppid = ppid
      identity.known |= HAS_PARENT
    }
    return { pid, tid: pid, startBootNs: this.#live.get(pid) ?? 0n, ...identity }
  }

  #readIds(pid: number, fields: Fields, identity: IdentityFields): void {
    const numbers = ['uid', 'gid', 'suid', 'sgid', 'euid', 'egid'].map((id) => auditNumber(fields.get(id)))
    const [uid, gid, suid, sgid, euid, egid] = numbers
    if (numbers.includes(undefined)) return
    Object.assign(identity, { uid, gid, suid, sgid, euid, egid })
    identity.known |= HAS_IDS
    this.#ids.set(pid, numbers.join())
  }

  #find(pid: number, timeNs: bigint): Found | undefined {
    const startBootNs = this.#live.get(pid) || undefined
    const found = this.#enricher.find({ pid, tid: pid, timeNs: timeNs + CLOCK_SLACK_NS, startBootNs })
    this.#live.set(pid, found?.startBootNs ?? startBootNs ?? 0n)
    return found
  }

  get #maxArgvBytes(): number {
    return this.#execLayout.tails.find(({ name }) => name === 'argv')?.maxBytes ?? 0
  }
}

/** As wait(2) has it. */
function exitStatusOf(fields: Fields): number | undefined {
  const code = auditArgument(fields.get('a0'))
  return code === undefined ? undefined : (code & 0xff) << 8
}

/** A path as the kernel shows it, which marks removed files behind their name. */
function pathOf(text: Uint8Array | undefined, found: Found | undefined) {
  if (text === undefined) return undefined
  const root = found?.root === undefined ? {} : { root: found.root }
  const latin1 = Buffer.from(text).toString('latin1')
  if (!latin1.endsWith(DELETED)) return { path: text, deleted: false, ...root }
  const path = latin1.slice(0, -DELETED.length)
  // A memfd never was in a directory.
  if (path.startsWith('/memfd:')) return { path: Buffer.from(path.slice(1), 'latin1'), deleted: false }
  return { path: Buffer.from(path, 'latin1'), deleted: true, ...root }
}
