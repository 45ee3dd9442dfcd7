import { clockNs } from 'quark-ebpf'

/** Reads one of the kernel's clocks, in ns. */
export type ReadClock = (clock: 'realtime' | 'boottime') => bigint

/** Tries per offset: a try that was interrupted is inexact, but not all of them will be. */
const TRIES = 8

/**
 * Boot time, which records carry, and its place on the wall clock.
 *
 * The offset between the two is taken once and used for every time, so that differences between times are
 * those of the boot clock and never negative. If the wall clock is set, `refresh` has to be called to follow it.
 */
export class Clock {
  /** CLOCK_BOOTTIME when this clock was made. */
  readonly openBootNs: bigint
  readonly #read: ReadClock
  #bootEpochNs: bigint

  constructor(read: ReadClock) {
    this.#read = read
    this.openBootNs = read('boottime')
    this.#bootEpochNs = offsetNs(read)
  }

  /**
   * The clocks of this machine.
   *
   * @throws {PlatformError} when this is not Linux on x64 or arm64
   */
  static system(): Clock {
    return new Clock(clockNs)
  }

  /** ns of CLOCK_BOOTTIME now. Exact in the first 104 days of uptime, then to 2 ns, and to 4 ns after 208 days. */
  bootNowNs(): number {
    return Number(this.#read('boottime'))
  }

  /** Epoch ns of a time on CLOCK_BOOTTIME in ns. */
  epochNs(bootNs: number | bigint): bigint {
    return this.#bootEpochNs + BigInt(bootNs)
  }

  /** Epoch ns at boot: CLOCK_REALTIME less CLOCK_BOOTTIME, as it was at the last `refresh`. */
  get bootEpochNs(): bigint {
    return this.#bootEpochNs
  }

  /** Reads the offset again, for later times: from then on they follow a wall clock that was set. */
  refresh(): void {
    this.#bootEpochNs = offsetNs(this.#read)
  }
}

/** The wall clock is read between two readings of the boot clock; the narrowest of several tries counts. */
function offsetNs(read: ReadClock): bigint {
  let narrowest: bigint | undefined
  let offset = 0n
  for (let i = 0; i < TRIES; i++) {
    const before = read('boottime')
    const realtime = read('realtime')
    const gap = read('boottime') - before
    if (narrowest === undefined || gap < narrowest) {
      narrowest = gap
      offset = realtime - (before + gap / 2n)
    }
  }
  return offset
}

/** A clock that stands still until it is moved: for replay and tests. */
export class ManualClock extends Clock {
  readonly #now: { bootNs: bigint; bootEpochNs: bigint }

  /** Both in ns: the time on CLOCK_BOOTTIME, and the epoch time at boot. */
  constructor({ bootNs = 0n, bootEpochNs = 0n }: { bootNs?: bigint; bootEpochNs?: bigint } = {}) {
    const now = { bootNs, bootEpochNs }
    super((clock) => (clock === 'boottime' ? now.bootNs : now.bootNs + now.bootEpochNs))
    this.#now = now
  }

  /** Moves both clocks to `bootNs` of CLOCK_BOOTTIME. */
  set(bootNs: number | bigint): void {
    this.#now.bootNs = BigInt(bootNs)
  }

  /** Moves both clocks on by `ns`. */
  advance(ns: number | bigint): void {
    this.#now.bootNs += BigInt(ns)
  }

  /** Sets the wall clock; seen after `refresh`. */
  setBootEpoch(bootEpochNs: bigint): void {
    this.#now.bootEpochNs = bootEpochNs
  }
}
