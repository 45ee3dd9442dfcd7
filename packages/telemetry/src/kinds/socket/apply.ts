/** Events out of records of sockets. */

import type { Made } from '../../event/forms.js'
import type { RecordGroup } from '../../event/raw.js'
import { u64Of } from '../../event/time-base.js'
import { processAt } from '../../process/at.js'
import type { Tables } from '../kind.js'
import { noteTold } from './apply-counts.js'
import { ipv4Text, ipv6Text, swap16 } from './address.js'
import type {
  ConnectionAction,
  ConnectionEvent,
  ConnectionFailedEvent,
  Direction,
  ListenerEvent,
} from './events.js'
import {
  AF_INET,
  closeLayout,
  connectFailedLayout,
  listenLayout,
  PHASE_ACCEPTED,
  PHASE_CONNECTED,
  PHASE_LISTENING,
  PHASE_REFUSED,
  PHASE_TRIED,
  PHASE_WAITING,
  RECORD_ACCEPT,
  RECORD_CLOSE,
  RECORD_LISTEN,
} from './records.js'
import { remoteNameOf } from './remote-name.js'

/** Word of the header at which the time of a record begins. */
const TIME_LO = 2

/** All records begin with the same fields. */
const { at } = closeLayout
const PID = at.pid >> 2
const NET_NS = at.netNs >> 2
const COOKIE = at.cookie >> 2
const START = at.startBootNs >> 2
const SINCE = at.sinceNs >> 2
const FAMILY_AND_LOCAL_PORT = at.family >> 2
const REMOTE_PORT_AND_PHASE = at.remotePort >> 2
const LOCAL = at.local0 >> 2
const REMOTE = at.remote0 >> 2
const CLOSER = at.closerPid >> 2
const CLOSER_START = at.closerStartBootNs >> 2
const ERRNO = at.errno >> 2
const SENT = at.sentBytes >> 2
const RECEIVED = at.receivedBytes >> 2
const HAS_BYTES = at.hasBytes >> 2
const FAILED_ERRNO = connectFailedLayout.at.errno >> 2
const FAILED_SHUTDOWN = connectFailedLayout.at.shutdown >> 2
const BACKLOG = listenLayout.at.backlog >> 2

const BOTH_SHUTDOWN = 3
/** The high half of the first number that is not exact. */
const INEXACT_HIGH = 0x20_0000

/** The lists of actions by their bits: shared by all events. */
const CONNECT = 1
const ACCEPT = 2
const CLOSE = 4
const NAMES: readonly ConnectionAction[] = ['connect', 'accept', 'close']
const LISTS: readonly (readonly ConnectionAction[])[] = Array.from({ length: 8 }, (_, bits) =>
  Object.freeze(NAMES.filter((_name, bit) => (bits & (1 << bit)) !== 0)),
)
const LISTEN: ListenerEvent['actions'] = Object.freeze(['listen' as const])
const UNLISTEN: ListenerEvent['actions'] = Object.freeze(['close' as const])
const BOTH: ListenerEvent['actions'] = Object.freeze(['listen' as const, 'close' as const])

function known(value: number): number | undefined {
  return value === 0 ? undefined : value
}

function u64(words: Uint32Array, at: number): bigint {
  return u64Of(words[at] as number, words[at + 1] as number)
}

function isZero(words: Uint32Array, at: number): boolean {
  return words[at] === 0 && words[at + 1] === 0
}

/** ns from the time at one place to that at another; undefined when the first is not known, or is later. */
function nsBetween(words: Uint32Array, from: number, to: number): bigint | undefined {
  if (isZero(words, from)) return undefined
  const ns = u64(words, to) - u64(words, from)
  return ns < 0n ? undefined : ns
}

function bytesAt(words: Uint32Array, at: number): number | undefined {
  const high = words[at + 1] as number
  return high < INEXACT_HIGH ? high * 2 ** 32 + (words[at] as number) : undefined
}

