/** Rungs of the audit system whose records come of one system call each. */

import type { AuditRecord } from 'quark-ebpf'
import type { EncodableFieldsOf, Fields, RecordLayout } from 'quark-ebpf/probe'
import type { AuditedCall, AuditEvent, AuditRung, Maker, MakerContext } from './rungs.js'

/** A system call that was audited. */
export interface Audited {
  readonly pid: number
  /** Argument 0 to 3, as the registers had it. */
  argument(index: 0 | 1 | 2 | 3): bigint | undefined
  /** What it returned. */
  readonly result: bigint | undefined
  /** Which of the declared calls it is. */
  readonly call: AuditedCall
  /** Other records about it. */
  readonly records: readonly AuditRecord[]
}

export interface AuditedOptions<F extends Fields> {
  /** For `Capabilities`. */
  readonly hook: string
  readonly calls: readonly AuditedCall[]
  readonly layout: RecordLayout<F>
  /** Fields of the record that it never fills. */
  readonly leaves: readonly (keyof F & string)[]
  readonly lacks?: AuditRung['lacks']
  /** The fields that are known; undefined for a call that is none of the kind's. */
  fill(call: Audited): Partial<EncodableFieldsOf<F>> | undefined
}

/** A rung that makes a record of each of some system calls. Calls of 32-bit programs are among them. */
export function auditedRung<F extends Fields>(options: AuditedOptions<F>): AuditRung {
  const { hook, calls, layout, leaves, lacks } = options
  return {
    by: 'audit',
    hook,
    calls,
    fills: [layout as unknown as RecordLayout],
    leaves: leaves.map((field) => `${layout.name}.${field}`),
    ...(lacks === undefined ? {} : { lacks }),
    maker: { open: (context) => new AuditedMaker(options, context) },
  }
}

class AuditedMaker<F extends Fields> implements Maker<AuditEvent> {
  readonly unenriched = 0
  readonly #options: AuditedOptions<F>
  readonly #context: MakerContext
  #taken: AuditEvent[] = []

  constructor(options: AuditedOptions<F>, context: MakerContext) {
    this.#options = options
    this.#context = context
  }

  /** The events of other kinds are among them. */
  take(events: readonly AuditEvent[]): void {
    this.#taken.push(...events.filter((event) => this.#callOf(event) !== undefined))
  }

  #callOf({ call }: AuditEvent): AuditedCall | undefined {
    if (call === undefined) return undefined
    return this.#options.calls.find(({ numbers }) => numbers[call.architecture].includes(call.number))
  }

  make(): void {
    const { records, unknownCpu: cpu } = this.#context
    for (const event of this.#taken) {
      const values = this.#options.fill(auditedOf(event, this.#callOf(event) as AuditedCall))
      if (values !== undefined) records.push(this.#options.layout, { cpu, timeNs: event.timeNs }, values)
    }
    this.#taken = []
    records.settle()
  }

  idle(): void {
    // All that was taken is made already.
  }
}

function auditedOf({ pid, fields, records }: AuditEvent, call: AuditedCall): Audited {
  return {
    pid,
    call,
    records,
    argument: (index) => numberOf(fields.get(`a${index}`), /^[0-9a-f]{1,16}$/, '0x'),
    result: numberOf(fields.get('exit'), /^-?\d{1,19}$/, ''),
  }
}

function numberOf(text: string | undefined, form: RegExp, prefix: string): bigint | undefined {
  return text !== undefined && form.test(text) ? BigInt(prefix + text) : undefined
}
