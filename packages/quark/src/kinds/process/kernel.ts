/**
 * What the kernel tells about processes: one declaration per record. Everything else (programs, layouts,
 * decoders, types) follows from these.
 *
 * `pid` is the kernel's tgid and `tid` its pid, as user space says; all ids are those of the initial
 * namespaces.
 */

import {
  add,
  and,
  at,
  chars,
  claim,
  constant,
  cstring,
  currentTask,
  type Elements,
  enumValue,
  eq,
  type fentry,
  firstOf,
  int,
  kernelString,
  type kprobe,
  type MapEffect,
  mul,
  ne,
  optional,
  or,
  packet,
  path,
  probe,
  type ProbeMap,
  procConnector,
  resolves,
  s32,
  type Scalar,
  shiftLeft,
  struct,
  sub,
  tracepoint,
  u32,
  u64,
  userBytes,
  userString,
  type Value,
} from '@quark/ebpf/probe'
import type { Bprm, Cgroup, KernelCred, Task } from './kernel-types.js'

/** Record types: unique within quark, and part of the recording format. */
export const RECORD_FORK = 1
export const RECORD_EXEC = 2
export const RECORD_EXIT = 3
export const RECORD_ID_CHANGE = 4
export const RECORD_COMM = 5
export const RECORD_CGROUP_MKDIR = 6
export const RECORD_CGROUP_RENAME = 7
export const RECORD_THREAD_FORK = 8
export const RECORD_THREAD_EXIT = 9
export const RECORD_EXEC_FAILED = 10
/** As RECORD_EXIT, with what the process used. */
export const RECORD_EXIT_USAGE = 12
/** Written by quark itself, from /proc. */
export const RECORD_SNAPSHOT = 11

/** `task_struct.flags` of kernel threads (include/linux/sched.h). */
const PF_KTHREAD = 0x00200000

/** Bits of `known`: groups of fields that have values. The kernel side sets what its BTF could resolve. */
export const HAS_PARENT = 1 << 0
export const HAS_SESSION = 1 << 1
export const HAS_IDS = 1 << 2
export const HAS_CAPS = 1 << 3
export const HAS_TTY = 1 << 4
export const HAS_NAMESPACES = 1 << 5
export const HAS_COMM = 1 << 6
/** Of an exit record: how the process ended. */
export const HAS_ENDING = 1 << 7
/** Everything that an identity can have. */
export const HAS_IDENTITY = (1 << 7) - 1

/** `bit` if the running kernel has all of these. */
function known(bit: number, ...values: Value[]): Scalar {
  return shiftLeft(resolves(...values), Math.log2(bit))
}

/** What the declarations depend on; layouts do not. */
export interface ProcessProbeSettings {
  /** Most bytes of argv that are captured; 0 for none. */
  readonly maxArgvBytes: number
  /** Most bytes of the environment that are captured; 0 for none. */
  readonly maxEnvBytes: number
  /** Which hierarchy a process's cgroup is taken from: v2, or v1's pids controller. */
  readonly cgroupHierarchy: 'unified' | 'pids'
  /** Also records of kernel threads. */
  readonly kernelThreads: boolean
}

function startBootNs(task: Task): Scalar {
  // Renamed in 5.5.
  return firstOf(task.start_boottime, task.real_start_time)
}

function cgroupOf(task: Task, hierarchy: 'unified' | 'pids'): Cgroup {
  return hierarchy === 'unified'
    ? task.cgroups.dfl_cgrp
    : at(task.cgroups.subsys, enumValue('cgroup_subsys_id', 'pids_cgrp_id')).cgroup
}

