/** Layout of ptrace records, whatever fills them. */

import { record, s64, u64 } from 'quark-ebpf/probe'
import { actorFields } from '../../process/actor.js'
import { targetFields } from '../../process/target.js'

/** High byte of the types of records: unique among kinds, and part of the recording format. */
export const PTRACE_KIND = 11

/** A call of ptrace(2) has returned. */
export const ptraceLayout = record((PTRACE_KIND << 8) | 1, 'ptrace', {
  ...actorFields,
  ...targetFields,
  request: s64,
  address: u64,
  data: u64,
  /** What the system call returned; `NO_RESULT` when it is not known. */
  result: s64,
})

/** A result that no system call has. */
export const NO_RESULT = -(1n << 62n)

/** Stand for a request where only its effect is known. */
export const ATTACHED_SOMEHOW = -1n
export const DETACHED_SOMEHOW = -2n
