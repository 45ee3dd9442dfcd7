import { TAIL_FAILED, TAIL_LENGTH_MASK } from 'quark-ebpf/probe'
import type { Container, EntryPoint, Ids, Killer, Pod, Process, ProcessUsage } from './process.js'
import { ttyNameOf } from './tty.js'
import type { Origin } from './entry-point.js'
import { type Place, placeOf } from './place.js'
import { isScheduler, type Scheduler } from './unit.js'
import { NOT_CLONEABLE, type Plain } from '../event/forms.js'
import { isLess, ticksOf, type TimeBase, u64Of } from '../event/time-base.js'
import type { Executable } from './executable.js'
import { cutTail, type Image } from './image.js'
import { isCutPath, ownLatin1, pathAt, rootAt } from '../memory/text.js'
import type { Identity } from './identity.js'
import { Past, type PastFacts } from './past.js'

/** Bits of `known`. */
export const KNOWN_START = 1
/** The start is cut to clock ticks, as /proc has it. */
export const KNOWN_START_TICKS = 2
export const KNOWN_EXIT = 4
/** Its exit status is known, not only that it ended. */
export const KNOWN_STATUS = 8
/** The entity id is made of ticks: the start was cut to them when the process was first seen. */
export const KNOWN_ID_TICKS = 32
/** Not a fact, but a mark: the table has another object for the process, or none. */
export const REPLACED = 16
/** As REPLACED a mark: records of it were lost, or of the process that it is a child of. */
export const MAY_BE_INCOMPLETE = 64

/** Inode number of the first user namespace (include/linux/proc_ns.h). */
const INITIAL_USER_NS = 0xefff_fffd

const SIGNAL_MASK = 0x7f
const CORE_DUMPED = 0x80

const idBytes = Buffer.alloc(12)

/** 16 characters of Base64. A pid is not used again within a ns, so that with a start in ns they are unique. */
function idOf(pid: number, start: bigint): string {
  idBytes.writeUInt32LE(pid, 0)
  idBytes.writeBigUInt64LE(BigInt.asUintN(64, start), 4)
  return idBytes.toString('base64')
}

/** What a process used, summed up when it is read. Immutable. */
export interface UsageSource {
  readonly usage: ProcessUsage
}

/**
 * One process in the table. The table writes into it until it is delivered; afterwards it does not change, and the
 * table continues with a clone.
 *
 * Every event makes one: few fields, and text and identity in the strings of their records. Halves
 * of times are signed, so that they are small integers to the engine.
 */
export class ProcessRecord implements Process {
  readonly uncloneable = NOT_CLONEABLE
  readonly pid: number
  readonly timeBase: TimeBase
  /** It was delivered, and must not change any more. */
  isDelivered = false
  /** The table counts what it holds. */
  isCounted = false
  known = 0
  startLo = 0
  startHi = 0
  bootEpochNs: bigint
  ppid: number | undefined = undefined
  /** The parent that it had at the end of its last event, when that is another one: `clone` goes on with it. */
  laterPpid: number | undefined = undefined
  /** The process that made it, if its fork was seen. */
  creator: number | undefined = undefined
  pgid: number | undefined = undefined
  sid: number | undefined = undefined
  identity: Identity | undefined = undefined
  /** A name that is newer than the identity's; null when it is not known. */
  newComm: string | null | undefined = undefined
  image: Image | undefined = undefined
  /** Its states in the course of its last event: see `at`. */
  past: Past | undefined = undefined
  /** The process without its end, made when it is first needed. */
  #living: ProcessRecord | undefined = undefined
  /** The last record with a cwd, where its tail begins, and the tail's descriptor. */
  cwdText = ''
  cwdStart = 0
  cwdTail = TAIL_FAILED
  cgroup: string | undefined = undefined
  /** The entry leader that it descends from. */
  origin: Origin | undefined = undefined
  /** What is known of a place, beyond what the path of its cgroup says; it may be that of an earlier cgroup. */
  place: Place | undefined = undefined
  exitStatus = 0
  exitLo = 0
  exitHi = 0
  exitEpochNs: bigint
  usageSource: UsageSource | undefined = undefined
  killer: Killer | undefined = undefined
  /** Which trees it belongs to (tracked/flags.ts): not a fact, and no part of what is delivered. */
  marks = 0

