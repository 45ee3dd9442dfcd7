/** Reading /proc without throwing: a process may end, or be hidden, between any two calls. */

import { closeSync, type Dirent, openSync, readdirSync, readlinkSync, readSync, statSync } from 'node:fs'

/** One buffer for all reads: they are synchronous, and results are copied out. */
const chunk = Buffer.allocUnsafeSlow(64 * 1024)

/** What says nothing of a file, only that this process or machine had no room to open it. */
const WANT_OF_ROOM = ['EMFILE', 'ENFILE', 'ENOMEM']
let unread = 0

function noteError(error: unknown): void {
  if (WANT_OF_ROOM.includes((error as NodeJS.ErrnoException).code ?? '')) unread += 1
}

/** How many files could not be read so far for want of descriptors or memory, although they may be there. */
export function unreadFiles(): number {
  return unread
}

/** The beginning of a file. */
export interface ReadBytes {
  /** A copy of at most as many bytes as were asked for. */
  readonly bytes: Uint8Array
  /** Length of the whole file. */
  readonly sizeBytes: number
}

/**
 * Reads a file whose size is not known before, as in /proc.
 *
 * @returns undefined when it cannot be opened or read
 */
export function readBytes(path: string, maxBytes: number): ReadBytes | undefined {
  const pieces: Uint8Array[] = []
  let sizeBytes = 0
  const complete = eachChunk(path, (length) => {
    const wanted = Math.min(length, maxBytes - sizeBytes)
    if (wanted > 0) pieces.push(new Uint8Array(chunk.subarray(0, wanted)))
    sizeBytes += length
  })
  if (!complete) return undefined
  const [first] = pieces
  // Most files fit into the chunk and need no second copy.
  const bytes = pieces.length === 1 && first !== undefined ? first : new Uint8Array(Buffer.concat(pieces))
  return { bytes, sizeBytes }
}

/**
 * Reads a file as latin1: one character per byte.
 *
 * @returns undefined when it cannot be opened or read
 */
export function readLatin1(path: string | Buffer): string | undefined {
  let text = ''
  const complete = eachChunk(path, (length) => {
    text += chunk.toString('latin1', 0, length)
  })
  return complete ? text : undefined
}

/** Fills the chunk until the file ends; returns whether it was read to the end. */
function eachChunk(path: string | Buffer, filled: (length: number) => void): boolean {
  let fd: number | undefined
  try {
    fd = openSync(path, 'r')
    for (;;) {
      const length = readSync(fd, chunk, 0, chunk.length, null)
      if (length === 0) return true
      filled(length)
    }
  } catch (error) {
    noteError(error)
    return false
  } finally {
    if (fd !== undefined) closeSync(fd)
  }
}

/** The u64 at a place in a file; undefined when it cannot be read. */
export function readWord(path: string, offset: bigint): bigint | undefined {
  let fd: number | undefined
  try {
    fd = openSync(path, 'r')
    return readSync(fd, chunk, 0, 8, offset) === 8 ? chunk.readBigUInt64LE(0) : undefined
  } catch {
    return undefined
  } finally {
    if (fd !== undefined) closeSync(fd)
  }
}

/** The target of a symbolic link as latin1: one character per byte. */
export function readLink(path: string): string | undefined {
  try {
    return readlinkSync(path, 'latin1')
  } catch (error) {
    noteError(error)
    return undefined
  }
}

/** The inode number of what is at a path; undefined when nothing can be found there. */
export function inodeOf(path: string | Buffer): bigint | undefined {
  try {
    return statSync(path, { bigint: true }).ino
  } catch {
    return undefined
  }
}

/** Names of the directories in a directory. All is latin1: one character per byte, as names need not be UTF-8. */
export function directoriesIn(directory: string): string[] {
  let entries: Dirent<Buffer>[]
  try {
    entries = readdirSync(Buffer.from(directory, 'latin1'), { withFileTypes: true, encoding: 'buffer' })
  } catch (error) {
    noteError(error)
    return []
  }
  return entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name.toString('latin1'))
}
