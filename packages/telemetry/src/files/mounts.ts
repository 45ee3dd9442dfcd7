/** Mounted file systems, as /proc/self/mountinfo has them: see proc_pid_mountinfo(5). */

import { closeSync, openSync, readSync } from 'node:fs'

/** A file system, at one of the places where it is mounted. */
export interface MountedFileSystem {
  /** The kernel's number of the device: the major above twenty bits of the minor. */
  readonly device: number
  readonly type: string
  /** One character a byte. */
  readonly place: string
  /** The whole file system is mounted there, not a directory of it. */
  readonly isWhole: boolean
  /** Others are mounted over each of its places: no path leads to it. */
  readonly isHidden: boolean
}

interface Mount extends MountedFileSystem {
  readonly id: number
  readonly parent: number
}

/** Bytes that a mount table may have; a longer one is read so far. */
const MAX_TABLE_BYTES = 16 << 20
const PIECE_BYTES = 64 << 10

/**
 * The text of the table; empty if it cannot be read. One character a byte.
 *
 * @param directory of a process in /proc
 * @param maxBytes what is behind is not read
 */
export function readMountTable(directory = '/proc/self', maxBytes = MAX_TABLE_BYTES): string {
  let fd: number | undefined
  try {
    fd = openSync(`${directory}/mountinfo`, 'r')
    const pieces: Buffer[] = []
    for (let sizeBytes = 0; sizeBytes < maxBytes;) {
      const piece = Buffer.allocUnsafe(Math.min(PIECE_BYTES, maxBytes - sizeBytes))
      const length = readSync(fd, piece)
      if (length === 0) break
      pieces.push(piece.subarray(0, length))
      sizeBytes += length
    }
    return Buffer.concat(pieces).toString('latin1')
  } catch {
    return ''
  } finally {
    if (fd !== undefined) closeSync(fd)
  }
}

/** A mount, by its id in a table; undefined if the table does not have it. Whether it is hidden is not looked at. */
export function findMount(table: string, id: number): Omit<MountedFileSystem, 'isHidden'> | undefined {
  const at = table.startsWith(`${id} `) ? 0 : table.indexOf(`\n${id} `) + 1
  if (at === 0 && !table.startsWith(`${id} `)) return undefined
  return mountOf(table.slice(at, table.indexOf('\n', at)))
}

/** Each file system once: at a place where all of it is seen, if there is one, and that a path leads to. */
export function fileSystemsOf(table: string): MountedFileSystem[] {
  const found = new Map<number, MountedFileSystem>()
  for (const { device, type, place, isWhole, isHidden } of mountsOf(table)) {
    const known = found.get(device)
    const rank = rankOf({ isWhole, isHidden })
    if (known === undefined || rank > rankOf(known))
      found.set(device, { device, type, place, isWhole, isHidden })
  }
  return [...found.values()]
}

function rankOf({ isWhole, isHidden }: Pick<MountedFileSystem, 'isWhole' | 'isHidden'>): number {
  return (isHidden ? 0 : 2) + (isWhole ? 1 : 0)
}

/** All that a table has. */
function mountsOf(table: string): Mount[] {
  const mounts: (Mount & { isHidden: boolean })[] = []
  const byId = new Map<number, Mount>()
  /** By what they are mounted on, and where. */
  const placed = new Map<string, Mount>()
  for (const line of table.split('\n')) {
    const mount = mountOf(line)
    if (mount === undefined) continue
    mounts.push(mount)
    byId.set(mount.id, mount)
    placed.set(`${mount.parent}:${withoutSlash(mount.place)}`, mount)
  }
  for (const mount of mounts) mount.isHidden = isCovered(mount, byId, placed)
  return mounts
}

/** Mounts that are mounted on each other, at most, which is also where a table that was torn ends. */
const MAX_MOUNT_DEPTH = 64

/** Whether the way to a mount leads into another one: over it, over a directory above it, or over one that it is on. */
function isCovered(
  mount: Mount,
  byId: ReadonlyMap<number, Mount>,
  placed: ReadonlyMap<string, Mount>,
): boolean {
  let on: Mount | undefined = mount
  let under: Mount | undefined
  for (let depth = 0; on !== undefined && depth < MAX_MOUNT_DEPTH; depth += 1) {
    // From the place of the mount on, up to where this one begins, nothing else may be mounted on this one.
    for (let at = withoutSlash(under?.place ?? on.place); ; at = at.slice(0, at.lastIndexOf('/'))) {
      const other = placed.get(`${on.id}:${at}`)
      if (other !== undefined && other !== under && other !== on) return true
      if (at.length <= withoutSlash(on.place).length) break
    }
    under = on
    // The first of all is its own parent.
    on = on.parent === on.id ? undefined : byId.get(on.parent)
  }
  return false
}

function withoutSlash(path: string): string {
  return path.replace(/\/$/, '')
}

/** Whether a path is another one, or lies below it; neither ends with a slash, and the root is empty. */
export function isAtOrBelow(path: string, directory: string): boolean {
  return path === directory || path.startsWith(`${directory}/`)
}

/** What is mounted at directories and below: each mount, hidden ones too. Paths have one character a byte. */
export function mountsIn(table: string, directories: readonly string[]): MountedFileSystem[] {
  return mountsOf(table).filter(({ place }) => directories.some((directory) => isAtOrBelow(place, directory)))
}

/** The devices on which what lies below directories is kept: that of each directory, and what is mounted below. */
export function devicesBelow(table: string, directories: readonly string[]): Set<number> {
  const found = new Set<number>()
  const own = directories.map(() => ({ length: -1, device: 0 }))
  for (const mount of mountsOf(table)) {
    if (mount.isHidden) continue
    const place = withoutSlash(mount.place)
    for (const [index, directory] of directories.entries()) {
      if (place !== directory && isAtOrBelow(place, directory)) found.add(mount.device)
      const best = own[index] as { length: number; device: number }
      if (!isAtOrBelow(directory, place) || place.length < best.length) continue
      own[index] = { length: place.length, device: mount.device }
    }
  }
  for (const { length, device } of own) if (length >= 0) found.add(device)
  return found
}

/** `36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue` */
function mountOf(line: string): Mount | undefined {
  const [left = '', right = ''] = line.split(' - ')
  const [id = '', parent = '', device = '', root = '', place = ''] = left.split(' ')
  const numbers = /^(\d+):(\d+)$/.exec(device)
  if (numbers === null || place === '') return undefined
  return {
    id: Number(id),
    parent: Number(parent),
    device: deviceNumber(Number(numbers[1]), Number(numbers[2])),
    type: right.split(' ')[0] ?? '',
    place: unescaped(place),
    isWhole: root === '/',
    isHidden: false,
  }
}

/** The kernel's number of a device. */
export function deviceNumber(major: number, minor: number): number {
  return ((major << 20) | minor) >>> 0
}

/** `\040` is a space. */
function unescaped(text: string): string {
  return text.replaceAll(/\\([0-7]{3})/g, (_all, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 8)),
  )
}

/** The kernel's number of a device, of one in the form of stat(2). */
export function numberOfDev(dev: bigint): number {
  const major = Number(((dev >> 8n) & 0xfffn) | ((dev >> 32n) & ~0xfffn))
  const minor = Number((dev & 0xffn) | ((dev >> 12n) & ~0xffn))
  return deviceNumber(major, minor)
}

/** `8:1`, of the kernel's number of a device. */
export function deviceText(device: number): string {
  return `${device >>> 20}:${device & 0xf_ffff}`
}
