/** The source of what fanotify reports: reads events, finds names and attributes, and makes records. */

import type { BigIntStats } from 'node:fs'
import {
  EbpfError,
  FAN_ATTRIB,
  FAN_CREATE,
  FAN_DELETE,
  FAN_MODIFY,
  FAN_ONDIR,
  FAN_Q_OVERFLOW,
  FAN_RENAME,
  FanotifyGroup,
  type FanotifyEvent,
  type Fd,
  fileSystemId,
  inodeOfHandle,
  MountChanges,
  type NamedEntry,
} from 'quark-ebpf'
import type { Source, SourceContext } from '../../../facts/rungs.js'
import { decodeUtf8 } from '../../../memory/text.js'
import type { Choice } from '../choice.js'
import { PSEUDO_TYPES } from '../../../files/pseudo.js'
import {
  DID_ATTRIBUTES,
  DID_CREATE,
  DID_LINK,
  DID_MKDIR,
  DID_MKNOD,
  DID_MODIFY,
  DID_MOVE,
  DID_REMOVE,
  DID_RMDIR,
  DID_SYMLINK,
  DID_UTIMES,
  seenEndLayout,
  seenLayout,
} from '../records.js'
import { type MountedFileSystem, readMountTable } from '../../../files/mounts.js'
import { shortPath } from '../../../files/paths.js'
import { mountedAt, type MountPlace } from './mounts.js'
import { DirectoryNames } from './names.js'
import { UnwantedDirectories } from './unwanted.js'

/** What may be merged with it. */
const ALL_BUT_DELETE = FAN_CREATE | FAN_RENAME | FAN_MODIFY | FAN_ATTRIB
/** After so many no more are noted: there is room for the records of these, and of one more read. */
const MAX_EVENTS = 256
/** The same of reads whose events are skipped. */
const MAX_READS = 16
const NS_PER_MS = 1_000_000
const NS_PER_US = 1000
/** A table of mounts that takes so long to read is read again after many times that. */
const SLOW_TABLE_NS = 5 * NS_PER_MS
const TABLE_SHARE = 20
/** File systems, with those that were unmounted. */
const MAX_WATCHED = 4096
/** A system call may return so long after fanotify reported what it did. */
const SLACK_NS = 100n * BigInt(NS_PER_MS)
/** Of a busy disk, each change would wake the reader; what it is then is looked up so much later. */
const REST_MS = 50
/** The clock of this process and that of programs may differ by so much. */
const CLOCK_SLACK_NS = 2n * BigInt(NS_PER_MS)
const S_IFMT = 0o170000
const S_IFLNK = 0o120000
const S_IFREG = 0o100000

interface Watched extends MountPlace {
  /** Since when it is not mounted there any more: what happened before may wait to be read. */
  goneNs: number | undefined
}

/** What is known of a file beside its event. */
interface Attributes {
  readonly mode: number
  readonly uid: number
  readonly gid: number
  readonly links: number
  readonly sizeBytes: bigint
  readonly atimeNs: bigint
  readonly mtimeNs: bigint
  readonly ctimeNs: bigint
}

/** What a record has of an event. */
interface Seen extends Partial<Attributes> {
  readonly what: number
  readonly device: number
  readonly inode: bigint
  readonly generation: number
  readonly hasInode: number
  readonly hasAttributes: number
  readonly path?: Buffer
  readonly oldPath?: Buffer
}

export class FileWatch implements Source {
  readonly fds: readonly Fd[]
  readonly restMs = REST_MS
  readonly #context: SourceContext
  readonly #choice: Choice
  readonly #mask: number
  readonly #group: FanotifyGroup
  readonly #mounts: MountChanges
  readonly #watched = new Map<bigint, Watched>()
  readonly #names = new DirectoryNames((id) => this.#watched.get(id))
  readonly #unwanted: UnwantedDirectories
  readonly #skip = (pid: number, directory: string): boolean =>
    pid === process.pid || this.#unwanted.skips(directory)
  #areMountsKnown = false
  #nextMountsNs = 0
  /** All that happened before this is read: CLOCK_BOOTTIME. */
  #emptyNs: number
  #nextId = 1
  /** Events that were read and are not noted yet. */
  #ahead: FanotifyEvent[] | undefined
  #isStopped = false

