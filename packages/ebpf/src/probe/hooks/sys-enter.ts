import type { Scalar } from '../expr.js'
import { type ArgumentType, type Hook, int, struct } from './hook.js'
import { CALL_FILTER, type CallRegisters } from './registers.js'
import type { SystemCall } from './system-calls.js'
import { tracepointType } from './tracepoint.js'
import type { HookType } from './type.js'

/**
 * A system call of one of these names begins. The body gets its registers (`callArgument`, `isCall`) and its number.
 * See `sysExit` for what is common to both. Needs Linux 4.17.
 */
export function sysEnter(
  calls: readonly [SystemCall, ...SystemCall[]],
): Hook<readonly [ArgumentType<CallRegisters>, ArgumentType<Scalar>]> {
  const args = [struct<CallRegisters>('pt_regs', 'call'), int('number', 8)] as const
  return { kind: 'sysEnter', target: 'sys_enter', arguments: args, calls }
}

/** kernel/entry/syscall-common.c: `trace_sys_enter`, before the call. */
export const sysEnterType = {
  ...tracepointType,
  kind: 'sysEnter',
  declared: 'sysEnter(calls)',
  runs: 'when one of the system calls begins',
  levels: ['task'],
  calls: CALL_FILTER,
} as const satisfies HookType
