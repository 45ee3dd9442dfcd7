/** Processes as proc(5) shows them: all those that exist when a queue is opened. */

import { readdirSync } from 'node:fs'
import { type FoundFile, lookUp, lookUpLink } from '../../files/look-up.js'
import { fromHierarchyRoot } from './cgroup-mounts.js'
import { parseCgroup, parseNamespace, parseStackStart, parseStat, parseStatus } from './parse.js'
import { readBytes, readLatin1, readLink, readWord } from './read.js'

/** How much of the texts of a process is read. */
export interface ReadLimits {
  /** Most bytes of argv; 0 for none. */
  readonly maxArgvBytes: number
  /** Most bytes of the environment; 0 for none. */
  readonly maxEnvBytes: number
}

export interface ScrapeOptions extends ReadLimits {
  /** Where procfs is mounted. Default `/proc`. */
  readonly procPath?: string
  /** Which hierarchy the cgroup is taken from: v2, or v1's pids controller. */
  readonly hierarchy: 'unified' | 'pids'
  /** Where paths of cgroups in /proc begin, if not at the root of the hierarchy; latin1. */
  readonly cgroupRoot?: string | undefined
}

/**
 * What /proc shows of one process. Everything that could not be read is undefined. Text is bytes as the kernel
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
  readonly userNs: number | undefined
  readonly pidNs: number | undefined
  readonly cgroupNs: number | undefined
  readonly timeNs: number | undefined
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
  /** Size of `argv` without a limit. */
  readonly argvSizeBytes: number | undefined
  /** NUL-terminated `NAME=value` strings, as they were at exec; cut at the limit. */
  readonly env: Uint8Array | undefined
  readonly envSizeBytes: number | undefined
  /** Within its hierarchy, beginning with `/`. */
  readonly cgroup: Uint8Array | undefined
}

/**
 * Scrapes one process after the other, in the order of their pids. Each is read by its call of `next`, so the time
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
 * Reads what /proc shows of a process. It never throws: what cannot be read, or has another format, is absent.
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
  // A first thread that has ended has given up what the others still have.
  const alive = stat?.leaderEnded === true ? otherThread(directory, pid) : directory
  // Errors are slow, so files that cannot be there are not opened.
  const hasMemory = alive !== undefined && stat?.kernelThread !== true
  const root = alive === undefined ? undefined : followLink(alive, 'root')
  const exe = hasMemory ? placeOf(alive, 'exe', root?.path) : undefined
  const cwd = alive === undefined ? undefined : placeOf(alive, 'cwd', root?.path)
  const argv = hasMemory ? readArgv(alive, options.maxArgvBytes) : undefined
  const env = hasMemory ? readMemory(`${alive}/environ`, options.maxEnvBytes) : undefined
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
    utsNs: namespaceOf(alive, 'uts'),
    ipcNs: namespaceOf(alive, 'ipc'),
    mntNs: namespaceOf(alive, 'mnt'),
    netNs: namespaceOf(alive, 'net'),
    userNs: namespaceOf(alive, 'user'),
    pidNs: namespaceOf(alive, 'pid'),
    cgroupNs: namespaceOf(alive, 'cgroup'),
    timeNs: namespaceOf(alive, 'time'),
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
    cgroup: bytesOf(cgroupOf(directory, options, stat?.leaderEnded === true)),
  }
}

function bytesOf(latin1: string | undefined): Uint8Array | undefined {
  // A copy: `Buffer.from` puts short texts into a shared pool, which each of them would keep alive.
  return latin1 === undefined ? undefined : new Uint8Array(Buffer.from(latin1, 'latin1'))
}

function readMemory(path: string, maxBytes: number): { bytes: Uint8Array; sizeBytes: number } | undefined {
  const read = maxBytes === 0 ? undefined : readBytes(path, maxBytes)
  // An empty file is a process without memory, or without arguments: nothing distinguishes them.
  return read?.sizeBytes === 0 ? undefined : read
}

/** The directory of a thread that has not ended, of a process whose first one has. */
function otherThread(directory: string, pid: number): string | undefined {
  for (const tid of namesIn(`${directory}/task`)) {
    const thread = `${directory}/task/${tid}`
    if (tid !== String(pid) && parseStat(readLatin1(`${thread}/stat`) ?? '')?.leaderEnded === false)
      return thread
  }
  return undefined
}

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory)
  } catch {
    return []
  }
}

const NUL = 0

/**
 * The arguments of a process. Many write a title over them and fill the rest of the memory with NULs, each of which would
 * be an empty argument: the title is what ps(1) shows. Which empty arguments at the end are real is known
 * from the kernel's count of arguments, which lies where the stack begins.
 */