/** An address; undefined when the socket had none. */
function ipAt(words: Uint32Array, w: number, at: number, port: number | undefined): string | undefined {
  const isV4 = isIpv4(words, w)
  // Any address is one at which somebody listens; without a port there is none.
  if (isV4) return words[at] === 0 && port === undefined ? undefined : ipv4Text(words[at] as number)
  return isZero(words, at) && isZero(words, at + 2) && port === undefined ? undefined : ipv6Text(words, at)
}

function isIpv4(words: Uint32Array, w: number): boolean {
  return ((words[w + FAMILY_AND_LOCAL_PORT] as number) & 0xffff) === AF_INET
}

function phaseOf(words: Uint32Array, w: number): number {
  return (words[w + REMOTE_PORT_AND_PHASE] as number) >>> 16
}

/** What all events have, of the record at `w`. */
function socketAt(words: Uint32Array, w: number, { timeBase }: Tables) {
  const localPort = known(swap16((words[w + FAMILY_AND_LOCAL_PORT] as number) >>> 16))
  return {
    timeNs: u64(words, w + TIME_LO) + timeBase.bootEpochNs,
    transport: 'tcp' as const,
    family: isIpv4(words, w) ? ('ipv4' as const) : ('ipv6' as const),
    localIp: ipAt(words, w, w + LOCAL, localPort),
    localPort,
    netNs: known(words[w + NET_NS] as number),
    socketId: u64(words, w + COOKIE),
  }
}

function remoteAt(words: Uint32Array, w: number) {
  const remotePort = known(swap16((words[w + REMOTE_PORT_AND_PHASE] as number) & 0xffff))
  return { remoteIp: ipAt(words, w, w + REMOTE, remotePort), remotePort }
}

function endsAt(words: Uint32Array, w: number, tables: Tables) {
  return { ...socketAt(words, w, tables), ...remoteAt(words, w) }
}

function directionOf(phase: number): Direction | undefined {
  // One whose handshake was missed was tried, and then was there.
  if (phase === PHASE_CONNECTED || phase === PHASE_TRIED) return 'outbound'
  if (phase === PHASE_ACCEPTED || phase === PHASE_WAITING || phase === PHASE_REFUSED) return 'inbound'
  return undefined
}

/** A connection was opened, accepted or closed. */
export function applyConnection(
  group: RecordGroup,
  tables: Tables,
): Made<ConnectionEvent> | Made<ListenerEvent> | undefined {
  if (!group.next()) return undefined
  const { words, type } = group
  const w = group.offsetBytes >> 2
  noteTold(words, w, type, tables)
  if (type === RECORD_CLOSE) {
    return phaseOf(words, w) === PHASE_LISTENING
      ? closedListener(group, tables)
      : closedConnection(group, tables)
  }
  const isAccepted = type === RECORD_ACCEPT
  const pid = known(words[w + PID] as number)
  const ends = endsAt(words, w, tables)
  const opened: Made<ConnectionEvent> = {
    kind: 'connection',
    actions: LISTS[isAccepted ? ACCEPT : CONNECT] as readonly ConnectionAction[],
    ...ends,
    ...remoteNameOf(ends, pid, !isAccepted, tables),
    direction: isAccepted ? 'inbound' : 'outbound',
    handshakeNs: isAccepted ? undefined : nsBetween(words, w + SINCE, w + TIME_LO),
    queuedNs: isAccepted ? nsBetween(words, w + SINCE, w + TIME_LO) : undefined,
    durationNs: undefined,
    sentBytes: undefined,
    receivedBytes: undefined,
    errno: undefined,
    unaccepted: false,
    pid,
    closerPid: undefined,
    process: processAt(words, w, pid, w + START, tables),
  }
  if (!group.next()) return opened
  const { process, closerPid, durationNs, sentBytes, receivedBytes, errno } = closedConnection(group, tables)
  return {
    ...opened,
    actions: LISTS[(isAccepted ? ACCEPT : CONNECT) | CLOSE] as readonly ConnectionAction[],
    closerPid,
    durationNs,
    sentBytes,
    receivedBytes,
    errno,
    // Of a process that was not known yet.
    process: opened.process ?? (pid === undefined ? process : undefined),
  }
}

