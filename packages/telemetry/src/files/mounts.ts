/** Mounted file systems, as /proc/self/mountinfo has them. */

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

/** The type of a mount, by its id in a table; undefined if the table does not have it. */
export function typeOfMount(table: string, id: number): string | undefined {
  const at = table.startsWith(`${id} `) ? 0 : table.indexOf(`\n${id} `) + 1
  if (at === 0 && !table.startsWith(`${id} `)) return undefined
  return mountOf(table.slice(at, table.indexOf('\n', at)))?.type
}

/** Each file system once: at the place where all of it is seen, if there is one. */
export function fileSystemsOf(table: string): MountedFileSystem[] {
  const found = new Map<number, MountedFileSystem>()
  for (const line of table.split('\n')) {
    const mount = mountOf(line)
    if (mount === undefined) continue
    const known = found.get(mount.device)
    // Of several whole ones the last is on top where places are equal.
    if (known === undefined || (mount.isWhole && !known.isWhole)) found.set(mount.device, mount)
  }
  return [...found.values()]
}

/** Whether a path is another one, or lies below it; neither ends with a slash, and the root is empty. */
export function isAtOrBelow(path: string, directory: string): boolean {
  return path === directory || path.startsWith(`${directory}/`)
}

/** The devices on which what lies below directories is kept: that of each directory, and what is mounted below. */
export function devicesBelow(table: string, directories: readonly string[]): Set<number> {
  const found = new Set<number>()
  const own = directories.map(() => ({ length: -1, device: 0 }))
  for (const line of table.split('\n')) {
    const mount = mountOf(line)
    if (mount === undefined) continue
    const place = mount.place.replace(/\/$/, '')
    for (const [index, directory] of directories.entries()) {
      if (place !== directory && isAtOrBelow(place, directory)) found.add(mount.device)
      // Of several at one place the last is on top.
      const best = own[index] as { length: number; device: number }
      if (!isAtOrBelow(directory, place) || place.length < best.length) continue
      own[index] = { length: place.length, device: mount.device }
    }
  }
  for (const { length, device } of own) if (length >= 0) found.add(device)
  return found
}

/** `36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue` */
function mountOf(line: string): MountedFileSystem | undefined {
  const [left = '', right = ''] = line.split(' - ')
  const [, , device = '', root = '', place = ''] = left.split(' ')
  const numbers = /^(\d+):(\d+)$/.exec(device)
  if (numbers === null || place === '') return undefined
  return {
    device: deviceNumber(Number(numbers[1]), Number(numbers[2])),
    type: right.split(' ')[0] ?? '',
    place: unescaped(place),
    isWhole: root === '/',
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
