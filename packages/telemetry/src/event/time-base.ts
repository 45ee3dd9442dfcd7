/** Ticks of /proc/<pid>/stat: USER_HZ is 100 on all architectures that quark runs on. */
export const TICK_NS = 10_000_000

const NS_PER_SECOND = 1_000_000_000n
/** The high half of the first u64 that no number has exactly. */
const INEXACT_HIGH = 0x20_0000

/** What a queue knows of the boot that its times count from. */
export interface Boot {
  /** A UUID that changes with every boot; unknown in recordings of 0.1.0. */
  readonly id?: string | undefined
  /** The starts of processes that are older than the queue are known to the ns, as are those of others. */
  readonly hasExactStarts?: boolean
}

/** How the kernel's times become times of day. `bootEpochNs` is replaced when the wall clock was set. */
export class TimeBase {
  /** CLOCK_REALTIME less CLOCK_BOOTTIME, ns. */
  bootEpochNs: bigint
  readonly hasExactStarts: boolean
  /** What a start in ns since boot is added to, so that processes of different boots differ: 64 bits. */
  readonly startKey: bigint
  /** The same for a start in ticks. */
  readonly tickKey: bigint
  readonly pageSizeBytes: number

  constructor(bootEpochNs: bigint, { id, hasExactStarts = false }: Boot = {}, pageSizeBytes = 4096) {
    this.bootEpochNs = bootEpochNs
    this.hasExactStarts = hasExactStarts
    const bootId = bootIdBits(id ?? '')
    // In whole seconds, as in /proc/stat: the ids of 0.1.0.
    const bootSeconds = bootEpochNs / NS_PER_SECOND
    this.startKey = BigInt.asUintN(64, bootId ?? bootSeconds * NS_PER_SECOND)
    // No time since boot has the highest bit: an id of ticks is never one of ns.
    this.tickKey = BigInt.asUintN(
      64,
      bootId === undefined ? bootSeconds * (NS_PER_SECOND / BigInt(TICK_NS)) : bootId + (1n << 63n),
    )
    this.pageSizeBytes = pageSizeBytes
  }
}

/** 64 random bits of a boot id; undefined if it is none. */
function bootIdBits(id: string): bigint | undefined {
  const digits = id.replaceAll('-', '')
  return /^[0-9a-f]{32}$/.test(digits) ? BigInt(`0x${digits.slice(16)}`) : undefined
}

/** The whole ticks in a time given as two halves; exact, which a division of the sum would not be. */
export function ticksOf(lo: number, hi: number): number {
  // 2^32 ns are 429 ticks and 4,967,296 ns.
  const high = hi >>> 0
  return high * 429 + Math.floor((high * 4_967_296 + (lo >>> 0)) / TICK_NS)
}

/** A u64 from its halves, which may be signed. */
export function u64Of(lo: number, hi: number): bigint {
  // Nearly all are exact as a number, which makes one bigint instead of four.
  return hi >>> 0 < INEXACT_HIGH
    ? BigInt((hi >>> 0) * 2 ** 32 + (lo >>> 0))
    : (BigInt(hi >>> 0) << 32n) | BigInt(lo >>> 0)
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
