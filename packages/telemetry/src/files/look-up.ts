/**
 * Looking at files without waiting for file systems that others serve: whoever asks one of these sleeps until it answers,
 * and any user can mount FUSE and stop serving it. So each step of a path is opened as a mere name (O_PATH), which asks
 * nobody, and looked at only if it is on a file system of this machine. What is mounted meanwhile changes nothing of what
 * is open. Paths have one character a byte.
 */

import {
  type BigIntStats,
  closeSync,
  constants,
  fstatSync,
  openSync,
  readFileSync,
  readlinkSync,
} from 'node:fs'
import { isAbsolute, join } from 'node:path'
import { findMount, numberOfDev, readMountTable } from './mounts.js'

/** Not in Node's list. */
const O_PATH = 0o10000000

/** As many as the kernel follows: include/linux/namei.h. */
const MAX_LINKS = 40

const SERVED_TYPES =
  /^(fuse(blk)?(\..*)?|virtiofs|nfs4?|cifs|smb3|smbfs|9p|ceph|afs|coda|lustre|gfs2|ocfs2|orangefs|autofs)$/

/** Whether file systems of a type are served by others: programs, or other machines. */
export function isServedType(type: string): boolean {
  return SERVED_TYPES.test(type)
}

/** A file of a file system of this machine. It is open, as a name only, until it is disposed of. */
export class FoundFile implements Disposable {
  readonly fd: number
  /** Without symbolic links. */
  readonly path: string
  readonly stat: BigIntStats

  /** @param fd is closed with it */
  constructor(fd: number, path: string, stat: BigIntStats) {
    this.fd = fd
    this.path = path
    this.stat = stat
  }

  /** A path that leads to it, whatever is mounted or moved meanwhile. */
  get reference(): string {
    return `/proc/self/fd/${this.fd}`
  }

  [Symbol.dispose](): void {
    closeSync(this.fd)
  }
}

/** Which mounts are of this machine, as its tables of mounts show. */
class Mounts {
  readonly #directory: string
  readonly #table: string
  /** By the id. */
  readonly #isOwn = new Map<number, boolean>()

  /**
   * @param directory of the process in /proc whose mounts they are
   * @param table of its mounts, that was read already; another one is read for what it lacks
   */
  constructor(directory: string, table = '') {
    this.#directory = directory
    this.#table = table
  }

  isOwn(fd: number): boolean {
    const id = mountIdOf(fd)
    if (id === undefined) return false
    let isOwn = this.#isOwn.get(id)
    if (isOwn === undefined) {
      isOwn = this.#isOwnType(id)
      this.#isOwn.set(id, isOwn)
    }
    return isOwn
  }

  /**
   * A mount that is in no table is one of the kernel's own, or was unmounted: nobody knows whose. The root of this machine
   * is of it, whoever serves it: everything waits for that.
   */
  #isOwnType(id: number): boolean {
    if (id === rootMountId()) return true
    const type =
      findMount(this.#table, id)?.type ??
      findMount(readMountTable(this.#directory, MAX_TABLE_BYTES), id)?.type ??
      findMount(readMountTable(), id)?.type
    return type !== undefined && !isServedType(type)
  }
}

/**
 * The kernel's number of the file system that a file is on, and its type. The number that stat(2) has is another one on file
 * systems with subvolumes (btrfs), and for files of some overlays.
 *
 * @param table as `readMountTable` gives it
 */
export function fileSystemOf(
  { fd, stat }: FoundFile,
  table: string,
): { readonly device: number; readonly type: string | undefined } {
  const id = mountIdOf(fd)
  const mount = id === undefined ? undefined : findMount(table, id)
  return { device: mount?.device ?? numberOfDev(stat.dev), type: mount?.type }
}

/** How much of the table of another process is looked at. */
const MAX_TABLE_BYTES = 1 << 20

function rootMountId(): number | undefined {
  const fd = openSync('/', O_PATH)
  try {
    return mountIdOf(fd)
  } finally {
    closeSync(fd)
  }
}

function mountIdOf(fd: number): number | undefined {
  const id = /^mnt_id:\s*(\d+)$/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'latin1'))?.[1]
  return id === undefined ? undefined : Number(id)
}

/**
 * The file that a link of a process in /proc leads to. Undefined if there is none, or if others serve it.
 *
 * @param directory of the process
 * @param name of the link
 */
export function lookUpLink(directory: string, name: string): FoundFile | undefined {
  return open(`${directory}/${name}`, 0, new Mounts(directory), '')
}

/**
 * Follows a path to what it names, symbolic links included. Undefined if there is nothing, or if the way leads through
 * a file system that others serve.
 *
 * @param path absolute
 * @param directory of the process in /proc as which the path is followed
 * @param table of its mounts, if it was read already: what is open meanwhile cannot be unmounted
 */
export function lookUp(path: string, directory = '/proc/self', table = ''): FoundFile | undefined {
  const mounts = new Mounts(directory, table)
  let at = open(`${directory}/root`, 0, mounts, '/')
  let links = 0
  const rest = path.split('/').toReversed()
  try {
    for (let part = rest.pop(); part !== undefined && at !== undefined; part = rest.pop()) {
      if (part === '' || part === '.') continue
      const next = open(`${at.reference}/${part}`, constants.O_NOFOLLOW, mounts, join(at.path, part))
      if (next?.stat.isSymbolicLink() !== true) {
        at[Symbol.dispose]()
        at = next
        continue
      }
      next[Symbol.dispose]()
      links += 1
      const target = links > MAX_LINKS ? undefined : linkIn(at, part)
      if (target === undefined || isAbsolute(target)) {
        at[Symbol.dispose]()
        at = target === undefined ? undefined : open(`${directory}/root`, 0, mounts, '/')
      }
      rest.push(...(target ?? '').split('/').toReversed())
    }
    return at
  } catch {
    at?.[Symbol.dispose]()
    return undefined
  }
}

function linkIn(directory: FoundFile, name: string): string | undefined {
  try {
    return readlinkSync(Buffer.from(`${directory.reference}/${name}`, 'latin1'), 'latin1')
  } catch {
    return undefined
  }
}

function open(reference: string, flags: number, mounts: Mounts, path: string): FoundFile | undefined {
  let fd: number | undefined
  try {
    fd = openSync(Buffer.from(reference, 'latin1'), O_PATH | flags)
    if (mounts.isOwn(fd)) return new FoundFile(fd, path, fstatSync(fd, { bigint: true }))
  } catch {
    // It is not there, or there is no room to look.
  }
  if (fd !== undefined) closeSync(fd)
  return undefined
}
