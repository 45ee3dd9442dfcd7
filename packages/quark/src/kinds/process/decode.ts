/**
 * Straight-line readers of process records. Offsets are module constants, taken once from the layouts, in
 * words: records begin at multiples of 8 bytes, and halves of 64-bit numbers are read as signed.
 */

import { MAX_TAIL_BYTES, TAIL_FAILED, TAIL_LENGTH_MASK, TAIL_TRUNCATED } from '@quark/ebpf/probe'
import type { RecordPlace } from '../../event/raw.js'
import {
  KNOWN_CAPS,
  KNOWN_COMM,
  KNOWN_START,
  KNOWN_START_TICKS,
  KNOWN_TTY,
  type ProcessRecord,
} from '../../state/process-record.js'
import type { ProcessTable } from '../../state/process-table.js'
import { decodeUtf8, latin1Of, PathText, StringsText } from '../../state/text.js'
import { UsageSum } from '../../state/usage.js'
import {
  cgroupMkdirProbe,
  cgroupRenameProbe,
  commProbe,
  execFailedProbe,
  execProbe,
  exitProbe,
  exitUsageProbe,
  forkProbe,
  idChangeProbe,
  threadExitProbe,
  threadForkProbe,
} from './kernel.js'
import * as snapshot from './snapshot.js'

// Where fields lie does not depend on settings; how much of a tail may be captured does, and is all of it here.
const settings = {
  maxArgvBytes: MAX_TAIL_BYTES,
  maxEnvBytes: MAX_TAIL_BYTES,
  cgroupHierarchy: 'unified',
  kernelThreads: false,
} as const
export const forkLayout = forkProbe(settings).layout
export const execLayout = execProbe(settings).layout
export const exitLayout = exitProbe(settings).layout
export const exitUsageLayout = exitUsageProbe(settings).layout
export const idChangeLayout = idChangeProbe(settings).layout
export const commLayout = commProbe(settings).layout
export const threadForkLayout = threadForkProbe(settings).layout
export const threadExitLayout = threadExitProbe(settings).layout
export const execFailedLayout = execFailedProbe().layout
export const cgroupMkdirLayout = cgroupMkdirProbe().layout
export const cgroupRenameLayout = cgroupRenameProbe().layout
export const { snapshotLayout } = snapshot

/** Words of the header. */
export const TIME_LO = 2
export const TIME_HI = 3

const START = forkLayout.at.startBootNs >> 2
const PPID = forkLayout.at.ppid >> 2
const PGID = forkLayout.at.pgid >> 2
const SID = forkLayout.at.sid >> 2
const UID = forkLayout.at.uid >> 2
const GID = forkLayout.at.gid >> 2
const SUID = forkLayout.at.suid >> 2
const SGID = forkLayout.at.sgid >> 2
const EUID = forkLayout.at.euid >> 2
const EGID = forkLayout.at.egid >> 2
const INHERITABLE = forkLayout.at.capInheritable >> 2
const PERMITTED = forkLayout.at.capPermitted >> 2
const EFFECTIVE = forkLayout.at.capEffective >> 2
const BOUNDING = forkLayout.at.capBounding >> 2
const AMBIENT = forkLayout.at.capAmbient >> 2
const TTY_MAJOR = forkLayout.at.ttyMajor >> 2
const TTY_MINOR_START = forkLayout.at.ttyMinorStart >> 2
const TTY_INDEX = forkLayout.at.ttyIndex >> 2
const UTS_NS = forkLayout.at.utsNs >> 2
const IPC_NS = forkLayout.at.ipcNs >> 2
const MNT_NS = forkLayout.at.mntNs >> 2
const NET_NS = forkLayout.at.netNs >> 2
const CGROUP = forkLayout.at.cgroupId >> 2
const COMM = forkLayout.at.comm >> 2

/** Words by which a layout's identity lies behind that of a fork: the fields are the same, from the start on. */
function identityShift(layout: { readonly at: { readonly startBootNs: number } }): number {
  return (layout.at.startBootNs - forkLayout.at.startBootNs) >> 2
}

export const EXEC_SHIFT = identityShift(execLayout)
export const ID_CHANGE_SHIFT = identityShift(idChangeLayout)
export const SNAPSHOT_SHIFT = identityShift(snapshotLayout)

/** A number of a record as a signed word. */
function signed(words: Uint32Array, word: number): number {
  return (words[word] as number) | 0
}

export function readStart(process: ProcessRecord, words: Uint32Array, start: number): void {
  const lo = signed(words, start)
  const hi = signed(words, start + 1)
  if ((lo | hi) === 0) return
  process.startLo = lo
  process.startHi = hi
  process.known = (process.known & ~KNOWN_START_TICKS) | KNOWN_START
}

