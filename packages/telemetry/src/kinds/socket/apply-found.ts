/** What the table of sockets is told: by events, and by what the scan finds. */

import type { Made } from '../../event/forms.js'
import type { RecordGroup } from '../../event/raw.js'
import { processAt } from '../../process/at.js'
import type { Tables } from '../kind.js'
import { bytesAt, known, remoteAt, socketAt } from './decode.js'
import { Connection } from './connection.js'
import type { ConnectionEvent, ListenerEvent, SocketSnapshotEvent } from './events.js'
import { foundLayout, IPPROTO_MPTCP, IPPROTO_UDP } from './records.js'
import { mayBeEqual, type Socket, type SocketState, type Transport } from './socket.js'
import { SocketTable } from './table.js'

const { at } = foundLayout
const PID = at.pid >> 2
const START = at.startBootNs >> 2
const FD = at.fd >> 2
const PROTOCOL_AND_TYPE = at.protocol >> 2
const STATE = at.state >> 2
const HAS_BYTES = at.hasBytes >> 2
const SENT = at.sentBytes >> 2
const RECEIVED = at.receivedBytes >> 2

const IPPROTO_TCP = 6
/** include/net/tcp_states.h */
const TCP_SYN_SENT = 2
const TCP_CLOSE = 7
const TCP_LISTEN = 10

/** Undefined where no kind of that name has a table of sockets. */
export function socketTable({ all }: Tables): SocketTable | undefined {
  const table = all.get('socket')
  return table instanceof SocketTable ? table : undefined
}

/** A socket that was there before the queue. */
export function applyFound(group: RecordGroup, tables: Tables): Made<SocketSnapshotEvent> | undefined {
  if (!group.next()) return undefined
  const { words } = group
  const w = group.offsetBytes >> 2
  const pid = known(words[w + PID] as number)
  const hasBytes = words[w + HAS_BYTES] !== 0
  const fd = (words[w + FD] as number) | 0
  const { timeNs, ...ends } = { ...socketAt(words, w, tables), ...remoteAt(words, w) }
  const transport = transportOf(words[w + PROTOCOL_AND_TYPE] as number)
  const socket: Socket = {
    ...ends,
    // The kernel has the protocol of a raw socket there.
    localPort: transport === 'raw' ? undefined : ends.localPort,
    transport,
    state: stateOf(words[w + STATE] as number),
    pid,
    fd: fd < 0 ? undefined : fd,
    closerPid: undefined,
    openedNs: undefined,
    closedNs: undefined,
    sentBytes: hasBytes ? bytesAt(words, w + SENT) : undefined,
    receivedBytes: hasBytes ? bytesAt(words, w + RECEIVED) : undefined,
  }
  const table = socketTable(tables)
  if (table !== undefined) {
    table.put(socket)
    if (timeNs > table.foundNs) table.foundNs = timeNs
  }
  if (tables.settings['snapshot'] !== true) return undefined
  const { closerPid: _closer, openedNs: _opened, closedNs: _closed, ...shown } = socket
  return {
    kind: 'socketSnapshot',
    timeNs,
    ...shown,
    process: processAt(words, w, pid, w + START, tables),
  }
}

function transportOf(protocolAndType: number): Transport {
  const protocol = protocolAndType & 0xffff
  if (protocol === IPPROTO_TCP) return 'tcp'
  if (protocol === IPPROTO_MPTCP) return 'mptcp'
  return protocol === IPPROTO_UDP ? 'udp' : 'raw'
}

function stateOf(state: number): SocketState {
  if (state === TCP_LISTEN) return 'listening'
  if (state === TCP_SYN_SENT) return 'connecting'
  return state === TCP_CLOSE ? 'open' : 'connected'
}

/** Tells the table what happened to a socket. */
export function noted<E extends Made<ConnectionEvent> | Made<ListenerEvent>>(
  event: E | undefined,
  tables: Tables,
): E | undefined {
  const table = event === undefined ? undefined : socketTable(tables)
  if (event === undefined || table === undefined) return event
  const actions = event.actions as readonly string[]
  // What began and ended at once was not there before.
  const isEnd = actions.length === 1 && actions[0] === 'close'
  const before = isEnd ? sameSocket(table.get(event.socketId), event) : undefined
  // Programs did not see who has a socket that was found without them.
  if (event instanceof Connection && event.pid === undefined) event.pid = before?.pid
  const socket = socketOf(event, before)
  if (socket.closedNs === undefined) table.put(socket)
  else table.end(socket, Number(socket.closedNs - tables.timeBase.bootEpochNs))
  return event
}

/**
 * The socket that ends, if it is that of the table: an address is that of another socket soon, and one that has ended,
 * or has other ends, is not the one that ends now.
 */
function sameSocket(
  socket: Socket | undefined,
  event: Made<ConnectionEvent> | Made<ListenerEvent>,
): Socket | undefined {
  if (socket === undefined || socket.closedNs !== undefined) return undefined
  const { remoteIp, remotePort } = event.kind === 'connection' ? event : NO_PEER
  const isSame =
    mayBeEqual(socket.localPort, event.localPort) &&
    mayBeEqual(socket.netNs, event.netNs) &&
    mayBeEqual(socket.remotePort, remotePort) &&
    mayBeEqual(socket.remoteIp, remoteIp)
  return isSame ? socket : undefined
}

const NO_PEER = { remoteIp: undefined, remotePort: undefined }

function socketOf(event: Made<ConnectionEvent> | Made<ListenerEvent>, before: Socket | undefined): Socket {
  const { socketId, family, localIp, localPort, netNs, pid, closerPid, transport } = event
  const isListener = event.kind === 'listener'
  const { openedNs, closedNs } = timesOf(event)
  return {
    socketId,
    transport,
    family,
    state: closedNs !== undefined ? 'closed' : isListener ? 'listening' : 'connected',
    localIp,
    localPort,
    remoteIp: isListener ? undefined : event.remoteIp,
    remotePort: isListener ? undefined : event.remotePort,
    netNs,
    pid: pid ?? before?.pid,
    fd: before?.fd,
    closerPid,
    openedNs: openedNs ?? before?.openedNs,
    closedNs,
    sentBytes: isListener ? undefined : event.sentBytes,
    receivedBytes: isListener ? undefined : event.receivedBytes,
  }
}

/** When it was opened and closed, as far as the event says. */
function timesOf(event: Made<ConnectionEvent> | Made<ListenerEvent>): Pick<Socket, 'openedNs' | 'closedNs'> {
  const { timeNs, durationNs } = event
  const actions = event.actions as readonly string[]
  if (!actions.includes('close')) return { openedNs: timeNs, closedNs: undefined }
  if (actions.length === 1) return { openedNs: undefined, closedNs: timeNs }
  const { handshakeNs, queuedNs } = event.kind === 'connection' ? event : NO_TIMES
  const beganNs = timeNs - (handshakeNs ?? queuedNs ?? 0n)
  return { openedNs: timeNs, closedNs: durationNs === undefined ? timeNs : beganNs + durationNs }
}

const NO_TIMES = { handshakeNs: undefined, queuedNs: undefined }
