/**
 * Readers of process records into the table's. Offsets are module constants, taken once from the layouts, in
 * words: records begin at multiples of 8 bytes, and halves of times are read as signed.
 */

import { TAIL_FAILED, TAIL_LENGTH_MASK, TAIL_TRUNCATED } from 'quark-ebpf/probe'
import type { RecordPlace } from '../../event/raw.js'
import { stringTail, textOf } from '../../event/record-text.js'
import { Image } from '../../process/image.js'
import {
  KNOWN_ID_TICKS,
  KNOWN_START,
  KNOWN_START_TICKS,
  KNOWN_STATUS,
  type ProcessRecord,
} from '../../process/entry.js'
import type { ProcessTable } from '../../process/table.js'
import { cstringAt, decodeUtf8, latin1Of, ownText } from '../../memory/text.js'
import { UsageSum } from '../../process/usage.js'
import { completedBy, EXEC_SHIFT, RecordIdentity, SNAPSHOT_SHIFT } from './identity.js'
import { HAS_ENDING, HAS_EXACT_START, HAS_IDENTITY, HAS_PARENT, HAS_SESSION } from '../../process/known.js'
import {
  commLayout,
  execLayout,
  exitLayout,
  exitUsageLayout,
  forkLayout,
  KILLED_BY_KERNEL,
  KILLED_BY_OOM,
  KILLED_BY_PROCESS,
  snapshotLayout,
} from './records.js'

/** Words of the header. */
export const TIME_LO = 2
export const TIME_HI = 3

/** Words of the identity in a fork record. */
const START = forkLayout.at.startBootNs >> 2
const KNOWN = forkLayout.at.known >> 2
const PPID = forkLayout.at.ppid >> 2
const PGID = forkLayout.at.pgid >> 2
const SID = forkLayout.at.sid >> 2
const CGROUP = forkLayout.at.cgroupId >> 2

/** A number of a record as a signed word. */
function signed(words: Uint32Array, word: number): number {
  return (words[word] as number) | 0
}

/** The exact start time at these words; 0 is none. */
export function readStart(process: ProcessRecord, words: Uint32Array, start: number): void {
  const lo = signed(words, start)
  const hi = signed(words, start + 1)
  if ((lo | hi) === 0) return
  process.startLo = lo
  process.startHi = hi
  process.known = (process.known & ~KNOWN_START_TICKS) | KNOWN_START
}

/** Word of the start time in a record whose identity is `shift` bytes later than in a fork record. */
export function startWord(record: number, shift: number): number {
  return record + (shift >> 2) + START
}

/**
 * The identity of a record, whose text is `text`; not the start time. `changed` are the groups that its event
 * changes.
 */
export function readIdentity(
  process: ProcessRecord,
  words: Uint32Array,
  record: number,
  text: string,
  shift: number,
  changed: number,
): void {
  const w = record + (shift >> 2)
  const known = words[w + KNOWN] as number
  readRelations(process, words, w, known)
  const identity = new RecordIdentity(text, shift, known)
  const before = process.identity
  const isComplete = (known & HAS_IDENTITY) === HAS_IDENTITY
  process.identity = isComplete || before === undefined ? identity : completedBy(identity, before, changed)
}

/** Parent, group and session; `w` is where a fork record with these fields would begin. */
function readRelations(process: ProcessRecord, words: Uint32Array, w: number, known: number): void {
  if ((known & HAS_PARENT) !== 0) process.ppid = words[w + PPID]
  if ((known & HAS_SESSION) !== 0) {
    process.pgid = words[w + PGID]
    process.sid = words[w + SID]
  }
}

/** kernfs id of the cgroup, exact below 2^53; 0 when it could not be read. */
export function cgroupIdOf(words: Uint32Array, record: number, shift: number): number {
  const w = record + (shift >> 2) + CGROUP
  return (words[w] as number) + (words[w + 1] as number) * 2 ** 32
}

const FORK_CWD = forkLayout.at.cwd >> 2
const FORK_CREATOR = forkLayout.at.creatorPid >> 2

