/** What the members of a process mean, for all kinds whose events have one. */

import type { ObjectSpec } from '../event/spec.js'
import type { Process } from './process.js'
import { processRelatives, usageObject } from './spec-parts.js'

/** A process as it was when an event happened. */
export const processObject: ObjectSpec<Process> = {
  name: 'process',
  doc: 'A process as it was when the event happened',
  place: 'process',
  fields: {
    pid: {
      type: 'pid',
      read: (p) => p.pid,
      doc: "the kernel's tgid, in the initial pid namespace",
      isAlwaysKnown: true,
      ecs: { path: 'process.pid', reach: 'references' },
      attribute: 'process.pid',
    },
    entityId: {
      type: 'string',
      read: (p) => p.entityId,
      doc: '16 characters; the same for one process in all events',
      text: 'PROC.id entity_id',
      ecs: { path: 'process.entity_id', reach: 'references' },
    },
    startTimeNs: {
      type: 'time',
      read: (p) => p.startTimeNs,
      doc: 'when it began; cut to 10 ms when it is from /proc',
      json: 'startTime',
      text: 'PROC.start time_boot',
      ecs: { path: 'process.start', reach: 'references' },
      attribute: 'process.creation.time',
    },
    ppid: {
      type: 'pid',
      read: (p) => p.ppid,
      doc: 'its parent',
      text: 'PROC ppid',
      attribute: 'process.parent_pid',
    },
    pgid: {
      type: 'pid',
      read: (p) => p.pgid,
      doc: 'leader of its group',
      text: 'PROC.ids pgid',
      attribute: 'process.group_leader.pid',
    },
    sid: {
      type: 'pid',
      read: (p) => p.sid,
      doc: 'leader of its session',
      text: 'PROC.ids sid',
      attribute: 'process.session_leader.pid',
    },
    uid: {
      type: 'uid',
      read: (p) => p.uid,
      doc: 'real user',
      text: 'PROC.ids uid',
      ecs: { path: 'process.real_user', reach: 'relatives' },
      attribute: 'process.real_user.id',
    },
    euid: {
      type: 'uid',
      read: (p) => p.euid,
      doc: 'effective user',
      text: 'PROC.ids euid',
      ecs: [
        { path: 'process.user', reach: 'relatives' },
        { path: 'user', doc: 'effective user: whose rights the process has' },
      ],
      attribute: 'process.user.id',
    },
    suid: {
      type: 'uid',
      read: (p) => p.suid,
      doc: 'saved user',
      text: 'PROC.ids suid',
      ecs: { path: 'process.saved_user', reach: 'relatives' },
      attribute: 'process.saved_user.id',
    },
    gid: {
      type: 'gid',
      read: (p) => p.gid,
      doc: 'real group',
      text: 'PROC.ids gid',
      ecs: { path: 'process.real_group', reach: 'relatives' },
    },
    egid: {
      type: 'gid',
      read: (p) => p.egid,
      doc: 'effective group',
      text: 'PROC.ids egid',
      ecs: [{ path: 'process.group', reach: 'relatives' }, 'user.group'],
    },
    sgid: {
      type: 'gid',
      read: (p) => p.sgid,
      doc: 'saved group',
      text: 'PROC.ids sgid',
      ecs: { path: 'process.saved_group', reach: 'relatives' },
    },
    capInheritable: {
      type: 'capabilities',
      read: (p) => p.capInheritable,
      doc: 'inheritable capabilities',
      text: 'PROC.caps cap_inheritable',
      ecs: 'quark.capabilities.inheritable',
    },
    capPermitted: {
      type: 'capabilities',
      read: (p) => p.capPermitted,
      doc: 'permitted capabilities',
      text: 'PROC.caps cap_permitted',
      ecs: 'process.thread.capabilities.permitted',
    },
    capEffective: {
      type: 'capabilities',
      read: (p) => p.capEffective,
      doc: 'effective capabilities',
      text: 'PROC.caps cap_effective',
      ecs: 'process.thread.capabilities.effective',
    },
    capBounding: {
      type: 'capabilities',
      read: (p) => p.capBounding,
      doc: 'the most that an exec can give it',
      text: 'PROC.bounds cap_bset',
      ecs: 'quark.capabilities.bounding',
    },
    capAmbient: {
      type: 'capabilities',
      read: (p) => p.capAmbient,
      doc: 'ambient capabilities',
      text: 'PROC.bounds cap_ambient',
      ecs: 'quark.capabilities.ambient',
    },
    capabilitiesInUserNs: {
      type: 'flag',
      read: (p) => p.capabilitiesInUserNs,
      doc: 'the capabilities hold only in its user namespace, which is not the initial one',
      text: 'PROC.user caps_in_user_ns',
      ecs: 'quark.capabilities.in_user_namespace',
    },
    ttyMajor: {
      type: 'number',
      read: (p) => p.ttyMajor,
      doc: 'controlling terminal; 0 and 0 without one',
      text: 'PROC.start tty_major',
      ecs: [
        {
          path: 'process.interactive',
          as: 'boolean',
          value: isInteractive,
          reach: 'relatives',
          doc: 'the controlling terminal is a pseudo-terminal, a virtual console or a serial line',
        },
        {
          path: 'process.tty.char_device.major',
          // ECS reads the presence of `tty` as a session with a terminal.
          value: (p) => (hasTerminal(p) ? p.ttyMajor : undefined),
          reach: 'relatives',
          doc: 'the controlling terminal; absent without one',
        },
      ],
    },
    ttyMinor: {
      type: 'number',
      read: (p) => p.ttyMinor,
      doc: 'as `ttyMajor`',
      text: 'PROC.start tty_minor',
      ecs: {
        path: 'process.tty.char_device.minor',
        value: (p) => (hasTerminal(p) ? p.ttyMinor : undefined),
        reach: 'relatives',
      },
    },
    utsNs: {
      type: 'number',
      read: (p) => p.utsNs,
      doc: 'inode of the UTS namespace',
      text: 'PROC.ns uts_inonum',
      ecs: 'quark.namespaces.uts',
    },
    ipcNs: {
      type: 'number',
      read: (p) => p.ipcNs,
      doc: 'inode of the IPC namespace',
      text: 'PROC.ns ipc_inonum',
      ecs: 'quark.namespaces.ipc',
    },
    mntNs: {
      type: 'number',
      read: (p) => p.mntNs,
      doc: 'inode of the mount namespace',
      text: 'PROC.mnt mnt_inonum',
      ecs: 'quark.namespaces.mnt',
    },
    netNs: {
      type: 'number',
      read: (p) => p.netNs,
      doc: 'inode of the network namespace',
      text: 'PROC.mnt net_inonum',
      ecs: 'quark.namespaces.net',
    },
    userNs: {
      type: 'number',
      read: (p) => p.userNs,
      doc: 'inode of the user namespace',
      text: 'PROC.user user_inonum',
      ecs: 'quark.namespaces.user',
    },
    pidNs: {
      type: 'number',
      read: (p) => p.pidNs,
      doc: 'inode of the pid namespace',
      text: 'PROC.user pid_inonum',
      ecs: 'quark.namespaces.pid',
    },
    cgroupNs: {
      type: 'number',
      read: (p) => p.cgroupNs,
      doc: 'inode of the cgroup namespace',
      text: 'PROC.cgns cgroup_inonum',
      ecs: 'quark.namespaces.cgroup',
    },
    timeNs: {
      type: 'number',
      read: (p) => p.timeNs,
      doc: 'inode of the time namespace',
      text: 'PROC.cgns time_inonum',
      ecs: 'quark.namespaces.time',
    },
    cgroup: {
      type: 'string',
      read: (p) => p.cgroup,
      doc: 'path within the hierarchy',
      text: 'CGRP cgroup',
      ecs: 'quark.cgroup',
      attribute: 'process.linux.cgroup',
    },
    comm: {
      type: 'string',
      read: (p) => p.comm,
      doc: 'at most 15 bytes',
      text: 'COMM comm',
      ecs: { path: 'process.name', reach: 'relatives' },
      attribute: 'process.executable.name',
    },
    exe: {
      type: 'string',
      read: (p) => p.exe,
      doc: 'path, from `root`; `memfd:name` for files without a place',
      text: 'EXE exe',
      ecs: { path: 'process.executable', reach: 'relatives' },
      attribute: 'process.executable.path',
    },
    exeDeleted: {
      type: 'flag',
      read: (p) => p.exeDeleted,
      doc: 'the file was unlinked when it was executed',
      text: 'EXE.deleted deleted',
      ecs: 'quark.executable_deleted',
    },
    cwd: {
      type: 'string',
      read: (p) => p.cwd,
      doc: 'working directory, from `root`',
      text: 'CWD cwd',
      ecs: { path: 'process.working_directory', reach: 'relatives' },
      attribute: 'process.working_directory',
    },
    root: {
      type: 'string',
      read: (p) => p.root,
      doc: 'root directory: `/` unless the process is in a chroot',
      text: { at: 'ROOT root', value: (p) => (p.root === '/' ? undefined : p.root) },
      ecs: 'quark.root',
    },
    argv: {
      type: 'strings',
      read: (p) => p.argv,
      doc: 'arguments, as far as they were captured',
      mayHoldSecrets: true,
      text: 'CMDL cmdline',
      ecs: [
        { path: 'process.args', reach: 'relatives' },
        { path: 'process.args_count', as: 'count', reach: 'relatives', doc: 'number of them' },
        {
          path: 'process.command_line',
          as: 'joined',
          reach: 'relatives',
          doc: 'arguments joined by spaces; `process.args` is exact',
        },
      ],
      attribute: 'process.command_args',
    },
    argvBytes: {
      type: 'bytes',
      doc: 'argv as the kernel has it',
      mayHoldSecrets: true,
      json: null,
    },
    argvTruncated: {
      type: 'flag',
      read: (p) => p.argvTruncated,
      doc: '`argv` was cut at the limit',
      text: 'CMDL.cut truncated',
      ecs: 'quark.args_truncated',
    },
    argvSizeBytes: {
      type: 'number',
      read: (p) => p.argvSizeBytes,
      unit: 'bytes',
      doc: 'size of all of argv',
      text: { at: 'CMDL.cut size', value: (p) => (p.argvTruncated ? p.argvSizeBytes : undefined) },
      ecs: 'quark.args_size_bytes',
    },
    env: {
      type: 'strings',
      read: (p) => p.env,
      doc: '`NAME=value`; only when it was asked for',
      mayHoldSecrets: true,
      text: { at: 'ENV env_len', type: 'number', value: envSizeBytes },
      ecs: 'process.env_vars',
    },
    envTruncated: {
      type: 'flag',
      read: (p) => p.envTruncated,
      doc: '`env` was cut at the limit',
      text: 'ENV truncated',
      ecs: 'quark.env_truncated',
    },
    envSizeBytes: {
      type: 'number',
      read: (p) => p.envSizeBytes,
      unit: 'bytes',
      doc: 'size of all of the environment',
      ecs: 'quark.env_size_bytes',
    },
    exitCode: {
      type: 'number',
      read: (p) => p.exitCode,
      max: 255,
      doc: 'exit status; absent when a signal ended the process',
      text: 'EXIT exit_code',
      ecs: { path: 'process.exit_code', reach: 'parent' },
      attribute: 'process.exit.code',
    },
    exitSignal: {
      type: 'signal',
      read: (p) => p.exitSignal,
      doc: 'the signal that ended it',
      text: 'EXIT signal',
      ecs: [
        'quark.exit.signal',
        { path: 'quark.exit.signal_name', as: 'name', doc: 'name of the signal that ended it' },
      ],
    },
    coreDumped: {
      type: 'flag',
      read: (p) => p.coreDumped,
      doc: 'its memory was written to a core file',
      text: { at: 'EXIT core', type: 'boolean', value: coreDumped },
      ecs: { path: 'quark.exit.core_dumped', as: 'boolean', value: coreDumped },
    },
    exitTimeNs: {
      type: 'time',
      read: (p) => p.exitTimeNs,
      doc: 'when it ended',
      json: 'exitTime',
      text: 'EXIT exit_time',
      ecs: { path: 'process.end', reach: 'parent' },
      attribute: 'process.exit.time',
    },
    durationNs: { type: 'duration', read: (p) => p.durationNs, unit: 'ns', doc: 'from start to exit' },
    usage: {
      type: 'object',
      read: (p) => p.usage,
      object: usageObject,
      doc: 'what it used; only when it was asked for',
      ecs: 'quark.usage',
    },
  },
  lines: [
    'COMM',
    'CMDL',
    'CMDL.cut',
    'PROC',
    'PROC.ids uid gid suid sgid euid egid pgid sid',
    'PROC.caps',
    'PROC.bounds',
    'PROC.start',
    'PROC.ns',
    'PROC.mnt',
    'PROC.user user_inonum pid_inonum caps_in_user_ns',
    'PROC.cgns',
    'PROC.id',
    'CWD',
    'ROOT',
    'EXE',
    'EXE.deleted',
    'ENV',
    'CGRP',
    'EXIT',
  ],
  // oxfmt-ignore
  paths: [
    'process.pid', 'process.entity_id', 'process.start', 'process.name', 'process.executable', 'process.args',
    'process.args_count', 'process.command_line', 'process.working_directory', 'process.interactive',
    'process.tty', 'process.user', 'process.group', 'process.real_user', 'process.real_group',
    'process.saved_user', 'process.saved_group', 'process.end', 'process.exit_code', 'process.env_vars',
    'process.thread', 'quark.cgroup', 'quark.root', 'quark.executable_deleted', 'quark.args_truncated',
    'quark.args_size_bytes', 'quark.env_truncated', 'quark.env_size_bytes', 'quark.capabilities',
    'quark.namespaces',
  ],
  relatives: processRelatives,
}

function hasTerminal({ ttyMajor, ttyMinor }: Process): boolean {
  return ttyMajor !== undefined && ttyMajor !== 0 && ttyMinor !== undefined
}

/** Pseudo-terminals (majors 136 to 143), virtual consoles and serial lines; not /dev/console (major 5). */
function isInteractive({ ttyMajor: major, ttyMinor: minor }: Process): boolean | undefined {
  if (major === undefined || minor === undefined) return undefined
  return (major >= 136 && major <= 143) || (major === 4 && minor <= 255)
}

function coreDumped({ exitSignal, coreDumped }: Process): boolean | undefined {
  return exitSignal === undefined ? undefined : coreDumped
}

/** Size of all strings with their ends. */
function envSizeBytes({ env, envSizeBytes }: Process): number | undefined {
  if (env === undefined) return undefined
  return envSizeBytes ?? env.reduce((size, string) => size + Buffer.byteLength(string) + 1, 0)
}
