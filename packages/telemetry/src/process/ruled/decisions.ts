/** Keeps what rules decided about processes in the kernel, as far as it is certain to be right there. */

import { EbpfError } from 'quark-ebpf'
import { fieldOf, MAX_DECIDED, MAX_REASONS } from './kernel.js'

/** The map of a session by pid, or one that stands for it. */
export interface DecidedMap {
  set(pid: number, value: Readonly<Record<string, number>>): void
  /** False if it has no such pid. */
  replace(pid: number, value: Readonly<Record<string, number>>): boolean
  delete(pid: number): boolean
}

/** How many records were left out, by the number of the reason. */
export interface LeftOutMap {
  get(reason: number): bigint | undefined
}

interface Waiting {
  /** Reasons by group, 0 for none. */
  readonly reasons: readonly number[]
  /** When the kernel had the process in its map, ns of CLOCK_BOOTTIME. */
  readonly sinceNs: number
}

/**
 * Puts decisions into the kernel's map in two steps, so that none outlives what it is about.
 *
 * 1. A process is put in without reasons. Whatever changes it from now on takes it out: programs do so behind the record of
 *    the change, and only this class puts processes in.
 * 2. When all records are applied that were written before that, and none of them changed the process, the rules were asked
 *    about what it was at step 1. Its entry gets the reasons if it is still there: then nothing has changed it since.
 *
 * A process that ends is taken out, too, so that its pid is free for another one.
 */
export class Decisions {
  readonly #decided: DecidedMap
  readonly #leftOut: LeftOutMap
  readonly #groups: number
  readonly #nowNs: () => number
  readonly #waiting = new Map<number, Waiting>()
  readonly #active = new Set<number>()
  /** Of each reason, how many were reported already. */
  readonly #reported: number[] = [0]
  /** Processes that found no room. */
  refused = 0
  /** Why nothing more is decided: without its rights the process may not change maps any more. What is left out stays right. */
  failure: EbpfError | undefined

  /** @param nowNs ns of CLOCK_BOOTTIME */
  constructor(maps: { decided: DecidedMap; leftOut: LeftOutMap }, groups: number, nowNs: () => number) {
    this.#decided = maps.decided
    this.#leftOut = maps.leftOut
    this.#groups = groups
    this.#nowNs = nowNs
  }

  /** Processes of which records are left out, as far as it is known. */
  get size(): number {
    return this.#active.size
  }

  /** A number for a new reason; undefined if there are too many. */
  newReason(): number | undefined {
    if (this.#reported.length >= MAX_REASONS) return undefined
    return this.#reported.push(0) - 1
  }

  /** Begins to leave out records of a process: of each group for the reason of that number, 0 for none. */
  propose(pid: number, reasons: readonly number[]): void {
    if (this.failure !== undefined) return
    const known = this.#active.has(pid) || this.#waiting.has(pid)
    if (!known && this.#active.size + this.#waiting.size >= MAX_DECIDED) {
      this.refused += 1
      return
    }
    this.#active.delete(pid)
    if (!this.#tried(() => this.#decided.set(pid, this.#valueOf([])))) return
    // Read when the kernel has it: no later record may be missed.
    this.#waiting.set(pid, { reasons, sinceNs: this.#nowNs() })
  }

  /** A process has changed: what was decided about it does not count any more. */
  changed(pid: number): void {
    const wasWaiting = this.#waiting.delete(pid)
    if (this.#active.delete(pid) || wasWaiting) this.#tried(() => this.#decided.delete(pid))
  }

  /**
   * Ends the wait of processes of which nothing is on its way any more.
   *
   * @param appliedNs every record that was written before this time of CLOCK_BOOTTIME is applied
   */
  settle(appliedNs: number): void {
    for (const [pid, { reasons, sinceNs }] of this.#waiting) {
      if (sinceNs >= appliedNs) continue
      this.#waiting.delete(pid)
      this.#tried(() => {
        if (this.#decided.replace(pid, this.#valueOf(reasons))) this.#active.add(pid)
      })
    }
  }

  /**
   * Leaves nothing out from now on, until something is proposed again.
   *
   * @throws {EbpfError} when the maps cannot be changed any more
   */
  clear(): void {
    for (const pid of [...this.#active, ...this.#waiting.keys()]) this.#decided.delete(pid)
    this.#active.clear()
    this.#waiting.clear()
  }

  /** How many records were left out since the last call, by the number of the reason. */
  takeLeftOut(): [reason: number, count: number][] {
    const taken: [reason: number, count: number][] = []
    this.#tried(() => {
      for (let reason = 1; reason < this.#reported.length; reason++) {
        const before = this.#reported[reason] as number
        const count = Number(this.#leftOut.get(reason) ?? 0n) - before
        if (count <= 0) continue
        this.#reported[reason] = before + count
        taken.push([reason, count])
      }
    })
    return taken
  }

  /** False if the kernel refuses. Nothing is tried again. */
  #tried(action: () => void): boolean {
    if (this.failure !== undefined) return false
    try {
      action()
      return true
    } catch (error) {
      if (!(error instanceof EbpfError)) throw error
      this.failure = error
      return false
    }
  }

  #valueOf(reasons: readonly number[]): Record<string, number> {
    const groups = Array.from({ length: this.#groups }, (_, group) => group)
    return Object.fromEntries(groups.map((group) => [fieldOf(group), reasons[group] ?? 0]))
  }
}
