/** What the kernel tells about execs that failed. */

import {
  add,
  and,
  at,
  currentTask,
  type Elements,
  eq,
  firstOf,
  int,
  mul,
  ne,
  or,
  probe,
  type Scalar,
  struct,
  tracepoint,
  userString,
} from 'quark-ebpf/probe'
import { startBootNs } from './kernel.js'
import { execFailedLayout } from './records.js'
import type { Task } from './kernel-types.js'

/** `struct pt_regs` at the end of a system call: x86-64 has the first names, arm64 the second. */
interface Registers {
  readonly orig_ax: Scalar
  readonly cs: Scalar
  readonly di: Scalar
  readonly si: Scalar
  readonly syscallno: Scalar
  readonly orig_x0: Scalar
  readonly regs: Elements<Scalar>
}

/** Numbers of execve and execveat (arch/x86/entry/syscalls/syscall_64.tbl, asm-generic/unistd.h). */
const X64_EXECVE = 59
const X64_EXECVEAT = 322
const ARM64_EXECVE = 221
const ARM64_EXECVEAT = 281
/** Code segment of 64-bit user programs on x86-64: 32-bit ones have other numbers. */
const X64_USER_CS = 0x33

/**
 * An execve(2) or execveat(2) failed. Enabling this tracepoint puts every system call of the machine on the
 * kernel's slower path; there is no other hook that sees all failures.
 */
export function execFailedProbe() {
  return probe(
    {
      name: 'quark_execfail',
      record: execFailedLayout,
      hook: tracepoint('sys_exit', [struct<Registers>('pt_regs', 'regs'), int('ret', 8)]),
    },
    (regs, ret) => {
      const isExecve = firstOf(eq(regs.orig_ax, X64_EXECVE), eq(regs.syscallno, ARM64_EXECVE))
      const isExecveat = firstOf(eq(regs.orig_ax, X64_EXECVEAT), eq(regs.syscallno, ARM64_EXECVEAT))
      const is64Bit = firstOf(eq(regs.cs, X64_USER_CS), ne(regs.syscallno, -1))
      const first = firstOf(regs.di, regs.orig_x0)
      const second = firstOf(regs.si, at(regs.regs, 1))
      const task = currentTask<Task>()
      return {
        when: and(and(or(isExecve, isExecveat), is64Bit), ne(ret, 0)),
        fill: {
          pid: task.tgid,
          tid: task.pid,
          startBootNs: startBootNs(task.group_leader),
          result: ret,
          filename: userString(add(mul(isExecve, first), mul(isExecveat, second))),
        },
      }
    },
  )
}
