/** Assembles audit events from their records. */

import { AUDIT_EOE, AUDIT_SYSCALL, auditNumber, type AuditRecord } from 'quark-ebpf'
import type { AuditedCall, AuditEvent } from '../../facts/rungs.js'
import { auditArchitectures, numbersOf } from './architectures.js'

/** Most incomplete events at a time: the end of older ones was lost. */
const MAX_OPEN_EVENTS = 256
/** Steps of the clock whose events are counted: more than a second of them. */
const MAX_STEPS = 1024
/** Events of one step that are distinguished: all lie within its first millisecond. */
const MAX_IN_STEP = 9000

export class AuditEvents {
  readonly #bootEpochNs: () => bigint
  readonly #architectures
  /** Types of records that are events by themselves. */
  readonly #types: ReadonlySet<number>
  /** Events whose last record has not come, by their numbers. */
  readonly #open = new Map<number, AuditRecord[]>()
  #complete: AuditEvent[] = []
  /** How many events had the same time so far, by that time. */
  readonly #inStep = new Map<number, number>()

  /**
   * @param bootEpochNs the wall clock less CLOCK_BOOTTIME
   * @param calls those that make events; of others there may be records too
   * @param types types of records that are events by themselves
   */
  constructor(bootEpochNs: () => bigint, calls: readonly AuditedCall[], types: readonly number[]) {
    this.#bootEpochNs = bootEpochNs
    this.#types = new Set(types)
    const first = calls.filter(({ isFirst }) => isFirst === true)
    this.#architectures = new Map(
      auditArchitectures().map(({ arch, architecture }) => [
        arch,
        {
          architecture,
          numbers: new Set(numbersOf(calls, architecture)),
          first: new Set(numbersOf(first, architecture)),
        },
      ]),
    )
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
    if (this.#types.has(type)) {
      this.#add(record, [record], undefined, false)
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
    const known = this.#architectures.get(Number.parseInt(syscall.fields.get('arch') ?? '', 16))
    const number = Number(syscall.fields.get('syscall'))
    if (known === undefined || !known.numbers.has(number)) return
    const { architecture, first } = known
    this.#add(syscall, records, { architecture, number }, first.has(number))
  }

  #add(
    { type, fields, timeMs }: AuditRecord,
    records: readonly AuditRecord[],
    call: AuditEvent['call'],
    isFirst: boolean,
  ): void {
    const pid = auditNumber(fields.get('pid'))
    if (pid === undefined || pid < 0) return
    const timeNs = this.#timeNs(timeMs, isFirst)
    this.#complete.push({ type, pid, fields, records, timeNs, ...(call === undefined ? {} : { call }) })
  }

  /**
   * Within one step of the clock, forks come first, and the rest keeps its order. Calls have the time
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
