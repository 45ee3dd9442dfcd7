/** Names of cgroups by the ids that records carry. */

import { monotonicMs } from '../event/time-base.js'
import type { CgroupPaths, KindTable, Learnt } from '../event/table.js'
import { decodeUtf8, ownText } from '../memory/text.js'
import type { CgroupHierarchy } from './procfs/cgroup-mounts.js'
import { directoriesIn, inodeOf } from './procfs/read.js'

/** kernfs id of a cgroup: its directory's inode number. A `number` must be exact. */
export type CgroupId = number | bigint

export interface CgroupNamesOptions {
  /** Where to look for names; without it only those that were set are known. */
  readonly hierarchy?: CgroupHierarchy | undefined
  /** The hierarchy that ids are of, if it is known without being mounted. */
  readonly hierarchyId?: number | undefined
  /** Most names kept. Default 65,536. */
  readonly maxEntries?: number
  /** Most bytes of names. Default 4 MiB. */
  readonly maxBytes?: number
  /** A clock in ms that never goes back. Default: the process's own. */
  readonly nowMs?: () => number
}

/** Totals of one `CgroupNames`. */
export interface CgroupNamesStats extends Readonly<Record<string, number>> {
  /** Names known now. */
  readonly entries: number
  /** Memory of the names. */
  readonly sizeBytes: number
  /** Lookups that found no name, not even in a new scan. */
  readonly misses: number
  /** Scans, the first one included. */
  readonly scans: number
  /** Names that were evicted because there were more than `maxEntries`, or more bytes than `maxBytes`. */
  readonly evicted: number
}

/** Shortest time between scans for unknown ids, and the largest share of the time that they take. */
/** Memory of an entry beside its path, estimated. */
const ENTRY_BYTES = 100
/** The share of the names in the memory for a table of processes. */
const NAMES_SHARE = 1 / 8

/** How much of `maxTableBytes` is for names of cgroups. */
export function cgroupNamesBytes(maxTableBytes: number): number {
  return Math.floor(maxTableBytes * NAMES_SHARE)
}

const MIN_SCAN_INTERVAL_MS = 1_000
const MAX_SCAN_SHARE = 1 / 20
/** PATH_MAX: no path of a scan is longer. */
const MAX_PATH_BYTES = 4096

/**
 * A bounded map from ids of cgroups to their paths. A name stays known after its cgroup was removed, since the
 * last records of its processes come later than that; ids are not used again.
 *
 * When it is full, the name that was looked up or set longest ago is evicted.
 */
export class CgroupNames implements KindTable, CgroupPaths {
  /** A bigint is a slow key, so it becomes a number if that is exact, and a string otherwise. */
  readonly #paths = new Map<number | string, string>()
  /** All names, from records and scans: a replay has no cgroups to scan. */
  readonly learnt: Learnt
  readonly #hierarchy: CgroupHierarchy | undefined
  readonly #maxEntries: number
  readonly #maxBytes: number
  #sizeBytes = 0
  readonly #nowMs: () => number
  #nextScanMs = Number.NEGATIVE_INFINITY
  #misses = 0
  #scans = 0
  #evicted = 0
  #evictedByRecords = 0
  #source: NamesSource

