import type { Scalar } from '../expr.js'
import { type ArgumentType, type Hook, int, struct } from './hook.js'
import { CALL_FILTER, type CallRegisters } from './registers.js'
import type { SystemCall } from './system-calls.js'
import { tracepointType } from './tracepoint.js'
import type { HookType } from './type.js'

/**
 * A system call of one of these names returns, whatever its result; calls that never return (exit, and a call that the
 * process is killed in) are not seen. The body gets the registers (`callArgument`, `isCall`) and the result. Calls of
 * 32-bit programs are left out: they have other numbers.
 *
 * All such probes of a session share one program at the tracepoint, which goes on to those that want the number at
 * hand, where the kernel can do that (Linux 5.10, on arm64 6.0; not since 6.19). The tracepoint itself puts every
 * system call of the machine on the kernel's slower path. Needs Linux 4.17.
 */
export function sysExit(
  calls: readonly [SystemCall, ...SystemCall[]],
): Hook<readonly [ArgumentType<CallRegisters>, ArgumentType<Scalar>]> {
  const args = [struct<CallRegisters>('pt_regs', 'call'), int('result', 8)] as const
  return { kind: 'sysExit', target: 'sys_exit', arguments: args, calls }
}

/** kernel/entry/syscall-common.c: `trace_sys_exit`, behind the call. */
export const sysExitType = {
  ...tracepointType,
  kind: 'sysExit',
  declared: 'sysExit(calls)',
  runs: 'when one of the system calls returns; its result is the last value',
  levels: ['task'],
  calls: CALL_FILTER,
} as const satisfies HookType
