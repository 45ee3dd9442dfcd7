/** Reads a file that a process executes: that file, or none. May block as long as a file system does. */

import { createHash } from 'node:crypto'
import { closeSync, constants, fstatSync, lstatSync, openSync, readSync, statfsSync, statSync } from 'node:fs'
import type { AskedFile, FileContent } from './asked.js'

const { O_RDONLY, O_NONBLOCK, O_NOATIME, O_NOCTTY } = constants
/** Opens nothing but the name: a device or FIFO does not notice. Node.js has no name for it. */
const O_PATH = 0o10000000
const OVERLAYFS = 0x794c7630
const CHUNK_BYTES = 256 << 10

const chunk = Buffer.allocUnsafe(CHUNK_BYTES)

/** Called before so many bytes are read; may wait. */
export type Pace = (bytes: number) => void

/** What is in a file. */
export function readFile(asked: AskedFile, maxBytes: number, pace: Pace): FileContent {
  if (asked.sizeBytes > maxBytes) return { unread: 'tooLarge' }
  const fd = find(asked)
  if (typeof fd === 'string') return { unread: fd }
  try {
    const content = digestOf(fd, asked.sizeBytes, pace)
    return isReplaced(asked) ? { ...content, replaced: true } : content
  } catch {
    return { unread: 'refused' }
  } finally {
    closeSync(fd)
  }
}

/** Opens the file by the process, which has it whatever happens to its name; else by its name, if that is still its. */
function find(asked: AskedFile): number | 'gone' | 'refused' {
  const { pid, path, isDeleted } = asked
  let failure: 'gone' | 'refused' = 'gone'
  const names = [`/proc/${pid}/exe`]
  if (path !== undefined && !isDeleted) names.push(`/proc/${pid}/root${path}`, path)
  for (const [index, name] of names.entries()) {
    const isOfProcess = index === 0
    let fd: number | undefined
    try {
      fd = openSync(name, O_PATH)
      if (isSame(fd, asked, isOfProcess)) return openForReading(fd)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EACCES') failure = 'refused'
    } finally {
      if (fd !== undefined) closeSync(fd)
    }
  }
  return failure
}

function openForReading(fd: number): number {
  const name = `/proc/self/fd/${fd}`
  const flags = O_RDONLY | O_NONBLOCK | O_NOCTTY
  try {
    return openSync(name, flags | O_NOATIME)
  } catch {
    return openSync(name, flags)
  }
}

/** Whether it is the file that was executed, as it was then. What is executed cannot be written, only lose its name. */
function isSame(fd: number, asked: AskedFile, isOfProcess: boolean): boolean {
  const stat = fstatSync(fd, { bigint: true })
  if (!stat.isFile() || Number(stat.size) !== asked.sizeBytes) return false
  if (unsigned(stat.mtimeNs) !== asked.mtimeNs) return false
  if (!isOfProcess && unsigned(stat.ctimeNs) !== asked.ctimeNs) return false
  if (String(stat.ino) === asked.inode) return true
  // The numbers that overlayfs shows are those of the files below it.
  return isOfProcess && statfsSync(`/proc/self/fd/${fd}`).type === OVERLAYFS
}

/** The root directory from which the file has its name, empty for that of this process; undefined if it has it nowhere. */
export function rootOf(asked: AskedFile): string | undefined {
  const { pid, path, isDeleted } = asked
  if (path === undefined || isDeleted) return undefined
  const ofProcess = `/proc/${pid}/root`
  for (const root of isOwnRoot(ofProcess) ? [''] : [ofProcess, '']) {
    let fd: number | undefined
    try {
      fd = openSync(`${root}${path}`, O_PATH)
      if (isSame(fd, asked, true)) return root
    } catch {
      // It is not there, or the process is gone.
    } finally {
      if (fd !== undefined) closeSync(fd)
    }
  }
  return undefined
}

function isOwnRoot(root: string): boolean {
  try {
    const theirs = statSync(`${root}/`)
    const own = statSync('/')
    return theirs.dev === own.dev && theirs.ino === own.ino
  } catch {
    return false
  }
}

function unsigned(ns: bigint): string {
  return BigInt.asUintN(64, ns).toString()
}

function digestOf(fd: number, sizeBytes: number, pace: Pace): FileContent {
  const before = fstatSync(fd, { bigint: true })
  const hash = createHash('sha256')
  let at = 0
  while (at < sizeBytes) {
    const wanted = Math.min(CHUNK_BYTES, sizeBytes - at)
    pace(wanted)
    const length = readSync(fd, chunk, 0, wanted, at)
    if (length === 0) return { unread: 'changed' }
    hash.update(chunk.subarray(0, length))
    at += length
  }
  const after = fstatSync(fd, { bigint: true })
  const isChanged = before.size !== after.size || before.mtimeNs !== after.mtimeNs
  return isChanged ? { unread: 'changed' } : { sha256: hash.digest('hex') }
}

/** Whether the name of a deleted file is that of another one now. */
function isReplaced({ pid, path, isDeleted }: AskedFile): boolean {
  if (!isDeleted || path === undefined) return false
  try {
    lstatSync(`/proc/${pid}/root${path}`)
    return true
  } catch {
    return false
  }
}
