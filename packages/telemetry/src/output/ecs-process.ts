import type { Process, ProcessUsage } from '../process/process.js'
import type { EcsHost } from './ecs-host.js'
import { bool, flag, num, obj, str, strs, time } from './fragments.js'
import { capabilityNames, signalName } from './names.js'

/** What documents say beyond the event itself. */
export interface EcsContext {
  /** Written into every document when it is given. */
  readonly host?: EcsHost
  userName(this: void, uid: number): string | undefined
  groupName(this: void, gid: number): string | undefined
  /** The newest process with that pid; for parents and leaders. */
  lookup(this: void, pid: number): Process | undefined
}

/** A start time from /proc is cut to clock ticks, so a parent may seem this much younger than its child. */
const CLOCK_TICK_NS = 10_000_000n

/** Members of `process` for the process of an event; `thread` holds members of `process.thread`. */
export function processFields(p: Process, context: EcsContext, thread: string): string {
  const common = commonFields(p, context)
  return (
    common +
    endFields(p) +
    strs('env_vars', p.env) +
    obj('thread', thread + capabilityFields(p)) +
    parentFields(p, context) +
    groupLeaderFields(p, common, context) +
    sessionLeaderFields(p, common, context)
  )
}

/** Members of `quark` for the process of an event: what ECS has no field for. */
export function unnamedFields(p: Process | undefined): string {
  if (p === undefined) return ''
  const signal = p.exitSignal
  return (
    str('cgroup', p.cgroup) +
    str('root', p.root) +
    flag('executable_deleted', p.exeDeleted) +
    flag('args_truncated', p.argvTruncated) +
    num('args_size_bytes', p.argvSizeBytes) +
    flag('env_truncated', p.envTruncated) +
    num('env_size_bytes', p.envSizeBytes) +
    obj(
      'capabilities',
      capabilities('inheritable', p.capInheritable) +
        capabilities('bounding', p.capBounding) +
        capabilities('ambient', p.capAmbient),
    ) +
    obj('namespaces', num('uts', p.utsNs) + num('ipc', p.ipcNs) + num('mnt', p.mntNs) + num('net', p.netNs)) +
    (signal === undefined
      ? ''
      : obj(
          'exit',
          num('signal', signal) + str('signal_name', signalName(signal)) + bool('core_dumped', p.coreDumped),
        )) +
    usageFields(p.usage)
  )
}

/** What ECS has for a process, its parent and its leaders alike. */
function commonFields(p: Process, context: EcsContext): string {
  return (
    num('pid', p.pid) +
    str('entity_id', p.entityId) +
    time('start', p.startTimeNs) +
    str('name', p.comm) +
    str('executable', p.exe) +
    strs('args', p.argv) +
    num('args_count', p.argv?.length) +
    str('command_line', p.argv?.join(' ')) +
    str('working_directory', p.cwd) +
    terminalFields(p) +
    userFields(p, context)
  )
}

function terminalFields({ ttyMajor: major, ttyMinor: minor }: Process): string {
  if (major === undefined || minor === undefined) return ''
  // ECS reads the presence of `tty` as a session with a terminal.
  const tty = major === 0 ? '' : obj('tty', obj('char_device', num('major', major) + num('minor', minor)))
  return bool('interactive', isTerminal(major, minor)) + tty
}

/** Pseudo-terminals (majors 136 to 143), virtual consoles and serial lines; not /dev/console (major 5). */
function isTerminal(major: number, minor: number): boolean {
  return (major >= 136 && major <= 143) || (major === 4 && minor <= 255)
}

function userFields(p: Process, { userName, groupName }: EcsContext): string {
  return (
    named('user', p.euid, userName) +
    named('group', p.egid, groupName) +
    named('real_user', p.uid, userName) +
    named('real_group', p.gid, groupName) +
    named('saved_user', p.suid, userName) +
    named('saved_group', p.sgid, groupName)
  )
}

function named(key: string, id: number | undefined, nameOf: (id: number) => string | undefined): string {
  return id === undefined ? '' : `,"${key}":{"id":"${id}"${str('name', nameOf(id))}}`
}

function endFields(p: Process): string {
  return time('end', p.exitTimeNs) + num('exit_code', p.exitCode)
}