  constructor(options: CgroupNamesOptions = {}) {
    const { hierarchy, maxEntries = 65_536, maxBytes = 4 << 20, nowMs = monotonicMs } = options
    this.#hierarchy = hierarchy
    this.#source = {
      hierarchyId: hierarchy?.hierarchyId ?? options.hierarchyId,
      isFromNamespace: hierarchy?.isFromNamespace === true,
    }
    this.#maxEntries = maxEntries
    this.#maxBytes = maxBytes
    this.#nowMs = nowMs
    this.learnt = new FoundNames(this)
  }

  /** Learns the names of all cgroups that exist, up to the limit; those near the root come first. Never throws. */
  scan(): void {
    this.#scans++
    const begin = this.#nowMs()
    if (this.#hierarchy !== undefined) this.#walk(this.#hierarchy)
    const end = this.#nowMs()
    this.#nextScanMs = end + Math.max(MIN_SCAN_INTERVAL_MS, (end - begin) / MAX_SCAN_SHARE)
  }

  /**
   * Breadth first, without recursion: depth and names of cgroups are chosen by whoever makes them. The limits are the
   * number of names, and PATH_MAX, beyond which a path cannot be opened.
   */
  #walk({ mountPoint, mountRoot }: CgroupHierarchy): void {
    if (mountRoot.startsWith('/..')) return
    const top = { directory: latin1(mountPoint), path: mountRoot === '/' ? '' : latin1(mountRoot) }
    let found = 0
    let leftBytes = this.#maxBytes
    for (let level = [top]; level.length > 0;) {
      const next: typeof level = []
      let waitingBytes = 0
      for (const { directory, path } of level) {
        const id = inodeOf(Buffer.from(directory, 'latin1'))
        if (id === undefined) continue
        leftBytes -= ENTRY_BYTES + path.length
        if (++found > this.#maxEntries || leftBytes < 0) return
        this.#insert(keyOf(id), path === '' ? '/' : ownText(decodeUtf8(path)))
        for (const name of directoriesIn(directory)) {
          // Those of the next level wait, and each has its own copy of the path.
          if ((waitingBytes += ENTRY_BYTES + 2 * path.length) > this.#maxBytes) break
          next.push({ directory: `${directory}/${name}`, path: `${path}/${name}` })
        }
      }
      level = next
    }
  }

  /**
   * Whether a name that the kernel gave is one of these: ids of other hierarchies are the same numbers, and paths from
   * the root of the hierarchy are no paths from that of a namespace.
   */
  takes(hierarchyId: number): boolean {
    const { hierarchyId: own, isFromNamespace } = this.#source
    return !isFromNamespace && (own === undefined || own === hierarchyId)
  }

  /** Whose names these are: a replay has it from the recording. */
  get source(): NamesSource {
    return this.#source
  }

  set source(source: NamesSource) {
    this.#source = source
  }

  /** Learns one name: `path` begins with `/` and is from the root of the hierarchy. */
  set(id: CgroupId, path: string): void {
    const before = this.#evicted
    this.#insert(keyOf(id), ownText(path))
    this.#evictedByRecords += this.#evicted - before
  }

  #insert(key: number | string, path: string): void {
    this.#delete(key)
    this.#paths.set(key, path)
    this.#sizeBytes += sizeOf(path)
    this.#makeRoom()
  }

  #delete(key: number | string): void {
    const path = this.#paths.get(key)
    if (path === undefined) return
    this.#paths.delete(key)
    this.#sizeBytes -= sizeOf(path)
  }

  #makeRoom(): void {
    while (this.#paths.size > this.#maxEntries || this.#sizeBytes > this.#maxBytes) {
      const [oldest] = this.#paths.keys()
      if (oldest === undefined) return
      this.#delete(oldest)
      this.#evicted++
    }
  }

  /** Less than a longest path is free: from now on it counts which names are used. */
  get #isNearlyFull(): boolean {
    return this.#paths.size >= this.#maxEntries || this.#sizeBytes + MAX_PATH_BYTES > this.#maxBytes
  }

  /**
   * A cgroup was renamed, and with it all cgroups below it.
   *
   * @param name the new path as the kernel reports it, beginning with `/`; or just the new last component
   */
  rename(id: CgroupId, name: string): void {
    const before = this.#paths.get(keyOf(id))
    const after = name.startsWith('/') || before === undefined ? name : before.replace(/[^/]*$/, () => name)
    if (before === undefined) {
      // A component alone needs the old name to make a full one.
      if (after.startsWith('/')) this.set(id, after)
      return
    }
    for (const [key, path] of this.#paths) {
      if (path === before || path.startsWith(`${before}/`)) {
        // A copy: the engine would keep the strings that it was made of.
        const renamed = Buffer.from(after + path.slice(before.length)).toString()
        this.#paths.set(key, renamed)
        this.#sizeBytes += sizeOf(renamed) - sizeOf(path)
      }
    }
    const evicted = this.#evicted
    this.#makeRoom()
    this.#evictedByRecords += this.#evicted - evicted
  }

  /** The path of a cgroup. An unknown id causes a scan, unless the last one was too short a time ago. */
  pathOf(id: CgroupId): string | undefined {
    const key = keyOf(id)
    let path = this.#paths.get(key)
    if (path === undefined && this.#hierarchy !== undefined && this.#nowMs() >= this.#nextScanMs) {
      this.scan()
      path = this.#paths.get(key)
    }
    if (path === undefined) {
      this.#misses++
    } else if (this.#isNearlyFull) {
      this.#insert(key, path)
    }
    return path
  }

  /** All names, the one used longest ago first: id in decimal, and path. */
  names(): [id: string, path: string][] {
    return Array.from(this.#paths, ([id, path]) => [String(id), path])
  }

  get size(): number {
    return this.#paths.size
  }

  /** Names that were evicted for one from a record. Those that a scan evicts are not lost: another scan finds them. */
  get evicted(): number {
    return this.#evictedByRecords
  }

  /** Names do not expire. */
  collect(): void {}

  collectInNs(): number {
    return Number.POSITIVE_INFINITY
  }

  /** Adds what `names` of another object returned. */
  add(names: readonly (readonly [id: string, path: string])[]): void {
    for (const [id, path] of names) this.#insert(keyOf(BigInt(id)), path)
  }

  /** Counters since it was made. */
  stats(): CgroupNamesStats {
    return {
      entries: this.#paths.size,
      sizeBytes: this.#sizeBytes,
      misses: this.#misses,
      scans: this.#scans,
      evicted: this.#evicted,
    }
  }
}

