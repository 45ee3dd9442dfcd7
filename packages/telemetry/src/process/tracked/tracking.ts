import { EbpfError } from 'quark-ebpf'
import { OptionError } from '../../errors.js'
import { monotonicMs } from '../../event/time-base.js'
import type { ProcessRecord } from '../entry.js'
import { procProblem } from '../procfs/pids.js'
import type { ProcessTable } from '../table.js'
import { EXCLUDED, exclusionOf, FOLLOWED, marksOf, MAX_EXCLUSION } from './flags.js'
import type { KernelSet } from './kernel-set.js'
import { readAllLiving, readLiving, treeOf } from './trees.js'

/** The fact that trees are followed or left out in the kernel, in `Capabilities`. */
export const FILTERS_IN_KERNEL = 'filtersInKernel'

/** A followed process whose end is not reported for so long after it was gone is not waited for: the record was lost. */
const GONE_MS = 2000
/** How often it is looked at which are gone. */
const LOOK_MS = 500
/** How often what ended while it was left out is forgotten. */
const TIDY_MS = 10_000

/** Trees that a queue follows or leaves out; each of a process and its descendants. */
export interface TrackedTrees {
  /** Roots of what is followed; with none, all are. */
  readonly treeOf: readonly number[]
  /** Roots of what is left out. */
  readonly excludePids: readonly number[] | undefined
  /** Rules leave out trees that are found while it runs. */
  readonly mayLeaveOut?: boolean
}

/**
 * Which processes a queue follows and which it leaves out. In user space that is noted in the table of processes, as marks
 * which children inherit when their forks are applied; where the backend has a set in the kernel (`KernelSet`), programs ask
 * that before, and the table takes over what it holds.
 */
export class Tracking {
  readonly #trees: TrackedTrees
  /** The roots of what is left out, by the number of the exclusion. */
  readonly #exclusions = new Map<number, number>()
  #lastExclusion = 0
  /** The set of the session, if the backend has one. */
  #kernel: KernelSet | undefined
  /** Why there is none, although the backend might have one. */
  problem: string | undefined
  #hasBegun = false
  /** Why no more trees are left out for rules: the process may not change the set any more. */
  failure: EbpfError | undefined
  /** Processes that rules leave out, as far as records of them came. */
  readonly #leftOut = new Set<number>()
  /** Since when followed processes are gone whose ends were not reported, by pid. */
  readonly #gone = new Map<number, number>()
  #nextLookMs = 0
  #nextTidyMs = 0

  constructor(trees: TrackedTrees) {
    this.#trees = trees
    for (const pid of trees.excludePids ?? []) this.#exclusions.set(this.#nextExclusion(), pid)
  }

  /** Trees may be left out while it runs. */
  get mayExclude(): boolean {
    return this.#trees.excludePids !== undefined
  }

  /** Trees are named by options. */
  get isAsked(): boolean {
    return this.isOnly || this.mayExclude
  }

  /** Rules leave out trees. */
  get mayLeaveOut(): boolean {
    return this.#trees.mayLeaveOut === true
  }

  /** Only some trees are followed. */
  get isOnly(): boolean {
    return this.#trees.treeOf.length > 0
  }

