/** What rules can ask: each field is declared once. Parser, matcher, docs and suggestions follow from here. */

import { realMember } from '../event/redaction.js'
import { type EventSpec, type FieldRole, fieldsOf } from '../event/spec.js'
import { hasRole } from '../where/options.js'
import type { ProcessRecord } from '../process/entry.js'

/**
 * Which values a field takes: a number of 32 or 64 bits, or a range of those; a pattern with stars; an address or network; a
 * name of DNS; one of some words.
 */
export type RuleFieldType = 'number' | 'tag' | 'pattern' | 'network' | 'dnsName' | 'word'

/**
 * What the value of a field is a part of: the process, which stays the same until something changes it; its tag; the kind
 * of the event; the rest of the event; or processes that it descends from, which change without it.
 */
export type RuleFieldOf = 'process' | 'tag' | 'kind' | 'event' | 'ancestors'

/** What a rule is asked about. */
export interface Subject {
  readonly event: { readonly kind: string }
  readonly process: ProcessRecord | undefined
  /** Of the process; 0 for none. */
  readonly tag: bigint
  /** The parent, its parent and so on, as far as they are known. */
  readonly ancestors: readonly ProcessRecord[]
  /** What is not decided yet: it stands for all subjects that differ in this only. */
  readonly open?: ReadonlySet<RuleFieldOf>
  /** Answers about the ends of a connection, by the names of questions, while the rest of the event is open. */
  readonly ends?: ReadonlyMap<string, 'yes' | 'no'>
  /** Values that are stated, of which all others are not known, in place of those of an event. */
  readonly stated?: ReadonlyMap<string, string | number | bigint>
  /** Of a recording in which secrets are replaced: whether one that is gone was asked about. */
  readonly gone?: Gone
  /** The same, after a rule gave the process a tag. */
  withTag(tag: bigint): Subject
}

/** Set by tests that ask about a secret that is gone. */
export interface Gone {
  isAsked: boolean
}

/** A value. Undefined when it is not known: then nothing matches. */
type Value = string | number | bigint | undefined

/** A field of rules. */
export interface RuleField {
  readonly name: string
  readonly type: RuleFieldType
  readonly of: RuleFieldOf
  /** What it is: text for the docs. */
  readonly doc: string
  /** The C library has it. */
  readonly isInC?: boolean
  /** 0 is no value of it, and refused. */
  readonly isNever0?: boolean
  /** The kinds of events that may have it; absent: all. */
  readonly kinds?: ReadonlySet<string>
  /** It may have several values at once. */
  readonly isList?: boolean
  /** It is of the ends of a connection: programs have those before there is an event. */
  readonly end?: 'port' | 'address'
  /** In recordings secrets of it are replaced: then it may not be known what it was. */
  readonly mayHoldSecrets?: boolean
  readonly read: (subject: Subject) => Value | readonly Value[]
  /** As `read`, without names: what is asked about addresses alone does not depend on whether there is a name. */
  readonly readAddresses?: RuleField['read']
}

function ofProcess(read: (process: ProcessRecord) => Value | readonly Value[]): RuleField['read'] {
  return ({ process }) => (process === undefined ? undefined : read(process))
}

function ofAncestors(read: (process: ProcessRecord) => Value): RuleField['read'] {
  return ({ ancestors }) => ancestors.map(read)
}

