/**
 * What fills the records of processes in the kernel: one declaration per record, from which the programs follow, and
 * the arguments of kprobe events.
 */

import {
  inTask,
  add,
  and,
  at,
  claim,
  constant,
  cstring,
  enumValue,
  eq,
  firstOf,
  int,
  iterator,
  kernelString,
  map,
  type MapEffect,
  ne,
  optional,
  or,
  path,
  probe,
  resolves,
  type Scalar,
  shiftLeft,
  struct,
  sub,
  tracepoint,
  u32,
  u64,
  userBytes,
  type Value,
} from 'quark-ebpf/probe'
import {
  HAS_CAPS,
  HAS_COMM,
  HAS_ENDING,
  HAS_IDS,
  HAS_NAMESPACES,
  HAS_PARENT,
  HAS_SESSION,
  HAS_TTY,
} from '../../process/known.js'
import {
  commLayout,
  execLayout,
  exitLayout,
  exitUsageLayout,
  forkLayout,
  olderLayout,
  threadExitLayout,
  threadForkLayout,
} from './records.js'
import { killerOf, oomKillerOf } from './kernel-killers.js'
import { startBootNs } from './kernel-start.js'
import type { Bprm, Cgroup, KernelCred, Task } from '../../process/kernel-types.js'
import type { ReadLimits } from '../../process/procfs/scan.js'
import { forget } from '../../process/tracked/kernel.js'

/** `task_struct.flags` of kernel threads (include/linux/sched.h). */
const PF_KTHREAD = 0x00200000
/** Threads that the kernel makes in a process, as of io_uring and vhost: their beginning is not reported. */
const PF_IO_WORKER = 0x10
const PF_USER_WORKER = 0x4000

/** `bit` if the running kernel has all of these values. */
function known(bit: number, ...values: Value[]): Scalar {
  return shiftLeft(resolves(...values), Math.log2(bit))
}

/** Settings that the probes depend on. */
export interface ProcessProbeSettings extends ReadLimits {
  /** Which hierarchy a process's cgroup is taken from: v2, or v1's pids controller. */
  readonly cgroupHierarchy: 'unified' | 'pids'
  /** Also records of kernel threads. */
  readonly kernelThreads: boolean
  /** The kernel has a set of tracked processes: what ends is removed from it. */
  readonly isTracked?: boolean
  /** Fields are fetched without a program, which cannot follow an address that was computed. */
  readonly computesNothing?: boolean
}

function cgroupOf(task: Task, hierarchy: 'unified' | 'pids'): Cgroup {
  return hierarchy === 'unified'
    ? task.cgroups.dfl_cgrp
    : at(task.cgroups.subsys, enumValue('cgroup_subsys_id', 'pids_cgrp_id')).cgroup
}

/**
 * The pid namespace of a process, which is that of the last of its pids. Where no address can be computed, the one for
 * its children stands in: mostly it is the same.
 */
function pidNamespace({ thread_pid: pid, nsproxy }: Task, settings: ProcessProbeSettings): Scalar {
  const ofChildren = nsproxy.pid_ns_for_children.ns.inum
  if (settings.computesNothing === true) return ofChildren
  return firstOf(at(pid.numbers, pid.level, add(pid.level, 1)).ns.ns.inum, ofChildren)
}

/**
 * Everything that identifies a process and its rights.
 *
 * @param leader the first thread; given where the task itself is that, to save a load
 */
