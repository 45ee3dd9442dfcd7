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
