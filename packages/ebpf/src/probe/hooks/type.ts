/** The properties of a kind of hook, so that no other code distinguishes kinds. */

import type { Btf, FunctionPrototype } from '../../btf/index.js'
import type { ExprNode } from '../nodes.js'
import type { Flavor } from '../load-tree.js'
import type { ContextLevel, HookKind } from './hook.js'

/** How a program is loaded: names of constants in include/uapi/linux/bpf.h. */
export interface ProgramShape {
  readonly type: `BPF_PROG_TYPE_${string}`
  readonly attachType?: `BPF_${string}`
  /** The kernel finds the hook by its BTF id when the program is loaded. */
  readonly byBtfId?: boolean
  /** What users call it: the part before the slash of `tp_btf/sched_process_exec`. */
  readonly shownAs: string
}

/** Where a program finds the arguments of its hook. */
export type ArgumentPlace =
  /** One word for each, in a row: `struct bpf_raw_tracepoint_args`, and what trampolines pass. */
  | 'words'
  /** `struct pt_regs`, by the calling convention. */
  | 'registers'
  /** The first argument is the context itself, and the second the kernel's own structure behind it. */
  | 'context'
  | 'none'

/** Whether a task may be preempted while a program runs for it, so that another task runs the program on that CPU. */
export type Preemption =
  | 'never'
  /** Since Linux 6.19. */
  | 'recent'
  /** Ever: such programs are only kept on their CPU (migrate_disable). */
  | 'always'

/**
 * Which program of a place the kernel runs first, the one that was attached first or the one that was attached last, where it
 * skips runs of a program that runs on that CPU already: there a second one stands in (stand-in.ts).
 */
export type RunOrder = 'oldest' | 'newest'

/** A release that brought a hook to each architecture. */
export interface MinKernel {
  readonly x64: string
  readonly arm64: string
}

/** What distinguishes the runs of a hook, such as system calls, where probes want some of them. */
export interface RunFilter {
  readonly number: ExprNode
  /** A condition that is checked before all others: whether the number is one of a 64-bit program. */
  readonly isWanted?: ExprNode
}

/** One of several places to which programs of one type are attached. */
export interface Place {
  readonly attachType: `BPF_${string}`
  readonly minKernel: string
}

/** A kind of hook. */
export interface HookType {
  readonly kind: HookKind
  /** What messages call its target, if that is not the kind itself. */
  readonly noun?: string
  /** How it is declared, and when its probes run: a row of docs/probes.md. */
  readonly declared: string
  readonly runs: string
  /** The flavours in which its programs can be generated, and how they are loaded then. */
  readonly programs: Readonly<Partial<Record<Flavor, ProgramShape>>>
  /** Its probes want some system calls only: the program checks the number before anything else. */
  readonly calls?: RunFilter
  /** By the targets of such hooks. */
  readonly places?: Readonly<Record<string, Place>>
  readonly levels: readonly ContextLevel[]
  readonly preemption: Preemption
  /** Absent where the kernel skips no runs, or none that a task could cause. */
  readonly runsFirst?: RunOrder
  /** What the program returns on every path. */
  readonly exitValue: 0 | 1
  readonly arguments: ArgumentPlace
  /** How many arguments of the prototype come before those that are declared. */
  readonly hiddenArguments?: number
  /** Arguments that point to a structure may be NULL: then the program does nothing. */
  readonly mayBeNull?: boolean
  /** Where records go: to the ring of the session, or to the reader of the iterator. */
  readonly output: 'ring' | 'reader'
  /** Where the function's return value is; absent where there is none. */
  readonly result?: 'afterArguments' | 'register'
  /** What the kernel passes, where BTF knows it. */
  readonly prototype?: (target: string, btf: Btf) => FunctionPrototype | undefined
  readonly minKernel: MinKernel
}

/** The prototype of a kernel function. */
export function functionPrototype(target: string, btf: Btf): FunctionPrototype | undefined {
  return btf.findFunction(target)
}