/** The hierarchy that ids and names belong to. */
export interface NamesSource {
  /** Undefined in recordings without it: then all records are taken to be of one hierarchy. */
  readonly hierarchyId: number | undefined
  /** Paths are from the root of a cgroup namespace. */
  readonly isFromNamespace: boolean
}

class FoundNames implements Learnt {
  readonly #names: CgroupNames

  constructor(names: CgroupNames) {
    this.#names = names
  }

  get version(): number {
    return this.#names.stats().scans
  }

  save(): unknown {
    const { hierarchyId, isFromNamespace } = this.#names.source
    return { hierarchyId, isFromNamespace, names: this.#names.names() }
  }

  /** Recordings of 0.1.0 have the names alone. */
  load(value: unknown): boolean {
    const saved = (Array.isArray(value) ? { names: value } : value) as Partial<Saved> | null | undefined
    const { names, hierarchyId, isFromNamespace = false } = saved ?? {}
    if (!Array.isArray(names) || !names.every(isName) || typeof isFromNamespace !== 'boolean') return false
    if (hierarchyId !== undefined && !Number.isSafeInteger(hierarchyId)) return false
    this.#names.source = { hierarchyId, isFromNamespace }
    this.#names.add(names)
    return true
  }
}

interface Saved extends NamesSource {
  readonly names: readonly (readonly [id: string, path: string])[]
}

/** Memory of an entry: of the characters, as the engine keeps them. */
function sizeOf(path: string): number {
  return ENTRY_BYTES + (LATIN1.test(path) ? path.length : 2 * path.length)
}

// oxlint-disable-next-line no-control-regex -- what the engine keeps in a byte each
const LATIN1 = /^[\0-\xff]*$/

function latin1(text: string): string {
  return Buffer.from(text).toString('latin1')
}

/** An id in decimal, and a path. */
function isName(value: unknown): value is [string, string] {
  if (!Array.isArray(value)) return false
  const [id, path] = value as unknown[]
  return typeof id === 'string' && /^\d{1,20}$/.test(id) && typeof path === 'string'
}

function keyOf(id: CgroupId): number | string {
  if (typeof id === 'number') return id
  return id <= Number.MAX_SAFE_INTEGER ? Number(id) : id.toString()
}
