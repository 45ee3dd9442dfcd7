/**
 * The filters: each is declared once. Their types, checks, the options of the command with help and manual page, and the
 * table of docs/filters.md follow from here.
 */

import type { FieldRole } from '../event/spec.js'
import type { CommandForm } from '../options/spec.js'

/** One value or several: several mean any of them. */
export type OneOrMore<T> = T | readonly T[]

/** Which values a filter takes. */
export type PredicateType =
  | 'pids'
  | 'users'
  | 'uids'
  | 'globs'
  | 'paths'
  | 'cgroups'
  | 'containers'
  | 'kinds'
  | 'actions'
  | 'ports'
  | 'hosts'
  | 'names'
  | 'flag'
  | 'ms'

/**
 * When a filter can decide: in the kernel where the backend has a set of tracked processes, on the kind of the event, on
 * fields of a role, on its process as it is afterwards, or on all records that were joined. None needs the event to be
 * built.
 */
export type Decides = 'kernel' | 'kind' | 'fields' | 'process' | 'joined'

/** A filter. */
export interface PredicateSpec {
  readonly type: PredicateType
  /** What passes: text for the docs. */
  readonly doc: string
  readonly decides: Decides
  /** Members of the event or of its process that it reads. */
  readonly reads?: readonly string[]
  /** In place of that: what the fields of events are declared to be which it reads. */
  readonly role?: FieldRole
  readonly command: CommandForm
}

const group = 'filter'

export const predicates = {
  treeOf: {
    type: 'pids',
    doc: 'processes with one of these pids and their descendants, also those whose parents end first',
    decides: 'kernel',
    reads: ['pid', 'creatorPid', 'ppid'],
    command: {
      group,
      long: 'tree-of',
      argument: 'PID',
      help: 'show only this process and its descendants, also those whose parents end first',
      more: 'With eBPF the kernel leaves out all others.',
    },
  },
  ppid: {
    type: 'pids',
    doc: 'processes whose parent has one of these pids, or had it when they were made; also those whose parent is not known',
    decides: 'process',
    reads: ['ppid', 'creatorPid'],
    command: {
      group,
      long: 'ppid',
      short: 'P',
      argument: 'PID',
      help: 'show only processes whose parent is this one',
      more: 'Events without a known parent are shown too.',
    },
  },
  user: {
    type: 'users',
    doc: 'processes of one of these users, by name or uid: their real uid',
    decides: 'process',
    reads: ['uid'],
    command: {
      group,
      long: 'user',
      short: 'u',
      argument: 'USER',
      help: 'show only processes of this user, by name or uid',
      more: 'It is the real uid that counts: that of who started a set-uid program.',
    },
  },
  uid: {
    type: 'uids',
    doc: 'processes whose real uid is in one of these ranges: `1000`, `"0-999"`, `"1000-"`',
    decides: 'process',
    reads: ['uid'],
    command: {
      group,
      long: 'uid',
      argument: 'RANGE',
      help: 'show only processes whose real uid is in this range, such as 0-999 or 1000-',
    },
  },
  comm: {
    type: 'globs',
    doc: 'processes whose name (comm) matches one of these globs',
    decides: 'process',
    reads: ['comm'],
    command: {
      group,
      long: 'comm',
      argument: 'GLOB',
      help: "show only processes whose name (comm) matches, such as 'python*'",
    },
  },
  exe: {
    type: 'paths',
    doc: 'processes whose executable matches one of these globs',
    decides: 'process',
    reads: ['exe'],
    command: {
      group,
      long: 'exe',
      argument: 'GLOB',
      help: "show only processes whose executable matches, such as '/usr/**'; without a slash: its file name",
    },
  },
  ancestor: {
    type: 'paths',
    doc: 'processes that descend from one whose name or executable matches one of these globs, as far as their parents are known',
    decides: 'process',
    reads: ['ppid'],
    command: {
      group,
      long: 'ancestor',
      argument: 'GLOB',
      help: 'show only processes below one whose name or executable matches, such as sshd',
      more: 'A process whose parents have ended is below process 1.',
    },
  },
  cwd: {
    type: 'paths',
    doc: 'processes whose working directory matches one of these globs',
    decides: 'process',
    reads: ['cwd'],
    command: {
      group,
      long: 'cwd',
      argument: 'GLOB',
      help: 'show only processes whose working directory matches; without a slash: its last part',
    },
  },
  cgroup: {
    type: 'cgroups',
    doc: 'processes in one of these cgroups or below',
    decides: 'process',
    reads: ['cgroup'],
    command: {
      group,
      long: 'cgroup',
      argument: 'PATH',
      help: 'show only processes in this cgroup or below, such as /system.slice',
    },
  },
  container: {
    type: 'containers',
    doc: 'processes in one of these containers, by id as in the path of the cgroup, or its first 8 or more characters',
    decides: 'process',
    reads: ['cgroup'],
    command: {
      group,
      long: 'container',
      argument: 'ID',
      help: 'show only processes in this container, by its id or the beginning of it',
      more: 'The id is the one in the path of the cgroup, whose first 8 characters are enough.',
    },
  },
  port: {
    type: 'ports',
    doc: 'events with one of these ports, on this end or the other: `443`, `"8000-8999"`',
    decides: 'fields',
    role: 'port',
    command: {
      group,
      long: 'port',
      argument: 'PORT',
      help: 'show only events with this port, on either end, such as 443 or 8000-8999',
      more: 'Several with commas between.',
    },
  },
  host: {
    type: 'hosts',
    doc: 'events whose other end has one of these addresses, is in one of these networks, or has a name that matches: `192.0.2.1`, `10.0.0.0/8`, `2001:db8::/32`, `*.example.org`',
    decides: 'fields',
    role: 'host',
    command: {
      group,
      long: 'host',
      argument: 'HOST',
      help: 'show only events whose other end is this address, network or name, such as 10.0.0.0/8 or *.example.org',
      more: 'Several with commas between. A name is one that is known of the address; it may be a glob.',
    },
  },
  dnsName: {
    type: 'names',
    doc: 'events about a name of DNS that matches one of these globs, whatever the case',
    decides: 'fields',
    role: 'dnsName',
    command: {
      group,
      long: 'dns-name',
      argument: 'GLOB',
      help: "show only events about a name of DNS that matches, such as '*.example.org'",
    },
  },
  path: {
    type: 'paths',
    doc: 'events about a file whose path matches one of these globs, also of a move the path before',
    decides: 'fields',
    role: 'path',
    command: {
      group,
      long: 'path',
      argument: 'GLOB',
      help: "show only events about files whose path matches, such as '/etc/**'; without a slash: the last part",
    },
  },
  event: {
    type: 'kinds',
    doc: 'events of these kinds',
    decides: 'kind',
    reads: ['kind'],
    command: {
      group,
      long: 'event',
      argument: 'KIND',
      help: 'show only events of this kind',
    },
  },
  action: {
    type: 'actions',
    doc: 'events in which one of these happened, whatever else did',
    decides: 'joined',
    reads: ['actions', 'action'],
    command: {
      group,
      long: 'action',
      argument: 'ACTION',
      help: 'show only events in which this happened',
    },
  },
  failed: {
    type: 'flag',
    doc: 'processes that ended with another exit status than 0 or by a signal, and execs and connections that failed',
    decides: 'joined',
    reads: ['exitCode', 'exitSignal'],
    command: {
      group,
      long: 'failed',
      help: 'show only what failed: processes that ended with an error or by a signal, execs, connections',
      more: 'Execs that failed are reported with --failed-execs only, and connections with --sock-conn.',
    },
  },
  longerThanMs: {
    type: 'ms',
    doc: 'processes that ended and had run for longer than this many ms, and connections that were closed and had lasted so long',
    decides: 'joined',
    reads: ['durationNs'],
    command: {
      group,
      long: 'longer-than',
      argument: 'TIME',
      help: 'show only what ended and had lasted longer than this, such as 200ms, 5s or 2m',
    },
  },
} as const satisfies Readonly<Record<keyof Where, PredicateSpec>>

