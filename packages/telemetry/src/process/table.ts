import type { Redaction } from '../event/redaction.js'
import type { KindTable } from '../event/table.js'
import { isLess, ticksOf, type TimeBase } from '../event/time-base.js'
import { EndedProcesses } from './ended.js'
import { HeldBytes, LEAST_LEVEL, Sizes, textBytes } from './held.js'
import type { Executable } from './executable.js'
import type { Image } from './image.js'
import type { Past } from './past.js'
import { settleOrigins } from './origin.js'
import type { Place } from './place.js'
import { exclusionOf, inheritedMarks, withExclusion } from './tracked/flags.js'
import { NOWHERE, PidIndex } from '../memory/pid-index.js'
import {
  KNOWN_EXIT,
  KNOWN_ID_TICKS,
  KNOWN_START,
  KNOWN_START_TICKS,
  ProcessRecord,
  REPLACED,
} from './entry.js'

export interface ProcessTableOptions {
  /** How long an ended process can still be looked up, on the clock of `now`. */
  readonly graceMs: number
  /** Most processes; beyond it ended ones go first, then the oldest. */
  readonly maxProcesses: number
  /**
   * Most bytes of all of them, 32 MiB by default. Beyond it the longest texts are cut; if that is not enough, ended
   * processes go, then the oldest.
   */
  readonly maxTableBytes?: number
  /** Most bytes of packed processes, 5/7 of `maxTableBytes` by default; beyond it the oldest go. 0 packs none. */
  readonly maxPackedBytes?: number
  /** Takes the secrets out of what processes show; nothing does without. */
  readonly redaction?: Redaction | undefined
  /** Reads the environment of a process that runs here now; absent where nothing of this machine is to be looked up. */
  readonly environmentOf?: (process: ProcessRecord) => readonly string[] | undefined
}

/** Enough for the default number of processes, most of them packed, with some hundred bytes of strings each. */
const MAX_TABLE_BYTES = 32 << 20
/** Packed processes are many and small, and leave the rest to large ones. */
const PACKED_SHARE = 5 / 7
/** Where room is made, so much is free afterwards: it costs a look at all processes. */
const FREE_SHARE_CUT = 1 / 4
const FREE_SHARE_EVICTED = 1 / 8

/** Ended processes are kept so much longer, to be removed in batches. */
const COLLECT_SLACK_NS = 1e9

/** Size of the table of expected pids, which are noted by their remainder: a power of two. */
const EXPECTED = 4096

/** What must be known of a process to pack it. */
const PACKED_KNOWN = KNOWN_START | KNOWN_EXIT

/**
 * The processes that run, and those that ended within the grace time. A process is its pid and its start
 * time, so a pid that is used again is another process. Delivered objects never change.
 */
export class ProcessTable implements KindTable {
  /** Processes removed after their grace time. */
  collected = 0
  /** Processes removed because there were too many, or too many bytes of packed ones. */
  evicted = 0
  /** Strings that were cut at their limit. */
  truncatedArgv = 0
  truncatedEnv = 0
  truncatedPaths = 0
  /** Processes of which texts were cut as the table had no room. */
  cutProcesses = 0
  /** Those of `evicted` that went since there were too many bytes. */
  evictedForBytes = 0
  /** Grows when a process comes whose pid was expected, or has the remainder of one. */
  arrivals = 0
  readonly #expected = new Uint8Array(EXPECTED)
  /** Marks of a process that comes without a maker that is known (tracked/flags.ts). */
  newMarks = 0
  /** Some process has marks. */
  #hasMarks = false
  /** Marks of roots that are still to come. */
  readonly #expectedRoots = new Map<number, number>()
  /** Time of the current call, ns of CLOCK_BOOTTIME. */
  #nowNs = 0
  readonly #options: ProcessTableOptions
  readonly redaction: Redaction | undefined
  readonly #timeBase: TimeBase
  /** Oldest first. */
  readonly #entries = new Map<number, ProcessRecord>()
  /** The youngest, not in `#entries` yet: most that are packed never get there. */
  #youngest: ProcessRecord | undefined = undefined
  /** Ended processes; those that are packed are not in `#entries`. */
  readonly #ended: EndedProcesses
  readonly #packed = new PidIndex()
  readonly #held = new HeldBytes()
  readonly #maxBytes: number
  readonly #maxPackedBytes: number

