/**
 * Paths of directories by the handles that fanotify gives. A handle can only be resolved to where the directory is now; so
 * what events say of directories (made, moved, removed) is kept, and read in their order.
 */

import type { BigIntStats } from 'node:fs'
import { readMountTable } from '../../../files/mounts.js'
import {
  type FanotifyEvent,
  type FileHandle,
  FAN_CREATE,
  FAN_DELETE,
  FAN_ONDIR,
  FAN_RENAME,
  HandlePaths,
  type NamedEntry,
} from 'quark-ebpf'
import { copyMount, type MountPlace } from './mounts.js'

/** Directories of which it is known where they are; the one that was used longest ago goes. */
const MAX_KNOWN = 32_768
/**
 * How long copies of mounts stay open after a batch, as most batches come soon after another one: the kernel keeps who closes a copy
 * waiting, for 20 ms and more on a busy machine, in which records are lost.
 */
const OPEN_MS = 500
/** Directories below each other of which each is known by its parent. */
const MAX_DEPTH = 256

/** Where a directory is: below another one, or at a path that was looked up, which is so until a directory moves. */
type Known =
  | { readonly parent: FileHandle; readonly name: string; readonly age?: number }
  | { readonly path: string; readonly age: number }

/** One character a byte, all of them. */
export class DirectoryNames {
  readonly #known = new Map<string, Known>()
  /** Directories that were looked up after the events that are about to be taken. */
  readonly #lookedUp = new Set<string>()
  /** Paths that were looked up before a directory moved may be wrong. */
  #age = 0
  /** Copies of mounts that are open for a while, by file system; undefined where that failed. */
  readonly #mounts = new Map<bigint, HandlePaths | undefined>()
  readonly #placeOf: (fileSystemId: bigint) => MountPlace | undefined
  #timer: NodeJS.Timeout | undefined

  /** @param placeOf where a file system is mounted */
  constructor(placeOf: (fileSystemId: bigint) => MountPlace | undefined) {
    this.#placeOf = placeOf
  }

  get size(): number {
    return this.#known.size
  }

