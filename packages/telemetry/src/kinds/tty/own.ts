/**
 * Who is not to be reported, as it would never end: this process, and those that show on another terminal what it writes
 * to its own, such as tmux(1), screen(1) and script(1).
 */

import { readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs'

/** Pids in this process's pid namespace, and its number. */
export interface Own {
  readonly pid: number
  readonly pidNs: number
  /** They have the other side of a terminal that this process writes to, or of one that such a process writes to. */
  readonly relays: readonly number[]
}

/** Terminals behind terminals. */
const MOST_LEVELS = 4
const MOST_RELAYS = 16
const STANDARD = [1, 2]

/** Finds them in /proc. What cannot be read has none. */
export function findOwn(proc = '/proc'): Own {
  const { pid } = process
  return { pid, pidNs: pidNamespace(proc), relays: [...relaysOf(proc, `${pid}`)].slice(0, MOST_RELAYS) }
}

function pidNamespace(proc: string): number {
  try {
    return statSync(`${proc}/self/ns/pid`).ino
  } catch {
    return 0
  }
}

function relaysOf(proc: string, self: string): Set<number> {
  const relays = new Set<number>()
  let terminals = new Set(STANDARD.flatMap((fd) => terminalOf(`${proc}/${self}/fd/${fd}`)))
  for (let level = 0; level < MOST_LEVELS && terminals.size > 0; level += 1) {
    const next = new Set<string>()
    for (const pid of mastersOf(proc, terminals)) {
      if (`${pid}` === self || relays.has(pid)) continue
      relays.add(pid)
      for (const fd of namesIn(`${proc}/${pid}/fd`)) {
        for (const name of terminalOf(`${proc}/${pid}/fd/${fd}`)) next.add(name)
      }
    }
    terminals = next
  }
  return relays
}

/** The number of the pseudo-terminal that a file is. */
function terminalOf(link: string): string[] {
  const number = /^\/dev\/pts\/(\d+)$/.exec(linkOf(link) ?? '')?.[1]
  return number === undefined ? [] : [number]
}

/** The processes that have the masters of pseudo-terminals with these numbers. */
function* mastersOf(proc: string, terminals: ReadonlySet<string>): Iterable<number> {
  for (const pid of namesIn(proc)) {
    if (!/^\d+$/.test(pid)) continue
    if (namesIn(`${proc}/${pid}/fd`).some((fd) => isMaster(proc, pid, fd, terminals))) yield Number(pid)
  }
}

function isMaster(proc: string, pid: string, fd: string, terminals: ReadonlySet<string>): boolean {
  if (linkOf(`${proc}/${pid}/fd/${fd}`)?.endsWith('/ptmx') !== true) return false
  try {
    const index = /^tty-index:\s*(\d+)$/m.exec(readFileSync(`${proc}/${pid}/fdinfo/${fd}`, 'latin1'))?.[1]
    return index !== undefined && terminals.has(index)
  } catch {
    return false
  }
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder)
  } catch {
    return []
  }
}

function linkOf(path: string): string | undefined {
  try {
    return readlinkSync(path)
  } catch {
    return undefined
  }
}