/** 0 is one that is not known: then it is the parent. */
export function readCreator(process: ProcessRecord, words: Uint32Array, fork: number): void {
  process.creator = (words[fork + FORK_CREATOR] as number) || process.ppid
}

export function readForkTails(
  process: ProcessRecord,
  words: Uint32Array,
  record: number,
  text: string,
  table: ProcessTable,
): void {
  readCwd(process, text, forkLayout.fixedSizeBytes, words[record + FORK_CWD] as number, table)
}

/** What an exec may change of an identity, but for the name: from the ids to the namespaces. */
const FIRST_FACT = forkLayout.at.uid >> 2
const END_OF_FACTS = forkLayout.at.cgroupId >> 2

/**
 * Whether an exec repeats all of the text of a fork record, except the name: then that text, which would be
 * made for every process, is not needed.
 */
export function coversFork(exec: RecordPlace, words: Uint32Array, fork: number): boolean {
  const w = exec.offsetBytes >> 2
  const start = startWord(w, EXEC_SHIFT)
  const known = exec.words[w + (EXEC_SHIFT >> 2) + KNOWN] as number
  return (
    (known & HAS_IDENTITY) === HAS_IDENTITY &&
    ((words[fork + KNOWN] as number) & HAS_IDENTITY) === HAS_IDENTITY &&
    ((exec.words[w + EXEC_CWD] as number) & TAIL_FAILED) === 0 &&
    exec.words[start] === words[fork + START] &&
    exec.words[start + 1] === words[fork + START + 1] &&
    hasSameFacts(exec.words, w + (EXEC_SHIFT >> 2), words, fork)
  )
}

function hasSameFacts(words: Uint32Array, w: number, others: Uint32Array, other: number): boolean {
  for (let at = FIRST_FACT; at < END_OF_FACTS; at++) {
    if (words[w + at] !== others[other + at]) return false
  }
  return true
}

/** Reads the rest of a fork record whose text is not needed. */
export function readCoveredFork(
  process: ProcessRecord,
  { words, bytes, offsetBytes }: RecordPlace,
  table: ProcessTable,
): void {
  const fork = offsetBytes >> 2
  process.newComm = commOf(words, bytes, offsetBytes + forkLayout.at.comm)
  readRelations(process, words, fork, words[fork + KNOWN] as number)
  const cwd = words[fork + FORK_CWD] as number
  if ((cwd & TAIL_FAILED) === 0 && (cwd & TAIL_TRUNCATED) !== 0) table.truncatedPaths += 1
}

/** Reads the cwd; one that could not be read leaves the old one. */
function readCwd(
  process: ProcessRecord,
  text: string,
  start: number,
  descriptor: number,
  table: ProcessTable,
): void {
  if ((descriptor & TAIL_FAILED) !== 0) return
  if ((descriptor & TAIL_TRUNCATED) !== 0) table.truncatedPaths += 1
  process.setCwd(text, start, descriptor)
}

const EXEC_CWD = execLayout.at.cwd >> 2
const EXEC_EXE = execLayout.at.exe >> 2
const EXEC_ARGV = execLayout.at.argv >> 2
const EXEC_ENV = execLayout.at.env >> 2
const EXEC_ARGV_BYTES = execLayout.at.argvBytes >> 2
const EXEC_ENV_BYTES = execLayout.at.envBytes >> 2

export function readExecTails(
  process: ProcessRecord,
  words: Uint32Array,
  record: number,
  text: string,
  table: ProcessTable,
): void {
  const start = execLayout.fixedSizeBytes
  const cwd = words[record + EXEC_CWD] as number
  // Most processes change it between fork and exec: the old one would be wrong.
  process.setCwd('', 0, TAIL_FAILED)
  readCwd(process, text, start, cwd, table)
  const image = new Image(
    text,
    start + (cwd & TAIL_LENGTH_MASK),
    words[record + EXEC_EXE] as number,
    words[record + EXEC_ARGV] as number,
    words[record + EXEC_ENV] as number,
    words[record + EXEC_ARGV_BYTES] as number,
    words[record + EXEC_ENV_BYTES] as number,
    table.redaction,
  )
  process.image = image
  countCuts(image, table)
}