  /**
   * Checks that the processes run, and that /proc has their pids as the kernel does.
   *
   * @throws {OptionError} naming the first that does not
   */
  check(): void {
    if (!this.isAsked) return
    const problem = procProblem()
    if (problem !== undefined) {
      const option = this.isOnly ? 'where.treeOf' : 'excludePids'
      throw new OptionError(option, `Option "${option}" cannot be used here: ${problem}`)
    }
    const check = (option: string, pids: readonly number[]): void => {
      const gone = pids.find((pid) => readLiving(pid) === undefined)
      if (gone !== undefined)
        throw new OptionError(option, `Option "${option}": no process has the pid ${gone}`)
    }
    check('where.treeOf', this.#trees.treeOf)
    check('excludePids', this.#trees.excludePids ?? [])
  }

  /** Fills the set of a session, in which the kernel adds children from now on. */
  putInto(set: KernelSet): void {
    for (const pid of this.#trees.treeOf) set.follow(pid)
    for (const [exclusion, pid] of this.#exclusions) set.exclude(pid, exclusion)
  }

  /** The backend has this set, and asks it. */
  useKernel(set: KernelSet): void {
    this.#kernel = set
  }

  get isInKernel(): boolean {
    return this.#kernel !== undefined
  }

  /** Whether a process that was found in /proc is to be known: of others, no records come. */
  isKnown(pid: number): boolean {
    return !this.isOnly || this.#kernel === undefined || this.#kernel.has(pid)
  }

  /** Marks the processes that were found. Called once, before the first event is made. */
  begin(table: ProcessTable): void {
    if (this.#hasBegun) return
    this.#hasBegun = true
    if (this.#kernel === undefined) {
      for (const pid of this.#trees.treeOf) {
        if (!this.#markTree(table, pid, FOLLOWED)) table.expectRoot(pid, marksOf(FOLLOWED, 0))
      }
      for (const [exclusion, pid] of this.#exclusions) {
        if (!this.#markTree(table, pid, EXCLUDED, exclusion))
          table.expectRoot(pid, marksOf(EXCLUDED, exclusion))
      }
      return
    }
    for (const [pid, marks] of this.#kernel.entries()) table.mark(pid, marks)
    // Programs write records of followed processes and of the kept ones, which are marked now. If the record of a fork is
    // lost, the child is known by what it does next.
    if (this.isOnly) table.newMarks = marksOf(FOLLOWED, 0)
  }

  /** False if the table does not have the root. */
  #markTree(table: ProcessTable, root: number, flags: number, exclusion = 0): boolean {
    const pids = treeOf([root], table.living())
    for (const pid of pids) table.mark(pid, marksOf(flags, exclusion))
    return pids.length > 0
  }

  /**
   * Leaves out a process and its descendants from now on.
   *
   * @param isLive whether pids are those of this machine now
   * @returns false if there is no such process
   * @throws {OptionError} when too many are left out already
   */
  exclude(pid: number, table: ProcessTable, isLive: boolean): boolean {
    const isThere = isLive ? readLiving(pid) !== undefined : table.peek(pid) !== undefined
    if (!isThere) return false
    for (const root of this.#exclusions.values())
      if (root === pid && this.isExcluded(table.peek(pid))) return true
    const exclusion = this.#nextExclusion()
    this.#exclusions.set(exclusion, pid)
    this.#apply(exclusion, pid, table, isLive)
    return true
  }

  #apply(exclusion: number, pid: number, table: ProcessTable, isLive: boolean): void {
    this.#kernel?.exclude(pid, exclusion)
    this.#kernel?.verify()
    // What is in /proc and not in the table inherits it with its fork, which is still to be applied.
    if (isLive)
      for (const each of treeOf([pid], readAllLiving())) table.mark(each, marksOf(EXCLUDED, exclusion))
    this.#markTree(table, pid, EXCLUDED, exclusion)
  }

  /**
   * Rules drop all events of a process and of its descendants, whatever becomes of them: where there is a set, no more records
   * of them are written. Those of its children that are made before are left out when the records of their forks come.
   */
  leaveOut({ pid, startTicks, hasExited }: ProcessRecord): void {
    if (hasExited || this.#kernel === undefined || this.failure !== undefined) return
    try {
      if (this.#kernel.leaveOut(pid, startTicks)) this.#leftOut.add(pid)
    } catch (error) {
      if (!(error instanceof EbpfError)) throw error
      this.failure = error
    }
  }

  /**
   * Ends that rules leave out trees.
   *
   * @throws {EbpfError} when the set cannot be changed any more
   */
  endLeavingOut(): void {
    this.#kernel?.endLeavingOut()
    this.#leftOut.clear()
  }

  /** Ends that a process and its descendants are left out. False if they were not. */
  include(pid: number, table: ProcessTable, isLive: boolean): boolean {
    const ended = [...this.#exclusions].filter(([, root]) => root === pid)
    for (const [exclusion] of ended) {
      this.#exclusions.delete(exclusion)
      this.#kernel?.include(exclusion)
    }
    if (ended.length === 0) return false
    // A tree within the other one stays left out.
    for (const [exclusion, root] of this.#exclusions) this.#apply(exclusion, root, table, isLive)
    return true
  }

  #nextExclusion(): number {
    for (let tries = 0; tries < MAX_EXCLUSION; tries++) {
      this.#lastExclusion = (this.#lastExclusion % MAX_EXCLUSION) + 1
      if (!this.#exclusions.has(this.#lastExclusion)) return this.#lastExclusion
    }
    throw new OptionError('excludePids', `Cannot leave out more than ${MAX_EXCLUSION} processes at once`)
  }

  /** Whether a process is left out. */
  isExcluded(process: Pick<ProcessRecord, 'marks'> | undefined): boolean {
    if (process === undefined || this.#exclusions.size === 0) return false
    const exclusion = exclusionOf(process.marks)
    return exclusion !== 0 && this.#exclusions.has(exclusion)
  }

  /** Whether a process is followed; all are, unless trees were named. */
  isFollowed(process: Pick<ProcessRecord, 'marks'> | undefined): boolean {
    return !this.isOnly || (process !== undefined && (process.marks & FOLLOWED) !== 0)
  }

  /**
   * How many followed processes have not ended, as far as events were made; 0 unless trees were named. Of a process that is
   * gone and whose end is not reported, the record was lost: it counts for a while only.
   */
  treeSize(table: ProcessTable, isLive: boolean, nowMs = monotonicMs()): number {
    if (!this.isOnly) return 0
    if (isLive && nowMs >= this.#nextLookMs) {
      this.#nextLookMs = nowMs + LOOK_MS
      this.#lookForGone(table, nowMs)
    }
    let count = 0
    for (const [pid, each] of table.living()) {
      if (this.isFollowed(each) && !(nowMs - (this.#gone.get(pid) ?? nowMs) >= GONE_MS)) count += 1
    }
    return count
  }

  /** Forgets what has ended while the kernel left it out: the table has no record of that. Called now and then. */
  tidy(table: ProcessTable, nowMs = monotonicMs()): void {
    if (this.#kernel === undefined || nowMs < this.#nextTidyMs) return
    if (this.#exclusions.size === 0 && this.#leftOut.size === 0) return
    this.#nextTidyMs = nowMs + TIDY_MS
    if (readLiving(process.pid) === undefined) return
    const gone: number[] = []
    for (const [pid, each] of table.living()) {
      if ((this.isExcluded(each) || this.#leftOut.has(pid)) && readLiving(pid) === undefined) gone.push(pid)
    }
    for (const pid of gone) table.forget(pid)
    for (const pid of this.#leftOut) if (table.peek(pid) === undefined) this.#leftOut.delete(pid)
  }

  /** Notes since when processes are gone whose ends were not reported. */
  #lookForGone(table: ProcessTable, nowMs: number): void {
    // In another root directory there is no /proc.
    if (readLiving(process.pid) === undefined) return
    const before = new Map(this.#gone)
    this.#gone.clear()
    for (const [pid, each] of table.living()) {
      if (!this.isFollowed(each) || readLiving(pid) !== undefined) continue
      this.#gone.set(pid, before.get(pid) ?? nowMs)
    }
  }

  /** Processes that found no room in the kernel's set. */
  get untracked(): number {
    return this.#kernel?.untracked ?? 0
  }
}