function readArgv(directory: string, maxBytes: number): { bytes: Uint8Array; sizeBytes: number } | undefined {
  const read = readMemory(`${directory}/cmdline`, maxBytes)
  if (read === undefined) return undefined
  const { bytes } = read
  const isCut = read.sizeBytes > bytes.length
  const end = endOfText(bytes)
  if (bytes.length - end < 2) return read
  const count = argumentCount(directory)
  const nuls = nulsIn(bytes)
  if (count === undefined || (isCut ? nuls <= count : nuls === count)) return read
  const title = bytes.slice(0, end + 1)
  return { bytes: title, sizeBytes: title.length }
}

// The loops are functions of their own: among other code the engine would compile them again for each megabyte.

function endOfText(bytes: Uint8Array): number {
  let end = bytes.length
  while (end > 0 && bytes[end - 1] === NUL) end -= 1
  return end
}

function nulsIn(bytes: Uint8Array): number {
  let nuls = 0
  for (let i = 0; i < bytes.length; i++) if (bytes[i] === NUL) nuls += 1
  return nuls
}

/** The first word of the stack, as execve(2) left it. */
function argumentCount(directory: string): number | undefined {
  const start = parseStackStart(readLatin1(`${directory}/stat`) ?? '')
  const word = start === undefined ? undefined : readWord(`${directory}/mem`, start)
  return word !== undefined && word <= 0x7fff_ffff ? Number(word) : undefined
}

function namespaceOf(directory: string | undefined, name: string): number | undefined {
  if (directory === undefined) return undefined
  return parseNamespace(readLink(`${directory}/ns/${name}`) ?? '')
}

/** The kernel's mark behind the name of a removed file, and of a removed v2 cgroup, in which only zombies can be. */
const DELETED = ' (deleted)'
/** What the text of a memfd begins with. */
const MEMFD = '/memfd:'

function cgroupOf(directory: string, options: ScrapeOptions, zombie: boolean): string | undefined {
  const shown = parseCgroup(readLatin1(`${directory}/cgroup`) ?? '', options.hierarchy)?.path
  if (shown === undefined) return undefined
  const path = fromHierarchyRoot(shown, options.cgroupRoot)
  return zombie && path.endsWith(DELETED) ? path.slice(0, -DELETED.length) : path
}

/** Where a link of a process's directory leads to; latin1. */
interface Place {
  readonly path: string
  readonly deleted: boolean
}

/** Follows a link to a file; the path begins at the process's root, as in BPF programs. */
function placeOf(directory: string, name: 'exe' | 'cwd', root: string | undefined): Place | undefined {
  // The name is looked up where the process itself would find it, whichever its mount namespace.
  const place = followLink(directory, name, (path) => lookUp(below(root, path), directory))
  if (place === undefined) return undefined
  if (place.deleted && place.path.startsWith(MEMFD)) {
    // A memfd never was in a directory: the slash and the mark are the kernel's way to show that.
    return { path: place.path.slice(1), deleted: false }
  }
  return { path: below(root, place.path), deleted: place.deleted }
}

/**
 * Reads a link that shows a path. The kernel marks removed files behind their name, but a name may end like the
 * mark: the file itself distinguishes them: it has no name left, or is not what the whole text names. A file that
 * others serve is not asked, and its text is left as it is.
 *
 * @param named follows a path; without it, the file has the name if it has any
 */
function followLink(
  directory: string,
  name: 'exe' | 'cwd' | 'root',
  named?: (path: string) => FoundFile | undefined,
): Place | undefined {
  const path = readLink(`${directory}/${name}`)
  if (path === undefined || !path.endsWith(DELETED)) {
    return path === undefined ? undefined : { path, deleted: false }
  }
  const cut = { path: path.slice(0, -DELETED.length), deleted: true }
  using file = lookUpLink(directory, name)
  // Memfds are on a mount of the kernel's own.
  if (file === undefined) return path.startsWith(MEMFD) ? cut : { path, deleted: false }
  if (file.stat.nlink === 0n) return cut
  using other = named?.(path)
  const isNamed =
    named === undefined || (other?.stat.ino === file.stat.ino && other.stat.dev === file.stat.dev)
  return isNamed ? { path, deleted: false } : cut
}

/** `path` from `root`; unchanged when it lies outside. */
function below(root: string | undefined, path: string): string {
  if (root === undefined || root === '/') return path
  if (path === root) return '/'
  return path.startsWith(`${root}/`) ? path.slice(root.length) : path
}