/** Everything that identifies a process and its rights. */
export function identity(
  task: Task,
  { cgroupHierarchy }: ProcessProbeSettings,
  cred: KernelCred = task.cred,
) {
  const { signal, nsproxy } = task
  const tty = signal.tty
  const parent = task.group_leader.real_parent.tgid
  const pgid = at(at(signal.pids, enumValue('pid_type', 'PIDTYPE_PGID')).numbers, 0).nr
  const sid = at(at(signal.pids, enumValue('pid_type', 'PIDTYPE_SID')).numbers, 0).nr
  return {
    pid: u32(task.tgid),
    tid: u32(task.pid),
    startBootNs: u64(startBootNs(task)),
    known: u32(
      [
        known(HAS_SESSION, pgid, sid),
        known(
          HAS_IDS,
          cred.uid.val,
          cred.gid.val,
          cred.suid.val,
          cred.sgid.val,
          cred.euid.val,
          cred.egid.val,
        ),
        known(HAS_CAPS, cred.cap_inheritable, cred.cap_permitted, cred.cap_effective, cred.cap_bset),
        known(HAS_TTY, tty.driver.major, tty.driver.minor_start, tty.index),
        known(HAS_NAMESPACES, nsproxy.uts_ns.ns.inum, nsproxy.mnt_ns.ns.inum, nsproxy.net_ns.ns.inum),
        known(HAS_COMM, task.comm),
      ].reduce(or, known(HAS_PARENT, parent)),
    ),
    ppid: u32(parent),
    pgid: u32(pgid),
    sid: u32(sid),
    uid: u32(cred.uid.val),
    gid: u32(cred.gid.val),
    suid: u32(cred.suid.val),
    sgid: u32(cred.sgid.val),
    euid: u32(cred.euid.val),
    egid: u32(cred.egid.val),
    // Structures of eight bytes: one u64 since 6.3, two u32 before.
    capInheritable: u64(cred.cap_inheritable),
    capPermitted: u64(cred.cap_permitted),
    capEffective: u64(cred.cap_effective),
    capBounding: u64(cred.cap_bset),
    capAmbient: u64(cred.cap_ambient),
    ttyMajor: u32(tty.driver.major),
    ttyMinorStart: u32(tty.driver.minor_start),
    ttyIndex: u32(tty.index),
    utsNs: u32(nsproxy.uts_ns.ns.inum),
    ipcNs: u32(nsproxy.ipc_ns.ns.inum),
    mntNs: u32(nsproxy.mnt_ns.ns.inum),
    netNs: u32(nsproxy.net_ns.ns.inum),
    cgroupId: u64(cgroupOf(task, cgroupHierarchy).kn.id),
    comm: chars(16, task.comm),
  }
}

/** A thread group was made. `ppid` is the tgid of the child's parent, which CLONE_PARENT makes another one. */
export function forkProbe(settings: ProcessProbeSettings) {
  return probe(
    {
      name: 'quark_fork',
      type: RECORD_FORK,
      hook: tracepoint('sched_process_fork', [
        struct<Task>('task_struct', 'parent'),
        struct<Task>('task_struct', 'child'),
      ]),
    },
    (_parent, child) => ({
      when: and(eq(child.pid, child.tgid), userTask(child, settings)),
      // The kernel read the clock for this a moment ago, and reading it is a good part of a record's price.
      time: startBootNs(child),
      record: { ...identity(child, settings), cwd: path(child.fs.pwd, child.fs.root) },
    }),
  )
}

/** An execve(2) succeeded; the new image is in place and all other threads are gone. */
export function execProbe(settings: ProcessProbeSettings) {
  return probe(
    {
      name: 'quark_exec',
      type: RECORD_EXEC,
      hook: tracepoint('sched_process_exec', [
        struct<Task>('task_struct', 'task'),
        int('old_pid', 4),
        struct<Bprm>('linux_binprm', 'bprm'),
      ]),
    },
    (task, _oldPid, bprm) => ({
      record: {
        ...identity(task, settings),
        /** Real sizes, to tell how much was cut. */
        argvBytes: u32(sub(task.mm.arg_end, task.mm.arg_start)),
        envBytes: u32(sub(task.mm.env_end, task.mm.env_start)),
        cwd: path(task.fs.pwd, task.fs.root),
        exe: path(bprm.file.f_path, task.fs.root),
        argv: userBytes(task.mm.arg_start, task.mm.arg_end, settings.maxArgvBytes),
        env: userBytes(task.mm.env_start, task.mm.env_end, settings.maxEnvBytes),
      },
    }),
  )
}

