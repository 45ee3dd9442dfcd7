/** Processes as proc(5) shows them: all those that exist when a queue is opened. */

import { readdirSync } from 'node:fs'
import { parseCgroup, parseNamespace, parseStat, parseStatus } from './parse.js'
import { type FileIdentity, fileIdentity, readBytes, readLatin1, readLink } from './read.js'

export interface ScrapeOptions {
  /** Where procfs is mounted. Default `/proc`. */
  readonly procPath?: string
  /** Most bytes of argv; 0 for none. */
  readonly maxArgvBytes: number
  /** Most bytes of the environment; 0 for none. */
  readonly maxEnvBytes: number
  /** Which hierarchy the cgroup is taken from: v2, or v1's pids controller. */
  readonly hierarchy: 'unified' | 'pids'
}

/**
 * What /proc tells about one process. Everything that could not be read is undefined. Text is bytes as the kernel
 * has them, without a NUL at the end and owned by the caller; ids are those of the reader's namespaces.
 */
export interface ScrapedProcess {
  readonly pid: number
  /** ns of CLOCK_BOOTTIME, cut to clock ticks of 10 ms. */
  readonly startBootNs: bigint | undefined
  readonly ppid: number | undefined
  readonly pgid: number | undefined
  readonly sid: number | undefined
  readonly uid: number | undefined
  readonly euid: number | undefined
  readonly suid: number | undefined
  readonly gid: number | undefined
  readonly egid: number | undefined
  readonly sgid: number | undefined
  readonly capInheritable: bigint | undefined
  readonly capPermitted: bigint | undefined
  readonly capEffective: bigint | undefined
  readonly capBounding: bigint | undefined
  readonly capAmbient: bigint | undefined
  /** 0 and 0 when there is no controlling terminal. */
  readonly ttyMajor: number | undefined
  readonly ttyMinor: number | undefined
  readonly utsNs: number | undefined
  readonly ipcNs: number | undefined
  readonly mntNs: number | undefined
  readonly netNs: number | undefined
  readonly kernelThread: boolean | undefined
  /** A zombie: it was over before the scan, and no exit will be seen. */
  readonly ended: boolean | undefined
  /** At most 15 bytes. */
  readonly comm: Uint8Array | undefined
  /** From `root`, or from the mount namespace's root when it lies outside; `memfd:name` for memfds. */
  readonly exe: Uint8Array | undefined
  /** The name of the executed file was removed, at exec or since. */
  readonly exeDeleted: boolean
  /** As `exe`. */
  readonly cwd: Uint8Array | undefined
  /** Root directory of the process in its mount namespace. */
  readonly root: Uint8Array | undefined
  /** The memory that argv was in, NUL-terminated strings unless the process wrote other text there; cut at the limit. */
  readonly argv: Uint8Array | undefined
  /** What `argv` would be without a limit. */
  readonly argvSizeBytes: number | undefined
  /** NUL-terminated `NAME=value` strings, as they were at exec; cut at the limit. */
  readonly env: Uint8Array | undefined
  readonly envSizeBytes: number | undefined
  /** Within its hierarchy, beginning with `/`. */
  readonly cgroup: Uint8Array | undefined
}

/**
 * Scrapes one process after the other, in the order of their pids. Each is read when it is asked for, so the time
 * before the call of `next` is the earliest that its facts are from. Processes that end meanwhile are left out.
 *
 * @throws {Error} when `procPath` cannot be listed
 */
export function* scanProcesses(options: ScrapeOptions): Generator<ScrapedProcess, void, undefined> {
  const pids = readdirSync(options.procPath ?? '/proc')
    .filter((name) => /^[1-9]\d*$/.test(name))
    .map(Number)
    .sort((a, b) => a - b)
  for (const pid of pids) {
    const process = scrapeProcess(pid, options)
    if (process !== undefined) yield process
  }
}

/**
 * Reads what /proc tells about a process. It never throws: what cannot be read, or has another format, is absent.
 *
 * @returns undefined when the process is gone, or hidden from this reader
 */
