/** The system calls of processes that are audited, on each architecture. */

import { AUDIT_ANOM_ABEND } from 'quark-ebpf'
import type { AuditedCall, AuditEvent } from '../../../../facts/rungs.js'

/** The first argument of prctl(2) with which a thread names itself. */
const PR_SET_NAME = 15

/**
 * arch/x86/entry/syscalls/syscall_64.tbl, syscall_32.tbl (where ids of 16 bits come first), and
 * include/uapi/asm-generic/unistd.h.
 */
// oxfmt-ignore
export const PROCESS_CALLS = {
  exec: { numbers: { x86_64: [59, 322], i386: [11, 358], aarch64: [221, 281] } },
  fork: { numbers: { x86_64: [57, 58], i386: [2, 190], aarch64: [] }, isFirst: true },
  clone: { numbers: { x86_64: [56], i386: [120], aarch64: [220] }, isFirst: true },
  clone3: { numbers: { x86_64: [435], i386: [435], aarch64: [435] }, isFirst: true },
  exit: { numbers: { x86_64: [60], i386: [1], aarch64: [93] }, always: true },
  exitGroup: { numbers: { x86_64: [231], i386: [252], aarch64: [94] }, always: true },
  setsid: { numbers: { x86_64: [112], i386: [66], aarch64: [157] } },
  uid: { numbers: { x86_64: [105, 113, 117], i386: [23, 70, 164, 213, 203, 208], aarch64: [145, 146, 147] } },
  gid: { numbers: { x86_64: [106, 114, 119], i386: [46, 71, 170, 214, 204, 210], aarch64: [143, 144, 149] } },
  prctl: { numbers: { x86_64: [157], i386: [172], aarch64: [167] }, firstArgument: PR_SET_NAME },
} as const satisfies Record<string, AuditedCall>

/** What an audit event is about: a call, or the end of a process by a signal that dumps core. */
export type ProcessCall = keyof typeof PROCESS_CALLS | 'abend'

const CALLS: Readonly<Record<string, AuditedCall>> = PROCESS_CALLS
const BY_NUMBER = new Map<string, ProcessCall>()
for (const [name, { numbers }] of Object.entries(CALLS)) {
  for (const [architecture, list] of Object.entries(numbers)) {
    for (const number of list) BY_NUMBER.set(keyOf(architecture, number), name as ProcessCall)
  }
}

function keyOf(architecture: string, number: number): string {
  return `${architecture} ${number}`
}

/** Undefined for an event that only other kinds need. */
export function callOf({ type, call }: AuditEvent): ProcessCall | undefined {
  if (type === AUDIT_ANOM_ABEND) return 'abend'
  return call === undefined ? undefined : BY_NUMBER.get(keyOf(call.architecture, call.number))
}
