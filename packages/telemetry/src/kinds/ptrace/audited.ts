/** Calls of ptrace(2) as the audit system reports them. */

import { auditedRung } from '../../facts/audited.js'
import type { AuditRung } from '../../facts/rungs.js'
import { NO_RESULT, ptraceLayout } from './records.js'

export const auditedPtrace: AuditRung = auditedRung({
  hook: 'ptrace',
  // arch/x86/entry/syscalls/syscall_64.tbl, syscall_32.tbl, and include/uapi/asm-generic/unistd.h.
  calls: [{ numbers: { x86_64: [101], i386: [26], aarch64: [117] }, always: true }],
  layout: ptraceLayout,
  leaves: ['startBootNs', 'callerLevel', 'targetPid', 'targetStartBootNs', 'targetComm'],
  lacks: [
    {
      what: 'ptrace targets in other pid namespaces',
      reason: 'the audit system reports the number that the caller gave',
    },
  ],
  fill: (call) => {
    const [request, id] = [call.argument(0), call.argument(1)]
    if (request === undefined || id === undefined) return undefined
    return {
      pid: call.pid,
      request,
      targetId: Number(BigInt.asIntN(32, id)),
      address: call.argument(2) ?? 0n,
      data: call.argument(3) ?? 0n,
      result: call.result ?? NO_RESULT,
    }
  },
})