  constructor(options: ProcessTableOptions, timeBase: TimeBase) {
    this.#options = options
    this.#timeBase = timeBase
    this.#ended = new EndedProcesses(timeBase, this.#held, options.redaction)
    this.redaction = options.redaction
    const { maxTableBytes = MAX_TABLE_BYTES, maxPackedBytes = Math.floor(maxTableBytes * PACKED_SHARE) } =
      options
    this.#maxBytes = maxTableBytes
    this.#maxPackedBytes = maxPackedBytes
  }

  get size(): number {
    return this.#entries.size + this.#packed.size + (this.#youngest === undefined ? 0 : 1)
  }

  /** Memory of all processes: at most `maxTableBytes` after each event. */
  get sizeBytes(): number {
    return this.#held.sizeBytes + this.#ended.sizeBytes
  }

  /** Memory of the processes that are packed. */
  get packedBytes(): number {
    return this.#ended.sizeBytes
  }

  /** The entry of a pid, not to be changed or delivered. */
  peek(pid: number): ProcessRecord | undefined {
    return this.#unpackedEntry(pid) ?? this.#unpack(pid)
  }

  /** A delivered copy of a process that is known to run in a place; the table goes on with it, if it has the process. */
  withPlace(process: ProcessRecord, place: Place): ProcessRecord {
    const copy = process.placedIn(place)
    if (this.#unpackedEntry(process.pid) === process) {
      this.#replace(process, copy)
      this.#count(copy)
    }
    return copy
  }

  /** A delivered copy of a process of whose program more is known; the table goes on with it, if it has the process. */
  withExecutable(process: ProcessRecord, file: Executable): ProcessRecord {
    const { image } = process
    if (image === undefined) return process
    const copy = process.clone()
    copy.ppid = process.ppid
    copy.laterPpid = process.laterPpid
    copy.past = process.past
    copy.image = image.withFile(file)
    copy.isDelivered = true
    if (this.#unpackedEntry(process.pid) === process) {
      this.#replace(process, copy)
      this.#count(copy)
    }
    return copy
  }