/** What tells how a process ended. wait(2) reports the group's code if it has one, else the leader's. */
function ending(task: Task) {
  const { signal, group_leader: leader } = task
  const parent = leader.real_parent.tgid
  const pgid = at(at(signal.pids, enumValue('pid_type', 'PIDTYPE_PGID')).numbers, 0).nr
  const sid = at(at(signal.pids, enumValue('pid_type', 'PIDTYPE_SID')).numbers, 0).nr
  return {
    pid: u32(task.tgid),
    tid: u32(task.pid),
    startBootNs: u64(startBootNs(leader)),
    known: u32(
      or(
        or(known(HAS_PARENT, parent), known(HAS_SESSION, pgid, sid)),
        known(HAS_ENDING, leader.exit_code, signal.group_exit_code, signal.flags),
      ),
    ),
    ppid: u32(parent),
    pgid: u32(pgid),
    sid: u32(sid),
    leaderExitCode: u32(leader.exit_code),
    groupExitCode: u32(signal.group_exit_code),
    signalFlags: u32(signal.flags),
  }
}

/** What a process used. Times of threads that ended before are in `signal`; pages are the kernel's. */
function usage(task: Task) {
  const { signal, group_leader: leader } = task
  return {
    groupRunNs: u64(signal.sum_sched_runtime),
    taskRunNs: u64(task.se.sum_exec_runtime),
    leaderRunNs: u64(leader.se.sum_exec_runtime),
    groupUserNs: u64(signal.utime),
    groupSystemNs: u64(signal.stime),
    taskUserNs: u64(task.utime),
    taskSystemNs: u64(task.stime),
    leaderUserNs: u64(leader.utime),
    leaderSystemNs: u64(leader.stime),
    peakRssPages: u64(signal.maxrss),
    groupReadBytes: u64(signal.ioac.read_bytes),
    groupWriteBytes: u64(signal.ioac.write_bytes),
    taskReadBytes: u64(task.ioac.read_bytes),
    taskWriteBytes: u64(task.ioac.write_bytes),
    leaderReadBytes: u64(leader.ioac.read_bytes),
    leaderWriteBytes: u64(leader.ioac.write_bytes),
  }
}

const exitHook = tracepoint('sched_process_exit', [
  struct<Task>('task_struct', 'task'),
  optional(int('group_dead', 1)),
])

/** The last thread is gone. Older kernels do not say so: there the count of live threads is 0. */
function groupIsDead(task: Task, groupDead: Scalar): Scalar {
  return firstOf(ne(groupDead, 0), eq(task.signal.live.counter, 0))
}

/** Processes whose exit was told, on kernels that do not say which thread is the last. */
const endedGroups: ProbeMap = {
  name: 'quark_ended',
  type: 'lruHash',
  keySizeBytes: 8,
  valueSizeBytes: 4,
  maxEntries: 4096,
}

/**
 * Two threads that end at once on older kernels both find that none lives: only the first may tell. The key is made
 * of the 42 lower bits of the start time and of the 22 that a pid can have.
 */
function toldOnce(task: Task, groupDead: Scalar): MapEffect {
  const key = add(shiftLeft(startBootNs(task.group_leader), 22), task.tgid)
  return claim(endedGroups, key, resolves(groupDead))
}

/** A process ended. */
export function exitProbe(settings: ProcessProbeSettings) {
  return probe({ name: 'quark_exit', type: RECORD_EXIT, hook: exitHook }, (task, groupDead) => ({
    when: and(groupIsDead(task, groupDead), userTask(task, settings)),
    effects: [toldOnce(task, groupDead)],
    record: ending(task),
  }))
}

/** A process ended, with what it used. */
export function exitUsageProbe(settings: ProcessProbeSettings) {
  return probe({ name: 'quark_exit', type: RECORD_EXIT_USAGE, hook: exitHook }, (task, groupDead) => ({
    when: and(groupIsDead(task, groupDead), userTask(task, settings)),
    effects: [toldOnce(task, groupDead)],
    record: { ...ending(task), ...usage(task) },
  }))
}

/** A thread other than the first was made. */
export function threadForkProbe(settings: ProcessProbeSettings) {
  return probe(
    {
      name: 'quark_tfork',
      type: RECORD_THREAD_FORK,
      hook: tracepoint('sched_process_fork', [
        struct<Task>('task_struct', 'parent'),
        struct<Task>('task_struct', 'child'),
      ]),
    },
    (_parent, child) => ({
      when: and(ne(child.pid, child.tgid), userTask(child, settings)),
      record: threadIdentity(child),
    }),
  )
}