  // The prototype has them: what they need is above this room.
  declare toObject: () => Plain<Process>
  declare toJSON: () => Record<string, unknown>

  constructor(pid: number, timeBase: TimeBase) {
    this.pid = pid
    this.timeBase = timeBase
    this.bootEpochNs = timeBase.bootEpochNs
    this.exitEpochNs = timeBase.bootEpochNs
  }

  /**
   * A copy that may be changed. All records older than its last event have been applied by then, so its past is
   * dropped.
   */
  clone(): ProcessRecord {
    const copy = new ProcessRecord(this.pid, this.timeBase)
    copy.known = this.known & ~REPLACED
    copy.startLo = this.startLo
    copy.startHi = this.startHi
    copy.bootEpochNs = this.bootEpochNs
    copy.ppid = this.laterPpid ?? this.ppid
    copy.creator = this.creator
    copy.pgid = this.pgid
    copy.sid = this.sid
    copy.identity = this.identity
    copy.newComm = this.newComm
    copy.image = this.image
    copy.setCwd(this.cwdText, this.cwdStart, this.cwdTail)
    copy.cgroup = this.cgroup
    copy.origin = this.origin
    copy.place = this.place
    copy.exitStatus = this.exitStatus
    copy.exitLo = this.exitLo
    copy.exitHi = this.exitHi
    copy.exitEpochNs = this.exitEpochNs
    copy.usageSource = this.usageSource
    copy.killer = this.killer
    copy.marks = this.marks
    return copy
  }

  /** A delivered copy, of which it is known where it runs. */
  placedIn(place: Place): ProcessRecord {
    const copy = this.clone()
    copy.ppid = this.ppid
    copy.laterPpid = this.laterPpid
    copy.past = this.past
    copy.place = place
    copy.isDelivered = true
    return copy
  }

  /** A delivered copy that is marked as one of which records may be missing. */
  incomplete(): ProcessRecord {
    const copy = this.clone()
    copy.ppid = this.ppid
    copy.known |= MAY_BE_INCOMPLETE
    copy.isDelivered = true
    return copy
  }

  /**
   * Copies what a new process inherits from its parent at a time (CLOCK_BOOTTIME, signed halves). Identity and name
   * are in its own record.
   */
  inherit(parent: ProcessRecord, timeLo: number, timeHi: number): void {
    const { image, cwdText, cwdStart, cwdTail, cgroup } = parent.pastAt(timeLo, timeHi) ?? parent
    this.image = image
    this.setCwd(cwdText, cwdStart, cwdTail)
    this.cgroup = cgroup
    this.origin = parent.origin
    this.place = parent.place
  }

  /** Keeps the present state, before a change at that time that joins an older record. */
  keepPast(timeLo: number, timeHi: number): void {
    if (this.past?.isFull === true) return
    this.past = new Past(this, timeLo, timeHi, this.past)
  }

  /** Its state at a time; undefined when it has not changed since. */
  pastAt(timeLo: number, timeHi: number): Past | undefined {
    let found: Past | undefined
    let past = this.past
    while (past !== undefined && isLess(timeLo, timeHi, past.untilLo, past.untilHi)) {
      found = past
      past = past.earlier
    }
    return found
  }

  /**
   * The process as it was at a time, for delivery: itself, if nothing of it is younger. A record that joined an older
   * one is applied with that, and so before what others did in between.
   */
  at(timeLo: number, timeHi: number): ProcessRecord {
    const past = this.pastAt(timeLo, timeHi)
    if (past !== undefined) {
      past.view ??= this.#viewOf(past)
      return past.view as ProcessRecord
    }
    if (!this.hasExited || !isLess(timeLo, timeHi, this.exitLo, this.exitHi)) return this
    this.#living ??= this.#viewOf(undefined)
    return this.#living
  }

