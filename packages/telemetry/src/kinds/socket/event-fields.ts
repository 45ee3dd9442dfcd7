/** Fields that several events of sockets have. */

import type { FieldSpec } from '../../event/spec.js'
import { endpointText, isIpv4, plainIp } from '../../names/address.js'
import type { ConnectionEvent, SocketEvent } from './events.js'
import type { RemoteName } from './remote-name.js'
import { type SocketState, TRANSPORTS } from './socket.js'

export const CATEGORY = ['network']
export const DATASET = 'quark.socket'
export const PATHS = ['network', 'source', 'destination', 'client', 'server', 'related']

/** Bytes of an event, seen from this end. */
export interface Bytes {
  readonly sentBytes: number | undefined
  readonly receivedBytes: number | undefined
}

/** An event about two ends. */
export interface Ends {
  readonly direction?: ConnectionEvent['direction']
  /** Of a socket without a peer: this end is the server. */
  readonly state?: SocketState
  readonly localIp: string | undefined
  readonly localPort: number | undefined
  readonly remoteIp: string | undefined
  readonly remotePort: number | undefined
}

export const isInbound = ({ direction, state }: Ends): boolean =>
  direction === 'inbound' || state === 'listening' || state === 'open'
const sourceIp = (ends: Ends): string | undefined => plain(isInbound(ends) ? ends.remoteIp : ends.localIp)
const targetIp = (ends: Ends): string | undefined => plain(isInbound(ends) ? ends.localIp : ends.remoteIp)
const sourcePort = (ends: Ends): number | undefined => (isInbound(ends) ? ends.remotePort : ends.localPort)
const targetPort = (ends: Ends): number | undefined => (isInbound(ends) ? ends.localPort : ends.remotePort)
const sourceBytes = (event: Ends & Bytes): number | undefined =>
  isInbound(event) ? event.receivedBytes : event.sentBytes
const targetBytes = (event: Ends & Bytes): number | undefined =>
  isInbound(event) ? event.sentBytes : event.receivedBytes

function plain(ip: string | undefined): string | undefined {
  return ip === undefined ? undefined : plainIp(ip)
}

function networkTypeOf(ip: string | undefined): string | undefined {
  return ip === undefined ? undefined : isIpv4(ip) ? 'ipv4' : 'ipv6'
}

export const pid: FieldSpec<SocketEvent> = {
  type: 'pid',
  doc: 'of the process that opened the connection, accepted it or listens; a connection counts as accepted by the first process that is seen to have it; absent when that is not known',
  ecs: { path: 'process.pid', value: ({ pid, process }) => (process === undefined ? pid : undefined) },
}

export const transport: FieldSpec<SocketEvent> = {
  type: 'word',
  words: TRANSPORTS,
  doc: 'the protocol',
  isAlwaysKnown: true,
  ecs: {
    path: 'network.transport',
    value: ({ transport }) => (transport === 'raw' ? undefined : transport === 'mptcp' ? 'tcp' : transport),
    doc: '`tcp`, also of MPTCP, or `udp`',
  },
}

export const family: FieldSpec<SocketEvent> = {
  type: 'word',
  words: ['ipv4', 'ipv6'],
  doc: 'of the socket; one of IPv6 reaches an IPv4 address as `::ffff:192.0.2.1`',
  isAlwaysKnown: true,
}

/** The type of the network is that of the packets. */
export const familyOfEnds: FieldSpec<Ends & SocketEvent> = {
  ...family,
  ecs: {
    path: 'network.type',
    value: ({ remoteIp, localIp }) => networkTypeOf(remoteIp ?? localIp),
    doc: 'of the packets: `ipv4` or `ipv6`',
  },
}

export const netNs: FieldSpec<Pick<SocketEvent, 'netNs'>> = {
  type: 'number',
  doc: 'inode number of the network namespace, to which the addresses belong',
  dump: 'SOCK.id net_inonum',
  ecs: 'quark.socket.net_ns',
}

export const socketId: FieldSpec<Pick<SocketEvent, 'socketId'>> = {
  type: 'digits',
  doc: 'cookie of the socket: the same in all of its events, and in `ss -e`; a socket may have several connections one after the other',
  isAlwaysKnown: true,
  dump: 'SOCK.id cookie',
  ecs: 'quark.socket.id',
}

