/** The registers of a user program at a system call, as both architectures keep them. */

import { and, eq, ne, oneOf } from '../arithmetic.js'
import {
  at,
  cast,
  constant,
  currentTask,
  type Elements,
  firstOf,
  nodeOf,
  pathValue,
  type Scalar,
  userRegisters,
} from '../expr.js'
import { callNumber, type SystemCall } from './system-calls.js'
import type { RunFilter } from './type.js'

/** `struct pt_regs`, with the members of x86-64 and those of arm64. Use `callArgument` and `isCall`. */
export interface CallRegisters {
  readonly orig_ax: Scalar
  readonly cs: Scalar
  readonly di: Scalar
  readonly si: Scalar
  readonly dx: Scalar
  readonly r10: Scalar
  readonly r8: Scalar
  readonly r9: Scalar
  readonly syscallno: Scalar
  readonly orig_x0: Scalar
  readonly regs: Elements<Scalar>
  readonly pstate: Scalar
}

interface CallingTask {
  readonly thread_info: { readonly status: Scalar }
}

const X64_ARGUMENTS = ['di', 'si', 'dx', 'r10', 'r8', 'r9'] as const

/** Argument `index`, 0 to 5, of the current system call, also after it returned. */
export function callArgument(registers: CallRegisters, index: 0 | 1 | 2 | 3 | 4 | 5): Scalar {
  const arm64 = index === 0 ? registers.orig_x0 : at(registers.regs, index)
  return firstOf(registers[X64_ARGUMENTS[index]], arm64)
}

/** Which call it is. Programs of 32 bits have other numbers. */
export function numberOfCall(registers: CallRegisters): Scalar {
  return firstOf(registers.orig_ax, registers.syscallno)
}

/** 1 if the current system call has that name, else 0: for hooks of several calls. */
export function isCall(registers: CallRegisters, name: SystemCall): Scalar {
  const arm64 = callNumber(name, 'arm64')
  return firstOf(
    eq(registers.orig_ax, callNumber(name, 'x64') ?? NO_CALL),
    arm64 === undefined ? constant(0) : eq(registers.syscallno, arm64),
  )
}

/**
 * 1 if the current task is in one of these system calls of 64-bit programs, else 0: also for what the kernel does for it
 * there, and not for a page fault of its own. Needs Linux 5.15.
 */
export function isInCall(names: readonly SystemCall[]): Scalar {
  const registers = cast<CallRegisters>('pt_regs', userRegisters())
  const numbersOn = (architecture: 'x64' | 'arm64'): number[] =>
    names.flatMap((name) => callNumber(name, architecture) ?? [])
  const isOne = firstOf(
    oneOf(registers.orig_ax, numbersOn('x64')),
    oneOf(registers.syscallno, numbersOn('arm64')),
  )
  return and(isOne, isNativeCall(registers))
}

/** A number that no call has. */
const NO_CALL = -1

/** The task is in a 32-bit call (TS_COMPAT, arch/x86/include/asm/thread_info.h). */
const X64_COMPAT = 2
/** Code segment of 64-bit programs on x86-64, which can make 32-bit calls all the same, by `int 0x80`. */
const X64_USER_CS = 0x33
/** A 32-bit program (PSR_MODE32_BIT, arch/arm64/include/uapi/asm/ptrace.h). */
const ARM64_COMPAT = 0x10

/**
 * 1 if the numbers of the call are those of 64-bit programs. What x32 programs call has bit 30 in its number. The last
 * two are for kernels whose types are known in part only.
 */
export function isNativeCall(registers: CallRegisters): Scalar {
  const { status } = currentTask<CallingTask>().thread_info
  return firstOf(
    eq(and(status, X64_COMPAT), 0),
    eq(and(registers.pstate, ARM64_COMPAT), 0),
    eq(registers.cs, X64_USER_CS),
    ne(registers.syscallno, -1),
  )
}

const FIRST_ARGUMENT = pathValue<CallRegisters>({
  kind: 'path',
  root: { kind: 'argument', index: 0 },
  steps: [],
})

/** How programs check whether they want the current system call. */
export const CALL_FILTER: RunFilter = {
  number: nodeOf(numberOfCall(FIRST_ARGUMENT)),
  isWanted: nodeOf(isNativeCall(FIRST_ARGUMENT)),
}