/** A thread ended, and others of its process go on. */
export function threadExitProbe(settings: ProcessProbeSettings) {
  return probe({ name: 'quark_texit', type: RECORD_THREAD_EXIT, hook: exitHook }, (task, groupDead) => ({
    when: and(eq(groupIsDead(task, groupDead), 0), userTask(task, settings)),
    record: { ...threadIdentity(task), exitCode: u32(task.exit_code) },
  }))
}

function threadIdentity(task: Task) {
  return {
    pid: u32(task.tgid),
    tid: u32(task.pid),
    startBootNs: u64(startBootNs(task.group_leader)),
    threadStartBootNs: u64(startBootNs(task)),
    comm: chars(16, task.comm),
  }
}

/** A process renamed itself. Names that execve(2) gives are in the exec record. */
export function commProbe(settings: ProcessProbeSettings) {
  return probe(
    {
      name: 'quark_comm',
      type: RECORD_COMM,
      hook: tracepoint('task_rename', [struct<Task>('task_struct', 'task'), cstring('comm')]),
    },
    (task, comm) => ({
      when: and(and(eq(task.pid, task.tgid), userTask(task, settings)), eq(task.in_execve, 0)),
      record: {
        pid: u32(task.tgid),
        tid: u32(task.pid),
        startBootNs: u64(startBootNs(task)),
        comm: kernelString(comm, 16),
      },
    }),
  )
}

/** `struct proc_event` in a connector message: after nlmsghdr and cn_msg (include/uapi/linux/cn_proc.h). */
const PROC_EVENT_WHAT = 36
/** The ids of a process changed. The values are those of `enum proc_cn_event`. */
export const PROC_EVENT_UID = 0x4
export const PROC_EVENT_GID = 0x40
export const PROC_EVENT_SID = 0x80

/**
 * A process changed its user, group or session ids. The proc connector sends its message from within the
 * system call, after the change; the filter on its socket runs right there, writes the record into the
 * shared ring, and drops the message. No system call is slowed but those that change ids.
 */
export function idChangeProbe(settings: ProcessProbeSettings) {
  return probe(
    {
      name: 'quark_ids',
      type: RECORD_ID_CHANGE,
      hook: procConnector(PROC_EVENT_UID | PROC_EVENT_GID | PROC_EVENT_SID),
    },
    () => ({
      when: and(
        ne(and(packet(PROC_EVENT_WHAT, 4), PROC_EVENT_UID | PROC_EVENT_GID | PROC_EVENT_SID), 0),
        // The ids of other threads than the first are their own, and not the process's.
        eq(currentTask<Task>().pid, currentTask<Task>().tgid),
      ),
      record: { what: u32(packet(PROC_EVENT_WHAT, 4)), ...identity(currentTask<Task>(), settings) },
    }),
  )
}

/** A way to hook a function: `fentry` or `kprobe`. */
type FunctionHook = typeof fentry | typeof kprobe

/**
 * A process is about to get new credentials: `commit_creds` is the one place where that happens. The record has
 * the new ones; those that go are in the task still.
 */
export function credsProbe(settings: ProcessProbeSettings, hook: FunctionHook) {
  return probe(
    {
      name: 'quark_creds',
      type: RECORD_ID_CHANGE,
      hook: hook('commit_creds', [struct<KernelCred>('cred', 'new')]),
    },
    (cred) => {
      const task = currentTask<Task>()
      const old = task.cred
      const uid = or(
        or(ne(cred.uid.val, old.uid.val), ne(cred.euid.val, old.euid.val)),
        ne(cred.suid.val, old.suid.val),
      )
      const gid = or(
        or(ne(cred.gid.val, old.gid.val), ne(cred.egid.val, old.egid.val)),
        ne(cred.sgid.val, old.sgid.val),
      )
      return {
        // The credentials of other threads than the first are their own, and not the process's.
        when: and(and(or(uid, gid), eq(task.pid, task.tgid)), userTask(task, settings)),
        record: {
          what: u32(or(mul(uid, PROC_EVENT_UID), mul(gid, PROC_EVENT_GID))),
          ...identity(task, settings, cred),
        },
      }
    },
  )
}

