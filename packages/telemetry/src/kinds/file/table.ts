/**
 * What system calls and fanotify say of the same change, brought together: what fanotify reported waits until its time is
 * over, and calls in that time take from it what they are about.
 */

import type { KindTable } from '../../event/table.js'
import { Selection } from '../../files/selection.js'
import { isCut } from '../../files/paths.js'
import { type FileFacts, wholePath } from './facts-of.js'
import {
  DID_ATTRIBUTES,
  DID_CHMOD,
  DID_CHOWN,
  DID_CREATE,
  DID_EXCHANGE,
  DID_LINK,
  DID_MKDIR,
  DID_MKNOD,
  DID_MODIFY,
  DID_MOVE,
  DID_REMOVE,
  DID_RMDIR,
  DID_SYMLINK,
  DID_TRUNCATE,
  DID_UTIMES,
  DID_XATTR,
} from './records.js'

/** Reports that wait, files that are being written to, and calls that reports may still come for. */
const MAX_WAITING = 8192
const MAX_WRITING = 16_384
const MAX_RECENT = 65_536
/** Files that are being moved at once, and those whose moves failed. */
const MAX_MOVING = 4096
/** A call is seen at most so long after what it did was reported. */
const LATEST_NS = 1_000_000_000n

const CREATIONS = DID_CREATE | DID_MKNOD | DID_SYMLINK | DID_LINK | DID_MKDIR
const CONTENT = DID_MODIFY | DID_TRUNCATE
const ATTRIBUTES = DID_CHMOD | DID_CHOWN | DID_UTIMES | DID_XATTR | DID_ATTRIBUTES
const REMOVALS = DID_REMOVE | DID_RMDIR
const MOVES = DID_MOVE | DID_EXCHANGE

/** Bits of a group mean the same. */
const GROUPS = [CREATIONS, CONTENT, ATTRIBUTES, REMOVALS, MOVES]

/** What fanotify reports for what a call does. */
function reportedAs(what: number): number {
  let bits = 0
  for (const group of GROUPS) if ((what & group) !== 0) bits |= group
  return bits
}

/** A report of fanotify. */
export interface Report {
  readonly id: number
  readonly pid: number
  readonly facts: FileFacts
  /** CLOCK_BOOTTIME of the time in which it happened. */
  readonly sinceNs: bigint
  readonly untilNs: bigint
  /** Bits of what happened. */
  readonly what: number
  /** Those that no call has said yet. */
  left: number
  /** What was left is in an event; calls may still be about it. */
  isTold?: boolean
  /** Those of them that are in that event: a call that comes so late says nothing new. */
  told?: number
}

/**
 * Which bits of a report a call accounts for. Setting the time of the last change alone is reported as a change of the
 * content.
 */
function saidOf({ what: reported }: Report, what: number): number {
  const bits = reportedAs(what)
  return (what & DID_UTIMES) !== 0 && (reported & ATTRIBUTES) === 0 ? bits | CONTENT : bits
}

/** Whether a report may be about a call. Changes that are merged while they wait are one report of several calls. */
function isAbout(report: Report, what: number): boolean {
  const said = saidOf(report, what)
  return ((report.left | (report.what & (CONTENT | ATTRIBUTES))) & said) !== 0
}

/** The bits of a call that an event of a report has already; each is taken once. */
function takeTold(report: Report, what: number, timeNs: bigint): number {
  const { told = 0, sinceNs, untilNs } = report
  const said = told & saidOf(report, what)
  if (said === 0 || timeNs < sinceNs || timeNs > untilNs + LATEST_NS) return 0
  report.told = told & ~said
  // What was told less exactly is told.
  let bits = (said & CONTENT) === 0 ? 0 : what & DID_UTIMES
  for (const group of GROUPS) if ((said & group) !== 0) bits |= what & group
  return bits
}

/** What an open file is, and who has it. */
export interface FileOfProcess {
  readonly pid: number
  readonly device: number
  readonly inode: bigint
  /** Another file may get the inode of one that is gone. */
  readonly generation: number
}

