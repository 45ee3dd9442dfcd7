/** Looks users and groups of a container up in its own files. May block as long as a file system does. */

import { closeSync, constants, fstatSync, openSync, readFileSync, readSync, statSync } from 'node:fs'
import { containerOf } from '../../../process/place.js'
import { type AskedUsers, type FoundUsers, MAX_NAME_CHARS } from './asked.js'
import { O_PATH, openInRoot } from './in-root.js'

/** So much of a file is looked through: some 20,000 users. */
export const MOST_BYTES = 1 << 20
const PIECE_BYTES = 64 << 10
const MAX_LINE = 4096
const NEWLINE = 0x0a

const piece = Buffer.allocUnsafe(PIECE_BYTES)

/** Names of a user and a group, by /etc/passwd and /etc/group on the root of a process of the container. */
export function findUsers({ id, pids, uid, gid }: AskedUsers, advance: () => void): FoundUsers {
  for (const pid of pids) {
    const root = rootOf(pid, id)
    if (root === undefined) continue
    try {
      return {
        user: nameOf(root, 'etc/passwd', insideOf(`/proc/${pid}/uid_map`, uid), advance),
        group: nameOf(root, 'etc/group', insideOf(`/proc/${pid}/gid_map`, gid), advance),
      }
    } finally {
      closeSync(root)
    }
  }
  return { unread: 'gone' }
}

/**
 * The root directory of a process of that container; undefined if it has ended, or its pid is another one's. What the runtime
 * runs before it changes the root has that of the machine, and is passed over.
 */
function rootOf(pid: number, id: string): number | undefined {
  let root: number | undefined
  try {
    root = openSync(`/proc/${pid}/root/`, O_PATH | constants.O_DIRECTORY)
    // Afterwards: what is open is that of the process that is looked at now, or of one before it.
    if (isIn(pid, id) && !isOwnRoot(root)) return root
  } catch {
    // It is gone.
  }
  if (root !== undefined) closeSync(root)
  return undefined
}

function isIn(pid: number, id: string): boolean {
  const lines = readFileSync(`/proc/${pid}/cgroup`, 'latin1').split('\n')
  return lines.some(
    (line) => containerOf(line.slice(line.indexOf(':', line.indexOf(':') + 1) + 1))?.id === id,
  )
}

function isOwnRoot(root: number): boolean {
  const [theirs, own] = [fstatSync(root, { bigint: true }), statSync('/', { bigint: true })]
  return theirs.dev === own.dev && theirs.ino === own.ino
}

/** What an id of the machine is in a user namespace; undefined if it is none there. */
function insideOf(map: string, id: number | undefined): number | undefined {
  if (id === undefined) return undefined
  let text: string
  try {
    text = readFileSync(map, 'latin1')
  } catch {
    return undefined
  }
  return mappedId(text, id)
}

/** By lines of `inside outside count`, as user_namespaces(7) has them. */
export function mappedId(map: string, id: number): number | undefined {
  for (const line of map.split('\n')) {
    const [inside, outside, count] = line.trim().split(/\s+/).map(Number)
    if (inside === undefined || outside === undefined || count === undefined) continue
    if (id >= outside && id < outside + count) return inside + id - outside
  }
  return undefined
}

/** The name of an id in a file of lines `name:password:id:…` below the root; undefined if there is none. */
export function nameOf(
  root: number,
  path: string,
  id: number | undefined,
  advance: () => void,
): string | undefined {
  if (id === undefined) return undefined
  const fd = openInRoot(root, path)
  if (fd === undefined) return undefined
  try {
    return nameIn(fd, id, advance)
  } catch {
    return undefined
  } finally {
    closeSync(fd)
  }
}

/** The first name of an id in lines `name:password:id:…` of a file. */
function nameIn(fd: number, id: number, advance: () => void): string | undefined {
  let held = 0
  /** The rest of a line that is too long. */
  let isSkipping = false
  for (let at = 0; at < MOST_BYTES;) {
    advance()
    const length = readSync(fd, piece, held, PIECE_BYTES - held, at)
    // The last line may have no end.
    if (length === 0) return isSkipping ? undefined : nameOfLine(piece, 0, held, id)
    at += length
    const end = held + length
    let start = 0
    for (let i = held; i < end; i++) {
      if (piece[i] !== NEWLINE) continue
      const name = isSkipping ? undefined : nameOfLine(piece, start, i, id)
      if (name !== undefined) return name
      isSkipping = false
      start = i + 1
    }
    held = end - start
    if (held > MAX_LINE) {
      isSkipping = true
      held = 0
    } else piece.copyWithin(0, start, end)
  }
  return undefined
}

function nameOfLine(bytes: Buffer, start: number, end: number, id: number): string | undefined {
  if (end - start > MAX_LINE) return undefined
  // A plus or minus in front asks name services for more.
  const [, name, digits] =
    /^([^:#+-][^:]*):[^:]*:(\d{1,10})(?::|$)/.exec(bytes.toString('utf8', start, end)) ?? []
  return name !== undefined && name.length <= MAX_NAME_CHARS && Number(digits) === id ? name : undefined
}