function countCuts(image: Image, table: ProcessTable): void {
  if (image.isWalkCut) table.truncatedPaths += 1
  if (image.argvTruncated) table.truncatedArgv += 1
  if (image.envTruncated) table.truncatedEnv += 1
}

/** The last name that was read: siblings mostly have the same. */
const lastComm = { words: new Uint32Array(4), text: '' }

/** The name of 16 bytes at `offset`, which is a multiple of 4; empty when it could not be read. */
function commOf(words: Uint32Array, bytes: Buffer, offset: number): string {
  const w = offset >> 2
  const last = lastComm.words
  if (
    words[w] === last[0] &&
    words[w + 1] === last[1] &&
    words[w + 2] === last[2] &&
    words[w + 3] === last[3]
  )
    return lastComm.text
  for (let at = 0; at < 4; at++) last[at] = words[w + at] as number
  lastComm.text = cstringAt(latin1Of(bytes, offset, offset + MAX_COMM_BYTES), 0, MAX_COMM_BYTES)
  return lastComm.text
}

const COMM_TAIL = commLayout.at.comm >> 2
const MAX_COMM_BYTES = 15

/** The comm of a comm record, which is a tail. If it could not be read, the name is unknown: the old one is wrong. */
export function readComm(process: ProcessRecord, { words, bytes, offsetBytes }: RecordPlace): void {
  const descriptor = words[(offsetBytes >> 2) + COMM_TAIL] as number
  if ((descriptor & TAIL_FAILED) !== 0) {
    process.newComm = null
    return
  }
  const start = offsetBytes + commLayout.fixedSizeBytes
  const limit = start + Math.min(descriptor & TAIL_LENGTH_MASK, MAX_COMM_BYTES)
  let end = start
  while (end < limit && bytes[end] !== 0) end += 1
  process.newComm = decodeUtf8(latin1Of(bytes, start, end))
}

const EXIT_COMM = exitLayout.at.comm
const SIGNAL_GROUP_EXIT = 4
const SIGNAL_MASK = 0x7f
const SIGNAL_FLAGS = exitLayout.at.signalFlags >> 2
const GROUP_EXIT_CODE = exitLayout.at.groupExitCode >> 2
const LEADER_EXIT_CODE = exitLayout.at.leaderExitCode >> 2
/** Words by which an exit record's relations lie later than in a fork record. */
const EXIT_SHIFT = (exitLayout.at.startBootNs - forkLayout.at.startBootNs) >> 2

/** How a process ended, from either of the exit records: they begin alike. */
export function readEnding(process: ProcessRecord, { words, bytes, offsetBytes }: RecordPlace): void {
  const w = offsetBytes >> 2
  const known = words[w + EXIT_SHIFT + KNOWN] as number
  readRelations(process, words, w + EXIT_SHIFT, known)
  if ((known & HAS_ENDING) !== 0) process.known |= KNOWN_STATUS
  if (process.comm === undefined) process.newComm = commOf(words, bytes, offsetBytes + EXIT_COMM) || undefined
  const isGroupExit = ((words[w + SIGNAL_FLAGS] as number) & SIGNAL_GROUP_EXIT) !== 0
  process.exitStatus = signed(words, w + (isGroupExit ? GROUP_EXIT_CODE : LEADER_EXIT_CODE))
  if ((process.exitStatus & SIGNAL_MASK) !== 0) readKiller(process, words, bytes, offsetBytes)
  process.exitLo = signed(words, w + TIME_LO)
  process.exitHi = signed(words, w + TIME_HI)
  process.exitEpochNs = process.timeBase.bootEpochNs
}

const KILLED_BY = exitLayout.at.killedBy >> 2
const KILLER_PID = exitLayout.at.killerPid >> 2
const KILLER_UID = exitLayout.at.killerUid >> 2
const KILLER_COMM = exitLayout.at.killerComm
const SIGKILL = 9