/** Where a file was before it was moved. */
type Former = Pick<FileFacts, 'isBelow'> & { readonly path: string }

interface Recent {
  bits: number
  count: number
  timeNs: bigint
}

function inodeKey({ pid, device, inode, generation }: FileOfProcess): string {
  return `${pid}:${device}:${inode}:${generation}`
}

/** Undefined when it is not known which file it is. */
function fileOf({ pid, facts: { device, inode, generation } }: Report): string | undefined {
  if (device === undefined || inode === undefined || generation === undefined) return undefined
  return inodeKey({ pid, device, inode, generation })
}

function nameKey(pid: number, path: string): string {
  return `${pid}/${path.slice(path.lastIndexOf('/') + 1)}`
}

export class FileTable implements KindTable {
  readonly selection: Selection
  /** Changes of files that only a name is known of. */
  unverified = 0
  evicted = 0
  readonly #waiting = new Map<number, Report>()
  readonly #byInode = new Lists()
  readonly #byName = new Lists()
  /** What was written to by processes that have it open, and was reported. */
  readonly #writing = new Map<string, FileFacts>()
  /** What was made, and perhaps is written to. */
  readonly #created = new Map<string, FileFacts>()
  /** Where files are that the kernel has begun to move. */
  readonly #moving = new Map<string, Former>()
  /** Calls whose reports may come late. */
  readonly #recent = new Map<string, Recent>()

  constructor(files: boolean | readonly string[]) {
    this.selection = new Selection(files === false ? true : files)
  }

  get size(): number {
    return this.#waiting.size + this.#writing.size + this.#created.size + this.#moving.size
  }

  /** Whether a file is asked for. */
  isWanted(facts: Pick<FileFacts, 'path' | 'oldPath' | 'isNameOnly' | 'isBelow'>): boolean {
    const path = wholePath(facts.path, facts.isNameOnly)
    const oldPath = wholePath(facts.oldPath, facts.isNameOnly)
    const { selection } = this
    if (path === undefined) return selection.isAll
    // Programs have looked at the directories above it, and paths cannot say where it is.
    if (isCut(path)) return true
    for (const one of [path, oldPath]) {
      if (one === undefined) continue
      if (selection.wants(one) || (facts.isBelow && selection.wantsBelow(one))) return true
    }
    return false
  }

  /** fanotify reported something. */
  report(report: Report): void {
    this.#forgetSaid(report)
    this.#dropTold(report.sinceNs)
    if (this.#waiting.size >= MAX_WAITING) {
      const [[id, oldest] = []] = this.#waiting
      if (oldest?.isTold !== true) this.evicted += 1
      this.#drop(id as number, oldest as Report)
    }
    this.#waiting.set(report.id, report)
    const file = fileOf(report)
    if (file !== undefined) this.#byInode.add(file, report)
    const {
      pid,
      facts: { path },
    } = report
    if (path !== undefined) this.#byName.add(nameKey(pid, path), report)
  }

