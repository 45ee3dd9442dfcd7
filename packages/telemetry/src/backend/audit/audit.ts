/** The kernel's audit system as a backend: needs no eBPF and no probes, only CAP_AUDIT_CONTROL and _READ. */

import {
  AuditControl,
  clockNs,
  type Fd,
  makeRoom,
  openAuditLog,
  parseAuditRecord,
  receiveAuditRecord,
  receiveQueue,
  possibleCpuCount,
} from 'quark-ebpf'
import type { AttachedFact, MissingFact } from '../../pipeline/stats.js'
import { AuditEvents } from './events.js'
import { AuditRecords } from './records.js'
import { AuditRules } from './rules.js'
import type { Backend } from '../backend.js'
import type { BackendContext } from '../index.js'
import { Outbox } from '../outbox.js'
import { checkProc } from '../../process/procfs/enrich.js'
import { scanLiveProcesses } from '../proc-connector/table.js'
import { SocketBackend } from '../socket-backend.js'

/** Records that may wait. No more messages are read while half of them do: the socket has more room. */
const MAX_RECORDS = 4096
/** Events that are read before /proc is. */
const MAX_EVENTS = 256
/** A process makes about ten messages, each of which takes more of its socket than its own size. */
const ROOM_FACTOR = 16
/** The longest message, MAX_AUDIT_MESSAGE_LENGTH and its header. */
const MAX_MESSAGE_BYTES = 8970 + 16
/** Losses, and processes that were killed, are looked for this often. */
const CHECK_INTERVAL_MS = 1000

/**
 * Opens the audit log, adds rules for the calls that tell of processes, and turns auditing on if it is off. All of
 * that is undone when the backend is closed, or by the next one if this process is killed.
 *
 * @throws {QuarkError} ERR_QUARK_SYSTEM when the audit system may not be changed, or would tell nothing, and when
 * /proc is of another pid namespace
 * @throws {EbpfError} when the kernel refuses
 */
export function openAudit(context: BackendContext): Backend {
  const { settings, clock } = context
  checkProc('audit')
  const outbox = new Outbox(possibleCpuCount() + 1, MAX_RECORDS)
  const control = new AuditControl()
  let log: Fd | undefined
  let rules: AuditRules | undefined
  try {
    log = openAuditLog()
    makeRoom(log, settings.ringSizeBytes * ROOM_FACTOR)
    rules = new AuditRules(control, settings.failedExecs)
    const scanned = [...scanLiveProcesses(clockNs('boottime')).values()].filter(
      ({ kernelThread }) => !kernelThread,
    )
    const live = new Map(scanned.map(({ pid, startBootNs }) => [pid, startBootNs]))
    const records = new AuditRecords(context, outbox, live)
    const events = new AuditEvents(() => clock.bootEpochNs)
    return new AuditBackend({ control, log, rules, events, records, outbox }, missingFacts(context, rules))
  } catch (error) {
    rules?.[Symbol.dispose]()
    log?.close()
    control.close()
    throw error
  }
}

interface Parts {
  readonly control: AuditControl
  readonly log: Fd
  readonly rules: AuditRules
  readonly events: AuditEvents
  readonly records: AuditRecords
  readonly outbox: Outbox
}

class AuditBackend extends SocketBackend {
  readonly name = 'audit'
  readonly attached: readonly AttachedFact[]
  readonly missing: readonly MissingFact[]
  readonly #parts: Parts
  readonly #buffer = Buffer.alloc(MAX_MESSAGE_BYTES)
  #nextCheckMs = 0
  #kernelLost: number
  #socketLost = 0
  #isStopped = false

  constructor(parts: Parts, missing: readonly MissingFact[]) {
    super(parts.log, parts.outbox)
    this.#parts = parts
    this.attached = attachedFacts(parts.rules.ownerPid)
    this.missing = missing
    this.#kernelLost = parts.control.status().lost
  }

  get unenriched(): number {
    return this.#parts.records.unenriched
  }