  #viewOf(past: Past | undefined): ProcessRecord {
    const view = this.clone()
    view.ppid = this.ppid
    view.known &= ~(KNOWN_EXIT | KNOWN_STATUS)
    view.exitStatus = 0
    view.usageSource = undefined
    view.killer = undefined
    view.isDelivered = true
    if (past === undefined) return view
    // A past without an identity has the one of the past after it.
    for (let at = this.past; at !== past.earlier && at !== undefined; at = at.earlier) {
      if (at.identity !== undefined) view.identity = at.identity
    }
    view.newComm = past.comm
    view.image = past.image
    view.setCwd(past.cwdText, past.cwdStart, past.cwdTail)
    view.cgroup = past.cgroup
    view.pgid = past.pgid
    view.sid = past.sid
    return view
  }

  /** Whether it has a text that `cut` would cut. */
  isLongerThan(maxBytes: number): boolean {
    if (hasLonger(this, maxBytes)) return true
    for (let past = this.past; past !== undefined; past = past.earlier) {
      if (hasLonger(past, maxBytes)) return true
    }
    return false
  }

  /**
   * The same process, past included, with no text longer than `maxBytes`. What is cut is marked as such; the name of a
   * cgroup is absent, as a part of it would be another one.
   *
   * @param images has the images that were cut already, and gets the others
   */
  cut(maxBytes: number, images: Map<Image, Image>): ProcessRecord {
    const copy = this.clone()
    copy.ppid = this.ppid
    copy.laterPpid = this.laterPpid
    Object.assign(copy, cutFacts(this, maxBytes, images))
    copy.past = cutPast(this.past, maxBytes, images)
    copy.isDelivered = true
    return copy
  }

  /** Fills gaps from `other`, the same process, except its end. */
  complete(other: ProcessRecord): void {
    this.ppid ??= other.ppid
    this.pgid ??= other.pgid
    this.sid ??= other.sid
    this.identity ??= other.identity
    this.image ??= other.image
    if ((this.cwdTail & TAIL_FAILED) !== 0) this.setCwd(other.cwdText, other.cwdStart, other.cwdTail)
    this.cgroup ??= other.cgroup
    this.origin ??= other.origin
  }

  setCwd(text: string, start: number, descriptor: number): void {
    this.cwdText = text
    this.cwdStart = start
    this.cwdTail = descriptor
  }

  /** All ids; what is not known is 0. */
  get ids(): Ids {
    const { sid = 0 } = this
    const { uid = 0, euid = 0, suid = 0, gid = 0, egid = 0, sgid = 0 } = this.identity ?? {}
    return { sid, uid, euid, suid, gid, egid, sgid }
  }

  /** The ids that are known. */
  get knownIds(): Partial<Ids> {
    const { sid, uid, ids } = this
    if (sid !== undefined && uid !== undefined) return ids
    if (uid === undefined) return sid === undefined ? {} : { sid }
    const { sid: _unknown, ...others } = ids
    return others
  }

  get creatorPid(): number | undefined {
    return this.creator === this.ppid ? undefined : this.creator
  }

  get unseen(): boolean {
    return this.identity === undefined && this.image === undefined
  }

  get mayBeIncomplete(): boolean {
    return (this.known & MAY_BE_INCOMPLETE) !== 0
  }

  get hasExited(): boolean {
    return (this.known & KNOWN_EXIT) !== 0
  }

  /** Ticks from boot to the start. */
  get startTicks(): number {
    return ticksOf(this.startLo, this.startHi)
  }

  get startTimeNs(): bigint | undefined {
    if ((this.known & KNOWN_START) === 0) return undefined
    return u64Of(this.startLo, this.startHi) + this.bootEpochNs
  }

  get entityId(): string | undefined {
    if ((this.known & KNOWN_START) === 0) return undefined
    if (!this.entityIdCoarse) return this.#exactId()
    return idOf(this.pid, BigInt(this.startTicks) + this.timeBase.tickKey)
  }

  get entityIdCoarse(): boolean {
    if ((this.known & KNOWN_START) === 0) return false
    return !this.timeBase.hasExactStarts || (this.known & KNOWN_ID_TICKS) !== 0
  }

  get uniqueEntityId(): string | undefined {
    return this.entityIdCoarse && (this.known & KNOWN_START_TICKS) === 0 ? this.#exactId() : undefined
  }

  #exactId(): string {
    return idOf(this.pid, u64Of(this.startLo, this.startHi) + this.timeBase.startKey)
  }

  get uid(): number | undefined {
    return this.identity?.uid
  }

  get euid(): number | undefined {
    return this.identity?.euid
  }

  get suid(): number | undefined {
    return this.identity?.suid
  }

  get gid(): number | undefined {
    return this.identity?.gid
  }

  get egid(): number | undefined {
    return this.identity?.egid
  }

  get sgid(): number | undefined {
    return this.identity?.sgid
  }

  get capInheritable(): bigint | undefined {
    return this.identity?.capInheritable
  }

  get capPermitted(): bigint | undefined {
    return this.identity?.capPermitted
  }

  get capEffective(): bigint | undefined {
    return this.identity?.capEffective
  }

  get capBounding(): bigint | undefined {
    return this.identity?.capBounding
  }

  get capAmbient(): bigint | undefined {
    return this.identity?.capAmbient
  }

  get ttyMajor(): number | undefined {
    return this.identity?.ttyMajor
  }

  get ttyMinor(): number | undefined {
    return this.identity?.ttyMinor
  }

  get ttyName(): string | undefined {
    const { ttyMajor, ttyMinor } = this
    return ttyMajor === undefined || ttyMinor === undefined ? undefined : ttyNameOf(ttyMajor, ttyMinor)
  }

  get loginUid(): number | undefined {
    return this.identity?.loginUid
  }

  get auditSession(): number | undefined {
    return this.identity?.auditSession
  }

  get utsNs(): number | undefined {
    return this.identity?.utsNs
  }

  get ipcNs(): number | undefined {
    return this.identity?.ipcNs
  }

  get mntNs(): number | undefined {
    return this.identity?.mntNs
  }

  get netNs(): number | undefined {
    return this.identity?.netNs
  }

  get userNs(): number | undefined {
    return this.identity?.userNs
  }

  get pidNs(): number | undefined {
    return this.identity?.pidNs
  }

  get cgroupNs(): number | undefined {
    return this.identity?.cgroupNs
  }

  get timeNs(): number | undefined {
    return this.identity?.timeNs
  }

  get capabilitiesInUserNs(): boolean {
    const userNs = this.identity?.userNs
    return userNs !== undefined && userNs !== INITIAL_USER_NS
  }

  get comm(): string | undefined {
    return this.newComm === undefined ? this.identity?.comm : (this.newComm ?? undefined)
  }

  get exe(): string | undefined {
    return this.image?.exe
  }

  get exeDeleted(): boolean {
    return this.image?.exeDeleted ?? false
  }

  get exeTruncated(): boolean {
    return this.image?.exeTruncated ?? false
  }

  get executable(): Executable | undefined {
    return this.image?.file
  }

  get cwdTruncated(): boolean {
    return (this.cwdTail & TAIL_FAILED) === 0 && isCutPath(this.cwdText, this.cwdStart, this.cwdTail)
  }

  get cwd(): string | undefined {
    if ((this.cwdTail & TAIL_FAILED) !== 0) return undefined
    return pathAt(this.cwdText, this.cwdStart, this.cwdTail)
  }

  get root(): string | undefined {
    const isKnown = (this.cwdTail & TAIL_FAILED) === 0
    return (isKnown ? rootAt(this.cwdText, this.cwdStart, this.cwdTail) : undefined) ?? this.image?.root
  }

  get argv(): readonly string[] | undefined {
    return this.image?.argv
  }

  /** As they are, whatever is shown. */
  get realArgv(): readonly string[] | undefined {
    return this.image?.realArgv
  }

  get argvRedacted(): boolean {
    return this.image?.argvRedacted ?? false
  }

  get argvBytes(): Uint8Array | undefined {
    return this.image?.argvBytes
  }

  get argvTruncated(): boolean {
    return this.image?.argvTruncated ?? false
  }

  get argvSizeBytes(): number | undefined {
    return this.image?.argvSizeBytes
  }

  get env(): readonly string[] | undefined {
    return this.image?.env
  }

  /** Whether an ASCII text is in the environment as it is; undefined if that is not known. */
  isInEnv(text: string): boolean | undefined {
    return this.image?.isInEnv(text)
  }

  /** As it is, whatever is shown. */
  get realEnv(): readonly string[] | undefined {
    return this.image?.realEnv
  }

  get envRedacted(): boolean {
    return this.image?.envRedacted ?? false
  }

  get envTruncated(): boolean {
    return this.image?.envTruncated ?? false
  }

  get envSizeBytes(): number | undefined {
    return this.image?.envSizeBytes
  }

  get #here(): Place {
    const { place, cgroup } = this
    return place !== undefined && place.cgroup === cgroup ? place : placeOf(cgroup)
  }

  get entry(): EntryPoint | undefined {
    return this.origin
  }

  get container(): Container | undefined {
    return this.#here.container
  }

  get containerUser(): string | undefined {
    const { users } = this.#here
    return users === undefined || this.euid === undefined ? undefined : users.users.get(this.euid)
  }

  get containerGroup(): string | undefined {
    const { users } = this.#here
    return users === undefined || this.egid === undefined ? undefined : users.groups.get(this.egid)
  }

  get pod(): Pod | undefined {
    return this.#here.pod
  }

  get unit(): string | undefined {
    return this.#here.unit
  }

  get userUnit(): string | undefined {
    return this.#here.userUnit
  }

  get slice(): string | undefined {
    return this.#here.slice
  }

  get loginSession(): string | undefined {
    return this.#here.loginSession
  }

  get scheduler(): Scheduler | undefined {
    const { scheduler } = this.#here
    return scheduler === undefined || isScheduler(this.exe) ? undefined : scheduler
  }

  get exitCode(): number | undefined {
    if ((this.known & KNOWN_STATUS) === 0 || (this.exitStatus & SIGNAL_MASK) !== 0) return undefined
    return (this.exitStatus >> 8) & 0xff
  }

  get exitSignal(): number | undefined {
    const signal = this.exitStatus & SIGNAL_MASK
    return this.hasExited && signal !== 0 ? signal : undefined
  }

  get coreDumped(): boolean {
    return this.exitSignal !== undefined && (this.exitStatus & CORE_DUMPED) !== 0
  }

  get exitTimeNs(): bigint | undefined {
    return this.hasExited ? u64Of(this.exitLo, this.exitHi) + this.exitEpochNs : undefined
  }

  get durationNs(): bigint | undefined {
    if (!this.hasExited || (this.known & KNOWN_START) === 0) return undefined
    return u64Of(this.exitLo, this.exitHi) - u64Of(this.startLo, this.startHi)
  }

  get usage(): ProcessUsage | undefined {
    return this.usageSource?.usage
  }
}

