/** Puts the records of audit events together. */

import { AUDIT_ANOM_ABEND, AUDIT_EOE, AUDIT_SYSCALL, auditNumber, type AuditRecord } from 'quark-ebpf'
import { auditedCalls } from './calls.js'
import { type AuditEvent, isFork } from './fields.js'

/** Events that may be incomplete at a time: older ones have lost their end. */
const MAX_OPEN_EVENTS = 256
/** Steps of the clock whose events are counted: more than a second of them. */
const MAX_STEPS = 1024
/** Events of one step that are told apart: all lie within its first millisecond. */
const MAX_IN_STEP = 9000

export class AuditEvents {
  readonly #bootEpochNs: () => bigint
  readonly #audited = new Map(auditedCalls().map(({ arch, calls }) => [arch, calls]))
  /** Events whose last record has not come, by their numbers. */
  readonly #open = new Map<number, AuditRecord[]>()
  #complete: AuditEvent[] = []
  /** How many events had the same time so far, by that time. */
  readonly #inStep = new Map<number, number>()

  /** @param bootEpochNs the wall clock less CLOCK_BOOTTIME */
  constructor(bootEpochNs: () => bigint) {
    this.#bootEpochNs = bootEpochNs
  }

  /** Events that are complete, oldest first. */
  get complete(): readonly AuditEvent[] {
    return this.#complete
  }

  /** Takes the complete events out. */
  takeComplete(): AuditEvent[] {
    const events = this.#complete
    this.#complete = []
    return events
  }

  /** Takes in one record; those of an event follow each other, and others may come in between. */
  take(record: AuditRecord): void {
    const { type, serial } = record
    if (type === AUDIT_ANOM_ABEND) {
      this.#add('abend', record, [record])
      return
    }
    if (type === AUDIT_EOE) {
      this.#close(serial)
      return
    }
    const event = this.#open.get(serial)
    if (event !== undefined) {
      event.push(record)
      return
    }
    this.#open.set(serial, [record])
    const [oldest = serial] = this.#open.keys()
    if (this.#open.size > MAX_OPEN_EVENTS) this.#close(oldest)
  }

  #close(serial: number): void {
    const records = this.#open.get(serial)
    this.#open.delete(serial)
    const syscall = records?.find(({ type }) => type === AUDIT_SYSCALL)
    if (records === undefined || syscall === undefined) return
    const arch = Number.parseInt(syscall.fields.get('arch') ?? '', 16)
    const call = this.#audited.get(arch)?.get(Number(syscall.fields.get('syscall')))
    if (call !== undefined) this.#add(call, syscall, records)
  }

  #add(call: AuditEvent['call'], { fields, timeMs }: AuditRecord, records: readonly AuditRecord[]): void {
    const pid = auditNumber(fields.get('pid'))
    if (pid === undefined || pid < 0) return
    this.#complete.push({ call, pid, fields, records, timeNs: this.#timeNs(timeMs, isFork(call)) })
  }

  /**
   * Within the clock's step, children are made before anything else, and the rest keeps its order. Calls have the time
   * of their beginning and come when they return, so that those of several steps come in turns.
   */
  #timeNs(timeMs: number, isFirst: boolean): bigint {
    const before = this.#inStep.get(timeMs) ?? 0
    this.#inStep.set(timeMs, Math.min(before + 1, MAX_IN_STEP))
    const [oldest = timeMs] = this.#inStep.keys()
    if (this.#inStep.size > MAX_STEPS) this.#inStep.delete(oldest)
    return BigInt(timeMs) * 1_000_000n - this.#bootEpochNs() + (isFirst ? 0n : BigInt(1000 + before * 100))
  }
}
