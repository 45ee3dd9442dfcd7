/** The kernel's audit system as a backend: needs no eBPF and no probes, only CAP_AUDIT_CONTROL and _READ. */

import { monotonicMs } from '../../event/time-base.js'
import {
  AuditControl,
  type Fd,
  makeRoom,
  openAuditLog,
  parseAuditRecord,
  receiveAuditRecord,
  receiveQueue,
} from 'quark-ebpf'
import { LANES, UNKNOWN_LANE } from '../lanes.js'
import type { AttachedFact, MissingFact } from '../../facts/fact.js'
import type { AuditedCall, AuditEvent } from '../../facts/rungs.js'
import { checkProc } from '../../process/procfs/enrich.js'
import { attachFacts } from '../attach-facts.js'
import type { Backend } from '../backend.js'
import { closeAfterError, closeAll } from '../close-all.js'
import type { BackendContext } from '../context.js'
import { Makers } from '../makers.js'
import { Outbox } from '../outbox.js'
import { SocketBackend } from '../socket-backend.js'
import { AuditEvents } from './events.js'
import { AuditRules } from './rules.js'

/** Records that may wait. No more messages are read while half of them do: the socket has more room. */
const MAX_RECORDS = 4096
/** Most events of one batch: after it, /proc is read for them. */
const MAX_EVENTS = 256
/** A process makes about ten messages, each of which takes more of its socket than its own size. */
const ROOM_FACTOR = 16
/** The longest message, MAX_AUDIT_MESSAGE_LENGTH and its header. */
const MAX_MESSAGE_BYTES = 8970 + 16
/** How often losses are checked for. */
const CHECK_INTERVAL_MS = 1000

/**
 * Opens the audit log, adds rules for the calls that the facts need, and turns auditing on if it is off. All of
 * that is undone when the backend is closed, or by the next one if this process is killed.
 *
 * @throws {QuarkError} ERR_QUARK_SYSTEM when the audit system may not be changed, or would report nothing, and when
 * /proc is of another pid namespace
 * @throws {EbpfError} when the kernel refuses
 */
export function openAudit(context: BackendContext): Backend {
  const { settings, facts, sources, clock } = context
  checkProc('audit')
  const outbox = new Outbox(LANES, MAX_RECORDS)
  const control = new AuditControl()
  let log: Fd | undefined
  let rules: AuditRules | undefined
  try {
    log = openAuditLog()
    makeRoom(log, settings.ringSizeBytes * ROOM_FACTOR)
    const { ownerPid } = control.status()
    const flavor = ownerPid === 0 ? 'multicast' : `multicast, beside process ${ownerPid}`
    const makers = new Makers<AuditEvent>()
    const calls: AuditedCall[] = []
    const types: number[] = []
    const { attached, missing } = attachFacts(facts, 'audit', sources, (rung) => ({
      attach: () => {
        const { hook, records = [], lacks = [] } = rung
        calls.push(...rung.calls)
        types.push(...records.map(({ type }) => type))
        makers.use(rung.maker)
        return {
          hooks: [
            { hook: `audit/${hook}`, flavor },
            ...records.map((record) => ({ what: record.what, hook: `audit/${record.hook}`, flavor })),
          ],
          lacks,
        }
      },
    }))
    rules = new AuditRules(control, calls)
    makers.open({ records: outbox, unknownCpu: UNKNOWN_LANE })
    const events = new AuditEvents(() => clock.bootEpochNs, calls, types)
    const { lost } = control.status()
    return new AuditBackend(
      { control, log, rules, events, makers, outbox, lost },
      {
        attached: [...attached, ...makers.attached],
        missing: rules.wasDisabled ? [...missing, OLDER_PROCESSES] : missing,
      },
    )
  } catch (error) {
    closeAfterError(
      () => rules?.[Symbol.dispose](),
      () => log?.close(),
      () => control.close(),
    )
    throw error
  }
}

const OLDER_PROCESSES: MissingFact = {
  fact: 'calls of older processes',
  reason:
    'auditing was off, and the kernel cannot audit processes that began before it was on for the first time: ' +
    'their calls are not reported (boot with audit=1)',
}

interface Parts {
  readonly control: AuditControl
  readonly log: Fd
  readonly rules: AuditRules
  readonly events: AuditEvents
  readonly makers: Makers<AuditEvent>
  readonly outbox: Outbox
  /** Records that the kernel had dropped before. */
  readonly lost: number
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

  constructor(parts: Parts, answers: Pick<Backend, 'attached' | 'missing'>) {
    super(parts.log, parts.outbox)
    this.#parts = parts
    this.attached = answers.attached
    this.missing = answers.missing
    this.#kernelLost = parts.lost
  }

  get unenriched(): number {
    return this.#parts.makers.unenriched
  }

  /** Deletes the rules, so that no more records come; those that wait can still be read. */
  stop(): void {
    if (this.#isStopped) return
    this.#isStopped = true
    closeAll(
      () => this.#noteLosses(),
      () => this.#parts.rules[Symbol.dispose](),
    )
  }

  protected close(): void {
    closeAll(
      () => this.stop(),
      () => this.#parts.log.close(),
      () => this.#parts.control.close(),
    )
  }

  protected read(): void {
    const { makers } = this.#parts
    while (this.outbox.fullness < 0.5) {
      this.#receive()
      const events = this.#parts.events.takeComplete()
      if (events.length === 0) {
        this.#check()
        return
      }
      makers.take(events)
      this.#receive()
      makers.make(this.#parts.events.complete)
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
    this.#parts.makers.idle()
    const nowMs = monotonicMs()
    if (nowMs < this.#nextCheckMs) return
    this.#nextCheckMs = nowMs + CHECK_INTERVAL_MS
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
