/** Priorities as the audit system reports them. */

import { auditArgument } from 'quark-ebpf'
import type { AuditedCall, AuditEvent, AuditRung, Maker, MakerContext } from '../../../facts/rungs.js'
import { priorityLayout } from './records.js'

/** arch/x86/entry/syscalls/syscall_64.tbl, syscall_32.tbl, and include/uapi/asm-generic/unistd.h. */
const SETPRIORITY: AuditedCall = { numbers: { x86_64: [141], i386: [97], aarch64: [140] } }

class AuditedPriorities implements Maker<AuditEvent> {
  readonly unenriched = 0
  readonly #context: MakerContext
  #taken: AuditEvent[] = []

  constructor(context: MakerContext) {
    this.#context = context
  }

  /** The events of other kinds are among them. */
  take(events: readonly AuditEvent[]): void {
    for (const event of events) {
      const { call } = event
      if (call !== undefined && SETPRIORITY.numbers[call.architecture].includes(call.number)) {
        this.#taken.push(event)
      }
    }
  }

  make(): void {
    const { records, unknownCpu: cpu } = this.#context
    for (const { pid, fields, timeNs } of this.#taken) {
      const which = auditArgument(fields.get('a0'))
      const who = auditArgument(fields.get('a1'))
      const nice = auditArgument(fields.get('a2'))
      if (which === undefined || who === undefined || nice === undefined) continue
      records.push(priorityLayout, { cpu, timeNs }, { pid, which, who, nice: nice | 0 })
    }
    this.#taken = []
    records.settle()
  }

  idle(): void {
    // All that was taken is made already.
  }
}

export const auditedPriorities: AuditRung = {
  by: 'audit',
  hook: 'setpriority',
  calls: [SETPRIORITY],
  fills: [priorityLayout],
  maker: { open: (context) => new AuditedPriorities(context) },
}