/** Who sent the signal that ended a process. */
function readKiller(process: ProcessRecord, words: Uint32Array, bytes: Buffer, offsetBytes: number): void {
  const w = offsetBytes >> 2
  const bits = words[w + KILLED_BY] as number
  if ((bits & KILLED_BY_PROCESS) !== 0) {
    const comm = commOf(words, bytes, offsetBytes + KILLER_COMM) || undefined
    process.killer = { by: 'process', pid: words[w + KILLER_PID], uid: words[w + KILLER_UID], comm }
    return
  }
  // The memory of a process that already ends for another reason is counted on, too.
  const isOom = (bits & KILLED_BY_OOM) !== 0 && (process.exitStatus & SIGNAL_MASK) === SIGKILL
  if (!isOom && (bits & KILLED_BY_KERNEL) === 0) return
  process.killer = { by: isOom ? 'oomKiller' : 'kernel', pid: undefined, uid: undefined, comm: undefined }
}

/** Reads what a process used, from an exit record that has it. */
export function readUsage(process: ProcessRecord, { bytes, offsetBytes }: RecordPlace): void {
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
  // A leader that ended before the last thread is not counted in the group until it is reaped.
  const isLeader = bytes.readUInt32LE(offsetBytes + at.pid) === bytes.readUInt32LE(offsetBytes + at.tid)
  const counts = isLeader ? [group, task] : [group, task, leader]
  process.usageSource = new UsageSum(counts, process.timeBase.pageSizeBytes)
}

const SNAPSHOT_ARGV_BYTES = snapshotLayout.at.argvBytes >> 2
const SNAPSHOT_ENV_BYTES = snapshotLayout.at.envBytes >> 2
const SNAPSHOT_CWD = snapshotLayout.at.cwd >> 2
const SNAPSHOT_EXE = snapshotLayout.at.exe >> 2
const SNAPSHOT_ARGV = snapshotLayout.at.argv >> 2
const SNAPSHOT_ENV = snapshotLayout.at.env >> 2
const SNAPSHOT_CGROUP = snapshotLayout.at.cgroup >> 2

/** Fills a new record from a snapshot of /proc. */
export function readSnapshot(process: ProcessRecord, place: RecordPlace, table: ProcessTable): void {
  const { words } = place
  const record = place.offsetBytes >> 2
  const w = record + (SNAPSHOT_SHIFT >> 2)
  const known = words[w + KNOWN] as number
  const text = textOf(place)
  process.identity = new RecordIdentity(text, SNAPSHOT_SHIFT, known)
  readRelations(process, words, w, known)
  readStart(process, words, w + START)
  if ((known & HAS_EXACT_START) === 0) process.known |= KNOWN_START_TICKS | KNOWN_ID_TICKS
  readSnapshotTails(process, words, record, text, table)
}

function readSnapshotTails(
  process: ProcessRecord,
  words: Uint32Array,
  record: number,
  text: string,
  table: ProcessTable,
): void {
  const cwd = words[record + SNAPSHOT_CWD] as number
  const exe = words[record + SNAPSHOT_EXE] as number
  const argv = words[record + SNAPSHOT_ARGV] as number
  const env = words[record + SNAPSHOT_ENV] as number
  const cwdStart = snapshotLayout.fixedSizeBytes
  const exeStart = cwdStart + (cwd & TAIL_LENGTH_MASK)
  const afterExe = exeStart + (exe & TAIL_LENGTH_MASK)
  const afterEnv = afterExe + (argv & TAIL_LENGTH_MASK) + (env & TAIL_LENGTH_MASK)
  readCwd(process, text, cwdStart, cwd, table)
  if ((exe & argv & TAIL_FAILED) === 0) {
    const argvSizeBytes = words[record + SNAPSHOT_ARGV_BYTES] as number
    const envSizeBytes = words[record + SNAPSHOT_ENV_BYTES] as number
    const image = new Image(text, exeStart, exe, argv, env, argvSizeBytes, envSizeBytes, table.redaction)
    process.image = image
    countCuts(image, table)
  }
  const cgroup = stringTail(text, afterEnv, words[record + SNAPSHOT_CGROUP] as number)
  process.cgroup = cgroup === undefined ? undefined : ownText(cgroup)
}
