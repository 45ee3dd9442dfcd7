import { constants } from 'node:os'

/** Literal codes carried by every error of this package: stable, and safe to switch on. */
export type EbpfErrorCode =
  | 'ERR_EBPF_KERNEL'
  | 'ERR_EBPF_PERMISSION'
  | 'ERR_EBPF_VERIFIER'
  | 'ERR_EBPF_NOT_SUPPORTED'
  | 'ERR_EBPF_BTF'
  | 'ERR_EBPF_PROTOTYPE'
  | 'ERR_EBPF_BUILD'
  | 'ERR_EBPF_CLOSED'
  | 'ERR_EBPF_PLATFORM'

/** Base of every error that this package throws on purpose; misuse is a `TypeError` or `RangeError`. */
export class EbpfError extends Error {
  readonly code: EbpfErrorCode

  constructor(code: EbpfErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = new.target.name
    this.code = code
  }
}

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
        (declaration === undefined ? '' : `; declared as ${declaration}`),
    )
    this.errno = errno
    this.log = log
    this.declaration = declaration
  }
}

/** The last lines of a verifier log that say something: statistics and blank lines are left out. */
function lastUsefulLines(log: readonly string[], count: number): string[] {
  return log
    .filter(
      (line) => line.trim() !== '' && !/^(processed \d+ insns|verification time|stack depth)/.test(line),
    )
    .slice(-count)
}

/**
 * The running kernel lacks a feature. `minKernel` is the first mainline release that has it; undefined when
 * no release has it for certain, as with a tracepoint or function that configurations leave out.
 */
export class NotSupportedError extends EbpfError {
  readonly feature: string
  readonly minKernel: string | undefined

  constructor(feature: string, minKernel?: string, options?: ErrorOptions) {
    const needs = minKernel === undefined ? '' : `: it needs Linux ${minKernel} or newer`
    super('ERR_EBPF_NOT_SUPPORTED', `This kernel does not support ${feature}${needs}`, options)
    this.feature = feature
    this.minKernel = minKernel
  }
}

/** BTF is missing, broken, or does not know a type that was asked for. */
export class BtfError extends EbpfError {
  constructor(message: string, options?: ErrorOptions) {
    super('ERR_EBPF_BTF', message, options)
  }
}

/** A hook's prototype on this kernel is not the declared one. Both are in the message. */
export class PrototypeError extends EbpfError {
  readonly declared: string
  readonly actual: string

  constructor(hook: string, declared: string, actual: string) {
    super(
      'ERR_EBPF_PROTOTYPE',
      `Hook "${hook}" has another prototype on this kernel: declared ${declared}, actual ${actual}`,
    )
    this.declared = declared
    this.actual = actual
  }
}

/** A declaration cannot be turned into a program: the message names the program and the field. */
export class BuildError extends EbpfError {
  constructor(message: string, options?: ErrorOptions) {
    super('ERR_EBPF_BUILD', message, options)
  }
}

/** Something that owned a descriptor or mapping was used after it was closed. */
export class ClosedError extends EbpfError {
  constructor(what: string) {
    super('ERR_EBPF_CLOSED', `${what} is closed`)
  }
}

/** This operating system or architecture cannot run eBPF programs through this package. */
export class PlatformError extends EbpfError {
  constructor(message: string, options?: ErrorOptions) {
    super('ERR_EBPF_PLATFORM', message, options)
  }
}