/** The connection of the record that is shown, which was closed. */
function closedConnection(group: RecordGroup, tables: Tables): Made<ConnectionEvent> {
  const { words } = group
  const w = group.offsetBytes >> 2
  const phase = phaseOf(words, w)
  const closerPid = known(words[w + CLOSER] as number)
  // Nobody was seen to have it before, so it was not accepted long ago.
  const isFirst = phase === PHASE_WAITING && closerPid !== undefined
  const pid = isFirst ? closerPid : known(words[w + PID] as number)
  const isOwner = pid !== undefined && !isFirst
  const hasBytes = words[w + HAS_BYTES] !== 0
  const ends = endsAt(words, w, tables)
  return {
    kind: 'connection',
    actions: LISTS[isFirst ? ACCEPT | CLOSE : CLOSE] as readonly ConnectionAction[],
    ...ends,
    ...remoteNameOf(ends, pid, phase === PHASE_CONNECTED, tables),
    direction: directionOf(phase),
    handshakeNs: undefined,
    queuedNs: undefined,
    durationNs: nsBetween(words, w + SINCE, w + TIME_LO),
    sentBytes: hasBytes ? bytesAt(words, w + SENT) : undefined,
    receivedBytes: hasBytes ? bytesAt(words, w + RECEIVED) : undefined,
    errno: known(words[w + ERRNO] as number),
    unaccepted: phase === PHASE_REFUSED,
    pid,
    closerPid,
    process: isOwner
      ? processAt(words, w, pid, w + START, tables)
      : processAt(words, w, closerPid, w + CLOSER_START, tables),
  }
}

/** A connection was tried, and failed. */
export function applyConnectionFailed(
  group: RecordGroup,
  tables: Tables,
): Made<ConnectionFailedEvent> | undefined {
  if (!group.next()) return undefined
  const { words, type } = group
  const w = group.offsetBytes >> 2
  noteTold(words, w, type, tables)
  const pid = known(words[w + PID] as number)
  const errno = known(words[w + FAILED_ERRNO] as number)
  const ends = endsAt(words, w, tables)
  return {
    kind: 'connectionFailed',
    ...ends,
    ...remoteNameOf(ends, pid, true, tables),
    errno,
    abandoned: errno === undefined && words[w + FAILED_SHUTDOWN] === BOTH_SHUTDOWN,
    durationNs: nsBetween(words, w + SINCE, w + TIME_LO),
    pid,
    process: processAt(words, w, pid, w + START, tables),
  }
}

/** A process listens, and perhaps has stopped to. */
export function applyListener(group: RecordGroup, tables: Tables): Made<ListenerEvent> | undefined {
  if (!group.next()) return undefined
  const { words, type } = group
  if (type !== RECORD_LISTEN) return undefined
  const w = group.offsetBytes >> 2
  const pid = known(words[w + PID] as number)
  const begun: Made<ListenerEvent> = {
    kind: 'listener',
    actions: LISTEN,
    ...socketAt(words, w, tables),
    backlog: words[w + BACKLOG] as number,
    durationNs: undefined,
    pid,
    closerPid: undefined,
    process: processAt(words, w, pid, w + START, tables),
  }
  if (!group.next()) return begun
  const { durationNs, closerPid } = closedListener(group, tables)
  return { ...begun, actions: BOTH, durationNs, closerPid }
}

/** The socket of the record that is shown, at which nobody listens any more. */
function closedListener(group: RecordGroup, tables: Tables): Made<ListenerEvent> {
  const { words } = group
  const w = group.offsetBytes >> 2
  const pid = known(words[w + PID] as number)
  const closerPid = known(words[w + CLOSER] as number)
  return {
    kind: 'listener',
    actions: UNLISTEN,
    ...socketAt(words, w, tables),
    backlog: undefined,
    durationNs: nsBetween(words, w + SINCE, w + TIME_LO),
    pid,
    closerPid,
    process:
      pid === undefined
        ? processAt(words, w, closerPid, w + CLOSER_START, tables)
        : processAt(words, w, pid, w + START, tables),
  }
}