  /** Takes out what calls have said already. */
  #forgetSaid(report: Report): void {
    const {
      pid,
      facts: { path },
      sinceNs,
    } = report
    const key = fileOf(report)
    if (key !== undefined) {
      const open = this.#writing.get(key)
      if (open !== undefined && this.isWanted(open)) report.left &= ~CONTENT
      const said = this.#recent.get(key)
      if (said !== undefined && said.timeNs >= sinceNs) report.left &= ~said.bits
    }
    if (path === undefined) return
    const said = this.#recent.get(nameKey(pid, path))
    if (said === undefined || said.count === 0 || said.timeNs < sinceNs) return
    if ((report.left & said.bits) === 0) return
    report.left &= ~said.bits
    said.count -= 1
  }

  /** Reports that waited for calls of times that are over. */
  #dropTold(nowNs: bigint): void {
    for (const [id, report] of this.#waiting) {
      if (report.isTold !== true || report.untilNs + LATEST_NS > nowNs) return
      this.#drop(id, report)
    }
  }

  #drop(id: number, report: Report): void {
    this.#waiting.delete(id)
    const file = fileOf(report)
    if (file !== undefined) this.#byInode.remove(file, report)
    const {
      pid,
      facts: { path },
    } = report
    if (path !== undefined) this.#byName.remove(nameKey(pid, path), report)
  }

  /**
   * The time of a report is over: it, with what is left of it. Undefined if it is not known any more, or nothing is left.
   *
   * @param isEarly calls of its time may still come
   */
  end(id: number, isEarly = false): Pick<Report, 'facts' | 'untilNs' | 'left'> | undefined {
    const report = this.#waiting.get(id)
    if (report === undefined) return undefined
    const { left, facts, untilNs } = report
    report.left = 0
    report.isTold = true
    report.told = left
    if (!isEarly && left === 0) this.#drop(id, report)
    if ((left & CONTENT) !== 0) this.#isWritten(report)
    return left === 0 ? undefined : { left, facts, untilNs }
  }

  /**
   * A call did something with an open file. That it was created is about its name: it may have others, which were made
   * meanwhile.
   *
   * @returns bits of what was said before, by a report whose time was over
   */
  done(file: FileOfProcess, path: string | undefined, what: number, timeNs: bigint): number {
    const key = inodeKey(file)
    const changes = what & ~CREATIONS
    let told = 0
    if (changes !== 0) {
      const reports = this.#byInode.of(key)
      const isNew = reports.some((report) => (report.left & saidOf(report, changes)) !== 0)
      for (const report of reports) {
        if (!isNew && report.untilNs >= timeNs) told |= takeTold(report, changes, timeNs)
        report.left &= ~saidOf(report, changes)
      }
      this.#remember(key, reportedAs(changes), timeNs)
    }
    if ((what & CREATIONS) === 0 || path === undefined) return told
    return told | this.#made(nameKey(file.pid, path), key, what & CREATIONS, timeNs)
  }

  #made(name: string, key: string, what: number, timeNs: bigint): number {
    const own = this.#byName.of(name).filter((report) => fileOf(report) === key)
    const created = own.find((report) => (report.left & CREATIONS) !== 0)
    if (created !== undefined) {
      created.left &= ~CREATIONS
      return 0
    }
    for (const report of own) {
      const told = takeTold(report, what, timeNs)
      if (told !== 0) return told
    }
    this.#remember(name, CREATIONS, timeNs)
    return 0
  }

  /** Where fanotify reports a file by the name that a path ends with, if that is asked for. */
  reportedPath(file: FileOfProcess, path: string): string | undefined {
    const key = nameKey(file.pid, path)
    for (const { facts } of this.#byInode.of(inodeKey(file))) {
      // Before or afterwards it may have had another name.
      if (facts.path === undefined || facts.isNameOnly || nameKey(file.pid, facts.path) !== key) continue
      if (this.selection.wants(facts.path)) return facts.path
    }
    return undefined
  }

  /** A file is written to until it is closed. */
  written(file: FileOfProcess, facts: FileFacts): void {
    keepLast(this.#writing, inodeKey(file), facts, MAX_WRITING)
  }

  /** Of a file that is made nothing says that it is written to, before it is closed. */
  created(file: FileOfProcess, facts: FileFacts): void {
    keepLast(this.#created, inodeKey(file), facts, MAX_WRITING)
  }

  /** It was reported that a file that was made is written to: more of that says nothing new, until it is closed. */
  #isWritten(report: Report): void {
    const key = fileOf(report)
    const made = key === undefined ? undefined : this.#created.get(key)
    if (key === undefined || made === undefined) return
    this.#created.delete(key)
    keepLast(this.#writing, key, made, MAX_WRITING)
  }

  closed(file: FileOfProcess): FileFacts | undefined {
    const key = inodeKey(file)
    const facts = this.#writing.get(key) ?? this.#created.get(key)
    this.#writing.delete(key)
    this.#created.delete(key)
    return facts
  }

  /** The kernel begins to move a file. */
  moving(file: FileOfProcess, place: Former): void {
    keepLast(this.#moving, inodeKey(file), place, MAX_MOVING)
  }

  /** A file was moved: where it was. */
  moved(file: FileOfProcess): Former | undefined {
    const key = inodeKey(file)
    const place = this.#moving.get(key)
    this.#moving.delete(key)
    return place
  }

  /** A call did something with a name: as `reported`; where nothing is reported, the name is all that is known. */
  named(
    pid: number,
    what: number,
    path: string,
    timeNs: bigint,
    isWanted: boolean,
  ): FileFacts | 'told' | undefined {
    const report = this.reported(pid, what, path, timeNs, isWanted)
    if (report === undefined && isWanted) this.unverified += 1
    return report
  }

  /**
   * Something was done with a name: the report of the same, if there is one. `told` if an event has it already: its
   * record comes after the time of the report was over.
   *
   * @param isWanted the path is asked for. Where it is not, a report may be about the same name in a directory that is, or of
   *   the same through another mount: it is an event by itself.
   */
  reported(
    pid: number,
    what: number,
    path: string,
    timeNs: bigint,
    isWanted: boolean,
  ): FileFacts | 'told' | undefined {
    if (!isWanted) return undefined
    const bits = reportedAs(what)
    const key = nameKey(pid, path)
    const found = this.#reportOf(key, what, path)
    if (found !== undefined && (found.left & saidOf(found, what)) !== 0) {
      found.left &= ~saidOf(found, what)
      return found.facts
    }
    for (const report of this.#byName.of(key)) if (takeTold(report, what, timeNs) !== 0) return 'told'
    if (found !== undefined) return found.facts
    this.#remember(key, bits, timeNs)
    return undefined
  }

  /** One that no call has said yet, else one of several changes; with the same path, else the first. */
  #reportOf(key: string, what: number, path: string): Report | undefined {
    let best: Report | undefined
    let bestRank = 0
    for (const report of this.#byName.of(key)) {
      if (!isAbout(report, what)) continue
      const isUnsaid = (report.left & saidOf(report, what)) !== 0
      const rank = (isUnsaid ? 2 : 0) + (report.facts.path === path ? 1 : 0) + 1
      if (rank <= bestRank) continue
      best = report
      bestRank = rank
      if (rank === 4) break
    }
    return best
  }

  #remember(key: string, bits: number, timeNs: bigint): void {
    const said = this.#recent.get(key) ?? { bits: 0, count: 0, timeNs }
    this.#recent.delete(key)
    said.bits |= bits
    said.count += 1
    said.timeNs = timeNs
    this.#recent.set(key, said)
    if (this.#recent.size > MAX_RECENT) this.#recent.delete(this.#recent.keys().next().value as string)
  }

  /** Everything is bounded by number. */
  collect(): void {}

  collectInNs(): number {
    return Infinity
  }

  stats(): Readonly<Record<string, number>> {
    const { size, evicted, unverified } = this
    return { size, evicted, unverified }
  }
}

const NO_REPORTS: readonly Report[] = []

/** Reports by a key, oldest first. */
class Lists {
  readonly #lists = new Map<string, Report[]>()

  of(key: string): readonly Report[] {
    return this.#lists.get(key) ?? NO_REPORTS
  }

  add(key: string, report: Report): void {
    const list = this.#lists.get(key)
    if (list === undefined) this.#lists.set(key, [report])
    else list.push(report)
  }

  remove(key: string, report: Report): void {
    const list = this.#lists.get(key)
    if (list === undefined) return
    const at = list.indexOf(report)
    if (at !== -1) list.splice(at, 1)
    if (list.length === 0) this.#lists.delete(key)
  }
}

/** Puts an entry last; beyond `most`, the first one goes. */
function keepLast<V>(entries: Map<string, V>, key: string, value: V, most: number): void {
  entries.delete(key)
  entries.set(key, value)
  if (entries.size > most) entries.delete(entries.keys().next().value as string)
}
