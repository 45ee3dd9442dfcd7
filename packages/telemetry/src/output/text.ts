/**
 * The text dump: `->PID (ACTIONS)`, then a line per group of facts with a tag of four characters. Unknown
 * facts are left out of their line, and a line without facts is left out.
 */

import type { IdChange, ProcessAction, QuarkEvent } from '../event/event.js'
import type { Process } from '../process/process.js'
import { errnoName, signalName } from './names.js'
import { sanitise } from './sanitise.js'

export interface TextOptions {
  /** Mark it up with the colours of ANSI terminals. Default false. */
  readonly colour?: boolean
}

/** One event as lines of text, without the last line end. Strings are made safe for a terminal. */
export function textOf(event: QuarkEvent, { colour = false }: TextOptions = {}): string {
  const lines = [heading(event), ...details(event)]
  if (event.process !== undefined) lines.push(...processLines(event.process))
  const known = lines.filter((line) => line !== undefined)
  return (
    colour ? known.map((line, i) => (i === 0 ? colouredHeading(line, event) : colouredLine(line))) : known
  ).join('\n')
}

const ACTION_NAMES: Readonly<Record<ProcessAction, string>> = {
  fork: 'FORK',
  exec: 'EXEC',
  exit: 'EXIT',
  idChange: 'ID_CHANGE',
  commChange: 'SETPROCTITLE',
}

function heading(event: QuarkEvent): string {
  switch (event.kind) {
    case 'process':
      return `->${event.process.pid} (${event.actions.map((action) => ACTION_NAMES[action]).join('+')})`
    case 'snapshot':
      return `->${event.process.pid}`
    case 'thread':
      return `->${event.pid} (${event.action === 'fork' ? 'THREAD_FORK' : 'THREAD_EXIT'})`
    case 'execFailed':
      return `->${event.pid} (EXEC_FAILED)`
    case 'lost':
      return '->0 (LOST)'
    case 'raw':
      return '*'
  }
}

/** What the event says beside the process. */
function details(event: QuarkEvent): (string | undefined)[] {
  switch (event.kind) {
    case 'process':
      return event.idChange === undefined ? [] : [idChangeLine(event.idChange)]
    case 'snapshot':
      return []
    case 'thread':
      return [
        line(
          'THRD',
          number('tid', event.tid),
          string('comm', event.comm),
          number('exit_code', event.exitCode),
        ),
      ]
    case 'execFailed':
      return [
        line(
          'FAIL',
          number('tid', event.tid),
          named('errno', event.errno, errnoName),
          string('filename', event.filename),
        ),
      ]
    case 'lost':
      return [line('LOST', `cause=${event.cause}`, number('count', event.count), number('cpu', event.cpu))]
    case 'raw':
      return []
  }
}

const CHANGED_IDS = {
  sid: ['sid'],
  uid: ['uid', 'euid', 'suid'],
  gid: ['gid', 'egid', 'sgid'],
} as const

function idChangeLine({ changed, from, to }: IdChange): string | undefined {
  const ids = changed.flatMap((call) => CHANGED_IDS[call])
  return line('IDCH', ...ids.map((id) => `${id}=${from[id] ?? '?'}->${to[id]}`))
}

function processLines(p: Process): (string | undefined)[] {
  return [
    line('COMM', string('comm', p.comm)),
    line('CMDL', p.argv && `cmdline=[ ${p.argv.map(sanitise).join(', ')} ]`),
    p.argvTruncated ? line('CMDL', 'truncated=true', number('size', p.argvSizeBytes)) : undefined,
    ...procLines(p),
    line('CWD', string('cwd', p.cwd)),
    p.root === '/' ? undefined : line('ROOT', string('root', p.root)),
    line('EXE', string('exe', p.exe)),
    p.exeDeleted ? line('EXE', 'deleted=true') : undefined,
    line(
      'ENV',
      p.env && number('env_len', p.envSizeBytes ?? sizeBytes(p.env)),
      p.envTruncated ? 'truncated=true' : undefined,
    ),
    line('CGRP', string('cgroup', p.cgroup)),
    ...exitLines(p),
  ]
}

function procLines(p: Process): (string | undefined)[] {
  return [
    line('PROC', number('ppid', p.ppid)),
    line(
      'PROC',
      number('uid', p.uid),
      number('gid', p.gid),
      number('suid', p.suid),
      number('sgid', p.sgid),
      number('euid', p.euid),
      number('egid', p.egid),
      number('pgid', p.pgid),
      number('sid', p.sid),
    ),
    line(
      'PROC',
      hex('cap_inheritable', p.capInheritable),
      hex('cap_permitted', p.capPermitted),
      hex('cap_effective', p.capEffective),
    ),
    line('PROC', hex('cap_bset', p.capBounding), hex('cap_ambient', p.capAmbient)),
    line(
      'PROC',
      number('time_boot', p.startTimeNs),
      number('tty_major', p.ttyMajor),
      number('tty_minor', p.ttyMinor),
    ),
    line('PROC', number('uts_inonum', p.utsNs), number('ipc_inonum', p.ipcNs)),
    line('PROC', number('mnt_inonum', p.mntNs), number('net_inonum', p.netNs)),
    line('PROC', string('entity_id', p.entityId)),
  ]
}

function exitLines({ exitCode, exitSignal, coreDumped, exitTimeNs, usage }: Process): (string | undefined)[] {
  const core = exitSignal === undefined ? undefined : `core=${coreDumped}`
  const how = [number('exit_code', exitCode), named('signal', exitSignal, signalName), core]
  return [
    line('EXIT', ...how, number('exit_time', exitTimeNs)),
    usage &&
      line(
        'USAG',
        number('user_time', usage.userTimeNs),
        number('system_time', usage.systemTimeNs),
        number('peak_rss', usage.peakRssBytes),
        number('read_bytes', usage.readBytes),
        number('write_bytes', usage.writeBytes),
      ),
  ]
}

/** Size of NUL-terminated strings. */
function sizeBytes(strings: readonly string[]): number {
  return strings.reduce((size, string) => size + Buffer.byteLength(string) + 1, 0)
}

function line(tag: string, ...facts: (string | undefined)[]): string | undefined {
  const known = facts.filter((fact) => fact !== undefined)
  return known.length === 0 ? undefined : `  ${tag}\t${known.join(' ')}`
}

function string(name: string, value: string | undefined): string | undefined {
  return value === undefined ? undefined : `${name}=${sanitise(value)}`
}

function number(name: string, value: number | bigint | undefined): string | undefined {
  return value === undefined ? undefined : `${name}=${value}`
}

function hex(name: string, value: bigint | undefined): string | undefined {
  return value === undefined ? undefined : `${name}=0x${value.toString(16)}`
}

function named(
  name: string,
  value: number | undefined,
  nameOf: (value: number) => string | undefined,
): string | undefined {
  if (value === undefined) return undefined
  const meaning = nameOf(value)
  return meaning === undefined ? `${name}=${value}` : `${name}=${value} (${meaning})`
}

const RESET = '\x1b[0m'
const DIM = '\x1b[2m'
const BOLD = '\x1b[1m'
const BOLD_RED = '\x1b[1;31m'

function colouredHeading(line: string, { kind }: QuarkEvent): string {
  return `${kind === 'lost' || kind === 'execFailed' ? BOLD_RED : BOLD}${line}${RESET}`
}

function colouredLine(line: string): string {
  const tab = line.indexOf('\t')
  return `${DIM}${line.slice(0, tab)}${RESET}${line.slice(tab)}`
}
