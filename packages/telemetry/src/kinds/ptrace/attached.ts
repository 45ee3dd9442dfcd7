/** What the proc connector reports of ptrace(2): that somebody attached to a process, or detached from it. */

import type { Maker, MakerContext, ProcConnectorRung, TimedProcMessage } from '../../facts/rungs.js'
import { ATTACHED_SOMEHOW, DETACHED_SOMEHOW, NO_RESULT, ptraceLayout } from './records.js'

class AttachedTracers implements Maker<TimedProcMessage> {
  readonly unenriched = 0
  readonly #context: MakerContext
  #taken: readonly TimedProcMessage[] = []

  constructor(context: MakerContext) {
    this.#context = context
  }

  take(messages: readonly TimedProcMessage[]): void {
    this.#taken = messages
  }

  make(): void {
    for (const message of this.#taken) {
      if (message.kind !== 'ptrace') continue
      const { cpu, timeNs, pid: targetPid, tid: targetId, tracerPid: pid } = message
      const request = pid === 0 ? DETACHED_SOMEHOW : ATTACHED_SOMEHOW
      const values = { pid, targetPid, targetId, request, result: NO_RESULT }
      this.#context.records.push(ptraceLayout, { cpu, timeNs }, values)
    }
    this.#taken = []
    this.#context.records.settle()
  }

  idle(): void {
    // All that was taken is made already.
  }
}

export const attachedTracers: ProcConnectorRung = {
  by: 'procConnector',
  messages: 'PROC_EVENT_PTRACE',
  fills: [ptraceLayout],
  leaves: ['startBootNs', 'callerLevel', 'targetStartBootNs', 'targetComm', 'address', 'data'].map(
    (field) => `ptrace.${field}`,
  ),
  maker: { open: (context) => new AttachedTracers(context) },
  lacks: [
    {
      what: 'ptrace requests',
      reason:
        'the proc connector reports only that somebody attached or detached: no other requests, none that failed, no PTRACE_TRACEME, and not who detached',
    },
  ],
}
