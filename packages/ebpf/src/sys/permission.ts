import { readFileSync } from 'node:fs'
import { constants } from 'node:os'
import { KernelError } from './errors.js'
import { type Result, setResourceLimit } from './libc.js'
import { kernelAtLeast } from './platform.js'

const CAP_SYS_ADMIN = 21n
const CAP_PERFMON = 38n
const CAP_BPF = 39n

/** The facts that decide whether this process may use bpf(2); `undefined` where the kernel does not say. */
export interface PermissionFacts {
  /** Effective capabilities, one bit each. */
  readonly capEffective: bigint | undefined
  /** 0 none, 1 strict, 2 filter. */
  readonly seccomp: number | undefined
  /** `none`, `integrity` or `confidentiality`. */
  readonly lockdown: string | undefined
  /** 0 allowed, 1 and 2 refused without capabilities. */
  readonly unprivilegedBpfDisabled: number | undefined
}

/** Reads the facts of this process and kernel. Never throws. */
export function permissionFacts(): PermissionFacts {
  const status = readText('/proc/self/status') ?? ''
  const capEffective = /^CapEff:\s*([0-9a-f]+)$/m.exec(status)?.[1]
  const seccomp = /^Seccomp:\s*(\d+)$/m.exec(status)?.[1]
  const unprivileged = readText('/proc/sys/kernel/unprivileged_bpf_disabled')
  return {
    capEffective: capEffective === undefined ? undefined : BigInt(`0x${capEffective}`),
    seccomp: seccomp === undefined ? undefined : Number(seccomp),
    lockdown: /\[(\w+)\]/.exec(readText('/sys/kernel/security/lockdown') ?? '')?.[1],
    unprivilegedBpfDisabled: unprivileged === undefined ? undefined : Number(unprivileged),
  }
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}

/** What a person can do about a refusal, most likely cause first. */
export function permissionAdvice(facts: PermissionFacts = permissionFacts()): string {
  const { capEffective, seccomp, lockdown, unprivilegedBpfDisabled } = facts
  const advice: string[] = []
  if (capEffective !== undefined && !mayUseBpf(capEffective)) {
    const wanted = kernelAtLeast('5.8') ? 'CAP_BPF and CAP_PERFMON' : 'CAP_SYS_ADMIN'
    const setting =
      unprivilegedBpfDisabled === undefined ? '' : `; unprivileged_bpf_disabled is ${unprivilegedBpfDisabled}`
    advice.push(`run as root or grant ${wanted}${setting}`)
  }
  if (lockdown !== undefined && lockdown !== 'none') {
    advice.push(`kernel lockdown is "${lockdown}": boot without it or use a hook that it allows`)
  }
  if (seccomp !== undefined && seccomp !== 0) {
    advice.push('a seccomp filter is active: let the container runtime allow bpf and perf_event_open')
  }
  if (advice.length === 0) {
    advice.push(
      'the capabilities suffice and no lockdown or seccomp filter is seen: look for a user namespace, ' +
        'a security module, or a kernel built without this hook',
    )
  }
  return advice.join('; ')
}

function mayUseBpf(capEffective: bigint): boolean {
  const has = (capability: bigint): boolean => (capEffective & (1n << capability)) !== 0n
  return has(CAP_SYS_ADMIN) || (has(CAP_BPF) && has(CAP_PERFMON))
}

/** A failed call as an error; refusals carry advice. */
export function kernelError(action: string, syscall: string, result: Result, advice?: string): KernelError {
  const errno = -result
  return new KernelError(action, syscall, errno, advice ?? adviceFor(errno))
}

/** What a person can do about an error of the kernel, if anything. */
function adviceFor(errno: number): string | undefined {
  const { EPERM, EACCES, EMFILE, ENFILE } = constants.errno
  if (errno === EPERM || errno === EACCES) return permissionAdvice()
  if (errno === EMFILE) return 'this process has as many files open as it may: raise the limit with ulimit -n'
  return errno === ENFILE ? 'the machine has as many files open as it may: raise fs.file-max' : undefined
}

/**
 * An error of Node's `fs` as one of this package; any other error is returned as it is.
 *
 * @param call names the call and the file
 */
export function fileError(action: string, call: string, error: unknown, advice?: string): unknown {
  if (!(error instanceof Error) || !('errno' in error) || typeof error.errno !== 'number') return error
  const errno = -error.errno
  return new KernelError(action, call, errno, advice ?? adviceFor(errno), { cause: error })
}

/** Whether an error says that there was no room at the time, or that a signal came: later it may be otherwise. */
export function isTransient(error: unknown): boolean {
  for (let e = error; e instanceof Error; e = e.cause) {
    if ('errno' in e && typeof e.errno === 'number' && TRANSIENT.includes(Math.abs(e.errno))) return true
  }
  return false
}

const { EAGAIN, EINTR, EMFILE, ENFILE, ENOBUFS, ENOMEM } = constants.errno
const TRANSIENT: readonly number[] = [EAGAIN, EINTR, EMFILE, ENFILE, ENOBUFS, ENOMEM]

/**
 * The result of a call that must succeed.
 *
 * @throws {KernelError} when `result` is a negative errno
 */
export function checked(action: string, syscall: string, result: Result, advice?: string): Result {
  if (result < 0) {
    throw kernelError(action, syscall, result, advice)
  }
  return result
}

const RLIMIT_MEMLOCK = 8
let memlockRaised: boolean | undefined

/**
 * Runs `action`; when the kernel refuses it for want of locked memory, lifts RLIMIT_MEMLOCK and runs it again.
 * Kernels before 5.11 charge programs and maps to that limit and answer EPERM when it is reached.
 */
export function withMemlock(action: () => Result): Result {
  const result = action()
  if (result !== -constants.errno.EPERM || kernelAtLeast('5.11')) {
    return result
  }
  return raiseMemlock() ? action() : result
}

/** Advice for EPERM on kernels that charge RLIMIT_MEMLOCK, when the limit could not be lifted. */
export function memlockAdvice(): string | undefined {
  return memlockRaised === false
    ? `RLIMIT_MEMLOCK may be too low and could not be raised: run ulimit -l unlimited; ${permissionAdvice()}`
    : undefined
}

function raiseMemlock(): boolean {
  // One try per process: a limit once lifted stays lifted, and a refusal does not change.
  memlockRaised ??= setResourceLimit(RLIMIT_MEMLOCK, new Uint8Array(16).fill(0xff)) >= 0
  return memlockRaised
}
