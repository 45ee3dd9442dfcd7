import type { AggregationTable } from '../aggregate/table.js'
import type { BackendName } from '../backend/index.js'

/** What `Quark.open` takes. Every member has a default, and an empty object is the usual call. */
export interface QuarkOptions {
  /** Where records come from, in order of preference. Default: the best that works. */
  readonly backends?: readonly BackendName[]
  /** Which records may be joined into one event. Default `'default'`. */
  readonly aggregation?: 'default' | 'minimal' | 'none' | AggregationTable
  /** Most records held back for ordering and aggregation. Default 10,000. */
  readonly maxLength?: number
  /** Most bytes of held records. Default 16 MiB. */
  readonly maxBufferBytes?: number
  /** How long a record is held so that others can join it, when the buffer is nearly empty. Default 1,000. */
  readonly holdMs?: number
  /** Deliver an event as soon as nothing can join it any more, not only after the hold time. Default true. */
  readonly releaseEarly?: boolean
  /** How long an ended process can still be looked up. Default 4,000. */
  readonly graceMs?: number
  /** Most processes in the table; beyond it the ones that ended longest ago go first. Default 65,536. */
  readonly maxProcesses?: number
  /**
   * Size of the kernel's ring; a power of two and a multiple of the page size. Default 2 MiB. On x86-64 each CPU has its
   * own part, of at least 256 KiB, unless all together took more than four times the size.
   */
  readonly ringSizeBytes?: number
  /** Most bytes of argv per process. Default 128 KiB. */
  readonly maxArgvBytes?: number
  /** Most bytes of the environment per process. Default 0: not captured. */
  readonly maxEnvBytes?: number
  /** Also events of threads. Default false. */
  readonly threads?: boolean
  /** Also kernel threads. Default false. */
  readonly kernelThreads?: boolean
  /** CPU time, peak RSS and I/O bytes at exit. Default false. */
  readonly usage?: boolean
  /** Failed execs with their errno. Puts all system calls of the machine on a slower path. Default false. */
  readonly failedExecs?: boolean
  /** Begin with one event per existing process. Default false. */
  readonly snapshot?: boolean
  /** Deliver records as they are, without ordering, table or aggregation. Default false. */
  readonly bypass?: boolean
  /** File that the records are written to as well, for `Quark.replay`. */
  readonly record?: string
  /** BTF file of this kernel, raw or in an ELF file. Default: the running kernel's, or `QUARK_BTF_PATH`. */
  readonly btf?: string
  /** Longest time between two looks at the ring while events come, in ms. Default 100. */
  readonly pollMs?: number
  /** Ends every wait and iteration when it is aborted. */
  readonly signal?: AbortSignal
}

export type { BackendName }

/** What `Quark.replay` takes. Options that are left out are those of the recorded queue. */
export type ReplayOptions = Pick<
  QuarkOptions,
  | 'aggregation'
  | 'maxLength'
  | 'maxBufferBytes'
  | 'holdMs'
  | 'releaseEarly'
  | 'graceMs'
  | 'maxProcesses'
  | 'snapshot'
  | 'signal'
>
