import type { Rung } from './rungs.js'

/** Something that a kind wants to learn, whichever backend is open. */
export interface Fact {
  /** Name in `Capabilities`. */
  readonly name: string
  /** Without it there is nothing to watch: a backend that cannot have it does not open. */
  readonly required: boolean
  /** Facts of all kinds are attached in ascending order; default 0. Those of equal order keep the order of their list. */
  readonly order?: number
  /** It is not learnt where all of these are, by rungs that are whole: it says nothing that they do not. */
  readonly besides?: readonly string[]
  /** The ways to learn it. Of those that a backend has, the first that works is taken. */
  readonly rungs: readonly Rung[]
  /** Why a backend has no rung for it, by the backend's name. */
  readonly lacking?: Readonly<Record<string, string>>
  /** No event is made of it alone: an option that asks for it and for others is not met by it. */
  readonly isAuxiliary?: true
  /** A kernel without its hooks has nothing of the sort to report: an option that asks for it is met all the same. */
  readonly canBeMoot?: true
  /** What of it is lost without certain parts of the machine. */
  readonly losses?: readonly MachineLoss[]
}

/**
 * Parts of a machine that facts depend on beside hooks: the pids of events in /proc, processes of others there, their
 * memory and links, times since boot in /proc, the hierarchy of cgroups, and its root.
 */
export type MachinePart = 'procPids' | 'procOfOthers' | 'procMemory' | 'bootTime' | 'cgroups' | 'cgroupRoot'

/** What is lost without a part of the machine. */
export interface MachineLoss {
  readonly without: MachinePart
  /** In words that can follow "costs". */
  readonly costs: readonly string[]
}

/** A fact that is learnt. */
export interface AttachedFact {
  /** `fork`, `exec`, `exit`, `cgroupNames` … */
  readonly fact: string
  /** For example `tp_btf/sched_process_exec`. */
  readonly hook: string
  /**
   * How it is read: `direct` or `probe_read` by programs; `fetch_args` by kprobes, with the offsets that stand in for
   * BTF; `multicast` from audit, `message` from the proc connector; `procfs`; a source in user space has its own.
   */
  readonly flavor: string
}

/** A fact that is not learnt, or not completely. */
export interface MissingFact {
  readonly fact: string
  /** What was tried, and why it failed; what to do about it. */
  readonly reason: string
}
