/** The events that are made of socket records; event-specs.ts explains their members. */

import type { BaseEvent } from '../../event/event.js'
import type { Forms } from '../../event/forms.js'
import type { Process } from '../../process/process.js'
import type { Relatives } from '../../process/relatives.js'
import type { RemoteName } from './remote-name.js'
import type { SocketState, Transport } from './socket.js'

/** What all events of sockets have. */
export interface SocketEvent extends BaseEvent {
  /** Of the process that opened the connection, accepted it, or listens; undefined when that is not known. */
  readonly pid: number | undefined
  readonly transport: Transport
  readonly family: 'ipv4' | 'ipv6'
  readonly localIp: string | undefined
  readonly localPort: number | undefined
  readonly netNs: number | undefined
  readonly socketId: bigint
  readonly process: Process | undefined
  readonly relatives?: Relatives | undefined
}

/** What happened to a connection, in the order in which an event lists it. */
export type ConnectionAction = 'connect' | 'accept' | 'close'

export type Direction = 'outbound' | 'inbound'

/** A connection was opened or accepted, closed, or both in a short time. */
export interface ConnectionEvent extends SocketEvent, RemoteName, Forms<ConnectionEvent> {
  readonly kind: 'connection'
  readonly actions: readonly ConnectionAction[]
  /** Epoch ns of the first action. */
  readonly timeNs: bigint
  /** Undefined when its beginning was not seen. */
  readonly direction: Direction | undefined
  readonly remoteIp: string | undefined
  readonly remotePort: number | undefined
  readonly handshakeNs: bigint | undefined
  readonly queuedNs: bigint | undefined
  readonly durationNs: bigint | undefined
  readonly sentBytes: number | undefined
  readonly receivedBytes: number | undefined
  readonly errno: number | undefined
  readonly unaccepted: boolean
  readonly closerPid: number | undefined
}

/** A connection was tried, and not established. */
export interface ConnectionFailedEvent extends SocketEvent, RemoteName, Forms<ConnectionFailedEvent> {
  readonly kind: 'connectionFailed'
  readonly remoteIp: string | undefined
  readonly remotePort: number | undefined
  /** Positive errno; undefined when it is not known, or there was no error. */
  readonly errno: number | undefined
  readonly abandoned: boolean
  readonly durationNs: bigint | undefined
}

/** A process listens for connections, or has stopped to. */
export interface ListenerEvent extends SocketEvent, Forms<ListenerEvent> {
  readonly kind: 'listener'
  readonly actions: readonly ('listen' | 'close')[]
  readonly backlog: number | undefined
  readonly durationNs: bigint | undefined
  readonly closerPid: number | undefined
}

/** A socket was there when the queue was opened. */
export interface SocketSnapshotEvent extends SocketEvent, Forms<SocketSnapshotEvent> {
  readonly kind: 'socketSnapshot'
  readonly state: SocketState
  readonly remoteIp: string | undefined
  readonly remotePort: number | undefined
  readonly fd: number | undefined
  readonly sentBytes: number | undefined
  readonly receivedBytes: number | undefined
}

/** Datagrams went between a socket of UDP and one other end; no more are expected. */
export interface UdpFlowEvent extends SocketEvent, RemoteName, Forms<UdpFlowEvent> {
  readonly kind: 'udpFlow'
  readonly direction: Direction | undefined
  readonly remoteIp: string | undefined
  readonly remotePort: number | undefined
  readonly ended: 'closed' | 'idle' | undefined
  /** Epoch ns of the first and the last datagram. */
  readonly beganNs: bigint | undefined
  readonly lastNs: bigint
  readonly durationNs: bigint | undefined
  readonly sentDatagrams: number | undefined
  readonly receivedDatagrams: number | undefined
  readonly sentBytes: number | undefined
  readonly receivedBytes: number | undefined
  readonly openerPid: number | undefined
  readonly closerPid: number | undefined
}

/** Members of an event of a socket that has no addresses. */
type Bare = Omit<SocketEvent, 'family' | 'transport' | 'localIp' | 'localPort' | 'socketId'> & {
  readonly socketId: bigint | undefined
}

/** A process opened a socket through which it reads packets of others, or closed it. */
export interface RawSocketEvent extends Bare, Forms<RawSocketEvent> {
  readonly kind: 'rawSocket'
  readonly actions: readonly ('open' | 'close')[]
  readonly family: 'ipv4' | 'ipv6' | 'packet'
  readonly socketType: 'raw' | 'dgram' | undefined
  readonly protocol: number | undefined
  readonly durationNs: bigint | undefined
  readonly closerPid: number | undefined
}

/** A process connected, accepted or began to listen at a Unix socket. */
export interface UnixSocketEvent extends Bare, Forms<UnixSocketEvent> {
  readonly kind: 'unixSocket'
  readonly action: 'connect' | 'accept' | 'listen'
  readonly socketType: 'stream' | 'dgram' | 'seqpacket' | undefined
  readonly path: string | undefined
  readonly abstract: boolean
  readonly peerPid: number | undefined
}
