/** The system calls that are audited, on each architecture whose programs a machine runs. */

/** What a call does. */
export type AuditedCall =
  | 'exec'
  | 'fork'
  | 'clone'
  | 'clone3'
  | 'exit'
  | 'exitGroup'
  | 'setsid'
  | 'uid'
  | 'gid'
  | 'prctl'

/** The numbers of one `AUDIT_ARCH_*`. */
export interface AuditedCalls {
  readonly arch: number
  readonly calls: ReadonlyMap<number, AuditedCall>
}

function calls(arch: number, numbers: Readonly<Record<AuditedCall, readonly number[]>>): AuditedCalls {
  const rows = Object.entries(numbers) as [AuditedCall, readonly number[]][]
  return {
    arch,
    calls: new Map(rows.flatMap(([call, list]) => list.map((number) => [number, call] as const))),
  }
}

/** arch/x86/entry/syscalls/syscall_64.tbl */
const X86_64 = calls(0xc000_003e, {
  exec: [59, 322],
  fork: [57, 58],
  clone: [56],
  clone3: [435],
  exit: [60],
  exitGroup: [231],
  setsid: [112],
  uid: [105, 113, 117],
  gid: [106, 114, 119],
  prctl: [157],
})

/** arch/x86/entry/syscalls/syscall_32.tbl; ids of 16 bits come first. */
const I386 = calls(0x4000_0003, {
  exec: [11, 358],
  fork: [2, 190],
  clone: [120],
  clone3: [435],
  exit: [1],
  exitGroup: [252],
  setsid: [66],
  uid: [23, 70, 164, 213, 203, 208],
  gid: [46, 71, 170, 214, 204, 210],
  prctl: [172],
})

/** include/uapi/asm-generic/unistd.h */
const AARCH64 = calls(0xc000_00b7, {
  exec: [221, 281],
  fork: [],
  clone: [220],
  clone3: [435],
  exit: [93],
  exitGroup: [94],
  setsid: [157],
  uid: [145, 146, 147],
  gid: [143, 144, 149],
  prctl: [167],
})

/** What programs of this machine may call. */
export function auditedCalls(arch: string = process.arch): readonly AuditedCalls[] {
  return arch === 'arm64' ? [AARCH64] : [X86_64, I386]
}

/** The first argument of prctl(2) with which a thread names itself. */
export const PR_SET_NAME = 15
