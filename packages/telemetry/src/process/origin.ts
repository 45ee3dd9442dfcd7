/**
 * How processes came into the system: each descends from an entry leader, such as the shell of a login. A process has the
 * origin of the one that made it, also when that has ended; only the leader of a session can begin another one.
 */

import { isIP } from 'node:net'
import { placeOf } from './place.js'
import { Origin, type Peer } from './entry-point.js'
import type { EntryType } from './process.js'
import type { ProcessRecord } from './entry.js'

/** Looks processes up that are not to be changed. */
export interface Parents {
  peek(pid: number): ProcessRecord | undefined
  /** `NAME=value` strings of a process that runs; undefined where they cannot be read. */
  environmentOf?(process: ProcessRecord): readonly string[] | undefined
}

const INIT = 1
const KTHREADD = 2

/** Programs that make containers, and what they run of their own; they are no entry themselves. */
const RUNTIMES = /^(?:runc|crun|youki|containerd-shim|conmon|calico-node|check-status|pause)/
/** Programs whose children that lead a session are containers. */
const CONTAINER_PARENTS = /^(?:containerd-shim|runc|crun|youki|conmon|lxc-start|systemd-nspawn)/
/** The server of OpenSSH, and the programs that newer versions split off it. */
const SSH_SERVERS: ReadonlySet<string> = new Set(['sshd', 'sshd-session', 'sshd-auth', 'dropbear'])

/**
 * Finds the origin of a process that began, executed something, or was found. It is that of its parent, or its own; if
 * nothing is known of its parents, it stays as it is.
 */
export function settleOrigin(process: ProcessRecord, parents: Parents): void {
  const { pid, ppid, sid } = process
  if (pid === INIT) {
    process.origin ??= new Origin('init', process)
    return
  }
  if (pid === KTHREADD || ppid === KTHREADD) {
    process.origin ??= kernelOrigin(process, parents)
    return
  }
  const parent = ppid === undefined || ppid === 0 || ppid === pid ? undefined : parents.peek(ppid)
  if (pid === sid) {
    const type = typeOfLeader(process, parent)
    if (type !== undefined) {
      process.origin = ownOrigin(type, process, parents)
      return
    }
  }
  process.origin ??= parent?.origin
}

/** Finds the origins of processes that were found together, whatever their order. */
export function settleOrigins(processes: Iterable<ProcessRecord>, parents: Parents): void {
  // Each is settled once, after its parents; pids that were used again may go in a circle.
  const seen = new Set<ProcessRecord>()
  const chain: ProcessRecord[] = []
  for (const process of processes) {
    let at: ProcessRecord | undefined = process
    while (at !== undefined && at.origin === undefined && !seen.has(at)) {
      seen.add(at)
      chain.push(at)
      at = at.ppid === undefined || at.ppid === 0 ? undefined : parents.peek(at.ppid)
    }
    for (at = chain.pop(); at !== undefined; at = chain.pop()) settleOrigin(at, parents)
  }
}

function kernelOrigin(process: ProcessRecord, parents: Parents): Origin {
  const kthreadd = process.pid === process.sid ? process : parents.peek(KTHREADD)
  return new Origin('kthread', kthreadd ?? { pid: KTHREADD, startLo: 0, startHi: 0 })
}

/** The origin that the leader of a session is itself. */
function ownOrigin(type: EntryType, process: ProcessRecord, parents: Parents): Origin {
  const { origin, pid } = process
  // What the first program of a login was given by the server is not replaced by what later ones may have been given.
  if (origin?.type === type && origin.pid === pid) return origin
  if (type !== 'sshd') return new Origin(type, process)
  return new Origin(type, process, peerOf(process.realEnv ?? parents.environmentOf?.(process)))
}

/** What the leader of a session is the entry of; undefined if it belongs to the entry of its parent. */
function typeOfLeader(process: ProcessRecord, parent: ProcessRecord | undefined): EntryType | undefined {
  const name = baseName(process.exe)
  const { ttyMajor = 0, ttyMinor = 0 } = process
  if (isSerial(ttyMajor, ttyMinor)) return 'terminal'
  if (isConsole(ttyMajor, ttyMinor) && name === 'login') return 'console'
  if (parent === undefined || RUNTIMES.test(name)) return undefined
  const parentName = baseName(parent.exe)
  if (parentName === 'ssm-session-worker' && isPts(ttyMajor)) return 'ssm'
  if (SSH_SERVERS.has(parentName) && !SSH_SERVERS.has(name)) return 'sshd'
  if (CONTAINER_PARENTS.test(parentName)) return 'container'
  const { container } = placeOf(process.cgroup)
  // The first process of a container, whatever made it.
  return container !== undefined && container.id !== placeOf(parent.cgroup).container?.id
    ? 'container'
    : undefined
}

/** The part behind the last slash; empty without one. */
function baseName(exe: string | undefined): string {
  return exe === undefined || !exe.includes('/') ? '' : exe.slice(exe.lastIndexOf('/') + 1)
}

const FIRST_PTS = 136
const LAST_PTS = 143

function isPts(major: number): boolean {
  return major >= FIRST_PTS && major <= LAST_PTS
}

/** Virtual consoles, and /dev/console. */
function isConsole(major: number, minor: number): boolean {
  return (major === 4 && minor < 64) || (major === 5 && minor === 1)
}

/** Serial lines: ttyS, and those of other drivers (ttyACM, ttyUSB, ttyAMA, hvc). */
function isSerial(major: number, minor: number): boolean {
  if (major === 4) return minor >= 64
  return major === 166 || major === 188 || major === 229 || (major === 204 && minor >= 64)
}

/** `SSH_CONNECTION=client port server port`, or older `SSH_CLIENT=client port port`. */
const SSH_VARIABLE = /^SSH_(?:CONNECTION|CLIENT)=(\S{1,64}) ([0-9]{1,5}) /
const MAX_PORT = 65_535

function peerOf(environment: readonly string[] | undefined): Peer | undefined {
  for (const variable of environment ?? []) {
    const match = SSH_VARIABLE.exec(variable)
    // A zone belongs to this machine's interface, and to no address of ECS.
    const address = match?.[1]?.replace(/%.*$/, '')
    if (address === undefined || isIP(address) === 0) continue
    const port = Number(match?.[2])
    return { address, port: port > 0 && port <= MAX_PORT ? port : undefined }
  }
  return undefined
}
