/** What an offset table keeps of a kernel: whatever a process probe, a path walk or quark-btf may ask for. */

/** Members by struct or union; names that a kernel does not have are left out of its entry. */
// oxfmt-ignore
export const WANTED_MEMBERS: Readonly<Record<string, readonly string[]>> = {
  task_struct: [
    'pid', 'tgid', 'flags', 'in_execve', 'exit_code', 'start_boottime', 'real_start_time', 'comm', 'group_leader',
    'real_parent', 'cred', 'signal', 'nsproxy', 'mm', 'fs', 'cgroups', 'utime', 'stime', 'se', 'ioac', 'pids',
    'thread_pid', 'thread_info', 'sighand', 'loginuid', 'sessionid',
  ],
  thread_info: ['status'],
  signal_struct: [
    'pids', 'tty', 'live', 'flags', 'group_exit_code', 'utime', 'stime', 'sum_sched_runtime', 'maxrss', 'ioac',
    'leader_pid', 'group_exec_task', 'group_exit_task', 'oom_mm',
  ],
  sighand_struct: ['action'],
  k_sigaction: ['sa'],
  sigaction: ['sa_handler'],
  kernel_siginfo: ['si_code'],
  sched_entity: ['sum_exec_runtime'],
  task_io_accounting: ['read_bytes', 'write_bytes'],
  cred: [
    'uid', 'gid', 'suid', 'sgid', 'euid', 'egid', 'cap_inheritable', 'cap_permitted', 'cap_effective', 'cap_bset',
    'cap_ambient', 'user_ns',
  ],
  kuid_t: ['val'],
  kgid_t: ['val'],
  atomic_t: ['counter'],
  pid: ['numbers', 'level'],
  upid: ['nr', 'ns'],
  pid_link: ['node', 'pid'],
  tty_struct: ['driver', 'index'],
  tty_driver: ['major', 'minor_start'],
  nsproxy: ['uts_ns', 'ipc_ns', 'mnt_ns', 'net_ns', 'cgroup_ns', 'time_ns', 'pid_ns_for_children'],
  uts_namespace: ['ns', 'proc_inum'],
  ipc_namespace: ['ns', 'proc_inum'],
  mnt_namespace: ['ns', 'proc_inum'],
  net: ['ns', 'proc_inum'],
  user_namespace: ['ns', 'proc_inum'],
  pid_namespace: ['ns', 'proc_inum'],
  cgroup_namespace: ['ns'],
  time_namespace: ['ns'],
  ns_common: ['inum'],
  mm_struct: ['arg_start', 'arg_end', 'env_start', 'env_end', 'start_stack', 'exe_file'],
  fs_struct: ['pwd', 'root'],
  path: ['mnt', 'dentry'],
  dentry: ['d_parent', 'd_name', 'd_iname', 'd_shortname', 'd_hash', 'd_inode'],
  qstr: ['name', 'len'],
  hlist_bl_node: ['pprev'],
  vfsmount: ['mnt_root'],
  mount: ['mnt', 'mnt_parent', 'mnt_mountpoint'],
  css_set: ['dfl_cgrp', 'subsys'],
  cgroup_subsys_state: ['cgroup'],
  cgroup: ['kn', 'root'],
  cgroup_root: ['hierarchy_id'],
  kernfs_node: ['id'],
  linux_binprm: ['file', 'filename', 'interp', 'argc', 'envc', 'mm', 'cred'],
  file: ['f_path', 'f_inode'],
  inode: ['i_mode', 'i_ino'],
  pt_regs: ['orig_ax', 'cs', 'di', 'si', 'syscallno', 'orig_x0', 'regs', 'pstate'],
}

/** Enumerators by enum. */
export const WANTED_ENUMERATORS: Readonly<Record<string, readonly string[]>> = {
  pid_type: ['PIDTYPE_PID', 'PIDTYPE_TGID', 'PIDTYPE_PGID', 'PIDTYPE_SID'],
  cgroup_subsys_id: ['pids_cgrp_id'],
}

/** Functions whose parameters are kept. */
export const WANTED_FUNCTIONS: readonly string[] = [
  'wake_up_new_task',
  'taskstats_exit',
  'proc_exec_connector',
  'acct_process',
  'begin_new_exec',
  'commit_creds',
  'proc_id_connector',
  'proc_sid_connector',
  'perf_event_exit_task',
  'sched_autogroup_create_attach',
  '__set_task_comm',
]

/** Tracepoints whose parameters are kept. */
export const WANTED_TRACEPOINTS: readonly string[] = [
  'sched_process_fork',
  'sched_process_exec',
  'sched_process_exit',
  'task_rename',
  'signal_generate',
  'cgroup_mkdir',
  'cgroup_rename',
  'sys_exit',
]