export function scrapeProcess(pid: number, options: ScrapeOptions): ScrapedProcess | undefined {
  const directory = `${options.procPath ?? '/proc'}/${pid}`
  const statText = readLatin1(`${directory}/stat`)
  const statusText = readLatin1(`${directory}/status`)
  if (statText === undefined && statusText === undefined) return undefined

  const stat = parseStat(statText ?? '')
  const status = parseStatus(statusText ?? '')
  // Errors are slow, so what cannot be there is not asked for.
  const hasLinks = stat?.leaderEnded !== true
  const hasMemory = hasLinks && stat?.kernelThread !== true
  const root = hasLinks ? followLink(`${directory}/root`) : undefined
  const exe = hasMemory ? placeOf(directory, 'exe', root?.path) : undefined
  const cwd = hasLinks ? placeOf(directory, 'cwd', root?.path) : undefined
  const argv = hasMemory ? readMemory(`${directory}/cmdline`, options.maxArgvBytes) : undefined
  const env = hasMemory ? readMemory(`${directory}/environ`, options.maxEnvBytes) : undefined
  return {
    pid,
    startBootNs: stat?.startBootNs,
    ppid: stat?.ppid,
    pgid: stat?.pgid,
    sid: stat?.sid,
    uid: status?.uid,
    euid: status?.euid,
    suid: status?.suid,
    gid: status?.gid,
    egid: status?.egid,
    sgid: status?.sgid,
    capInheritable: status?.capInheritable,
    capPermitted: status?.capPermitted,
    capEffective: status?.capEffective,
    capBounding: status?.capBounding,
    capAmbient: status?.capAmbient,
    ttyMajor: stat?.ttyMajor,
    ttyMinor: stat?.ttyMinor,
    utsNs: hasLinks ? namespaceOf(directory, 'uts') : undefined,
    ipcNs: hasLinks ? namespaceOf(directory, 'ipc') : undefined,
    mntNs: hasLinks ? namespaceOf(directory, 'mnt') : undefined,
    netNs: hasLinks ? namespaceOf(directory, 'net') : undefined,
    kernelThread: stat?.kernelThread,
    ended: stat?.ended,
    comm: bytesOf(stat?.comm),
    exe: bytesOf(exe?.path),
    exeDeleted: exe?.deleted ?? false,
    cwd: bytesOf(cwd?.path),
    root: bytesOf(root?.path),
    argv: argv?.bytes,
    argvSizeBytes: argv?.sizeBytes,
    env: env?.bytes,
    envSizeBytes: env?.sizeBytes,
    cgroup: bytesOf(cgroupOf(directory, options.hierarchy, stat?.leaderEnded === true)),
  }
}

function bytesOf(latin1: string | undefined): Uint8Array | undefined {
  // A copy: `Buffer.from` puts short texts into a shared pool, which each of them would keep alive.
  return latin1 === undefined ? undefined : new Uint8Array(Buffer.from(latin1, 'latin1'))
}

function readMemory(path: string, maxBytes: number): { bytes: Uint8Array; sizeBytes: number } | undefined {
  const read = maxBytes === 0 ? undefined : readBytes(path, maxBytes)
  // An empty file is a process without memory, or without arguments: nothing tells which.
  return read?.sizeBytes === 0 ? undefined : read
}

function namespaceOf(directory: string, name: string): number | undefined {
  return parseNamespace(readLink(`${directory}/ns/${name}`) ?? '')
}

/** What the kernel puts behind the name of a removed v2 cgroup, in which only zombies can be, and of a removed file. */
const DELETED = ' (deleted)'

function cgroupOf(directory: string, hierarchy: 'unified' | 'pids', zombie: boolean): string | undefined {
  const path = parseCgroup(readLatin1(`${directory}/cgroup`) ?? '', hierarchy)?.path
  return zombie && path?.endsWith(DELETED) === true ? path.slice(0, -DELETED.length) : path
}

/** Where a link of a process's directory leads to; latin1. */
interface Place {
  readonly path: string
  readonly deleted: boolean
}

/** Follows a link to a file and tells its place from the process's root, as BPF programs do. */
function placeOf(directory: string, name: 'exe' | 'cwd', root: string | undefined): Place | undefined {
  const place = followLink(`${directory}/${name}`, (path) => {
    // The name is looked up where the process itself would find it, whichever its mount namespace.
    const inRoot = below(root, path)
    return fileIdentity(Buffer.from(`${directory}/root${inRoot}`, 'latin1'))
  })
  if (place === undefined) return undefined
  if (place.deleted && place.path.startsWith('/memfd:')) {
    // A memfd never was in a directory: the slash and the mark are the kernel's way to show that.
    return { path: place.path.slice(1), deleted: false }
  }
  return { path: below(root, place.path), deleted: place.deleted }
}

/**
 * Reads a link that shows a path. The kernel marks removed files behind their name, but a name may end like the
 * mark: the file itself tells them apart, by having no name left, or by not being what the whole text names.
 */
function followLink(link: string, lookUp?: (path: string) => FileIdentity | undefined): Place | undefined {
  const path = readLink(link)
  if (path === undefined || !path.endsWith(DELETED)) {
    return path === undefined ? undefined : { path, deleted: false }
  }
  const file = fileIdentity(link)
  if (file === undefined) return { path, deleted: false }
  if (file.linkCount > 0n) {
    const named = lookUp === undefined ? file : lookUp(path)
    if (named?.inode === file.inode && named.device === file.device) return { path, deleted: false }
  }
  return { path: path.slice(0, -DELETED.length), deleted: true }
}

/** `path` from `root`; unchanged when it lies outside. */
function below(root: string | undefined, path: string): string {
  if (root === undefined || root === '/') return path
  if (path === root) return '/'
  return path.startsWith(`${root}/`) ? path.slice(root.length) : path
}
