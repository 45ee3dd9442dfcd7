/** The kernel that programs are generated for. */

import type { Btf } from '../btf/index.js'
import type { Flavor } from './load-tree.js'
import type { CpuRingsLayout } from './scratch.js'

/** What a program is generated for. */
export interface Target {
  readonly btf: Btf
  readonly flavor: Flavor
  readonly loop: 'helper' | 'bounded'
  readonly architecture: 'x64' | 'arm64'
  /** Possible CPUs: slots of the scratch and state maps. */
  readonly cpus: number
  /** Bytes of one scratch slot: the same for all programs that share the map. */
  readonly scratchSlotBytes: number
  readonly ringSizeBytes: number
  /** Each CPU has a ring of its own. Needs x64 and `probeRead`. */
  readonly cpuRings: CpuRingsLayout | undefined
  /** The kernel may preempt tracing programs (since 6.19), and the scratch belongs to the CPU. */
  readonly preemptible: boolean
  /** The kernel may preempt a task while it runs in the kernel, as it is built or set (CONFIG_PREEMPT, preempt=). */
  readonly kernelPreempts: boolean
  /** Programs may call bpf_probe_read_kernel; lockdown=confidentiality refuses it. */
  readonly probeRead: boolean
}

/** A field that a kernel or a probe cannot supply. */
export interface MissingField {
  readonly field: string
  readonly reason: string
}