export function identity(
  task: Task,
  settings: ProcessProbeSettings,
  { cred = task.cred, leader = task.group_leader }: { cred?: KernelCred; leader?: Task } = {},
) {
  const { signal, nsproxy } = task
  const tty = signal.tty
  const parent = leader.real_parent.tgid
  const pgid = at(at(signal.pids, enumValue('pid_type', 'PIDTYPE_PGID')).numbers, 0).nr
  const sid = at(at(signal.pids, enumValue('pid_type', 'PIDTYPE_SID')).numbers, 0).nr
  return {
    pid: task.tgid,
    tid: task.pid,
    startBootNs: startBootNs(task),
    known: or(
      known(HAS_PARENT, parent),
      known(HAS_SESSION, pgid, sid),
      known(HAS_IDS, cred.uid.val, cred.gid.val, cred.suid.val, cred.sgid.val, cred.euid.val, cred.egid.val),
      known(HAS_CAPS, cred.cap_inheritable, cred.cap_permitted, cred.cap_effective, cred.cap_bset),
      known(HAS_TTY, tty.driver.major, tty.driver.minor_start, tty.index),
      known(HAS_NAMESPACES, nsproxy.uts_ns.ns.inum, nsproxy.mnt_ns.ns.inum, nsproxy.net_ns.ns.inum),
      known(HAS_COMM, task.comm),
    ),
    ppid: parent,
    pgid,
    sid,
    uid: cred.uid.val,
    gid: cred.gid.val,
    suid: cred.suid.val,
    sgid: cred.sgid.val,
    euid: cred.euid.val,
    egid: cred.egid.val,
    // Structures of eight bytes: one u64 since 6.3, two u32 before.
    capInheritable: cred.cap_inheritable,
    capPermitted: cred.cap_permitted,
    capEffective: cred.cap_effective,
    capBounding: cred.cap_bset,
    capAmbient: cred.cap_ambient,
    ttyMajor: tty.driver.major,
    ttyMinorStart: tty.driver.minor_start,
    ttyIndex: tty.index,
    utsNs: nsproxy.uts_ns.ns.inum,
    ipcNs: nsproxy.ipc_ns.ns.inum,
    mntNs: nsproxy.mnt_ns.ns.inum,
    netNs: nsproxy.net_ns.ns.inum,
    userNs: cred.user_ns.ns.inum,
    pidNs: pidNamespace(task, settings),
    cgroupNs: nsproxy.cgroup_ns.ns.inum,
    timeNs: nsproxy.time_ns.ns.inum,
    ...login(task),
    cgroupId: cgroupOf(task, settings.cgroupHierarchy).kn.id,
    comm: task.comm,
  }
}

/** Who logged in, and the session of that; -1 when nobody did. */
function login(task: Task) {
  return { loginUid1: add(task.loginuid.val, 1), auditSession1: add(task.sessionid, 1) }
}

/** A thread group was made. `ppid` is the tgid of the child's parent, which CLONE_PARENT makes another one. */
export function forkProbe(settings: ProcessProbeSettings) {
  return probe(
    {
      name: 'quark_fork',
      record: forkLayout,
      hook: inTask(
        tracepoint('sched_process_fork', [
          struct<Task>('task_struct', 'parent'),
          struct<Task>('task_struct', 'child'),
        ]),
      ),
    },
    (caller, child) => ({
      when: and(eq(child.pid, child.tgid), userTask(child, settings)),
      // The kernel read the clock for this a moment ago. Reading it again would be a good part of a record's cost.
      time: startBootNs(child),
      fill: {
        ...identity(child, settings, { leader: child }),
        creatorPid: caller.tgid,
        cwd: path(child.fs.pwd, child.fs.root),
      },
    }),
  )
}

/** An execve(2) succeeded; the new image is in place and all other threads are gone. */
export function execProbe(settings: ProcessProbeSettings) {
  return probe(
    {
      name: 'quark_exec',
      record: execLayout,
      hook: inTask(
        tracepoint('sched_process_exec', [
          struct<Task>('task_struct', 'task'),
          int('old_pid', 4),
          struct<Bprm>('linux_binprm', 'bprm'),
        ]),
      ),
    },
    (task, _oldPid, bprm) => ({
      fill: {
        ...identity(task, settings, { leader: task }),
        argvBytes: sub(task.mm.arg_end, task.mm.arg_start),
        envBytes: sub(task.mm.env_end, task.mm.env_start),
        cwd: path(task.fs.pwd, task.fs.root),
        exe: path(bprm.file.f_path, task.fs.root),
        argv: userBytes(task.mm.arg_start, task.mm.arg_end, settings.maxArgvBytes),
        env: userBytes(task.mm.env_start, task.mm.env_end, settings.maxEnvBytes),
      },
    }),
  )
}

