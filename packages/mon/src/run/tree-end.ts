import type { Process, QuarkStats } from 'quark-telemetry'

/** How often it is looked whether a tree of processes has ended. */
const LOOK_MS = 50
/** Where nobody counts forks, or some were lost: so many looks without a living process or a held record. */
const QUIET_LOOKS = 20

/** What is known of a tree of processes. */
export interface Tree {
  /** How many of its processes live, as far as events have been delivered. */
  treeSize(): number
  lookup(pid: number): Process | undefined
  stats(): QuarkStats
}

/** Calls `end` when all of these processes have ended, and that was delivered. Returns a function that stops it. */
export function onProcessesEnd(tree: Tree, pids: readonly number[], end: () => void): () => void {
  const first = new Map(pids.map((pid) => [pid, tree.lookup(pid)?.entityId]))
  return onceOver(() => pids.every((pid) => hasEnded(tree.lookup(pid), first.get(pid))), end)
}

function hasEnded(now: Process | undefined, entityId: string | undefined): boolean {
  // Of a process that was never known nothing is.
  if (entityId === undefined) return false
  return now === undefined || now.exitTimeNs !== undefined || now.entityId !== entityId
}

/** How the end of a tree is known. */
export interface TreeEnding {
  /** How many processes of the tree do not count. */
  readonly others: number
  /** Whether the events of all forks that the kernel has counted were delivered. */
  readonly isCaughtUp: (stats: QuarkStats) => boolean
}

/** Calls `end` when the last process of a tree has ended, and that was delivered. Returns a function that stops it. */
export function onTreeEnd(tree: Tree, { others, isCaughtUp }: TreeEnding, end: () => void): () => void {
  let quietLooks = 0
  return onceOver(() => {
    if (tree.treeSize() > others) {
      quietLooks = 0
      return false
    }
    const stats = tree.stats()
    if (isCaughtUp(stats)) return true
    quietLooks = stats.buffered === 0 ? quietLooks + 1 : 0
    return quietLooks >= QUIET_LOOKS
  }, end)
}

function onceOver(isOver: () => boolean, end: () => void): () => void {
  const timer = setInterval(() => {
    if (!isOver()) return
    clearInterval(timer)
    end()
  }, LOOK_MS)
  return () => clearInterval(timer)
}