export const closerPid: FieldSpec<{ readonly closerPid: number | undefined }> = {
  type: 'pid',
  doc: 'of the process that closed it, as the last one that had it',
  dump: 'SOCK.end closer_pid',
  ecs: 'quark.socket.closer_pid',
}

export const localIp: FieldSpec<Ends> = {
  type: 'string',
  doc: 'address of this end',
  dump: { at: 'SOCK local', value: ({ localIp, localPort }) => endpointText(localIp, localPort) },
  ecs: [
    {
      path: 'source.ip',
      value: sourceIp,
      doc: 'of who began the connection, or of this end if that is not known',
    },
    { path: 'client.ip', value: sourceIp },
    {
      path: 'related.ip',
      as: 'strings',
      value: (ends) => {
        const ips = [sourceIp(ends), targetIp(ends)].filter((ip) => ip !== undefined)
        return ips.length === 0 ? undefined : [...new Set(ips)]
      },
    },
  ],
}

export const localPort: FieldSpec<Ends> = {
  type: 'number',
  max: 65_535,
  roles: ['port'],
  doc: 'port of this end',
  ecs: [
    { path: 'source.port', value: sourcePort },
    { path: 'client.port', value: sourcePort },
  ],
}

export const remoteIp: FieldSpec<Ends> = {
  type: 'string',
  roles: ['host'],
  doc: 'address of the other end',
  dump: { at: 'SOCK remote', value: ({ remoteIp, remotePort }) => endpointText(remoteIp, remotePort) },
  ecs: [
    { path: 'destination.ip', value: targetIp },
    { path: 'server.ip', value: targetIp },
  ],
}

export const remotePort: FieldSpec<Ends> = {
  type: 'number',
  max: 65_535,
  roles: ['port'],
  doc: 'port of the other end',
  ecs: [
    { path: 'destination.port', value: targetPort },
    { path: 'server.port', value: targetPort },
  ],
}

export const remoteName: FieldSpec<RemoteName> = {
  type: 'string',
  roles: ['host', 'dnsName'],
  doc: 'what the process called the other end, if kinds that see names are on: the name that it asked for in TLS, else one for which an answer gave the address',
  dump: 'SOCK.name remote_name',
  ecs: [
    { path: 'destination.domain', doc: 'name of the other end' },
    'server.domain',
    {
      path: 'related.hosts',
      as: 'strings',
      value: ({ remoteName }) => (remoteName === undefined ? undefined : [remoteName]),
    },
  ],
}

export const remoteNameSource: FieldSpec<RemoteName> = {
  type: 'word',
  words: ['tls', 'dns', 'dnsOfOther'],
  doc: 'where `remoteName` comes from: the connection itself, an answer to the same process, or one to another process of its user or of the system, in its network namespace',
  dump: 'SOCK.name source',
  ecs: 'quark.socket.remote_name_source',
}

const sentAndReceived = ({ sentBytes, receivedBytes }: Bytes): number | undefined =>
  sentBytes === undefined || receivedBytes === undefined ? undefined : sentBytes + receivedBytes

/** Bytes in both directions; what they are depends on the protocol. */
export function bytesFields<E extends Ends & Bytes>(doc: {
  readonly sent: string
  readonly received: string
}): Readonly<Record<'sentBytes' | 'receivedBytes', FieldSpec<E>>> {
  const bytes = { type: 'number', unit: 'bytes', max: Number.MAX_SAFE_INTEGER } as const
  return {
    sentBytes: {
      ...bytes,
      doc: doc.sent,
      dump: 'SOCK sent',
      ecs: [
        { path: 'source.bytes', value: sourceBytes },
        { path: 'client.bytes', value: sourceBytes },
        { path: 'network.bytes', value: sentAndReceived, doc: 'both together' },
      ],
    },
    receivedBytes: {
      ...bytes,
      doc: doc.received,
      dump: 'SOCK received',
      ecs: [
        { path: 'destination.bytes', value: targetBytes },
        { path: 'server.bytes', value: targetBytes },
      ],
    },
  }
}

/** Who began. */
export function directionField<E extends Pick<Ends, 'direction'>>(doc: string): FieldSpec<E> {
  return {
    type: 'word',
    words: ['outbound', 'inbound'],
    doc,
    ecs: {
      path: 'network.direction',
      value: ({ direction }) =>
        direction === undefined ? undefined : direction === 'inbound' ? 'ingress' : 'egress',
    },
    dump: 'SOCK.id direction',
  }
}
