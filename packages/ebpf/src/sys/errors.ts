/** Errors of system calls, with the kernel's own names for what went wrong. */

import { constants } from 'node:os'
import { EbpfError } from '../errors.js'

/** Names of errno values that the kernel returns but user space does not know (include/linux/errno.h). */
const KERNEL_ONLY_ERRNO = new Map([[524, 'ENOTSUPP']])

const ERRNO_NAMES = new Map(Object.entries(constants.errno).map(([name, value]) => [value, name]))

/**
 * The symbolic name of an errno value.
 *
 * @param errno positive errno
 */
export function errnoName(errno: number): string {
  return ERRNO_NAMES.get(errno) ?? KERNEL_ONLY_ERRNO.get(errno) ?? `errno ${errno}`
}

/** A system call failed. `syscall` names the call and, for bpf(2), the command. */
export class KernelError extends EbpfError {
  readonly syscall: string
  readonly errno: number
  readonly errnoName: string

  constructor(action: string, syscall: string, errno: number, advice?: string, options?: ErrorOptions) {
    const name = errnoName(errno)
    super(
      name === 'EPERM' || name === 'EACCES' ? 'ERR_EBPF_PERMISSION' : 'ERR_EBPF_KERNEL',
      `${action}: ${syscall} failed with ${name}${advice === undefined ? '' : ` (${advice})`}`,
      options,
    )
    this.syscall = syscall
    this.errno = errno
    this.errnoName = name
  }
}

/** A declaration may be of thousands of characters, and whoever reads the message has one line for it. */
const MESSAGE_CHARS = 200

/**
 * The verifier refused a program. The message shows the last useful lines; `log` has all of it.
 * `declaration` is the text of the declaration that the program was generated from, when there is one.
 */
export class VerifierError extends EbpfError {
  readonly errno: number
  readonly log: readonly string[]
  readonly declaration: string | undefined

  constructor(program: string, errno: number, log: readonly string[], declaration?: string) {
    const useful = lastUsefulLines(log, 3)
    const omitted = log.length - useful.length
    super(
      'ERR_EBPF_VERIFIER',
      `Cannot load program "${program}": the verifier refused it with ${errnoName(errno)}: ` +
        (useful.length === 0 ? '(no log)' : useful.join(' | ')) +
        (omitted > 0 ? ` (${omitted} more lines in error.log)` : '') +
        (declaration === undefined ? '' : `; declared as ${cut(declaration)}`),
    )
    this.errno = errno
    this.log = log
    this.declaration = declaration
  }
}

function cut(declaration: string): string {
  return declaration.length <= MESSAGE_CHARS
    ? declaration
    : `${declaration.slice(0, MESSAGE_CHARS)}… (all of it in error.declaration)`
}

/** The last lines of a verifier log that say something: statistics and blank lines are left out. */
function lastUsefulLines(log: readonly string[], count: number): string[] {
  return log
    .filter(
      (line) => line.trim() !== '' && !/^(processed \d+ insns|verification time|stack depth)/.test(line),
    )
    .slice(-count)
}
