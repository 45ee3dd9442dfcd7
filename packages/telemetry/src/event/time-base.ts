/** Ticks of /proc/<pid>/stat: USER_HZ is 100 on all architectures that quark runs on. */
export const TICK_NS = 10_000_000

/** How the kernel's times become times of day. `bootEpochNs` is replaced when the wall clock was set. */
export class TimeBase {
  /** CLOCK_REALTIME less CLOCK_BOOTTIME, ns. */
  bootEpochNs: bigint
  /** Ticks from the epoch to boot, as it was when the queue was opened; in whole seconds, as in /proc/stat. */
  readonly bootEpochTicks: bigint
  readonly pageSizeBytes: number

  constructor(bootEpochNs: bigint, pageSizeBytes = 4096) {
    this.bootEpochNs = bootEpochNs
    this.bootEpochTicks = (bootEpochNs / 1_000_000_000n) * BigInt(1_000_000_000 / TICK_NS)
    this.pageSizeBytes = pageSizeBytes
  }
}

/** The whole ticks in a time given as two halves; exact, which a division of the sum would not be. */
export function ticksOf(lo: number, hi: number): number {
  // 2^32 ns are 429 ticks and 4,967,296 ns.
  const high = hi >>> 0
  return high * 429 + Math.floor((high * 4_967_296 + (lo >>> 0)) / TICK_NS)
}

/** A u64 from its halves, which may be signed. */
export function u64Of(lo: number, hi: number): bigint {
  return (BigInt(hi >>> 0) << 32n) | BigInt(lo >>> 0)
}

/** Whether one u64 is less than another, both given as halves, which may be signed. */
export function isLess(lo: number, hi: number, thanLo: number, thanHi: number): boolean {
  return hi >>> 0 === thanHi >>> 0 ? lo >>> 0 < thanLo >>> 0 : hi >>> 0 < thanHi >>> 0
}

/** ms of a monotonic clock. Not `performance.now()`, whose first call takes milliseconds of loading. */
export function monotonicMs(): number {
  const [seconds, ns] = process.hrtime()
  return seconds * 1e3 + ns / 1e6
}