  /** @throws {KernelError} if fanotify does not work here */
  constructor(context: SourceContext, choice: Choice) {
    this.#context = context
    this.#choice = choice
    this.#mask = maskOf(choice)
    this.#group = FanotifyGroup.open()
    this.#unwanted = new UnwantedDirectories(this.#group, this.#mask)
    try {
      this.#mounts = MountChanges.open()
    } catch (error) {
      this.#group.close()
      throw error
    }
    this.fds = [this.#group.fd, this.#mounts.fd]
    this.#emptyNs = context.clock.bootNowNs()
    try {
      this.#mounts.take()
      this.#followMounts()
    } catch (error) {
      this.close()
      throw error
    }
  }

  /**
   * Marks what is mounted. One that is marked already may have been unmounted and mounted again meanwhile.
   *
   * @throws {KernelError} when nothing could be marked at all
   */
  #followMounts(): void {
    const table = readMountTable()
    // In an empty root directory there is no /proc: what is marked stays so.
    if (table === '') return
    this.#unwanted.clear()
    const present = new Set<bigint>()
    let refusal: EbpfError | undefined
    for (const mount of this.#choice.selection.fileSystems(table)) {
      if (PSEUDO_TYPES.has(mount.type) || mount.isHidden) continue
      try {
        const id = this.#mark(mount, table)
        if (id !== undefined) present.add(id)
      } catch (error) {
        if (!(error instanceof EbpfError)) throw error
        refusal ??= error
      }
    }
    this.#forget(present)
    if (this.#watched.size === 0 && refusal !== undefined) throw refusal
  }

  /** Undefined if that cannot be. If another file system has the id, events could be of either. */
  #mark({ device, place }: MountedFileSystem, table: string): bigint | undefined {
    // What others serve has no handles, and may never answer. Something else may be mounted there meanwhile.
    using mount = mountedAt({ place, device }, table)
    if (mount === undefined) return undefined
    const id = fileSystemId(mount.reference)
    if (id === undefined) return undefined
    const known = this.#watched.get(id)
    if (known !== undefined && known.goneNs === undefined && known.device !== device) return id
    this.#group.markFileSystem(mount.reference, this.#mask)
    this.#watched.set(id, { device, place, goneNs: undefined })
    return id
  }

  /** Marks end with what they are of; one that stays where nothing is wanted any more costs no more than before. */
  #forget(present: ReadonlySet<bigint>): void {
    const nowNs = this.#context.clock.bootNowNs()
    for (const [id, watched] of this.#watched) {
      if (present.has(id)) continue
      watched.goneNs ??= nowNs
      if (watched.goneNs < this.#emptyNs || this.#watched.size > MAX_WATCHED) this.#watched.delete(id)
    }
  }

  /** Not woken for what was read ahead. */
  get pollMs(): number | undefined {
    return this.#ahead === undefined ? undefined : 1
  }

  get hasMore(): boolean {
    return this.#ahead !== undefined
  }

  read(): void {
    if (this.#isStopped && this.#group.fd.closed) return
    const { clock } = this.#context
    const beforeNs = clock.bootNowNs()
    this.#lookAtMounts(beforeNs)
    let askedNs = beforeNs
    let events = this.#ahead ?? this.#readEvents()
    this.#ahead = undefined
    let count = 0
    try {
      for (let reads = 0; events !== undefined; reads += 1) {
        if (count >= MAX_EVENTS || reads >= MAX_READS) {
          this.#ahead = events
          return
        }
        // What is read next may be below a directory that was moved into what is wanted.
        if (events.some(isMoveOfDirectory)) this.#unwanted.clear()
        this.#names.prepare(events)
        this.#names.lookUp(events)
        askedNs = clock.bootNowNs()
        const next = this.#readEvents()
        if (next !== undefined) this.#names.correct(next)
        for (const event of ordered(events)) this.#note(event, askedNs)
        count += events.length
        events = next
      }
      this.#emptyNs = askedNs
    } finally {
      this.#unwanted.settle(this.#names)
      this.#names.releaseSoon()
    }
  }

  /** Undefined if there are none. */
  #readEvents(): FanotifyEvent[] | undefined {
    try {
      const events = this.#group.read(this.#skip)
      return this.#group.isEmpty ? undefined : events
    } catch {
      this.#context.noteLost(1, seenLayout)
      return undefined
    }
  }

