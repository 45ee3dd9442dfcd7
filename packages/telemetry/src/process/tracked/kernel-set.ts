import { EbpfError, KernelError, type ProbeSession } from 'quark-ebpf'
import { EXCLUDED, FOLLOWED, KEPT, LEFT_OUT, marksOf } from './flags.js'
import { TICK_NS } from '../../event/time-base.js'
import { trackedProcesses, untrackedCount } from './kernel.js'
import { type LivingProcess, readAllLiving, readLiving, relativesOf, treeOf } from './trees.js'

/** So often at most the processes are listed to find those that were made meanwhile. */
const MAX_PASSES = 16

/**
 * The set of tracked processes of a session, from user space. Once `inheritProbe` is attached, children of what is in it
 * are put into it by the kernel.
 */
export class KernelSet {
  readonly #session: ProbeSession
  /** Descendants that were found in /proc and had no room. */
  #refused = 0
  /** The last count stays readable when the session is closed. */
  #untracked = 0
  /** What was added from /proc since `verify`: when those processes began. */
  readonly #added = new Map<number, bigint>()

  constructor(session: ProbeSession) {
    this.#session = session
  }

  /** Puts a process and its descendants in as followed, and its relatives as kept. */
  follow(pid: number): void {
    const living = readAllLiving()
    for (const relative of relativesOf(pid, living)) {
      this.#add(relative, KEPT, 0)
      this.#note(relative, living.get(relative)?.startBootNs)
    }
    this.#addTree(pid, FOLLOWED, 0)
  }

  /** Puts a process and its descendants in as excluded. */
  exclude(pid: number, exclusion: number): void {
    this.#addTree(pid, EXCLUDED, exclusion)
  }

  /**
   * Puts a process in as one that rules leave out; its descendants are by and by.
   *
   * @returns false if it has no room, or is another process than the one that began then
   */
  leaveOut(pid: number, startTicks: number): boolean {
    if (this.#session.map(trackedProcesses).get(pid)?.flags === LEFT_OUT) return true
    if (!this.#add(pid, LEFT_OUT, 0)) return false
    // Its end takes it out from now on. Who got its pid before would be taken for it.
    if (isStart(readLiving(pid), startTicks)) return true
    this.#remove(pid, LEFT_OUT)
    return false
  }

  /** Ends that rules leave out processes. */
  endLeavingOut(): void {
    const set = this.#session.map(trackedProcesses)
    // Children inherit it meanwhile of those that still have it.
    for (let pass = 0; pass < MAX_PASSES; pass++) {
      const left = [...set.entries()].filter(([, { flags }]) => (flags & LEFT_OUT) !== 0)
      for (const [pid] of left) this.#remove(pid, LEFT_OUT)
      if (left.length === 0) return
    }
  }

  #remove(pid: number, flags: number): void {
    const set = this.#session.map(trackedProcesses)
    const entry = set.get(pid)
    if (entry !== undefined) set.replace(pid, { ...entry, flags: entry.flags & ~flags })
  }

  /** Ends an exclusion. */
  include(exclusion: number): void {
    const set = this.#session.map(trackedProcesses)
    for (const [pid, entry] of set.entries()) {
      if ((entry.flags & EXCLUDED) === 0 || entry.exclusion !== exclusion) continue
      set.set(pid, { flags: entry.flags & ~EXCLUDED, exclusion: 0 })
    }
  }

  /**
   * Lists the processes until no new one is found: children of what is in the set already are put there by the kernel.
   */
  #addTree(root: number, flags: number, exclusion: number): void {
    for (let pass = 0; pass < MAX_PASSES; pass++) {
      const living = readAllLiving()
      const news = treeOf([root], living).filter((pid) => {
        const entry = this.#session.map(trackedProcesses).get(pid)
        if (entry === undefined || (entry.flags & flags) === 0) return true
        return exclusion !== 0 && entry.exclusion !== exclusion
      })
      if (news.length === 0) return
      for (const pid of news) {
        this.#note(pid, living.get(pid)?.startBootNs)
        if (!this.#add(pid, flags, exclusion)) return
      }
    }
  }

  #note(pid: number, startBootNs: bigint | undefined): void {
    if (startBootNs !== undefined) this.#added.set(pid, startBootNs)
  }

  /** False if there is no room. */
  #add(pid: number, flags: number, exclusion: number): boolean {
    const set = this.#session.map(trackedProcesses)
    const { flags: flagsBefore = 0, exclusion: exclusionBefore = 0 } = set.get(pid) ?? {}
    try {
      set.set(pid, {
        flags: flagsBefore | flags,
        exclusion: exclusion === 0 ? exclusionBefore : exclusion,
      })
      return true
    } catch (error) {
      if (!(error instanceof KernelError) || error.errnoName !== 'E2BIG') throw error
      this.#refused += 1
      return false
    }
  }

  /**
   * Takes out what had ended before it was put in, so that nothing can take it out any more: called when the program that
   * reports ends is attached. A stranger that got its pid would be taken for it.
   */
  verify(): void {
    const set = this.#session.map(trackedProcesses)
    for (const [pid, startBootNs] of this.#added) {
      if (readLiving(pid)?.startBootNs !== startBootNs) set.delete(pid)
    }
    this.#added.clear()
  }

  has(pid: number): boolean {
    return this.#session.map(trackedProcesses).get(pid) !== undefined
  }

  /** What the set holds: the marks of each process. */
  *entries(): IterableIterator<[pid: number, marks: number]> {
    for (const [pid, { flags, exclusion }] of this.#session.map(trackedProcesses).entries()) {
      yield [pid, marksOf(flags, exclusion)]
    }
  }

  /** How many processes found no room. */
  get untracked(): number {
    try {
      this.#untracked = this.#refused + (this.#session.map(untrackedCount).get(0) ?? 0)
    } catch (error) {
      // The session is closed, or its maps cannot be read any more without privileges.
      if (!(error instanceof EbpfError)) throw error
    }
    return this.#untracked
  }
}

function isStart(living: LivingProcess | undefined, startTicks: number): boolean {
  return living !== undefined && Number(living.startBootNs / BigInt(TICK_NS)) === startTicks
}
