/** The sockets of a process, in the events of all kinds. */

import type { ObjectSpec } from '../../event/spec.js'
import type { Process } from '../../process/process.js'
import type { ProcessList, ProcessListFinder, Tables } from '../kind.js'
import { socketTable } from './apply-found.js'
import { SOCKET_STATES, type Socket, TRANSPORTS } from './socket.js'
import type { SocketTable } from './table.js'

/** An open socket; what only closed ones have is left out. */
export type HeldSocket = Omit<Socket, 'pid' | 'closerPid' | 'closedNs' | 'sentBytes' | 'receivedBytes'>

const PORT = { type: 'number', max: 65_535 } as const

const socketObject: ObjectSpec<HeldSocket> = {
  name: 'socket',
  doc: 'A socket that a process has; its own events have more of it',
  fields: {
    socketId: {
      type: 'digits',
      doc: 'as in its own events',
      isAlwaysKnown: true,
      ecs: 'id',
    },
    state: {
      type: 'word',
      words: SOCKET_STATES,
      doc: 'what it does: `open` is one without a peer that does not listen',
      isAlwaysKnown: true,
      ecs: 'state',
    },
    transport: {
      type: 'word',
      words: TRANSPORTS,
      doc: 'the protocol',
      isAlwaysKnown: true,
      ecs: 'transport',
    },
    family: {
      type: 'word',
      words: ['ipv4', 'ipv6'],
      doc: 'of the socket',
      isAlwaysKnown: true,
      ecs: 'family',
    },
    localIp: { type: 'string', doc: 'address of this end', ecs: 'local_ip' },
    localPort: { ...PORT, doc: 'port of this end', ecs: 'local_port' },
    remoteIp: { type: 'string', doc: 'address of the other end', ecs: 'remote_ip' },
    remotePort: { ...PORT, doc: 'port of the other end', ecs: 'remote_port' },
    netNs: { type: 'number', doc: 'inode number of the network namespace', ecs: 'net_ns' },
    fd: {
      type: 'number',
      doc: 'number of its descriptor, of a socket that was there before the queue',
      ecs: 'fd',
    },
    openedNs: {
      type: 'time',
      json: 'opened',
      doc: 'when it was opened, accepted, or began to listen; absent of one that was there before the queue',
      ecs: 'opened',
    },
  },
}

export const processSockets: ProcessList<'sockets', HeldSocket> = {
  name: 'sockets',
  doc: 'open sockets of the process, as many as `processSockets` says: those first that it had longest; absent if it has none. Of one that is passed on or inherited it is the process that opened or accepted it',
  object: socketObject,
  ecs: 'quark.sockets',
  finder(tables: Tables): ProcessListFinder<HeldSocket> | undefined {
    const most = (tables.settings['processSockets'] as number | undefined) ?? 0
    const table = socketTable(tables)
    return most === 0 || table === undefined ? undefined : (process) => heldBy(process, table, most)
  },
}

function heldBy({ pid, startTimeNs }: Process, table: SocketTable, most: number): readonly Socket[] {
  const held: Socket[] = []
  for (const socket of table.openOfPid(pid)) {
    // An earlier process had that pid, and whoever has its socket now is not known.
    if (startTimeNs !== undefined && (socket.openedNs ?? table.foundNs) < startTimeNs) continue
    held.push(socket)
    if (held.length === most) break
  }
  return held
}
