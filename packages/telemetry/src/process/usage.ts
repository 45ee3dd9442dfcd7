import type { ProcessUsage } from './process.js'
import type { UsageSource } from './entry.js'

/** The kernel's counts for the threads that ended before, the last thread, and the leader. */
export interface UsageCounts {
  readonly runNs: bigint
  readonly userNs: bigint
  readonly systemNs: bigint
  readonly peakRssPages: bigint
  readonly readBytes: bigint
  readonly writeBytes: bigint
}

/** A process's usage, summed up when it is read. Immutable. */
export class UsageSum implements UsageSource {
  readonly #counts: readonly UsageCounts[]
  readonly #pageSizeBytes: number

  constructor(counts: readonly UsageCounts[], pageSizeBytes: number) {
    this.#counts = counts
    this.#pageSizeBytes = pageSizeBytes
  }

  get usage(): ProcessUsage {
    const run = this.#sum('runNs')
    const user = this.#sum('userNs')
    const system = this.#sum('systemNs')
    const systemTimeNs = shareOf(run, user, system)
    return {
      userTimeNs: run - systemTimeNs,
      systemTimeNs,
      peakRssBytes: Number(this.#sum('peakRssPages')) * this.#pageSizeBytes,
      readBytes: this.#sum('readBytes'),
      writeBytes: this.#sum('writeBytes'),
    }
  }

  #sum(field: keyof UsageCounts): bigint {
    return this.#counts.reduce((sum, counts) => sum + counts[field], 0n)
  }
}

/**
 * The part of the exact run time that was spent in the kernel. User and system time are counted by ticks, so
 * the kernel, too, takes from them only how the run time divides (cputime_adjust, kernel/sched/cputime.c).
 */
function shareOf(run: bigint, user: bigint, system: bigint): bigint {
  if (system === 0n) return 0n
  return user === 0n ? run : (run * system) / (user + system)
}