/** Name of a filter. */
export type PredicateName = keyof typeof predicates

/** Which events are delivered: those that pass all of these. Events of losses always pass. */
export interface Where<Kind extends string = string, Action extends string = string> {
  /** A pid, with all descendants, also those whose parents end first. It must run when the queue is opened. */
  readonly treeOf?: OneOrMore<number> | undefined
  /** Pid of the parent, now or when the process was made. Processes whose parent is not known pass. */
  readonly ppid?: OneOrMore<number> | undefined
  /** Name or uid of the user: the real uid counts. */
  readonly user?: OneOrMore<string | number> | undefined
  /** Real uid, or a range of them: `'0-999'`, `'1000-'`. */
  readonly uid?: OneOrMore<number | string> | undefined
  /** Glob for the name. */
  readonly comm?: OneOrMore<string> | undefined
  /** Glob for the path of the executable; without a slash, for its file name. */
  readonly exe?: OneOrMore<string> | undefined
  /** Glob for the name or executable of a process that it descends from; with a slash, only for the executable. */
  readonly ancestor?: OneOrMore<string> | undefined
  /** Glob for the working directory; without a slash, for its last part. */
  readonly cwd?: OneOrMore<string> | undefined
  /** Path of a cgroup: those in it and below pass. */
  readonly cgroup?: OneOrMore<string> | undefined
  /** Id of a container as in the path of its cgroup, or the first 8 or more characters of it. */
  readonly container?: OneOrMore<string> | undefined
  /** A port of either end, or a range of them: `'8000-8999'`. */
  readonly port?: OneOrMore<number | string> | undefined
  /** Address, network (`'10.0.0.0/8'`) or name of the other end; a name may be a glob, and case does not count. */
  readonly host?: OneOrMore<string> | undefined
  /** Glob for a name of DNS; case does not count. */
  readonly dnsName?: OneOrMore<string> | undefined
  /** Glob for the path of the file that an event is about; without a slash, for its last part. */
  readonly path?: OneOrMore<string> | undefined
  /** Kind of the event. */
  readonly event?: OneOrMore<Kind> | undefined
  /** What happened, whatever else did. */
  readonly action?: OneOrMore<Action> | undefined
  /** Only failures: processes that ended with another status than 0 or by a signal, failed execs and connections. */
  readonly failed?: boolean | undefined
  /** Only processes that ended, and connections that were closed, and had lasted longer than this. */
  readonly longerThanMs?: number | undefined
}
