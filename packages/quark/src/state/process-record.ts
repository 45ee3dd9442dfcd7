import { type TimeBase, ticksOf, u64Of } from '../event/time-base.js'
import type { Ids } from '../event/event.js'
import type { Process, ProcessUsage } from '../event/process.js'
import { decodeUtf8, latin1Of, type PathText, type StringsText } from './text.js'
import type { UsageSum } from './usage.js'

/** Bits of `known`: which groups of fields have values. */
export const KNOWN_START = 1
/** The start is cut to clock ticks, as /proc has it. */
export const KNOWN_START_TICKS = 2
export const KNOWN_CAPS = 4
export const KNOWN_COMM = 8
export const KNOWN_TTY = 16
export const KNOWN_EXIT = 32

const SIGNAL_MASK = 0x7f
const CORE_DUMPED = 0x80

const commBytes = Buffer.alloc(16)
const idBytes = Buffer.alloc(12)

/**
 * One process as the table has it. The table writes into it until it was delivered; afterwards it stays as it
 * is, and the table goes on with a clone.
 *
 * Halves of 64-bit numbers, and the four words of comm, are signed, so that they are small integers to the
 * engine. Text is cut and decoded when it is read.
 */
export class ProcessRecord implements Process {
  readonly pid: number
  readonly timeBase: TimeBase
  /** Given out; must not change any more. */
  isDelivered = false
  known = 0
  bootEpochNs: bigint
  startLo = 0
  startHi = 0
  ppid: number | undefined = undefined
  pgid: number | undefined = undefined
  sid: number | undefined = undefined
  uid: number | undefined = undefined
  euid: number | undefined = undefined
  suid: number | undefined = undefined
  gid: number | undefined = undefined
  egid: number | undefined = undefined
  sgid: number | undefined = undefined
  inheritableLo = 0
  inheritableHi = 0
  permittedLo = 0
  permittedHi = 0
  effectiveLo = 0
  effectiveHi = 0
  boundingLo = 0
  boundingHi = 0
  ambientLo = 0
  ambientHi = 0
  major = 0
  minor = 0
  utsNs: number | undefined = undefined
  ipcNs: number | undefined = undefined
  mntNs: number | undefined = undefined
  netNs: number | undefined = undefined
  comm0 = 0
  comm1 = 0
  comm2 = 0
  comm3 = 0
  exeText: PathText | undefined = undefined
  cwdText: PathText | undefined = undefined
  argvText: StringsText | undefined = undefined
  envText: StringsText | undefined = undefined
  cgroup: string | undefined = undefined
  exitStatus = 0
  exitLo = 0
  exitHi = 0
  exitEpochNs: bigint
  usageSum: UsageSum | undefined = undefined

  constructor(pid: number, timeBase: TimeBase) {
    this.pid = pid
    this.timeBase = timeBase
    this.bootEpochNs = timeBase.bootEpochNs
    this.exitEpochNs = timeBase.bootEpochNs
  }

  /** The same process, free to be changed. */
  clone(): ProcessRecord {
    const copy = new ProcessRecord(this.pid, this.timeBase)
    copy.known = this.known
    copy.bootEpochNs = this.bootEpochNs
    copy.startLo = this.startLo
    copy.startHi = this.startHi
    copy.ppid = this.ppid
    copy.pgid = this.pgid
    copy.sid = this.sid
    copy.copyIds(this)
    copy.copyCaps(this)
    copy.major = this.major
    copy.minor = this.minor
    copy.utsNs = this.utsNs
    copy.ipcNs = this.ipcNs
    copy.mntNs = this.mntNs
    copy.netNs = this.netNs
    copy.copyComm(this)
    copy.exeText = this.exeText
    copy.cwdText = this.cwdText
    copy.argvText = this.argvText
    copy.envText = this.envText
    copy.cgroup = this.cgroup
    copy.exitStatus = this.exitStatus
    copy.exitLo = this.exitLo
    copy.exitHi = this.exitHi
    copy.exitEpochNs = this.exitEpochNs
    copy.usageSum = this.usageSum
    return copy
  }

  copyIds(from: ProcessRecord): void {
    this.uid = from.uid
    this.euid = from.euid
    this.suid = from.suid
    this.gid = from.gid
    this.egid = from.egid
    this.sgid = from.sgid
  }

  copyCaps(from: ProcessRecord): void {
    this.inheritableLo = from.inheritableLo
    this.inheritableHi = from.inheritableHi
    this.permittedLo = from.permittedLo
    this.permittedHi = from.permittedHi
    this.effectiveLo = from.effectiveLo
    this.effectiveHi = from.effectiveHi
    this.boundingLo = from.boundingLo
    this.boundingHi = from.boundingHi
    this.ambientLo = from.ambientLo
    this.ambientHi = from.ambientHi
  }

  copyComm(from: ProcessRecord): void {
    this.comm0 = from.comm0
    this.comm1 = from.comm1
    this.comm2 = from.comm2
    this.comm3 = from.comm3
  }

