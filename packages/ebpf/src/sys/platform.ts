import { arch, platform, release } from 'node:os'
import { PlatformError } from '../errors.js'

/** Numbers of the system calls that not every libc has a function for; they differ between architectures. */
export interface SyscallNumbers {
  readonly bpf: number
  readonly perfEventOpen: number
  readonly fsopen: number
  readonly fsconfig: number
  readonly fsmount: number
  readonly openTree: number
  readonly statx: number
}

/** Calls that came with Linux 5.2 or later have one number everywhere. */
const SAME_EVERYWHERE = { openTree: 428, fsopen: 430, fsconfig: 431, fsmount: 432 } as const

const SYSCALL_NUMBERS: ReadonlyMap<string, SyscallNumbers> = new Map([
  ['x64', { bpf: 321, perfEventOpen: 298, statx: 332, ...SAME_EVERYWHERE }],
  ['arm64', { bpf: 280, perfEventOpen: 241, statx: 291, ...SAME_EVERYWHERE }],
])

/**
 * The system call numbers of the architecture that Node runs on.
 *
 * @throws {PlatformError} when this is not Linux on x64 or arm64
 */
export function syscallNumbers(): SyscallNumbers {
  if (platform() !== 'linux') {
    throw new PlatformError(`eBPF needs Linux, and this is ${platform()}`)
  }
  const numbers = SYSCALL_NUMBERS.get(arch())
  if (numbers === undefined) {
    throw new PlatformError(`eBPF system calls are known for x64 and arm64 only, and this is ${arch()}`)
  }
  return numbers
}

/** A release of Linux; `patch` is 0 where the release does not say. */
export interface KernelVersion {
  readonly major: number
  readonly minor: number
  readonly patch: number
}

/**
 * Reads the numbers at the front of a kernel release such as `6.1.0-18-amd64`.
 *
 * @throws {RangeError} when `text` does not begin with two numbers
 */
export function parseKernelVersion(text: string): KernelVersion {
  const match = /^(\d+)\.(\d+)(?:\.(\d+))?/.exec(text)
  if (match === null) {
    throw new RangeError(`Not a kernel release: "${text}"`)
  }
  return { major: Number(match[1]), minor: Number(match[2]), patch: Number(match[3] ?? 0) }
}

/** The version of the running kernel. Vendors port features back, so prefer `probeFeature` for decisions. */
export function kernelVersion(): KernelVersion {
  return parseKernelVersion(release())
}

/**
 * Whether the running kernel is at least release `minKernel`.
 *
 * @param minKernel such as `5.8`
 */
export function kernelAtLeast(minKernel: string, running: KernelVersion = kernelVersion()): boolean {
  const wanted = parseKernelVersion(minKernel)
  if (running.major !== wanted.major) {
    return running.major > wanted.major
  }
  if (running.minor !== wanted.minor) {
    return running.minor > wanted.minor
  }
  return running.patch >= wanted.patch
}