/** Functions that the kernel calls with the leader of a new session: which of them exists depends on its build. */
export const SESSION_FUNCTIONS = ['proc_sid_connector', 'sched_autogroup_create_attach'] as const

/** A process became the leader of a session of its own. */
export function sessionProbe(settings: ProcessProbeSettings, hook: FunctionHook, target: string) {
  return probe(
    {
      name: 'quark_setsid',
      type: RECORD_ID_CHANGE,
      hook: hook(target, [struct<Task>('task_struct', 'task')]),
    },
    (task) => ({
      when: userTask(task, settings),
      record: { what: u32(constant(PROC_EVENT_SID)), ...identity(task, settings) },
    }),
  )
}

/** A cgroup was made: its name is told here once, and records carry its id. */
export function cgroupMkdirProbe() {
  return probe(
    {
      name: 'quark_cgmkdir',
      type: RECORD_CGROUP_MKDIR,
      hook: tracepoint('cgroup_mkdir', [struct<Cgroup>('cgroup'), cstring('path')]),
    },
    (cgroup, name) => ({
      record: {
        id: u64(cgroup.kn.id),
        hierarchy: u32(cgroup.root.hierarchy_id),
        path: kernelString(name, 4096),
      },
    }),
  )
}

/** A cgroup was renamed (v1 only); `path` is its new name. */
export function cgroupRenameProbe() {
  return probe(
    {
      name: 'quark_cgrename',
      type: RECORD_CGROUP_RENAME,
      hook: tracepoint('cgroup_rename', [struct<Cgroup>('cgroup'), cstring('path')]),
    },
    (cgroup, name) => ({
      record: {
        id: u64(cgroup.kn.id),
        hierarchy: u32(cgroup.root.hierarchy_id),
        path: kernelString(name, 4096),
      },
    }),
  )
}

/** `struct pt_regs` at the end of a system call: x86-64 has the first names, arm64 the second. */
interface Registers {
  readonly orig_ax: Scalar
  readonly cs: Scalar
  readonly di: Scalar
  readonly si: Scalar
  readonly syscallno: Scalar
  readonly orig_x0: Scalar
  readonly regs: Elements<Scalar>
}

/** Numbers of execve and execveat (arch/x86/entry/syscalls/syscall_64.tbl, asm-generic/unistd.h). */
const X64_EXECVE = 59
const X64_EXECVEAT = 322
const ARM64_EXECVE = 221
const ARM64_EXECVEAT = 281
/** Code segment of 64-bit user programs on x86-64: 32-bit ones have other numbers. */
const X64_USER_CS = 0x33

/**
 * An execve(2) or execveat(2) failed. Enabling this tracepoint puts every system call of the machine on the
 * kernel's slower path; there is no other hook that sees all failures.
 */
export function execFailedProbe() {
  return probe(
    {
      name: 'quark_execfail',
      type: RECORD_EXEC_FAILED,
      hook: tracepoint('sys_exit', [struct<Registers>('pt_regs', 'regs'), int('ret', 8)]),
    },
    (regs, ret) => {
      const isExecve = firstOf(eq(regs.orig_ax, X64_EXECVE), eq(regs.syscallno, ARM64_EXECVE))
      const isExecveat = firstOf(eq(regs.orig_ax, X64_EXECVEAT), eq(regs.syscallno, ARM64_EXECVEAT))
      const is64Bit = firstOf(eq(regs.cs, X64_USER_CS), ne(regs.syscallno, -1))
      const first = firstOf(regs.di, regs.orig_x0)
      const second = firstOf(regs.si, at(regs.regs, 1))
      const task = currentTask<Task>()
      return {
        when: and(and(or(isExecve, isExecveat), is64Bit), ne(ret, 0)),
        record: {
          pid: u32(task.tgid),
          tid: u32(task.pid),
          startBootNs: u64(startBootNs(task.group_leader)),
          /** Negative errno. */
          result: s32(ret),
          filename: userString(add(mul(isExecve, first), mul(isExecveat, second)), 4096),
        },
      }
    },
  )
}

/** Kernel threads are left out unless asked for. */
function userTask(task: Task, { kernelThreads }: ProcessProbeSettings): Scalar {
  return kernelThreads ? constant(1) : eq(and(task.flags, PF_KTHREAD), 0)
}
