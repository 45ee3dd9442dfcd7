/** The members of kernel structures that the process probes touch. Offsets come from the running kernel. */

import type { Chars, Elements, PathStruct, Scalar } from 'quark-ebpf/probe'

interface KernelId {
  readonly val: Scalar
}

export interface KernelCred {
  readonly uid: KernelId
  readonly gid: KernelId
  readonly suid: KernelId
  readonly sgid: KernelId
  readonly euid: KernelId
  readonly egid: KernelId
  readonly cap_inheritable: Chars
  readonly cap_permitted: Chars
  readonly cap_effective: Chars
  readonly cap_bset: Chars
  readonly cap_ambient: Chars
  readonly user_ns: Namespace
}

interface KernelPid {
  readonly level: Scalar
  readonly numbers: Elements<{ readonly nr: Scalar; readonly ns: Namespace }>
}

interface IoAccounting {
  readonly read_bytes: Scalar
  readonly write_bytes: Scalar
}

interface SignalStruct {
  readonly pids: Elements<KernelPid>
  readonly tty: {
    readonly index: Scalar
    readonly driver: { readonly major: Scalar; readonly minor_start: Scalar }
  }
  readonly live: { readonly counter: Scalar }
  readonly flags: Scalar
  readonly group_exit_code: Scalar
  /** Set when the out-of-memory killer chose the process. */
  readonly oom_mm: Scalar
  /** Who executes or dumps core, of the threads that end for that; renamed in 5.17. */
  readonly group_exec_task: Scalar
  readonly group_exit_task: Scalar
  readonly utime: Scalar
  readonly stime: Scalar
  readonly sum_sched_runtime: Scalar
  readonly maxrss: Scalar
  readonly ioac: IoAccounting
}

interface Namespace {
  readonly ns: { readonly inum: Scalar }
}

interface Cgroup {
  readonly kn: { readonly id: Scalar }
  readonly root: { readonly hierarchy_id: Scalar }
}

export interface Task {
  readonly pid: Scalar
  readonly tgid: Scalar
  readonly flags: Scalar
  readonly in_execve: Scalar
  readonly exit_code: Scalar
  readonly start_boottime: Scalar
  readonly real_start_time: Scalar
  readonly comm: Chars
  readonly group_leader: Task
  readonly real_parent: Task
  readonly cred: KernelCred
  readonly signal: SignalStruct
  readonly sighand: { readonly action: Elements<{ readonly sa: { readonly sa_handler: Scalar } }> }
  readonly loginuid: KernelId
  readonly sessionid: Scalar
  readonly thread_pid: KernelPid
  readonly nsproxy: {
    readonly uts_ns: Namespace
    readonly ipc_ns: Namespace
    readonly mnt_ns: Namespace
    readonly net_ns: Namespace
    readonly cgroup_ns: Namespace
    readonly time_ns: Namespace
    readonly pid_ns_for_children: Namespace
  }
  readonly mm: {
    readonly arg_start: Scalar
    readonly arg_end: Scalar
    readonly env_start: Scalar
    readonly env_end: Scalar
  }
  readonly fs: { readonly pwd: PathStruct; readonly root: PathStruct }
  readonly cgroups: {
    readonly dfl_cgrp: Cgroup
    readonly subsys: Elements<{ readonly cgroup: Cgroup }>
  }
  readonly utime: Scalar
  readonly stime: Scalar
  readonly se: { readonly sum_exec_runtime: Scalar }
  readonly ioac: IoAccounting
}

export interface Bprm {
  readonly file: {
    readonly f_path: PathStruct
    readonly f_inode: { readonly i_mode: Scalar; readonly i_ino: Scalar }
  }
}

export type { Cgroup }