  /** Called with all events that were read, before any of them is `take`n: where directories were before these. */
  prepare(events: readonly FanotifyEvent[]): void {
    for (const { mask, file, at, from } of events) {
      if ((mask & FAN_ONDIR) === 0 || file === undefined || this.#known.has(file.key)) continue
      const before =
        (mask & FAN_RENAME) !== 0 ? from : (mask & (FAN_DELETE | FAN_CREATE)) === 0 ? undefined : at
      if (before?.name !== undefined) this.#set(file.key, { parent: before.directory, name: before.name })
    }
  }

  /** Looks up the directories of events that were read, before any of them is `take`n. */
  lookUp(events: readonly FanotifyEvent[]): void {
    this.#lookedUp.clear()
    /** Where these are, their events say. */
    const made = new Set<string>()
    for (const { mask, file, at, from } of events) {
      if ((mask & FAN_ONDIR) !== 0 && (mask & FAN_CREATE) !== 0 && file !== undefined) made.add(file.key)
      for (const entry of [at, from])
        if (entry !== undefined && !made.has(entry.directory.key)) this.#directory(entry.directory, 0)
    }
  }

  /**
   * Called after `lookUp` with the events that were read next, before any of those before is `take`n: a directory was looked
   * up when some of these had happened, so that it was gone, or was where it is since.
   */
  correct(next: readonly FanotifyEvent[]): void {
    if (this.#lookedUp.size > 0) this.#correctMoved(next)
    this.#lookedUp.clear()
    this.prepare(next)
  }

  #correctMoved(next: readonly FanotifyEvent[]): void {
    /** Directories that moved, by where they are now. */
    const moved = new Map<string, FileHandle>()
    for (const { mask, file, from } of next) {
      if ((mask & FAN_ONDIR) === 0 || (mask & FAN_RENAME) === 0 || file === undefined) continue
      if (from?.name === undefined) continue
      const place = this.#mountOf(file.fileSystemId)?.pathOf(file)?.toString('latin1')
      if (place !== undefined) moved.set(place, file)
      // The first of its moves says where it was.
      if (this.#lookedUp.delete(file.key)) this.#set(file.key, { parent: from.directory, name: from.name })
    }
    if (moved.size > 0) for (const key of this.#lookedUp) this.#correctBelow(key, moved)
  }

  /** What was looked up below a directory that moved is below it, wherever that was. */
  #correctBelow(key: string, moved: ReadonlyMap<string, FileHandle>): void {
    const known = this.#known.get(key)
    if (known === undefined || !('path' in known)) return
    const { path, age } = known
    for (let end = path.lastIndexOf('/'); end > 0; end = path.lastIndexOf('/', end - 1)) {
      const parent = moved.get(path.slice(0, end))
      if (parent === undefined) continue
      this.#set(key, { parent, name: path.slice(end + 1), age })
      return
    }
  }

  /** Takes what an event says of a directory; called for each in turn. */
  take({ mask, file, at }: FanotifyEvent): void {
    if ((mask & FAN_ONDIR) === 0 || file === undefined || at?.name === undefined) return
    // Of one that is removed it is still asked where it was.
    if ((mask & (FAN_DELETE | FAN_RENAME)) !== 0) this.#age += 1
    if ((mask & (FAN_CREATE | FAN_RENAME)) === 0) return
    this.#set(file.key, { parent: at.directory, name: at.name })
  }

  /** Events were lost: where directories are is looked up anew. */
  forget(): void {
    this.#known.clear()
  }

  /** The path of a name in a directory; undefined if that is not known. One character a byte. */
  pathOf(directory: FileHandle, name: string | undefined): string | undefined {
    const path = this.#directory(directory, 0)
    if (path === undefined || name === undefined || name === '.') return path
    return path === '/' ? `/${name}` : `${path}/${name}`
  }

  /** What a file is now, by its handle or by its name in a directory; undefined if it is gone, or rights are. */
  statOf(file: FileHandle | undefined, at: NamedEntry | undefined): BigIntStats | undefined {
    if (file !== undefined) return this.#mountOf(file.fileSystemId)?.statOf(file)
    if (at?.name === undefined) return undefined
    const name = Buffer.from(at.name, 'latin1')
    return this.#mountOf(at.directory.fileSystemId)?.statIn(at.directory, name)
  }

  #directory(directory: FileHandle, depth: number): string | undefined {
    const known = this.#known.get(directory.key)
    if (known !== undefined && 'parent' in known && (known.age ?? this.#age) === this.#age) {
      if (depth >= MAX_DEPTH) return undefined
      const parent = this.#directory(known.parent, depth + 1)
      return parent === undefined ? undefined : parent === '/' ? `/${known.name}` : `${parent}/${known.name}`
    }
    if (known !== undefined && 'path' in known && known.age === this.#age) return known.path
    const path = this.#mountOf(directory.fileSystemId)?.pathOf(directory)?.toString('latin1')
    if (path === undefined) return undefined
    this.#set(directory.key, { path, age: this.#age })
    this.#lookedUp.add(directory.key)
    return path
  }

  #mountOf(fileSystemId: bigint): HandlePaths | undefined {
    if (!this.#mounts.has(fileSystemId)) this.#mounts.set(fileSystemId, this.#openMount(fileSystemId))
    return this.#mounts.get(fileSystemId)
  }

  #openMount(fileSystemId: bigint): HandlePaths | undefined {
    const mounted = this.#placeOf(fileSystemId)
    if (mounted === undefined) return undefined
    try {
      const mount = copyMount(mounted, readMountTable())
      if (mount === undefined) return undefined
      const paths = new HandlePaths(mount, Buffer.from(mounted.place, 'latin1'))
      if (paths.fileSystemId === fileSystemId) return paths
      paths[Symbol.dispose]()
    } catch {
      // Nothing is mounted there, or it cannot be copied.
    }
    return undefined
  }

  /** Calls `use` with a path that leads to a directory, whatever its name is; not if it is gone. */
  with(directory: FileHandle, use: (path: string) => void): void {
    this.#mountOf(directory.fileSystemId)?.withDirectory(directory, use)
  }

  /** The batch ends: soon no mount is held any more. */
  releaseSoon(): void {
    if (this.#mounts.size > 0) this.#timer ??= setTimeout(() => this.release(), OPEN_MS).unref()
  }

  /** No mount is held any more: whoever unmounts a file system may want its device, too. */
  release(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    for (const mount of this.#mounts.values()) mount?.[Symbol.dispose]()
    this.#mounts.clear()
  }

  #set(key: string, known: Known): void {
    this.#known.delete(key)
    this.#known.set(key, known)
    if (this.#known.size <= MAX_KNOWN) return
    const [oldest] = this.#known.keys()
    this.#known.delete(oldest as string)
  }
}
