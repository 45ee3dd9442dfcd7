/** Which files are wanted: below paths, and with names that match a glob. */

import { lookUp } from './look-up.js'
import { isPseudoPath } from './pseudo.js'
import {
  devicesBelow,
  fileSystemsOf,
  isAtOrBelow,
  type MountedFileSystem,
  numberOfDev,
  readMountTable,
} from './mounts.js'

/** include/uapi/linux/fuse.h: FUSE_ROOT_ID. */
const FUSE_ROOT = 1n
/** Places that are compared in the kernel; with more of them everything is, in user space. */
const MAX_ROOTS = 32

/** A file or directory by what the kernel has of it. */
export interface Root {
  readonly device: number
  readonly inode: bigint
}

/** What programs compare. */
export interface KernelSelection {
  /** The directories below which all that is wanted lies, and those where file systems are mounted below them. */
  readonly roots: readonly Root[]
  /** File systems that are mounted now. What is on another one is compared by its path. */
  readonly devices: readonly number[]
}

/** One of the paths that were asked for. */
interface Place {
  /** Without a slash at its end; empty for the root. */
  readonly directory: string
  readonly name: RegExp | undefined
}

const GLOB = /[*?[]/

/** What was asked for. */
export class Selection {
  /** Nothing is left out but file systems that keep nothing. */
  readonly isAll: boolean
  readonly #places: readonly Place[]

  /** @param files the option */
  constructor(files: boolean | readonly string[]) {
    this.#places = typeof files === 'boolean' ? [placeOf('/')] : files.map((path) => placeOf(path))
    this.isAll = this.#places.some(({ directory, name }) => directory === '' && name === undefined)
  }

  /** Whether a path is wanted. Text of any form: bytes as characters, or decoded. */
  wants(path: string): boolean {
    if (isPseudoPath(path)) return false
    for (const { directory, name } of this.#places) {
      if (
        isAtOrBelow(path, directory) &&
        (name === undefined || name.test(path.slice(path.lastIndexOf('/') + 1)))
      )
        return true
    }
    return false
  }

  /** Whether something directly in a directory may be wanted. */
  mayHave(path: string): boolean {
    const whole = path === '/' ? '' : path
    return this.#places.some(
      ({ directory }) =>
        isAtOrBelow(whole, directory) || directory.slice(0, directory.lastIndexOf('/')) === whole,
    )
  }

  /**
   * The file systems of a table of mounts on which something may be wanted.
   *
   * @param table as `readMountTable` gives it
   */
  fileSystems(table: string): MountedFileSystem[] {
    const all = fileSystemsOf(table)
    if (this.#places.some(({ directory }) => directory === '')) return all
    const asked = this.#places.map(({ directory }) => Buffer.from(directory).toString('latin1'))
    const devices = devicesBelow(table, asked)
    return all.filter(({ device }) => devices.has(device))
  }

  /**
   * What programs compare. Undefined where they are not to: if all is wanted, if a directory does not exist yet, or if
   * there are too many.
   */
  kernel(): KernelSelection | undefined {
    if (this.#places.some(({ directory }) => directory === '')) return undefined
    const directories = this.#places.map(({ directory }) => directory)
    const mounts = fileSystemsOf(readMountTable())
    const below = mounts.filter(({ place }) =>
      directories.some((directory) => textOf(place).startsWith(`${directory}/`)),
    )
    if (directories.length + below.length > MAX_ROOTS) return undefined
    const roots = [
      ...[...new Set(directories)].map((path) => rootAt(path)),
      ...below.map((mount) => rootOf(mount)),
    ]
    if (!roots.every((root) => root !== undefined)) return undefined
    return { roots, devices: mounts.map(({ device }) => device) }
  }
}

/** A path of a table of mounts, as options have it. */
function textOf(place: string): string {
  return Buffer.from(place, 'latin1').toString()
}

function rootAt(path: string): Root | undefined {
  using found = lookUp(Buffer.from(path).toString('latin1'))
  return found && { device: numberOfDev(found.stat.dev), inode: found.stat.ino }
}

/** FUSE is not asked for its root: it has the same number on all of them. */
function rootOf({ device, type, place, isWhole }: MountedFileSystem): Root | undefined {
  return isWhole && type.startsWith('fuse') ? { device, inode: FUSE_ROOT } : rootAt(textOf(place))
}

function placeOf(path: string): Place {
  const whole = path.replace(/\/+$/, '')
  const slash = whole.lastIndexOf('/')
  const last = whole.slice(slash + 1)
  return GLOB.test(last)
    ? { directory: whole.slice(0, slash), name: nameGlob(last) }
    : { directory: whole, name: undefined }
}

/** `*`, `?` and sets in brackets. */
function nameGlob(glob: string): RegExp {
  const source = glob.replaceAll(
    /\[(!?)([^\]]*)\]|[\s\S]/g,
    (part, not: string | undefined, set: string | undefined) => {
      if (set !== undefined)
        return `[${not === '!' ? '^' : ''}${set.replaceAll(/[\\\]^]/g, String.raw`\$&`)}]`
      if (part === '*') return '.*'
      return part === '?' ? '.' : part.replaceAll(/[\\^$.|+(){}[\]/]/g, String.raw`\$&`)
    },
  )
  return new RegExp(`^${source}$`, 's')
}
