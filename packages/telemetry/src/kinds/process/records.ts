/**
 * Layouts of process records, whatever fills them: a program, a fetch argument, a message, or /proc.
 *
 * `pid` is the kernel's tgid and `tid` its pid, as user space says; all ids are those of the initial namespaces.
 */

import {
  bytesTail,
  chars,
  MAX_TAIL_BYTES,
  pathTail,
  record,
  s32,
  stringTail,
  u32,
  u64,
} from 'quark-ebpf/probe'

/** Record types: unique within quark, and part of the recording format. */
export const RECORD_FORK = 1
export const RECORD_EXEC = 2
export const RECORD_EXIT = 3
export const RECORD_ID_CHANGE = 4
export const RECORD_COMM = 5
export const RECORD_THREAD_FORK = 8
export const RECORD_THREAD_EXIT = 9
export const RECORD_EXEC_FAILED = 10
/** Written by quark itself, from /proc. */
export const RECORD_SNAPSHOT = 11
/** As RECORD_EXIT, with what the process used. */
export const RECORD_EXIT_USAGE = 12

/** What is left of argv while a user fills the ring: of each exec, then, the first words. */
const SCARCE_ARGV_BYTES = 256

/** Everything that identifies a process and its rights. */
const identity = {
  pid: u32,
  tid: u32,
  startBootNs: u64,
  /** `HAS_` bits: which groups of these fields have values. */
  known: u32,
  ppid: u32,
  pgid: u32,
  sid: u32,
  uid: u32,
  gid: u32,
  suid: u32,
  sgid: u32,
  euid: u32,
  egid: u32,
  capInheritable: u64,
  capPermitted: u64,
  capEffective: u64,
  capBounding: u64,
  capAmbient: u64,
  ttyMajor: u32,
  ttyMinorStart: u32,
  ttyIndex: u32,
  utsNs: u32,
  ipcNs: u32,
  mntNs: u32,
  netNs: u32,
  userNs: u32,
  pidNs: u32,
  cgroupNs: u32,
  timeNs: u32,
  /** One more than the number, so that 0 is none, or one that is not known. */
  loginUid1: u32,
  auditSession1: u32,
  cgroupId: u64,
  comm: chars(16),
} as const

/**
 * A thread group was made. `ppid` is the tgid of the child's parent, which CLONE_PARENT makes another one than that of
 * the process that called; 0 for `creatorPid` is one that is not known.
 */
export const forkLayout = record(RECORD_FORK, 'fork', { ...identity, creatorPid: u32, cwd: pathTail })

/** An execve(2) succeeded. */
export const execLayout = record(RECORD_EXEC, 'exec', {
  ...identity,
  /** Sizes before cutting. */
  argvBytes: u32,
  envBytes: u32,
  cwd: pathTail,
  exe: pathTail,
  argv: bytesTail(MAX_TAIL_BYTES, SCARCE_ARGV_BYTES),
  env: bytesTail(MAX_TAIL_BYTES, 0),
})

/** How a process ended. wait(2) reports the group's code if it has one, else the leader's. */
const ending = {
  pid: u32,
  tid: u32,
  startBootNs: u64,
  known: u32,
  ppid: u32,
  pgid: u32,
  sid: u32,
  leaderExitCode: u32,
  groupExitCode: u32,
  signalFlags: u32,
  /** Of the first thread; empty when it could not be read. */
  comm: chars(16),
  /** Who sent the signal that ended it: `KILLED_BY_` bits. The rest is of a process. */
  killedBy: u32,
  killerPid: u32,
  killerUid: u32,
  killerComm: chars(16),
} as const

/** Bits of `killedBy`. */
export const KILLED_BY_PROCESS = 1
export const KILLED_BY_KERNEL = 2
/** The out-of-memory killer chose it, whoever sent the signal. */
export const KILLED_BY_OOM = 4

/** A process ended. */
export const exitLayout = record(RECORD_EXIT, 'exit', ending)

/** A process ended, with what it used. Pages are the kernel's. */
export const exitUsageLayout = record(RECORD_EXIT_USAGE, 'exitUsage', {
  ...ending,
  groupRunNs: u64,
  taskRunNs: u64,
  leaderRunNs: u64,
  groupUserNs: u64,
  groupSystemNs: u64,
  taskUserNs: u64,
  taskSystemNs: u64,
  leaderUserNs: u64,
  leaderSystemNs: u64,
  peakRssPages: u64,
  groupReadBytes: u64,
  groupWriteBytes: u64,
  taskReadBytes: u64,
  taskWriteBytes: u64,
  leaderReadBytes: u64,
  leaderWriteBytes: u64,
})

/** A process changed its ids; `what` has the `PROC_EVENT_` bits of those. */
export const idChangeLayout = record(RECORD_ID_CHANGE, 'idChange', { what: u32, ...identity })

/** A process renamed itself. Names that execve(2) gives are in the exec record. */
export const commLayout = record(RECORD_COMM, 'comm', {
  pid: u32,
  tid: u32,
  startBootNs: u64,
  comm: stringTail(16),
})

/** A thread; the first start is that of its process. */
const thread = { pid: u32, tid: u32, startBootNs: u64, threadStartBootNs: u64, comm: chars(16) } as const

/** A thread other than the first was made. */
export const threadForkLayout = record(RECORD_THREAD_FORK, 'threadFork', thread)

/** A thread ended, and others of its process go on. */
export const threadExitLayout = record(RECORD_THREAD_EXIT, 'threadExit', { ...thread, exitCode: u32 })

/** An execve(2) or execveat(2) failed. */
export const execFailedLayout = record(RECORD_EXEC_FAILED, 'execFailed', {
  pid: u32,
  tid: u32,
  startBootNs: u64,
  /** Negative errno. */
  result: s32,
  filename: stringTail(4096),
})

/** Where an iterator found a process: it goes to the scan of /proc, not to the ring. */
export const RECORD_OLDER = 13
export const olderLayout = record(RECORD_OLDER, 'older', {
  pid: u32,
  loginUid1: u32,
  startBootNs: u64,
  auditSession1: u32,
})

/**
 * A process that was found in /proc. `startBootNs` is cut to clock ticks (10 ms), unless `known` says otherwise; `cgroupId` is 0 and `cgroup` has the
 * path.
 */
export const snapshotLayout = record(RECORD_SNAPSHOT, 'snapshot', {
  argvBytes: u32,
  envBytes: u32,
  ...identity,
  cwd: pathTail,
  exe: pathTail,
  argv: bytesTail(MAX_TAIL_BYTES),
  env: bytesTail(MAX_TAIL_BYTES),
  cgroup: stringTail(4096),
})