/** Word of the start time in a record whose identity is shifted by `shift`. */
export function startWord(record: number, shift: number): number {
  return record + shift + START
}

/** Parent, group, session, users and groups. `w` is the record's first word, shifted. */
function readIds(process: ProcessRecord, words: Uint32Array, w: number): void {
  process.ppid = words[w + PPID]
  process.pgid = words[w + PGID]
  process.sid = words[w + SID]
  process.uid = words[w + UID]
  process.gid = words[w + GID]
  process.suid = words[w + SUID]
  process.sgid = words[w + SGID]
  process.euid = words[w + EUID]
  process.egid = words[w + EGID]
}

function readCaps(process: ProcessRecord, words: Uint32Array, w: number): void {
  process.inheritableLo = signed(words, w + INHERITABLE)
  process.inheritableHi = signed(words, w + INHERITABLE + 1)
  process.permittedLo = signed(words, w + PERMITTED)
  process.permittedHi = signed(words, w + PERMITTED + 1)
  process.effectiveLo = signed(words, w + EFFECTIVE)
  process.effectiveHi = signed(words, w + EFFECTIVE + 1)
  process.boundingLo = signed(words, w + BOUNDING)
  process.boundingHi = signed(words, w + BOUNDING + 1)
  process.ambientLo = signed(words, w + AMBIENT)
  process.ambientHi = signed(words, w + AMBIENT + 1)
}

function readTty(process: ProcessRecord, words: Uint32Array, w: number): void {
  process.major = words[w + TTY_MAJOR] as number
  process.minor = ((words[w + TTY_MINOR_START] as number) + (words[w + TTY_INDEX] as number)) >>> 0
}

/** 0 stands for a namespace that could not be read. */
function readNamespaces(process: ProcessRecord, words: Uint32Array, w: number): void {
  process.utsNs = words[w + UTS_NS] || undefined
  process.ipcNs = words[w + IPC_NS] || undefined
  process.mntNs = words[w + MNT_NS] || undefined
  process.netNs = words[w + NET_NS] || undefined
}

export function readComm(process: ProcessRecord, words: Uint32Array, comm: number): void {
  process.comm0 = signed(words, comm)
  process.comm1 = signed(words, comm + 1)
  process.comm2 = signed(words, comm + 2)
  process.comm3 = signed(words, comm + 3)
  process.known |= KNOWN_COMM
}

/** All of the identity but the start time and comm. */
export function readIdentity(
  process: ProcessRecord,
  words: Uint32Array,
  record: number,
  shift: number,
): void {
  const w = record + shift
  readIds(process, words, w)
  readCaps(process, words, w)
  readTty(process, words, w)
  readNamespaces(process, words, w)
  process.known |= KNOWN_CAPS | KNOWN_TTY
}

export function readIdentityComm(
  process: ProcessRecord,
  words: Uint32Array,
  record: number,
  shift: number,
): void {
  readComm(process, words, record + shift + COMM)
}

/** kernfs id of the cgroup, exact below 2^53; 0 when it could not be read. */
export function cgroupIdOf(words: Uint32Array, record: number, shift: number): number {
  const w = record + shift + CGROUP
  return (words[w] as number) + (words[w + 1] as number) * 2 ** 32
}

/** The text of all tails of a record, one character a byte. */
export function tailsOf(place: RecordPlace, fixedSizeBytes: number): string {
  const { bytes, offsetBytes, lengthBytes } = place
  return latin1Of(bytes, offsetBytes + fixedSizeBytes, offsetBytes + lengthBytes)
}

function pathText(
  table: ProcessTable,
  tails: string,
  start: number,
  descriptor: number,
): PathText | undefined {
  if ((descriptor & TAIL_FAILED) !== 0) return undefined
  if ((descriptor & TAIL_TRUNCATED) !== 0) table.truncatedPaths += 1
  return new PathText(tails, start, descriptor)
}

/** A limit of 0 cuts all: then the strings were not asked for. */
function isCaptured(descriptor: number): boolean {
  return (
    (descriptor & TAIL_FAILED) === 0 && (descriptor & (TAIL_TRUNCATED | TAIL_LENGTH_MASK)) !== TAIL_TRUNCATED
  )
}

const FORK_CWD = forkLayout.at.cwd >> 2

export function readForkTails(process: ProcessRecord, place: RecordPlace, table: ProcessTable): void {
  const descriptor = place.words[(place.offsetBytes >> 2) + FORK_CWD] as number
  const cwd = pathText(table, tailsOf(place, forkLayout.fixedSizeBytes), 0, descriptor)
  process.cwdText = cwd ?? process.cwdText
}