  /** The rules go, so that no more records come; those that wait can be read. */
  stop(): void {
    if (this.#isStopped) return
    this.#isStopped = true
    this.#noteLosses()
    this.#parts.rules[Symbol.dispose]()
  }

  protected close(): void {
    this.stop()
    this.#parts.log.close()
    this.#parts.control.close()
  }

  protected read(): void {
    const { records } = this.#parts
    while (this.outbox.fullness < 0.5) {
      this.#receive()
      const events = this.#parts.events.takeComplete()
      if (events.length === 0) {
        this.#check()
        return
      }
      records.make(events, () => {
        this.#receive()
        return this.#parts.events.complete
      })
    }
  }

  #receive(): void {
    while (this.#parts.events.complete.length < MAX_EVENTS) {
      const length = receiveAuditRecord(this.#parts.log, this.#buffer)
      if (length === 0) return
      const record = parseAuditRecord(this.#buffer.subarray(0, length))
      if (record !== undefined) this.#parts.events.take(record)
    }
  }

  #check(): void {
    const nowMs = performance.now()
    this.#parts.records.settleExits(nowMs)
    if (nowMs < this.#nextCheckMs) return
    this.#nextCheckMs = nowMs + CHECK_INTERVAL_MS
    this.#parts.records.endKilled(clockNs('boottime'))
    if (!this.#isStopped) this.#noteLosses()
  }

  /** Dropped by the kernel for want of room in its backlog, or in this socket. */
  #noteLosses(): void {
    const { control, log } = this.#parts
    const kernelLost = control.status().lost
    const socketLost = receiveQueue(log)?.drops ?? this.#socketLost
    const count = ((kernelLost - this.#kernelLost) >>> 0) + ((socketLost - this.#socketLost) >>> 0)
    this.#kernelLost = kernelLost
    this.#socketLost = socketLost
    if (count > 0) this.outbox.noteLost(0, count)
  }
}

const CALL_FACTS = {
  fork: 'clone, clone3, fork, vfork',
  exec: 'execve, execveat',
  exit: 'exit_group, exit',
  commChange: 'prctl(PR_SET_NAME)',
  idChange: 'setsid, setuid, setgid, setreuid, setregid, setresuid, setresgid',
}

/** Files of a process, and what they add to its records. */
const PROCFS_FACTS = {
  stat: 'start time, pgid, sid, tty',
  status: 'capabilities',
  environ: 'env',
  root: 'root',
  ns: 'namespaces',
  cgroup: 'cgroup',
}

function attachedFacts(ownerPid: number): AttachedFact[] {
  const flavor = ownerPid === 0 ? 'multicast' : `multicast, beside process ${ownerPid}`
  return [
    ...Object.entries(CALL_FACTS).map(([fact, calls]) => ({ fact, hook: `audit/${calls}`, flavor })),
    { fact: 'exit by a signal that dumps core', hook: 'audit/ANOM_ABEND', flavor },
    ...Object.entries(PROCFS_FACTS).map(([file, fact]) => ({
      fact,
      hook: `/proc/PID/${file}`,
      flavor: 'procfs',
    })),
  ]
}

function missingFacts({ settings }: BackendContext, { wasDisabled }: AuditRules): MissingFact[] {
  const missing = [
    {
      fact: 'exit.status of killed processes',
      reason:
        'audit does not tell of signals; that such a process ended is seen in /proc, some seconds later',
    },
    { fact: 'exit.coreDumped', reason: 'audit tells the signal, and not whether there was a dump' },
    {
      fact: 'commChange through /proc',
      reason: 'audit tells of prctl(2), and not of names that are written to /proc/PID/comm',
    },
    {
      fact: 'exact times',
      reason:
        "audit's clock advances in steps of some ms; starts of processes that /proc does not show any more are by " +
        'that clock too',
    },
    { fact: 'cgroupNames', reason: 'audit does not tell of new cgroups: they are found by a scan' },
    {
      fact: 'facts of short-lived processes',
      reason:
        'what audit does not tell is read from /proc, where a process that ends at once is not found any more: ' +
        'stats().unenriched counts them',
    },
  ]
  if (wasDisabled) {
    missing.push({
      fact: 'calls of older processes',
      reason:
        'auditing was off, and the kernel cannot audit processes that began before it was on for the first time: ' +
        'their forks are not told (boot with audit=1)',
    })
  }
  if (settings.threads) missing.push({ fact: 'threads', reason: 'audit tells no ids of threads' })
  if (settings.usage) missing.push({ fact: 'usage', reason: 'audit does not tell what a process used' })
  return missing
}