/** How a process ended. wait(2) reports the group's code if it has one, else the leader's. */
function ending(task: Task, { computesNothing = false }: ProcessProbeSettings) {
  const { signal, group_leader: leader } = task
  const parent = leader.real_parent.tgid
  const pgid = at(at(signal.pids, enumValue('pid_type', 'PIDTYPE_PGID')).numbers, 0).nr
  const sid = at(at(signal.pids, enumValue('pid_type', 'PIDTYPE_SID')).numbers, 0).nr
  return {
    pid: task.tgid,
    tid: task.pid,
    startBootNs: startBootNs(leader),
    known: or(
      or(known(HAS_PARENT, parent), known(HAS_SESSION, pgid, sid)),
      known(HAS_ENDING, leader.exit_code, signal.group_exit_code, signal.flags),
    ),
    ppid: parent,
    pgid,
    sid,
    leaderExitCode: leader.exit_code,
    groupExitCode: signal.group_exit_code,
    signalFlags: signal.flags,
    comm: leader.comm,
    ...(computesNothing ? oomKillerOf(task) : killerOf(task)),
  }
}

/** What a process used. Times of threads that ended before are in `signal`; pages are the kernel's. */
function usage(task: Task) {
  const { signal, group_leader: leader } = task
  return {
    groupRunNs: signal.sum_sched_runtime,
    taskRunNs: task.se.sum_exec_runtime,
    leaderRunNs: leader.se.sum_exec_runtime,
    groupUserNs: signal.utime,
    groupSystemNs: signal.stime,
    taskUserNs: task.utime,
    taskSystemNs: task.stime,
    leaderUserNs: leader.utime,
    leaderSystemNs: leader.stime,
    peakRssPages: signal.maxrss,
    groupReadBytes: signal.ioac.read_bytes,
    groupWriteBytes: signal.ioac.write_bytes,
    taskReadBytes: task.ioac.read_bytes,
    taskWriteBytes: task.ioac.write_bytes,
    leaderReadBytes: leader.ioac.read_bytes,
    leaderWriteBytes: leader.ioac.write_bytes,
  }
}

const exitHook = inTask(
  tracepoint('sched_process_exit', [struct<Task>('task_struct', 'task'), optional(int('group_dead', 1))]),
)

/** The last thread is gone. Older kernels do not say so: there the count of live threads is 0. */
function groupIsDead(task: Task, groupDead: Scalar): Scalar {
  return firstOf(ne(groupDead, 0), eq(task.signal.live.counter, 0))
}

/** Processes whose exit was reported, on kernels that do not say which thread is the last. */
const endedGroups = map({ name: 'quark_ended', type: 'lruHash', key: u64, value: u32, maxEntries: 4096 })

/**
 * Two threads that end at once on older kernels both find that none lives: only the first reports it. The key is made
 * of the 42 lower bits of the start time and of the 22 that a pid can have.
 */
function reportedOnce(task: Task, groupDead: Scalar): MapEffect {
  const key = add(shiftLeft(startBootNs(task.group_leader), 22), task.tgid)
  return claim(endedGroups, key, resolves(groupDead))
}

/** When a process ended, and what becomes of it in the set of tracked ones: it was asked before. */
function whenDead(task: Task, groupDead: Scalar, settings: ProcessProbeSettings) {
  const isDead = groupIsDead(task, groupDead)
  const isWanted = userTask(task, settings)
  if (settings.isTracked !== true) return { when: and(isDead, isWanted) }
  return { given: isDead, when: isWanted, finally: [forget(task.tgid)] }
}

/** A process ended. */
export function exitProbe(settings: ProcessProbeSettings) {
  return probe({ name: 'quark_exit', record: exitLayout, hook: exitHook }, (task, groupDead) => ({
    ...whenDead(task, groupDead, settings),
    effects: [reportedOnce(task, groupDead)],
    fill: ending(task, settings),
  }))
}