/** What of a state has texts. */
type TextFacts = Omit<PastFacts, 'newComm' | 'pgid' | 'sid'>

function hasLonger({ identity, image, cwdText, cgroup }: TextFacts, maxBytes: number): boolean {
  return (
    (identity !== undefined && identity.text.length > maxBytes) ||
    (image !== undefined && image.textBytes > maxBytes) ||
    cwdText.length > maxBytes ||
    (cgroup !== undefined && cgroup.length > maxBytes)
  )
}

/** The facts that have texts; one that is too long is cut to a text of its own. */
function cutFacts(
  { identity, image, cwdText, cwdStart, cwdTail, cgroup }: TextFacts,
  maxBytes: number,
  images: Map<Image, Image>,
) {
  const isShort = cwdText.length <= maxBytes
  const tail = isShort ? cwdTail : cutTail(cwdTail, maxBytes)
  const cwd = isShort ? cwdText : ownLatin1(cwdText.slice(cwdStart, cwdStart + (tail & TAIL_LENGTH_MASK)))
  return {
    identity:
      identity === undefined || identity.text.length <= maxBytes
        ? identity
        : identity.source?.form.cut(identity.text),
    image: image === undefined ? undefined : cutImage(image, maxBytes, images),
    cwdText: cwd,
    cwdStart: isShort ? cwdStart : 0,
    cwdTail: tail,
    cgroup: cgroup === undefined || cgroup.length <= maxBytes ? cgroup : undefined,
  }
}

function cutImage(image: Image, maxBytes: number, images: Map<Image, Image>): Image {
  if (image.textBytes <= maxBytes) return image
  const found = images.get(image)
  if (found !== undefined) return found
  const cut = image.cut(maxBytes)
  images.set(image, cut)
  return cut
}

function cutPast(past: Past | undefined, maxBytes: number, images: Map<Image, Image>): Past | undefined {
  if (past === undefined) return undefined
  const { comm: newComm, pgid, sid, earlier } = past
  return past.with(
    { ...cutFacts(past, maxBytes, images), newComm, pgid, sid },
    cutPast(earlier, maxBytes, images),
  )
}