  /** Finds how the processes that were found came into the system, whatever the order in which they were found. */
  settleOrigins(): void {
    this.#settle()
    settleOrigins(this.#entries.values(), this)
  }

  /** The environment of a process that runs here now, if it can be read. */
  environmentOf(process: ProcessRecord): readonly string[] | undefined {
    return this.#options.environmentOf?.(process)
  }

  /** The process that has or last had this pid, for delivery. */
  lookup(pid: number): ProcessRecord | undefined {
    const entry = this.peek(pid)
    if (entry === undefined) return undefined
    entry.isDelivered = true
    if (this.sizeBytes > this.#maxBytes) this.#makeRoomForBytes()
    return entry
  }

  /** What the table now has of a process that was delivered; if it has forgotten that, the process without long texts. */
  present(process: ProcessRecord): ProcessRecord {
    if ((process.known & REPLACED) === 0) return process
    const entry = this.lookup(process.pid)
    if (entry?.startLo === process.startLo && entry.startHi === process.startHi) return entry
    return process.cut(2 ** LEAST_LEVEL, new Map())
  }

  /** Notes a pid that the table does not have: if a process with it comes, `arrivals` grows. */
  expect(pid: number): void {
    this.#expected[pid & (EXPECTED - 1)] = 1
  }

  /** All processes by ascending pid, for delivery. */
  *all(): IterableIterator<ProcessRecord> {
    this.#settle()
    const pids = [...this.#entries.keys(), ...this.#packed.pids()].sort((a, b) => a - b)
    for (const pid of pids) {
      const number = this.#packed.get(pid)
      // Packed processes stay packed: mostly all of them are read only once.
      const entry = number === NOWHERE ? this.lookup(pid) : this.#ended.unpack(number)
      if (entry !== undefined) yield entry
    }
  }

  /** The processes that have not ended, by pid; not to be changed or delivered. */
  *living(): IterableIterator<[pid: number, process: ProcessRecord]> {
    this.#settle()
    for (const entry of this.#entries) if (!entry[1].hasExited) yield entry
  }

  /** Adds to the marks of the process that has a pid, if the table has it. A new exclusion replaces another one. */
  mark(pid: number, marks: number): void {
    this.#hasMarks = true
    const entry = this.#unpackedEntry(pid)
    if (entry === undefined) return
    const before = exclusionOf(marks) === 0 ? entry.marks : withExclusion(entry.marks, 0)
    entry.marks = before | marks
  }

  /** Removes the process that has a pid: nothing more will be heard of it. */
  forget(pid: number): void {
    const entry = this.#unpackedEntry(pid)
    if (entry !== undefined) this.#drop(entry)
  }

  /** The next process that gets this pid, if its fork is seen, has these marks. */
  expectRoot(pid: number, marks: number): void {
    this.#hasMarks = true
    this.#expectedRoots.set(pid, marks)
  }

  /** Gives a new process the marks that it has from the one that made it. */
  inheritMarks(process: ProcessRecord, maker: ProcessRecord | undefined): void {
    if (!this.#hasMarks) return
    if (maker !== undefined) process.marks |= inheritedMarks(maker.marks)
    const ofRoot = this.#expectedRoots.get(process.pid)
    if (ofRoot === undefined) return
    this.#expectedRoots.delete(process.pid)
    process.marks |= ofRoot
  }

  /** A process whose fork was not seen has the marks of its parent. */
  adoptMarks(process: ProcessRecord): void {
    if (!this.#hasMarks || process.marks !== 0 || process.creator !== undefined) return
    if (process.ppid !== undefined && process.ppid !== process.pid)
      this.inheritMarks(process, this.peek(process.ppid))
  }

  /** Parent, its parent and so on, as far as they are known, for delivery. */
  ancestors(pid: number): ProcessRecord[] {
    const found: ProcessRecord[] = []
    const seen = new Set([pid])
    let child = this.peek(pid)
    while (child?.ppid !== undefined && !seen.has(child.ppid)) {
      seen.add(child.ppid)
      const parent = this.lookup(child.ppid)
      // A parent that began later is another process that got the pid of the real one.
      if (parent === undefined || parent.startTicks > child.startTicks) break
      found.push(parent)
      child = parent
    }
    return found
  }

  /**
   * The record of a process to write into, new (`known` is 0) if the table did not have it. A record about an
   * older process than the pid's present one gets an object that the table does not keep.
   */
  entryOf(pid: number, startLo: number, startHi: number): ProcessRecord {
    const youngest = this.#youngest
    if (youngest?.pid === pid && startLo === youngest.startLo && startHi === youngest.startHi)
      return this.#writable(youngest)
    const entry = this.#unpackedEntry(pid) ?? this.#unpackUnlessBefore(pid, startLo, startHi)
    if (entry === undefined) return this.#add(pid)
    if (startLo === entry.startLo && startHi === entry.startHi) return this.#writable(entry)
    if ((entry.known & KNOWN_START) === 0) return this.#writable(entry)
    if ((startLo | startHi) === 0) return this.#writable(entry)
    const isCut = (entry.known & KNOWN_START_TICKS) !== 0
    if (isCut && ticksOf(startLo, startHi) === entry.startTicks) return this.#writable(entry)
    const isOlder = isLess(startLo, startHi, entry.startLo, entry.startHi)
    if (isOlder) return new ProcessRecord(pid, this.#timeBase)
    this.#drop(entry)
    return this.#add(pid)
  }

  /** As `entryOf`, for records that do not say when the process began: the pid's present process. */
  presentEntryOf(pid: number): ProcessRecord {
    const entry = this.peek(pid)
    return entry === undefined ? this.#add(pid) : this.#writable(entry)
  }

  /** Notes that a process ended: it goes after its grace time. */
  markEnded(process: ProcessRecord): void {
    if (process.hasExited) return
    process.known |= KNOWN_EXIT
    this.#ended.push(process.pid, process.startLo, process.startHi, this.#nowNs)
  }

  /** Notes that an event with the process was made: it does not change any more. */
  deliver(process: ProcessRecord, hasEnded: boolean): void {
    process.isDelivered = true
    if (hasEnded) this.#pack(process)
    this.#count(process)
  }

  /** Packs an ended process that was delivered and will hardly change any more. */
  #pack(process: ProcessRecord): void {
    const ended = this.#ended
    if ((process.known & PACKED_KNOWN) !== PACKED_KNOWN || (process.known & KNOWN_START_TICKS) !== 0) return
    if (process.past !== undefined && !process.past.isSimple) return
    if (!ended.isLast(process) || this.#unpackedEntry(process.pid) !== process) return
    const maxPackedBytes = this.#maxPackedBytes
    const number = ended.packLast(process, maxPackedBytes)
    if (number === NOWHERE) return
    this.#drop(process)
    this.#packed.set(process.pid, number)
    while (ended.sizeBytes > maxPackedBytes) this.#evictFirstEnded()
    if (this.sizeBytes > this.#maxBytes) this.#makeRoomForBytes()
  }

  /** Counts a process that is in the table and will not change. */
  #count(process: ProcessRecord): void {
    if (process.isCounted || this.#unpackedEntry(process.pid) !== process) return
    process.isCounted = true
    this.#held.add(process)
    if (this.sizeBytes > this.#maxBytes) this.#makeRoomForBytes()
  }

  #uncount(process: ProcessRecord): void {
    if (!process.isCounted) return
    process.isCounted = false
    this.#held.remove(process)
  }

  /**
   * Takes in a process as found in /proc. Of a process that is already known only the gaps are filled, as
   * what is known may be newer; the pid's later process is left alone.
   *
   * @param found with all that was found, its start perhaps cut to ticks; the table takes it over
   * @returns the process as it now is, for delivery
   */
  applySnapshot(found: ProcessRecord): ProcessRecord {
    const process = this.#takeIn(found)
    this.deliver(process, false)
    return process
  }

  #takeIn(found: ProcessRecord): ProcessRecord {
    const entry = this.peek(found.pid)
    if (entry === undefined) {
      this.#put(found)
      return found
    }
    const isKnown = (entry.known & KNOWN_START) !== 0
    const difference = isKnown ? startDifference(found, entry) : 0
    if (difference < 0) return found
    if (difference > 0) {
      this.#drop(entry)
      this.#put(found)
      return found
    }
    const target = this.#writable(entry)
    if (!isKnown) {
      target.startLo = found.startLo
      target.startHi = found.startHi
      target.known |= found.known & (KNOWN_START | KNOWN_START_TICKS | KNOWN_ID_TICKS)
    }
    target.complete(found)
    return target
  }

  /** Removes the processes whose grace time is over at `settledNs`; `nowNs` must not fall. */
  collect(nowNs: number, settledNs: number): void {
    this.#nowNs = nowNs
    const graceNs = this.#options.graceMs * 1e6
    while (this.#ended.count > 0 && settledNs - this.#ended.first.timeNs >= graceNs) {
      if (this.#removeFirstEnded()) this.collected += 1
    }
  }

  /** ns from `nowNs` until `collect` is worth a call; Infinity when no ended process is left. */
  collectInNs(nowNs: number): number {
    if (this.#ended.count === 0) return Number.POSITIVE_INFINITY
    return Math.max(0, this.#ended.first.timeNs + this.#options.graceMs * 1e6 + COLLECT_SLACK_NS - nowNs)
  }

  /** Totals since it was made. */
  stats(): Readonly<Record<string, number>> {
    const { size, sizeBytes, collected, evicted, evictedForBytes, cutProcesses } = this
    const { truncatedArgv, truncatedEnv, truncatedPaths } = this
    return {
      size,
      sizeBytes,
      collected,
      evicted,
      evictedForBytes,
      cutProcesses,
      truncatedArgv,
      truncatedEnv,
      truncatedPaths,
    }
  }

  #evictFirstEnded(): void {
    if (!this.#removeFirstEnded()) return
    this.evicted += 1
    this.evictedForBytes += 1
  }

  /** Removes the process that ended first; false if it was already replaced. */
  #removeFirstEnded(): boolean {
    const { number, pid, startLo, startHi } = this.#ended.first
    this.#ended.shift()
    if (this.#packed.get(pid) === number) {
      this.#packed.delete(pid)
      return true
    }
    const entry = this.#unpackedEntry(pid)
    if (entry === undefined || !entry.hasExited) return false
    if (entry.startLo !== startLo || entry.startHi !== startHi) return false
    this.#drop(entry)
    return true
  }

  /** The packed process of a pid, no longer packed. */
  #unpack(pid: number): ProcessRecord | undefined {
    const number = this.#packed.get(pid)
    if (number === NOWHERE) return undefined
    const process = this.#ended.unpack(number)
    process.isDelivered = true
    this.#packed.delete(pid)
    this.#ended.release(number)
    this.#settle()
    this.#youngest = process
    process.isCounted = true
    this.#held.add(process)
    return process
  }

  /** As `#unpack`, but a process that began before that time is removed, as another one replaces it. */
  #unpackUnlessBefore(pid: number, startLo: number, startHi: number): ProcessRecord | undefined {
    const number = this.#packed.get(pid)
    if (number === NOWHERE) return undefined
    const ended = this.#ended
    const isBefore = isLess(ended.startLoOf(number), ended.startHiOf(number), startLo, startHi)
    if (!isBefore || (startLo | startHi) === 0) return this.#unpack(pid)
    this.#packed.delete(pid)
    ended.release(number)
    return undefined
  }

  #writable(entry: ProcessRecord): ProcessRecord {
    if (!entry.isDelivered) return entry
    const copy = entry.clone()
    this.#replace(entry, copy)
    return copy
  }

  #replace(entry: ProcessRecord, copy: ProcessRecord): void {
    this.#uncount(entry)
    entry.known |= REPLACED
    if (entry === this.#youngest) this.#youngest = copy
    else this.#entries.set(entry.pid, copy)
  }

  #add(pid: number): ProcessRecord {
    const entry = new ProcessRecord(pid, this.#timeBase)
    entry.marks = this.newMarks
    this.#put(entry)
    return entry
  }

  /** Puts in a process of a pid that has none: the youngest. */
  #put(entry: ProcessRecord): void {
    const remainder = entry.pid & (EXPECTED - 1)
    if (this.#expected[remainder] !== 0) {
      this.#expected[remainder] = 0
      this.arrivals += 1
    }
    this.#makeRoom()
    this.#settle()
    this.#youngest = entry
  }

  #unpackedEntry(pid: number): ProcessRecord | undefined {
    const youngest = this.#youngest
    return youngest?.pid === pid ? youngest : this.#entries.get(pid)
  }

  #drop(entry: ProcessRecord): void {
    this.#uncount(entry)
    entry.known |= REPLACED
    if (entry === this.#youngest) this.#youngest = undefined
    else this.#entries.delete(entry.pid)
  }

  /** Puts the youngest where the others are. */
  #settle(): void {
    const youngest = this.#youngest
    if (youngest === undefined) return
    this.#entries.set(youngest.pid, youngest)
    this.#youngest = undefined
  }

  #makeRoom(): void {
    if (this.size < this.#options.maxProcesses) return
    this.evicted += 1
    while (this.#ended.count > 0) {
      if (this.#removeFirstEnded()) return
    }
    this.#settle()
    for (const entry of this.#entries.values()) {
      this.#drop(entry)
      return
    }
  }

  /** Cuts the longest texts; if that does not give enough room, removes ended processes, then the oldest. */
  #makeRoomForBytes(): void {
    this.#settle()
    const maxBytes = this.#maxBytes
    const aimBytes = maxBytes * (1 - FREE_SHARE_EVICTED)
    for (let level = this.#levelFor(maxBytes * (1 - FREE_SHARE_CUT)); level >= LEAST_LEVEL; level--) {
      this.#cutTo(2 ** level)
      if (this.sizeBytes <= aimBytes) return
    }
    while (this.#ended.count > 0 && this.sizeBytes > aimBytes) this.#evictFirstEnded()
    for (const entry of this.#entries.values()) {
      if (this.sizeBytes <= aimBytes) return
      this.#drop(entry)
      this.evicted += 1
      this.evictedForBytes += 1
    }
  }

  /** Exponent of the length to which texts must be cut. */
  #levelFor(maxBytes: number): number {
    const sizes = new Sizes()
    const images = new Set<Image>()
    let textsBytes = 0
    const add = (sizeBytes: number): void => {
      sizes.add(sizeBytes)
      textsBytes += sizeBytes
    }
    for (const entry of this.#entries.values()) {
      for (let state: ProcessRecord | Past | undefined = entry; state !== undefined;) {
        const { image } = state
        if (image !== undefined && !images.has(image)) {
          images.add(image)
          add(image.textBytes)
        }
        add(textBytes(state))
        state = state instanceof ProcessRecord ? state.past : state.earlier
      }
    }
    return sizes.levelFor(maxBytes - (this.sizeBytes - textsBytes))
  }

  #cutTo(maxBytes: number): void {
    const images = new Map<Image, Image>()
    for (const entry of this.#entries.values()) {
      if (!entry.isCounted || !entry.isLongerThan(maxBytes)) continue
      const copy = entry.cut(maxBytes, images)
      if (isShortened(entry, copy)) this.cutProcesses += 1
      this.#replace(entry, copy)
      copy.isCounted = true
      this.#held.add(copy)
    }
  }
}

/** Whether a text of a process was cut that was not before. */
function isShortened(before: ProcessRecord, after: ProcessRecord): boolean {
  return (
    before.argvTruncated !== after.argvTruncated ||
    before.envTruncated !== after.envTruncated ||
    before.exeTruncated !== after.exeTruncated ||
    before.cwdTruncated !== after.cwdTruncated ||
    before.cgroup !== after.cgroup
  )
}

/** Negative if the first one began earlier, 0 if both began at once, as far as both starts are known. */
function startDifference(one: ProcessRecord, other: ProcessRecord): number {
  const ticks = one.startTicks - other.startTicks
  if (ticks !== 0 || ((one.known | other.known) & KNOWN_START_TICKS) !== 0) return ticks
  if (one.startLo === other.startLo && one.startHi === other.startHi) return 0
  return isLess(one.startLo, one.startHi, other.startLo, other.startHi) ? -1 : 1
}