/** A process ended, with what it used. */
export function exitUsageProbe(settings: ProcessProbeSettings) {
  return probe({ name: 'quark_exit', record: exitUsageLayout, hook: exitHook }, (task, groupDead) => ({
    ...whenDead(task, groupDead, settings),
    effects: [reportedOnce(task, groupDead)],
    fill: { ...ending(task, settings), ...usage(task) },
  }))
}

/** A thread other than the first was made. */
export function threadForkProbe(settings: ProcessProbeSettings) {
  return probe(
    {
      name: 'quark_tfork',
      record: threadForkLayout,
      hook: inTask(
        tracepoint('sched_process_fork', [
          struct<Task>('task_struct', 'parent'),
          struct<Task>('task_struct', 'child'),
        ]),
      ),
    },
    (_parent, child) => ({
      when: and(ne(child.pid, child.tgid), ownThread(child), userTask(child, settings)),
      fill: threadIdentity(child),
    }),
  )
}

/** A thread ended, and others of its process go on. */
export function threadExitProbe(settings: ProcessProbeSettings) {
  return probe({ name: 'quark_texit', record: threadExitLayout, hook: exitHook }, (task, groupDead) => ({
    // The last one ends with the process: only if that is not the first one, it has an end of its own. The first one that
    // makes way for another one's exec lives on as that.
    when: and(
      or(
        ne(task.pid, task.tgid),
        and(
          eq(groupIsDead(task, groupDead), 0),
          eq(firstOf(task.signal.group_exec_task, task.signal.group_exit_task), 0),
        ),
      ),
      ownThread(task),
      userTask(task, settings),
    ),
    fill: { ...threadIdentity(task), exitCode: task.exit_code },
  }))
}

/** Another thread than the first executed something: it takes the place and the id of the first one, and its own id ends. */
export function threadExecProbe() {
  return probe(
    {
      name: 'quark_texec',
      record: threadExitLayout,
      hook: inTask(
        tracepoint('sched_process_exec', [struct<Task>('task_struct', 'task'), int('old_pid', 4)]),
      ),
    },
    (task, oldPid) => ({
      when: ne(oldPid, task.pid),
      fill: { ...threadIdentity(task), tid: oldPid, exitCode: constant(0) },
    }),
  )
}

function ownThread(task: Task): Scalar {
  return or(eq(task.pid, task.tgid), eq(and(task.flags, PF_IO_WORKER | PF_USER_WORKER), 0))
}

function threadIdentity(task: Task) {
  return {
    pid: task.tgid,
    tid: task.pid,
    startBootNs: startBootNs(task.group_leader),
    threadStartBootNs: startBootNs(task),
    comm: task.comm,
  }
}

/** A process renamed itself. Names that execve(2) gives are in the exec record. */
export function commProbe(settings: ProcessProbeSettings) {
  return probe(
    {
      name: 'quark_comm',
      record: commLayout,
      hook: inTask(tracepoint('task_rename', [struct<Task>('task_struct', 'task'), cstring('comm')])),
    },
    (task, comm) => ({
      when: and(and(eq(task.pid, task.tgid), userTask(task, settings)), eq(task.in_execve, 0)),
      fill: {
        pid: task.tgid,
        tid: task.pid,
        startBootNs: startBootNs(task),
        comm: kernelString(comm),
      },
    }),
  )
}

/** Exact starts of the processes that exist: /proc has them in clock ticks. */
export function olderProbe() {
  return probe(
    {
      name: 'quark_older',
      record: olderLayout,
      hook: iterator('task', [struct<Task>('task_struct', 'task')]),
    },
    (task) => ({
      when: and(ne(task.tgid, 0), eq(task.pid, task.tgid)),
      fill: { pid: task.tgid, startBootNs: startBootNs(task), ...login(task) },
    }),
  )
}

/** Kernel threads are left out unless asked for. */
export function userTask(task: Task, { kernelThreads }: ProcessProbeSettings): Scalar {
  return kernelThreads ? constant(1) : eq(and(task.flags, PF_KTHREAD), 0)
}
