import { clockGetTime } from './libc.js'
import { checked } from './permission.js'

/** The kernel's clocks that telemetry needs; `boottime` is `monotonic` and the time spent suspended. */
export type ClockName = 'realtime' | 'monotonic' | 'boottime'

/** `CLOCK_*` of include/uapi/linux/time.h. */
const CLOCK_IDS: Readonly<Record<ClockName, number>> = { realtime: 0, monotonic: 1, boottime: 7 }

const NS_PER_S = 1_000_000_000n

/** seconds | nanoseconds: `struct timespec` of 64-bit user space. */
const timespec = new BigInt64Array(2)

/**
 * The time of a clock, in ns. BPF programs read the same clocks, so that the values compare; a process in a time
 * namespace sees `monotonic` and `boottime` shifted against them.
 *
 * @throws {PlatformError} when this is not Linux on x64 or arm64
 * @throws {KernelError} when the kernel refuses
 */
export function clockNs(clock: ClockName): bigint {
  checked(`Cannot read the ${clock} clock`, 'clock_gettime', clockGetTime(CLOCK_IDS[clock], timespec))
  return (timespec[0] ?? 0n) * NS_PER_S + (timespec[1] ?? 0n)
}

const TRIES = 8

/**
 * How far CLOCK_BOOTTIME is ahead of CLOCK_MONOTONIC: the time spent suspended, in ns. Returns `knownNs` while it is
 * consistent with the clocks, so that intervals between events stay exact; 0 is right on most machines.
 *
 * @param knownNs what this function returned before, or 0
 * @throws {PlatformError | KernelError} as `clockNs` does
 */
export function suspendedNs(knownNs: bigint, read: (clock: ClockName) => bigint = clockNs): bigint {
  let narrowestNs: bigint | undefined
  let shiftNs = knownNs
  for (let i = 0; i < TRIES; i += 1) {
    const before = read('monotonic')
    const boottime = read('boottime')
    const after = read('monotonic')
    if (knownNs >= boottime - after && knownNs <= boottime - before) return knownNs
    if (narrowestNs === undefined || after - before < narrowestNs) {
      narrowestNs = after - before
      shiftNs = boottime - (before + after) / 2n
    }
  }
  return shiftNs
}
