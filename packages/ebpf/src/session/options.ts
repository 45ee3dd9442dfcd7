/** How a session is opened. */

import type { Btf } from '../btf/index.js'
import { levelsOf } from '../probe/contexts.js'
import type { Flavor, Probe } from '../probe/index.js'
import { type LevelSizes, MAX_LEVELS } from '../probe/scratch.js'

export interface SessionOptions {
  readonly btf: Btf
  /** Bytes of the ring: a power of two and a multiple of the page size. */
  readonly ringSizeBytes: number
  /** Flavours to try for tracing hooks, in this order. Default: direct, then probeRead. */
  readonly flavors?: readonly Flavor[]
  /** How path walks loop. Default: bpf_loop where the kernel has it. */
  readonly loop?: 'helper' | 'bounded'
  /** Whether programs may call bpf_probe_read_kernel. Default: whether the kernel allows it. */
  readonly probeRead?: boolean
  /**
   * Whether each CPU has a ring of its own, which costs the programs less (probe/output.ts). Default: on x86-64, when
   * rings of at least 512 KiB take no more than four times `ringSizeBytes`. Needs x86-64, `probeRead`, and on old kernels
   * that all together have less than 4 MiB.
   */
  readonly cpuRings?: boolean
  /** Whether tracing programs may be preempted. Default: from Linux 6.19 on. Needs Linux 6.10. */
  readonly preemptible?: boolean
  /**
   * Whether the kernel preempts tasks in kernel mode. Default: detected; true if it cannot be detected. If true,
   * fentry, fexit, iterators and programs of cgroups need Linux 6.10.
   */
  readonly kernelPreempts?: boolean
  /**
   * Whether probes for system calls share one program at their tracepoint, which tail-calls those that want the call
   * (session/dispatch.ts). Default: if the kernel supports it.
   */
  readonly shareCalls?: boolean
  /** Folder of the cgroup that hooks of cgroups are attached to, within a cgroup2 mount. Default: the root of all. */
  readonly cgroup?: string
  /**
   * How many programs may be nested on a CPU, one interrupting the other: 1 to 4. A program that interrupts that many
   * records nothing and is counted (`nestingMisses`). Each level beyond the first takes memory for a record and, where
   * CPUs have rings, an eighth of a ring. Default: as many as the probes that `open` is given have contexts; 3 when it
   * is given none.
   */
  readonly levels?: number
  /**
   * How much of a ring records of a kind may take, 0 to 1, by the number of the kind, the upper byte of the record type.
   * What comes beyond is counted as lost. A kind that is not named may take all. Where CPUs have rings it counts in each
   * of them; in the one ring of all CPUs, a record for each other lane may come on top.
   */
  readonly shares?: ReadonlyMap<number, number>
  /** The same for single types of records, which then do not count for the share of their kind. */
  readonly recordShares?: ReadonlyMap<number, number>
  /**
   * Whether users share a ring that is more than half full: one who writes much finds ever less room, and others find
   * some at any time. Records are shortened first (`TailType.scarceBytes`), and `losses()` has whose were lost. For hooks
   * of tracing that run in tasks only; records of others are taken and lost as they come. Default: false.
   */
  readonly fairUsers?: boolean
}

/** A task, a softirq in it, and an interrupt in that. */
const USUAL_LEVELS = 3

/** @throws {RangeError} for levels out of range */
export function sizesOf({ levels }: SessionOptions, records: number | readonly Probe[]): LevelSizes {
  if (levels !== undefined && (!Number.isInteger(levels) || levels < 1 || levels > MAX_LEVELS)) {
    throw new RangeError(`Cannot open a session with ${levels} levels: give 1 to ${MAX_LEVELS}`)
  }
  if (typeof records === 'number') {
    return { levels: levels ?? USUAL_LEVELS, maxRecordBytes: records, nestedRecordBytes: records }
  }
  const needed = levelsOf(records)
  return { ...needed, levels: levels ?? needed.levels }
}