const EXEC_CWD = execLayout.at.cwd >> 2
const EXEC_EXE = execLayout.at.exe >> 2
const EXEC_ARGV = execLayout.at.argv >> 2
const EXEC_ENV = execLayout.at.env >> 2
const EXEC_ARGV_BYTES = execLayout.at.argvBytes >> 2
const EXEC_ENV_BYTES = execLayout.at.envBytes >> 2

/** What an exec replaces; a part that could not be read is unknown then. */
export function readExecTails(process: ProcessRecord, place: RecordPlace, table: ProcessTable): void {
  const { words } = place
  const w = place.offsetBytes >> 2
  const tails = tailsOf(place, execLayout.fixedSizeBytes)
  const cwd = words[w + EXEC_CWD] as number
  const exe = words[w + EXEC_EXE] as number
  const argv = words[w + EXEC_ARGV] as number
  const env = words[w + EXEC_ENV] as number
  const exeStart = cwd & TAIL_LENGTH_MASK
  const argvStart = exeStart + (exe & TAIL_LENGTH_MASK)
  const envStart = argvStart + (argv & TAIL_LENGTH_MASK)
  process.cwdText = pathText(table, tails, 0, cwd) ?? process.cwdText
  process.exeText = pathText(table, tails, exeStart, exe)
  process.argvText = argvText(table, tails, argvStart, argv, words[w + EXEC_ARGV_BYTES] as number)
  process.envText = envText(table, tails, envStart, env, words[w + EXEC_ENV_BYTES] as number)
}

function argvText(
  table: ProcessTable,
  tails: string,
  start: number,
  descriptor: number,
  realSizeBytes: number,
): StringsText | undefined {
  if (!isCaptured(descriptor)) return undefined
  if ((descriptor & TAIL_TRUNCATED) !== 0) table.truncatedArgv += 1
  return new StringsText(tails, start, descriptor, realSizeBytes)
}

function envText(
  table: ProcessTable,
  tails: string,
  start: number,
  descriptor: number,
  realSizeBytes: number,
): StringsText | undefined {
  if (!isCaptured(descriptor)) return undefined
  if ((descriptor & TAIL_TRUNCATED) !== 0) table.truncatedEnv += 1
  return new StringsText(tails, start, descriptor, realSizeBytes)
}

const COMM_TAIL = commLayout.at.comm >> 2

/** The comm of a comm record, which is a tail: NUL-terminated, at most 16 bytes. */
export function readCommTail(process: ProcessRecord, place: RecordPlace): void {
  const { words, bytes, offsetBytes } = place
  const descriptor = words[(offsetBytes >> 2) + COMM_TAIL] as number
  if ((descriptor & TAIL_FAILED) !== 0) return
  const start = offsetBytes + commLayout.fixedSizeBytes
  const end = start + Math.min(descriptor & TAIL_LENGTH_MASK, 16)
  const parts = [0, 0, 0, 0]
  for (let at = start; at < end; at++) {
    const byte = bytes[at] as number
    if (byte === 0) break
    const i = at - start
    parts[i >> 2] = (parts[i >> 2] as number) | (byte << ((i & 3) * 8))
  }
  ;[process.comm0, process.comm1, process.comm2, process.comm3] = parts as [number, number, number, number]
  process.known |= KNOWN_COMM
}

const GROUP_EXIT = 4
const SIGNAL_FLAGS = exitLayout.at.signalFlags >> 2
const GROUP_EXIT_CODE = exitLayout.at.groupExitCode >> 2
const LEADER_EXIT_CODE = exitLayout.at.leaderExitCode >> 2
const EXIT_PPID = exitLayout.at.ppid >> 2
const EXIT_PGID = exitLayout.at.pgid >> 2
const EXIT_SID = exitLayout.at.sid >> 2

/** How a process ended, from either of the exit records: they begin alike. */
export function readEnding(process: ProcessRecord, words: Uint32Array, w: number): void {
  process.ppid = words[w + EXIT_PPID]
  process.pgid = words[w + EXIT_PGID]
  process.sid = words[w + EXIT_SID]
  const isGroupExit = ((words[w + SIGNAL_FLAGS] as number) & GROUP_EXIT) !== 0
  process.exitStatus = signed(words, w + (isGroupExit ? GROUP_EXIT_CODE : LEADER_EXIT_CODE))
  process.exitLo = signed(words, w + TIME_LO)
  process.exitHi = signed(words, w + TIME_HI)
  process.exitEpochNs = process.timeBase.bootEpochNs
}