  /** What a new process has from the one that made it. */
  inherit(parent: ProcessRecord): void {
    this.copyComm(parent)
    this.known |= parent.known & KNOWN_COMM
    this.exeText = parent.exeText
    this.cwdText = parent.cwdText
    this.argvText = parent.argvText
    this.envText = parent.envText
    this.cgroup = parent.cgroup
  }

  /** Takes what `other`, the same process, knows and this one does not. An end is not taken. */
  complete(other: ProcessRecord): void {
    this.ppid ??= other.ppid
    this.pgid ??= other.pgid
    this.sid ??= other.sid
    if (this.uid === undefined) this.copyIds(other)
    if ((this.known & KNOWN_CAPS) === 0) this.copyCaps(other)
    if ((this.known & KNOWN_TTY) === 0) {
      this.major = other.major
      this.minor = other.minor
    }
    if ((this.known & KNOWN_COMM) === 0) this.copyComm(other)
    this.utsNs ??= other.utsNs
    this.ipcNs ??= other.ipcNs
    this.mntNs ??= other.mntNs
    this.netNs ??= other.netNs
    this.exeText ??= other.exeText
    this.cwdText ??= other.cwdText
    this.argvText ??= other.argvText
    this.envText ??= other.envText
    this.cgroup ??= other.cgroup
    this.known |= other.known & (KNOWN_CAPS | KNOWN_TTY | KNOWN_COMM)
  }

  /** All ids; what is not known is 0. */
  get ids(): Ids {
    const { sid = 0, uid = 0, euid = 0, suid = 0, gid = 0, egid = 0, sgid = 0 } = this
    return { sid, uid, euid, suid, gid, egid, sgid }
  }

  /** The ids that are known. */
  get knownIds(): Partial<Ids> {
    const { sid, uid } = this
    if (sid !== undefined && uid !== undefined) return this.ids
    const { euid = 0, suid = 0, gid = 0, egid = 0, sgid = 0 } = this
    return {
      ...(sid === undefined ? {} : { sid }),
      ...(uid === undefined ? {} : { uid, euid, suid, gid, egid, sgid }),
    }
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
    idBytes.writeUInt32LE(this.pid, 0)
    idBytes.writeBigUInt64LE(BigInt.asUintN(64, BigInt(this.startTicks) + this.timeBase.bootEpochTicks), 4)
    return idBytes.toString('base64')
  }

  get capInheritable(): bigint | undefined {
    return this.#cap(this.inheritableLo, this.inheritableHi)
  }

  get capPermitted(): bigint | undefined {
    return this.#cap(this.permittedLo, this.permittedHi)
  }

  get capEffective(): bigint | undefined {
    return this.#cap(this.effectiveLo, this.effectiveHi)
  }

  get capBounding(): bigint | undefined {
    return this.#cap(this.boundingLo, this.boundingHi)
  }

  get capAmbient(): bigint | undefined {
    return this.#cap(this.ambientLo, this.ambientHi)
  }

  #cap(lo: number, hi: number): bigint | undefined {
    return (this.known & KNOWN_CAPS) === 0 ? undefined : u64Of(lo, hi)
  }

  get ttyMajor(): number | undefined {
    return (this.known & KNOWN_TTY) === 0 ? undefined : this.major
  }

  get ttyMinor(): number | undefined {
    return (this.known & KNOWN_TTY) === 0 ? undefined : this.minor
  }

  get comm(): string | undefined {
    if ((this.known & KNOWN_COMM) === 0) return undefined
    return commOf(this.comm0, this.comm1, this.comm2, this.comm3)
  }

  get exe(): string | undefined {
    return this.exeText?.path
  }

  get exeDeleted(): boolean {
    return this.exeText?.isDeleted ?? false
  }

  get cwd(): string | undefined {
    return this.cwdText?.path
  }

  get root(): string | undefined {
    return this.cwdText?.root ?? this.exeText?.root
  }

  get argv(): readonly string[] | undefined {
    return this.argvText?.strings
  }

  get argvBytes(): Uint8Array | undefined {
    return this.argvText?.bytes
  }

  get argvTruncated(): boolean {
    return this.argvText?.isTruncated ?? false
  }

  get argvSizeBytes(): number | undefined {
    return this.argvText?.realSizeBytes
  }

  get env(): readonly string[] | undefined {
    return this.envText?.strings
  }

  get envTruncated(): boolean {
    return this.envText?.isTruncated ?? false
  }

  get envSizeBytes(): number | undefined {
    return this.envText?.realSizeBytes
  }

  get exitCode(): number | undefined {
    if (!this.hasExited || (this.exitStatus & SIGNAL_MASK) !== 0) return undefined
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
    return this.usageSum?.usage
  }
}

/** A comm from its words: the characters before the first NUL, at most 15. */
export function commOf(word0: number, word1: number, word2: number, word3: number): string {
  commBytes.writeInt32LE(word0, 0)
  commBytes.writeInt32LE(word1, 4)
  commBytes.writeInt32LE(word2, 8)
  commBytes.writeInt32LE(word3, 12)
  let end = 0
  while (end < 15 && commBytes[end] !== 0) end += 1
  return decodeUtf8(latin1Of(commBytes, 0, end))
}
