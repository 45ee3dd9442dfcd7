import { TAIL_FAILED } from 'quark-ebpf/probe'
import type { Ids, Process, ProcessUsage } from './process.js'
import { isLess, ticksOf, type TimeBase, u64Of } from '../event/time-base.js'
import type { Image } from './image.js'
import { pathAt, rootAt } from '../memory/text.js'

/** Bits of `known`. */
export const KNOWN_START = 1
/** The start is cut to clock ticks, as /proc has it. */
export const KNOWN_START_TICKS = 2
export const KNOWN_EXIT = 4
/** How it ended is known, not only that it did. */
export const KNOWN_STATUS = 8
/** Not a fact: the table has another object for the process, or none. */
export const REPLACED = 16

/** Inode number of the first user namespace (include/linux/proc_ns.h). */
const INITIAL_USER_NS = 0xefff_fffd

const SIGNAL_MASK = 0x7f
const CORE_DUMPED = 0x80

const idBytes = Buffer.alloc(12)

/** Facts that come together, from the last record that had them. Immutable. */
export interface Identity extends Pick<
  Process,
  | 'uid'
  | 'euid'
  | 'suid'
  | 'gid'
  | 'egid'
  | 'sgid'
  | 'capInheritable'
  | 'capPermitted'
  | 'capEffective'
  | 'capBounding'
  | 'capAmbient'
  | 'ttyMajor'
  | 'ttyMinor'
  | 'utsNs'
  | 'ipcNs'
  | 'mntNs'
  | 'netNs'
  | 'userNs'
  | 'pidNs'
  | 'cgroupNs'
  | 'timeNs'
  | 'comm'
> {
  /** Undefined when it comes from several records. */
  readonly source: IdentitySource | undefined
}

/** The one record that an identity comes from, and how it is read from that. */
export interface IdentitySource {
  readonly text: string
  readonly form: IdentityForm
}

/** How an identity lies in a record. Equal forms are the same object. */
export interface IdentityForm {
  identityIn(text: string): Identity
}

/** What a process used, summed up when it is asked for. Immutable. */
export interface UsageSource {
  readonly usage: ProcessUsage
}

/**
 * One process as the table has it. The table writes into it until it was delivered; afterwards it stays as it
 * is, and the table goes on with a clone.
 *
 * Every event makes one: few fields, and text and identity in the strings of their records. Halves
 * of times are signed, so that they are small integers to the engine.
 */
export class ProcessRecord implements Process {
  readonly pid: number
  readonly timeBase: TimeBase
  /** Given out; must not change any more. */
  isDelivered = false
  known = 0
  startLo = 0
  startHi = 0
  bootEpochNs: bigint
  ppid: number | undefined = undefined
  pgid: number | undefined = undefined
  sid: number | undefined = undefined
  identity: Identity | undefined = undefined
  /** A name that is newer than the identity's; null when it is not known. */
  newComm: string | null | undefined = undefined
  image: Image | undefined = undefined
  /** When it got its image, if that was seen, and the one it had before: see `imageAt`. */
  imageLo = 0
  imageHi = 0
  imageBefore: Image | undefined = undefined
  /** The last record with a cwd, where its tail begins, and the tail's descriptor. */
  cwdText = ''
  cwdStart = 0
  cwdTail = TAIL_FAILED
  cgroup: string | undefined = undefined
  exitStatus = 0
  exitLo = 0
  exitHi = 0
  exitEpochNs: bigint
  usageSource: UsageSource | undefined = undefined

  constructor(pid: number, timeBase: TimeBase) {
    this.pid = pid
    this.timeBase = timeBase
    this.bootEpochNs = timeBase.bootEpochNs
    this.exitEpochNs = timeBase.bootEpochNs
  }

  /**
   * The same process, free to be changed. By then all has been applied that is older than its image, so the
   * one before is given up.
   */
  clone(): ProcessRecord {
    const copy = new ProcessRecord(this.pid, this.timeBase)
    copy.known = this.known & ~REPLACED
    copy.startLo = this.startLo
    copy.startHi = this.startHi
    copy.bootEpochNs = this.bootEpochNs
    copy.ppid = this.ppid
    copy.pgid = this.pgid
    copy.sid = this.sid
    copy.identity = this.identity
    copy.newComm = this.newComm
    copy.image = this.image
    copy.setCwd(this.cwdText, this.cwdStart, this.cwdTail)
    copy.cgroup = this.cgroup
    copy.exitStatus = this.exitStatus
    copy.exitLo = this.exitLo
    copy.exitHi = this.exitHi
    copy.exitEpochNs = this.exitEpochNs
    copy.usageSource = this.usageSource
    return copy
  }

  /**
   * Takes what a new process has from the one that made it at a time (CLOCK_BOOTTIME, signed halves). Its
   * identity and name come with its own record.
   */
  inherit(parent: ProcessRecord, timeLo: number, timeHi: number): void {
    this.image = parent.imageAt(timeLo, timeHi)
    this.setCwd(parent.cwdText, parent.cwdStart, parent.cwdTail)
    this.cgroup = parent.cgroup
  }

  /** An exec gave it another image. */
  setImage(image: Image, timeLo: number, timeHi: number): void {
    this.imageBefore = this.image
    this.image = image
    this.imageLo = timeLo
    this.imageHi = timeHi
  }

  /**
   * The image it had at a time. An exec that joined an older record is applied with that, and so before a fork
   * that came in between.
   */
  imageAt(timeLo: number, timeHi: number): Image | undefined {
    const isBefore = isLess(timeLo, timeHi, this.imageLo, this.imageHi)
    return isBefore ? this.imageBefore : this.image
  }

  /** Takes what `other`, the same process, knows and this one does not. An end is not taken. */
  complete(other: ProcessRecord): void {
    this.ppid ??= other.ppid
    this.pgid ??= other.pgid
    this.sid ??= other.sid
    this.identity ??= other.identity
    this.image ??= other.image
    if ((this.cwdTail & TAIL_FAILED) !== 0) this.setCwd(other.cwdText, other.cwdStart, other.cwdTail)
    this.cgroup ??= other.cgroup
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
    const ticks = BigInt(this.startTicks) + this.timeBase.bootEpochTicks
    idBytes.writeUInt32LE(this.pid, 0)
    idBytes.writeBigUInt64LE(BigInt.asUintN(64, ticks), 4)
    return idBytes.toString('base64')
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

  get envTruncated(): boolean {
    return this.image?.envTruncated ?? false
  }

  get envSizeBytes(): number | undefined {
    return this.image?.envSizeBytes
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