/** What a process used, from an exit record that has it. */
export function readUsage(process: ProcessRecord, place: RecordPlace): void {
  const { bytes, offsetBytes } = place
  const { at } = exitUsageLayout
  const u64 = (field: keyof typeof at): bigint => bytes.readBigUInt64LE(offsetBytes + at[field])
  const group = {
    runNs: u64('groupRunNs'),
    userNs: u64('groupUserNs'),
    systemNs: u64('groupSystemNs'),
    peakRssPages: u64('peakRssPages'),
    readBytes: u64('groupReadBytes'),
    writeBytes: u64('groupWriteBytes'),
  }
  const task = {
    runNs: u64('taskRunNs'),
    userNs: u64('taskUserNs'),
    systemNs: u64('taskSystemNs'),
    peakRssPages: 0n,
    readBytes: u64('taskReadBytes'),
    writeBytes: u64('taskWriteBytes'),
  }
  const leader = {
    runNs: u64('leaderRunNs'),
    userNs: u64('leaderUserNs'),
    systemNs: u64('leaderSystemNs'),
    peakRssPages: 0n,
    readBytes: u64('leaderReadBytes'),
    writeBytes: u64('leaderWriteBytes'),
  }
  // A leader that ended before is not counted in the group until it is reaped.
  const isLeader = bytes.readUInt32LE(offsetBytes + at.pid) === bytes.readUInt32LE(offsetBytes + at.tid)
  process.usageSum = new UsageSum(
    isLeader ? [group, task] : [group, task, leader],
    process.timeBase.pageSizeBytes,
  )
}

const SNAPSHOT_KNOWN = snapshotLayout.at.known >> 2
const SNAPSHOT_ARGV_BYTES = snapshotLayout.at.argvBytes >> 2
const SNAPSHOT_ENV_BYTES = snapshotLayout.at.envBytes >> 2
const SNAPSHOT_CWD = snapshotLayout.at.cwd >> 2
const SNAPSHOT_EXE = snapshotLayout.at.exe >> 2
const SNAPSHOT_ARGV = snapshotLayout.at.argv >> 2
const SNAPSHOT_ENV = snapshotLayout.at.env >> 2
const SNAPSHOT_CGROUP = snapshotLayout.at.cgroup >> 2

/** Fills a new record with what /proc told. */
export function readSnapshot(process: ProcessRecord, place: RecordPlace, table: ProcessTable): void {
  const { words } = place
  const record = place.offsetBytes >> 2
  const w = record + SNAPSHOT_SHIFT
  const known = words[record + SNAPSHOT_KNOWN] as number
  const hasStatus = (known & snapshot.KNOWN_STATUS) !== 0
  const hasStat = (known & snapshot.KNOWN_STAT) !== 0
  readIds(process, words, w)
  if (hasStatus) {
    readCaps(process, words, w)
    process.known |= KNOWN_CAPS
  } else {
    process.ppid = undefined
    process.uid = process.euid = process.suid = undefined
    process.gid = process.egid = process.sgid = undefined
  }
  if (hasStat) {
    readTty(process, words, w)
    readStart(process, words, w + START)
    process.known |= KNOWN_TTY | KNOWN_START_TICKS
  } else {
    process.pgid = process.sid = undefined
  }
  if ((known & snapshot.KNOWN_NAMESPACES) !== 0) readNamespaces(process, words, w)
  if ((known & snapshot.KNOWN_COMM) !== 0) readComm(process, words, w + COMM)

  const tails = tailsOf(place, snapshotLayout.fixedSizeBytes)
  const cwd = words[record + SNAPSHOT_CWD] as number
  const exe = words[record + SNAPSHOT_EXE] as number
  const argv = words[record + SNAPSHOT_ARGV] as number
  const env = words[record + SNAPSHOT_ENV] as number
  const exeStart = cwd & TAIL_LENGTH_MASK
  const argvStart = exeStart + (exe & TAIL_LENGTH_MASK)
  const envStart = argvStart + (argv & TAIL_LENGTH_MASK)
  const cgroupStart = envStart + (env & TAIL_LENGTH_MASK)
  process.cwdText = pathText(table, tails, 0, cwd)
  process.exeText = pathText(table, tails, exeStart, exe)
  process.argvText = argvText(table, tails, argvStart, argv, words[record + SNAPSHOT_ARGV_BYTES] as number)
  process.envText = envText(table, tails, envStart, env, words[record + SNAPSHOT_ENV_BYTES] as number)
  process.cgroup = stringTail(tails, cgroupStart, words[record + SNAPSHOT_CGROUP] as number)
}

/** A NUL-terminated string tail; undefined when it could not be read. */
export function stringTail(tails: string, start: number, descriptor: number): string | undefined {
  if ((descriptor & TAIL_FAILED) !== 0) return undefined
  const text = tails.slice(start, start + (descriptor & TAIL_LENGTH_MASK))
  const end = text.indexOf('\0')
  return decodeUtf8(end === -1 ? text : text.slice(0, end))
}
