/** Which files are wanted: below paths, and with names that match a glob. */

import { withoutLinks, withRealPaths } from './links.js'
import { fileSystemOf, lookUp } from './look-up.js'
import { isPseudoPath, PSEUDO_TYPES } from './pseudo.js'
import {
  devicesBelow,
  fileSystemsOf,
  isAtOrBelow,
  type MountedFileSystem,
  mountsIn,
  readMountTable,
} from './mounts.js'

/** include/uapi/linux/fuse.h: FUSE_ROOT_ID. */
const FUSE_ROOT = 1n
/** Places that are compared in the kernel; with more of them everything is, in user space. */
const MAX_ROOTS = 32
/** Mounts that are looked at for them. */
const MAX_MOUNTS = 256

/** A file or directory by what the kernel has of it. */
export interface Root {
  readonly device: number
  readonly inode: bigint
  /** Nothing else is below it: no other directory of the file system has the same inode, as in other subvolumes. */
  readonly isOnly: boolean
}

/** One below which all is asked for, or only some of it. */
interface AskedRoot extends Root {
  readonly isWhole: boolean
}

/** File systems with subvolumes, each of which has inodes of its own. */
const WITH_SUBVOLUMES: ReadonlySet<string | undefined> = new Set(['btrfs', 'bcachefs'])

/** What programs compare. */
export interface KernelSelection {
  /** The directories below which all that is wanted lies, and those where file systems are mounted below them. */
  readonly roots: readonly Root[]
  /** Those of them below which all is asked for, and nothing else is. */
  readonly certain: readonly Root[]
  /** File systems that are mounted now, but for overlays. What is on another one is compared by its path. */
  readonly devices: readonly number[]
}

/** One of the paths that were asked for. */
interface Place {
  /** Without a slash at its end; empty for the root. */
  readonly directory: string
  readonly name: RegExp | undefined
}

const GLOB = /[*?[]/
/** Paths that are looked for beside those that were asked for. */
const MAX_REAL_PATHS = 256

/** Paths of an option, and what the kernel calls those of them that lead through symbolic links. */
export function resolvedFiles(files: boolean | readonly string[]): boolean | readonly string[] {
  if (typeof files === 'boolean') return files
  return withRealPaths(
    files,
    (path) => {
      const { directory, name } = placeOf(path)
      return [withoutLinks(directory) + (name === undefined ? '' : path.slice(path.lastIndexOf('/')))]
    },
    MAX_REAL_PATHS,
  )
}

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
    return this.#places.some((place) => isAtOrBelow(path, place.directory) && hasName(place, path))
  }

  /** The same of a path that lies below one of the directories, however it begins. */
  wantsBelow(path: string): boolean {
    return this.#places.some((place) => hasName(place, path))
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
    const asked = this.#places.map(({ directory }) => bytesOf(directory))
    const devices = devicesBelow(table, asked)
    return all.filter(({ device }) => devices.has(device))
  }

  /** What is not there, or is served by others. */
  absent(): string[] {
    const directories = new Set(this.#places.map(({ directory }) => directory || '/'))
    return [...directories].filter((directory) => {
      using found = lookUp(bytesOf(directory))
      return found === undefined
    })
  }

  /** What programs compare. Undefined where they are not to: if all is wanted, or if there are too many directories. */
  kernel(): KernelSelection | undefined {
    if (this.#places.some(({ directory }) => directory === '')) return undefined
    const directories = new Set(this.#places.map(({ directory }) => bytesOf(directory)))
    const table = readMountTable()
    const mounts = mountsIn(table, [...directories]).filter(({ type }) => !PSEUDO_TYPES.has(type))
    if (directories.size + mounts.length > MAX_MOUNTS) return undefined
    const roots = new Map<string, AskedRoot>()
    const add = (root: AskedRoot): void => {
      const key = `${root.device}:${root.inode}`
      if (roots.get(key)?.isWhole !== true) roots.set(key, root)
    }
    for (const directory of directories) add(nearestRoot(directory, table))
    /** File systems of which some root is not known. */
    const others = new Set<number>()
    for (const mount of mounts) {
      const root = rootOf(mount, table)
      if (root === undefined) others.add(mount.device)
      else add({ ...root, isWhole: true })
    }
    if (roots.size > MAX_ROOTS) return undefined
    const all = [...roots.values()]
    // What another mount namespace has as its root is below nothing here; its paths may be those that are asked for.
    const mounted = fileSystemsOf(table)
    for (const { type, place, device } of mounted) {
      if (type === 'overlay' && place !== '/' && !all.some((root) => root.device === device))
        others.add(device)
    }
    return {
      roots: all,
      certain: all.filter(({ isOnly, isWhole }) => isOnly && isWhole),
      devices: mounted.map(({ device }) => device).filter((device) => !others.has(device)),
    }
  }
}

/** A path of options, as a table of mounts has it. */
export function bytesOf(path: string): string {
  return Buffer.from(path).toString('latin1')
}

/**
 * Undefined if there is none.
 *
 * @param path with one character a byte
 */
export function rootAt(path: string, table: string): Root | undefined {
  using found = lookUp(path)
  if (found === undefined) return undefined
  const { device, type } = fileSystemOf(found, table)
  return { device, inode: found.stat.ino, isOnly: !WITH_SUBVOLUMES.has(type) }
}

/**
 * Of a directory. Of what is none, such as a file that may be replaced, or is not there yet, it is the nearest directory above:
 * what is below that is compared by its path.
 */
function nearestRoot(directory: string, table: string): AskedRoot {
  for (let at = directory, isWhole = true; ; at = at.slice(0, at.lastIndexOf('/')), isWhole = false) {
    using found = lookUp(at || '/')
    if (found?.stat.isDirectory() === true || at === '') {
      const root = rootAt(at || '/', table)
      if (root !== undefined) return { ...root, isWhole }
    }
    // Without a root directory nothing has a path.
    if (at === '') return { device: 0, inode: 0n, isOnly: false, isWhole: false }
  }
}

/** FUSE is not asked for its root: it has the same number on all of them. Undefined if no path leads there. */
function rootOf(
  { device, type, place, isWhole, isHidden }: MountedFileSystem,
  table: string,
): Root | undefined {
  if (isHidden) return undefined
  return isWhole && type.startsWith('fuse')
    ? { device, inode: FUSE_ROOT, isOnly: true }
    : rootAt(place, table)
}

function hasName({ name }: Place, path: string): boolean {
  return name === undefined || name.test(path.slice(path.lastIndexOf('/') + 1))
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
