/** How deep processes stand under others that were shown. */

import type { QuarkEvent } from 'quark-telemetry'

/** Of more processes it is forgotten how deep they stand; those that were seen first go first. */
const MOST_PROCESSES = 65_536

/** Depths of the processes that were shown, as their events come. */
export class Tree {
  readonly #depths = new Map<number, number>()

  /** How many ancestors of an event's process were shown. */
  depthOf(event: QuarkEvent): number {
    const { process } = event
    if (process === undefined) return 0
    const { pid } = process
    const known = this.#depths.get(pid)
    // A pid may be used again.
    if (known !== undefined && !isBeginning(event)) return known
    // Who made it is in the tree, even if it has ended and another process is the parent now.
    const parent = this.#depthOfPid(process.creatorPid) ?? this.#depthOfPid(process.ppid)
    const depth = parent === undefined ? 0 : parent + 1
    this.#depths.delete(pid)
    this.#depths.set(pid, depth)
    if (this.#depths.size > MOST_PROCESSES) {
      for (const oldest of this.#depths.keys()) {
        this.#depths.delete(oldest)
        break
      }
    }
    return depth
  }

  #depthOfPid(pid: number | undefined): number | undefined {
    return pid === undefined ? undefined : this.#depths.get(pid)
  }
}

function isBeginning(event: QuarkEvent): boolean {
  return event.kind === 'process' && event.actions.includes('fork')
}
