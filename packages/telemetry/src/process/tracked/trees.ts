/** Trees of processes, as /proc shows them. */

import { readdirSync } from 'node:fs'
import { parseStat } from '../procfs/parse.js'
import { readLatin1 } from '../procfs/read.js'

/** A process in /proc. */
export interface LivingProcess {
  readonly ppid: number
  readonly pgid: number
  readonly sid: number
  /** ns of CLOCK_BOOTTIME, cut to clock ticks: the same pid with another start is another process. */
  readonly startBootNs: bigint
}

/** A process that runs; undefined if there is none with that pid. */
export function readLiving(pid: number): LivingProcess | undefined {
  const stat = parseStat(readLatin1(`/proc/${pid}/stat`) ?? '')
  if (stat === undefined || stat.ended) return undefined
  const { ppid = 0, pgid = 0, sid = 0, startBootNs } = stat
  return { ppid, pgid, sid, startBootNs }
}

/** All processes that run, by their pids. */
export function readAllLiving(): Map<number, LivingProcess> {
  const living = new Map<number, LivingProcess>()
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue
    const found = readLiving(Number(name))
    if (found !== undefined) living.set(Number(name), found)
  }
  return living
}

/** The pids of some processes and all of their descendants, of those that are there. */
export function treeOf(
  roots: readonly number[],
  processes: Iterable<readonly [pid: number, process: { readonly ppid: number | undefined }]>,
): number[] {
  const children = new Map<number, number[]>()
  const pids = new Set<number>()
  for (const [pid, { ppid }] of processes) {
    pids.add(pid)
    if (ppid === undefined || ppid === pid) continue
    const known = children.get(ppid)
    if (known === undefined) children.set(ppid, [pid])
    else known.push(pid)
  }
  const found = new Set(roots.filter((pid) => pids.has(pid)))
  // Grows while it is walked through.
  for (const pid of found) for (const child of children.get(pid) ?? []) found.add(child)
  return [...found]
}

/** The ancestors of a process, and the leaders of its group and session, of those that are there. */
export function relativesOf(pid: number, living: ReadonlyMap<number, LivingProcess>): number[] {
  const first = living.get(pid)
  const found = new Set<number>()
  for (let at = first; at !== undefined && !found.has(at.ppid); at = living.get(at.ppid)) found.add(at.ppid)
  for (const leader of [first?.pgid, first?.sid]) if (leader !== undefined) found.add(leader)
  found.delete(pid)
  return [...found].filter((relative) => living.has(relative))
}