/** Fields that are not made of events' own. */
const FIELDS: readonly RuleField[] = [
  {
    name: 'process.pid',
    of: 'process',
    type: 'number',
    isInC: true,
    isNever0: true,
    doc: 'pid',
    read: ofProcess((p) => p.pid),
  },
  { name: 'process.ppid', of: 'process', type: 'number', isInC: true, isNever0: true, doc: 'pid of the parent', read: ofProcess((p) => p.ppid) }, // prettier-ignore
  {
    name: 'process.uid',
    of: 'process',
    type: 'number',
    isInC: true,
    doc: 'real uid',
    read: ofProcess((p) => p.uid),
  },
  {
    name: 'process.gid',
    of: 'process',
    type: 'number',
    isInC: true,
    doc: 'real gid',
    read: ofProcess((p) => p.gid),
  },
  {
    name: 'process.sid',
    of: 'process',
    type: 'number',
    isInC: true,
    doc: 'session',
    read: ofProcess((p) => p.sid),
  },
  {
    name: 'process.exe',
    of: 'process',
    type: 'pattern',
    isInC: true,
    doc: 'path of the program',
    read: ofProcess((p) => p.exe),
  },
  { name: 'file.path', of: 'event', type: 'pattern', isInC: true, doc: 'path of the file that the event is about', mayHoldSecrets: true, read: byMember('path') }, // prettier-ignore
  { name: 'poison', of: 'tag', type: 'tag', isInC: true, isNever0: true, doc: 'tag that a rule gave to the process or one that it descends from', read: ({ tag }) => tag }, // prettier-ignore
  {
    name: 'process.euid',
    of: 'process',
    type: 'number',
    doc: 'effective uid',
    read: ofProcess((p) => p.euid),
  },
  {
    name: 'process.egid',
    of: 'process',
    type: 'number',
    doc: 'effective gid',
    read: ofProcess((p) => p.egid),
  },
  {
    name: 'process.pgid',
    of: 'process',
    type: 'number',
    doc: 'process group',
    read: ofProcess((p) => p.pgid),
  },
  {
    name: 'process.loginuid',
    of: 'process',
    type: 'number',
    doc: 'uid of who logged in',
    read: ofProcess((p) => p.loginUid),
  },
  {
    name: 'process.comm',
    of: 'process',
    type: 'pattern',
    doc: 'name, at most 15 bytes',
    read: ofProcess((p) => p.comm),
  },
  {
    name: 'process.arg',
    of: 'process',
    isList: true,
    type: 'pattern',
    mayHoldSecrets: true,
    doc: 'one of the arguments',
    read: ofProcess((p) => p.realArgv),
  },
  { name: 'process.command', of: 'process', type: 'pattern', mayHoldSecrets: true, doc: 'all arguments with blanks between them', read: ofProcess((p) => p.realArgv?.join(' ')) }, // prettier-ignore
  {
    name: 'process.cwd',
    of: 'process',
    type: 'pattern',
    doc: 'working directory',
    read: ofProcess((p) => p.cwd),
  },
  {
    name: 'process.cgroup',
    of: 'process',
    type: 'pattern',
    doc: 'path of the cgroup',
    read: ofProcess((p) => p.cgroup),
  },
  {
    name: 'process.tty',
    of: 'process',
    type: 'pattern',
    doc: 'name of the terminal, such as pts/3',
    read: ofProcess((p) => p.ttyName),
  },
  {
    name: 'ancestor.pid',
    of: 'ancestors',
    isList: true,
    type: 'number',
    doc: 'pid of a process that it descends from',
    read: ofAncestors((p) => p.pid),
  },
  { name: 'ancestor.exe', of: 'ancestors', isList: true, type: 'pattern', doc: 'program of a process that it descends from', read: ofAncestors((p) => p.exe) }, // prettier-ignore
  { name: 'ancestor.comm', of: 'ancestors', isList: true, type: 'pattern', doc: 'name of a process that it descends from', read: ofAncestors((p) => p.comm) }, // prettier-ignore
  { name: 'container.id', of: 'process', type: 'pattern', doc: 'container, as the path of the cgroup has its id', read: ofProcess((p) => p.container?.id) }, // prettier-ignore
  {
    name: 'namespace.pid',
    of: 'process',
    type: 'number',
    doc: 'inode number of the pid namespace',
    read: ofProcess((p) => p.pidNs),
  },
  {
    name: 'namespace.net',
    of: 'process',
    type: 'number',
    doc: 'inode number of the network namespace',
    read: ofProcess((p) => p.netNs),
  },
  {
    name: 'namespace.mnt',
    of: 'process',
    type: 'number',
    doc: 'inode number of the mount namespace',
    read: ofProcess((p) => p.mntNs),
  },
  {
    name: 'namespace.user',
    of: 'process',
    type: 'number',
    doc: 'inode number of the user namespace',
    read: ofProcess((p) => p.userNs),
  },
  { name: 'event.kind', of: 'kind', type: 'word', doc: 'kind of the event', read: ({ event }) => event.kind },
  {
    name: 'event.action',
    of: 'event',
    isList: true,
    type: 'word',
    doc: 'one of its actions',
    read: ({ event }) => actionsOf(event),
  },
]

/** Fields that events declare by their roles. */
const BY_ROLE: readonly (Omit<RuleField, 'read'> & { readonly role: FieldRole })[] = [
  {
    name: 'socket.port',
    of: 'event',
    type: 'number',
    role: 'port',
    end: 'port',
    doc: 'port of one of the ends',
  },
  {
    name: 'socket.host',
    of: 'event',
    type: 'network',
    role: 'host',
    end: 'address',
    doc: 'address of one of the ends, or a name of it',
  },
  { name: 'dns.name', of: 'event', type: 'dnsName', role: 'dnsName', doc: 'name that was asked for' },
]

/** A member of the event, whatever its kind, if it has one of that name. */
function byMember(name: string): RuleField['read'] {
  return ({ event }) => realMember(event, name) as string | undefined
}

function actionsOf(event: object): Value | readonly Value[] {
  const { actions, action } = event as { readonly actions?: readonly string[]; readonly action?: string }
  return actions ?? action
}

/** All fields, of which those of events' own read what these specs declare. */
export function ruleFields(specs: readonly EventSpec[]): ReadonlyMap<string, RuleField> {
  const members = FIELDS.map((field): RuleField => {
    const names = MEMBERS[field.name]
    return names === undefined || specs.length === 0 ? field : { ...field, kinds: kindsWith(specs, names) }
  })
  const byRole = BY_ROLE.map(({ role, ...field }): RuleField => ({
    ...field,
    isList: true,
    kinds: new Set(specs.filter((spec) => hasRole(spec, role)).map(({ kind }) => kind)),
    read: readRole(role, specs),
    ...(role === 'host' ? { readAddresses: readRole(role, specs, 'dnsName') } : {}),
  }))
  return new Map([...members, ...byRole].map((field) => [field.name, field]))
}

/** Members of events that fields read by their names. */
const MEMBERS: Readonly<Record<string, readonly string[]>> = {
  'file.path': ['path'],
  'event.action': ['action', 'actions'],
}

function kindsWith(specs: readonly EventSpec[], names: readonly string[]): ReadonlySet<string> {
  const having = specs.filter((spec) => fieldsOf(spec).some(([name]) => names.includes(name)))
  return new Set(having.map(({ kind }) => kind))
}

function readRole(role: FieldRole, specs: readonly EventSpec[], without?: FieldRole): RuleField['read'] {
  const isMeant = (roles: readonly FieldRole[]): boolean =>
    roles.includes(role) && (without === undefined || !roles.includes(without))
  const readers = new Map(
    specs.map((spec) => [spec.kind as string, fieldsOf(spec).filter(([, { roles = [] }]) => isMeant(roles))]),
  )
  return ({ event }) =>
    (readers.get(event.kind) ?? []).flatMap(([name, { read }]) => {
      const value = read === undefined ? (event as unknown as Record<string, unknown>)[name] : read(event)
      return value as Value | readonly Value[]
    })
}
