/** The kernel that programs are generated for. */

import type { Btf } from '../btf/index.js'
import type { Flavor } from './load-tree.js'
import type { CpuRingsLayout, ScratchLayout } from './scratch.js'
import type { Role } from './stand-in.js'

/** What a program is generated for. */
export interface Target {
  readonly btf: Btf
  readonly flavor: Flavor
  readonly loop: 'helper' | 'bounded'
  readonly architecture: 'x64' | 'arm64'
  /** Possible CPUs: slots of the scratch and state maps. */
  readonly cpus: number
  /** Where the slots of the scratch are: the same for all programs that share the map. */
  readonly scratch: ScratchLayout
  readonly ringSizeBytes: number
  /** Each CPU has rings of its own. Needs x64 and `probeRead`. */
  readonly cpuRings: CpuRingsLayout | undefined
  /** The kernel may preempt tracing programs (since 6.19), and the scratch belongs to the CPU. */
  readonly preemptible: boolean
  /** The kernel may preempt a task while it runs in the kernel, as it is built or set (CONFIG_PREEMPT, preempt=). */
  readonly kernelPreempts: boolean
  /** Programs may call bpf_probe_read_kernel; lockdown=confidentiality refuses it. */
  readonly probeRead: boolean
  /** Users share a ring that is getting full (fairness.ts), whose maps the session has. */
  readonly fairUsers: boolean
}

/** What a session assigns to the programs of a probe. */
export interface Assignment {
  readonly role: Role
  /** Which of the counters are those of its record type. */
  readonly counter: number
  /** Which of the shares of a ring is that of its kind; undefined when it may take all. */
  readonly share: number | undefined
  /** Which of the notes its stand-in goes by. */
  readonly note: number
  /** The map of programs to tail-call at the end, for a probe behind a dispatcher (session/dispatch.ts). */
  readonly next: string | undefined
}

/** A field that a kernel or a probe cannot supply. */
export interface MissingField {
  readonly field: string
  readonly reason: string
}