  #lookAtMounts(nowNs: number): void {
    if (this.#mounts.take()) {
      this.#areMountsKnown = false
      this.#names.release()
    }
    if (this.#areMountsKnown || nowNs < this.#nextMountsNs) return
    this.#areMountsKnown = true
    try {
      this.#followMounts()
    } catch {
      // Without its rights the process cannot mark any more; what is marked stays so.
    }
    const tookNs = this.#context.clock.bootNowNs() - nowNs
    if (tookNs >= SLOW_TABLE_NS) this.#nextMountsNs = nowNs + tookNs * TABLE_SHARE
  }

  #note(event: FanotifyEvent, untilNs: number): void {
    const { mask, pid, at, from } = event
    // A directory itself is a name of its own.
    const file = event.file ?? (at?.name === '.' ? at.directory : undefined)
    if ((mask & FAN_Q_OVERFLOW) !== 0) {
      // How many, the kernel does not say; directories may have moved.
      this.#context.noteLost(1, seenLayout)
      this.#names.forget()
      this.#unwanted.clear()
      return
    }
    this.#names.take(event)
    // Events before may have said that what is below it is not wanted.
    if (isMoveOfDirectory(event)) this.#unwanted.clear()
    const seen = whatOf(mask, at?.name !== undefined)
    if (pid === process.pid || seen === 0) return
    const path = this.#pathOf(at)
    const oldPath = this.#pathOf(from)
    if (!this.#isWanted(path) && !this.#isWanted(oldPath)) {
      this.#learnUnwanted(at, path)
      this.#learnUnwanted(from, oldPath)
      return
    }
    const identity = file === undefined ? undefined : inodeOfHandle(file)
    const device = this.#watched.get((file ?? at?.directory)?.fileSystemId ?? -1n)?.device
    const attributes = attributesOf(this.#names.statOf(file, at))
    const what = sharpened(seen, mask, attributes)
    if (what === 0) return
    this.#push(event, untilNs, {
      what,
      device: device ?? 0,
      inode: identity?.inode ?? 0n,
      generation: identity?.generation ?? 0,
      hasInode: identity === undefined ? 0 : 2,
      hasAttributes: attributes === undefined ? 0 : 1,
      ...attributes,
      ...(path === undefined ? {} : { path: Buffer.from(shortPath(path), 'latin1') }),
      ...(oldPath === undefined ? {} : { oldPath: Buffer.from(shortPath(oldPath), 'latin1') }),
    })
  }

  /** Where the directory cannot be found, as after giving rights up, the name alone. */
  #pathOf(entry: NamedEntry | undefined): string | undefined {
    if (entry === undefined) return undefined
    const path = this.#names.pathOf(entry.directory, entry.name)
    return path ?? (entry.name === '.' ? undefined : entry.name)
  }

  /** @param path of an entry of the directory */
  #learnUnwanted(entry: NamedEntry | undefined, path: string | undefined): void {
    if (entry?.name === undefined || entry.name === '.' || path?.startsWith('/') !== true) return
    const directory = decodeUtf8(path.slice(0, Math.max(1, path.lastIndexOf('/'))))
    if (this.#choice.selection.mayHave(directory)) return
    this.#unwanted.add(entry.directory.key)
  }

  /** Text with one character a byte. Of a name alone it is not known. */
  #isWanted(path: string | undefined): boolean {
    if (path === undefined) return false
    return !path.startsWith('/') || this.#choice.selection.wants(decodeUtf8(path))
  }

  #push({ pid }: FanotifyEvent, untilNs: number, values: Seen): void {
    const id = this.#nextId
    this.#nextId = id === 0xffff_ffff ? 1 : id + 1
    const { what, device, inode, generation } = values
    const until = BigInt(Math.round(untilNs))
    const sinceNs = BigInt(Math.round(this.#emptyNs)) - CLOCK_SLACK_NS
    const endNs = until + SLACK_NS
    const spanUs = Math.floor(Number(endNs - sinceNs) / NS_PER_US)
    this.#context.push(seenLayout, { timeNs: sinceNs }, { ...values, pid, id, untilNs: until })
    this.#context.push(
      seenEndLayout,
      { timeNs: endNs },
      { pid, device, inode, generation, what, id, spanUs: Math.min(spanUs, 0xffff_ffff) },
    )
  }

  stop(): void {
    this.#isStopped = true
  }

  close(): void {
    this.#names.release()
    this.#group.close()
    this.#mounts.close()
  }
}