function capabilityFields(p: Process): string {
  return obj(
    'capabilities',
    capabilities('permitted', p.capPermitted) + capabilities('effective', p.capEffective),
  )
}

// A machine has few different sets (none, all, one per confined service), and their names are long.
const MOST_REMEMBERED_SETS = 256
const rememberedSets = new Map<bigint, string>()

function capabilities(key: string, set: bigint | undefined): string {
  if (set === undefined) return ''
  let names = rememberedSets.get(set)
  if (names === undefined) {
    const list = capabilityNames(set)
    names = list.length === 0 ? '' : `"${list.join('","')}"`
    if (rememberedSets.size < MOST_REMEMBERED_SETS) rememberedSets.set(set, names)
  }
  return `,"${key}":[${names}]`
}

function parentFields(p: Process, context: EcsContext): string {
  if (p.ppid === undefined || p.ppid === 0) return ''
  const parent = older(p, p.ppid, context)
  const more =
    parent === undefined
      ? ''
      : endFields(parent) + obj('group_leader', referenceFields(parent.pgid, groupLeaderOf(parent, context)))
  return obj('parent', relatedFields(p.ppid, parent, context) + more)
}

/**
 * Common members of parents and leaders: a shell that starts a thousand processes is in the documents of all of
 * them. A process that was given out never changes, so its text does not either.
 */
const relatedTexts = new WeakMap<EcsContext, WeakMap<Process, string>>()

/** The common members, or the pid alone when the table does not have the process. */
function relatedFields(pid: number, p: Process | undefined, context: EcsContext): string {
  if (p === undefined) return num('pid', pid)
  let texts = relatedTexts.get(context)
  if (texts === undefined) relatedTexts.set(context, (texts = new WeakMap()))
  let text = texts.get(p)
  if (text === undefined) texts.set(p, (text = commonFields(p, context)))
  return text
}

/** `own` are the common members of `p` itself. */
function groupLeaderFields(p: Process, own: string, context: EcsContext): string {
  // Kernel threads are in no group and no session.
  if (p.pgid === undefined || p.pgid === 0) return ''
  const leader = groupLeaderOf(p, context)
  const members = leader === p ? own : relatedFields(p.pgid, leader, context)
  return obj('group_leader', members + bool('same_as_process', leader === p))
}

function sessionLeaderFields(p: Process, own: string, context: EcsContext): string {
  if (p.sid === undefined || p.sid === 0) return ''
  const leader = older(p, p.sid, context)
  const members = leader === p ? own : relatedFields(p.sid, leader, context)
  // Only session leaders have a parent in ECS.
  const parent = leader?.ppid === undefined ? undefined : older(leader, leader.ppid, context)
  return obj(
    'session_leader',
    members + bool('same_as_process', leader === p) + obj('parent', referenceFields(leader?.ppid, parent)),
  )
}

/** The few members by which a document refers to a parent's group leader or a leader's parent. */
function referenceFields(pid: number | undefined, p: Process | undefined): string {
  if (pid === undefined || pid === 0) return ''
  return num('pid', pid) + str('entity_id', p?.entityId) + time('start', p?.startTimeNs)
}

/** The leader of the group of `p`, which may have begun after `p` did: setpgid(2) moves processes. */
function groupLeaderOf(p: Process, { lookup }: EcsContext): Process | undefined {
  if (p.pgid === undefined) return undefined
  return p.pgid === p.pid ? p : lookup(p.pgid)
}

/**
 * The process with a pid, which is that of the parent or session leader of `p`. One that began after `p` did
 * is another process: the pid was used again.
 */
function older(p: Process, pid: number, { lookup }: EcsContext): Process | undefined {
  if (pid === p.pid) return p
  const found = lookup(pid)
  if (found?.startTimeNs === undefined || p.startTimeNs === undefined) return found
  return found.startTimeNs <= p.startTimeNs + CLOCK_TICK_NS ? found : undefined
}

function usageFields(usage: ProcessUsage | undefined): string {
  if (usage === undefined) return ''
  return obj(
    'usage',
    num('user_time_ns', usage.userTimeNs) +
      num('system_time_ns', usage.systemTimeNs) +
      num('peak_rss_bytes', usage.peakRssBytes) +
      num('read_bytes', usage.readBytes) +
      num('write_bytes', usage.writeBytes),
  )
}