/**
 * Events of one name are merged while they wait: one that was created and removed is removed where its directory is after
 * all others.
 */
function ordered(events: readonly FanotifyEvent[]): readonly FanotifyEvent[] {
  const removals: FanotifyEvent[] = []
  const others = events.map((event) => {
    const { mask } = event
    if ((mask & FAN_DELETE) === 0 || (mask & ALL_BUT_DELETE) === 0) return event
    removals.push({ ...event, mask: mask & ~ALL_BUT_DELETE })
    return { ...event, mask: mask & ~FAN_DELETE }
  })
  return removals.length === 0 ? events : [...others, ...removals]
}

function isMoveOfDirectory({ mask }: FanotifyEvent): boolean {
  return (mask & FAN_RENAME) !== 0 && (mask & FAN_ONDIR) !== 0
}

/** Names are needed to follow directories, also where only content is wanted. */
function maskOf({ hasContent, hasAttributes }: Choice): number {
  let mask = FAN_CREATE | FAN_DELETE | FAN_RENAME | FAN_ONDIR
  if (hasContent) mask |= FAN_MODIFY
  if (hasAttributes) mask |= FAN_ATTRIB
  return mask
}

/** What the bits of an event mean, before anything is known of the file. */
function whatOf(mask: number, isNamed: boolean): number {
  const isDirectory = (mask & FAN_ONDIR) !== 0
  let what = 0
  if ((mask & FAN_CREATE) !== 0) what |= isDirectory ? DID_MKDIR : DID_CREATE
  if ((mask & FAN_DELETE) !== 0) what |= isDirectory ? DID_RMDIR : DID_REMOVE
  if ((mask & FAN_RENAME) !== 0) what |= DID_MOVE
  // Of a directory it is the time of its last change, which was set.
  if ((mask & FAN_MODIFY) !== 0) what |= isDirectory ? DID_UTIMES : DID_MODIFY
  // Without a name it is the number of links, which changes with names.
  if ((mask & FAN_ATTRIB) !== 0 && isNamed) what |= DID_ATTRIBUTES
  return what
}

/** The type of what was created says how. What is written to a device, a FIFO or a socket is content of no file. */
function sharpened(seen: number, mask: number, attributes: Attributes | undefined): number {
  if (attributes === undefined || (mask & FAN_ONDIR) !== 0) return seen
  const type = attributes.mode & S_IFMT
  const what = type === S_IFREG || type === S_IFLNK ? seen : seen & ~DID_MODIFY
  if ((what & DID_CREATE) === 0) return what
  const how =
    type === S_IFLNK
      ? DID_SYMLINK
      : type === S_IFREG
        ? attributes.links > 1
          ? DID_LINK
          : DID_CREATE
        : DID_MKNOD
  return (what & ~DID_CREATE) | how
}

/** The attributes of a file now. */
function attributesOf(stat: BigIntStats | undefined): Attributes | undefined {
  if (stat === undefined) return undefined
  const { mode, uid, gid, nlink, size, atimeNs, mtimeNs, ctimeNs } = stat
  return {
    mode: Number(mode),
    uid: Number(uid),
    gid: Number(gid),
    links: Number(nlink),
    sizeBytes: size,
    atimeNs,
    mtimeNs,
    ctimeNs,
  }
}
