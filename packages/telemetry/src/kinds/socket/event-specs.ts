/** Declarations of the events of sockets. */

import type { EventSpec, FieldSpec } from '../../event/spec.js'
import { processObject } from '../../process/spec.js'
import { endpointText, isIpv4, plainIp } from './address.js'
import { connectionFailedText, connectionText, listenerText } from './event-texts.js'
import type { RemoteName } from './remote-name.js'
import type {
  ConnectionAction,
  ConnectionEvent,
  ConnectionFailedEvent,
  ListenerEvent,
  SocketEvent,
} from './events.js'
import {
  connectionFailedSummary,
  connectionSummary,
  type ConnectionSummary,
  listenerSummary,
  type ListenerSummary,
} from './summary.js'

const CATEGORY = ['network']
const DATASET = 'quark.socket'
const PATHS = ['network', 'source', 'destination', 'client', 'server', 'related']

/** An event about two ends. */
interface Ends {
  readonly direction?: ConnectionEvent['direction']
  readonly localIp: string | undefined
  readonly localPort: number | undefined
  readonly remoteIp: string | undefined
  readonly remotePort: number | undefined
}

const isInbound = ({ direction }: Ends): boolean => direction === 'inbound'
const sourceIp = (ends: Ends): string | undefined => plain(isInbound(ends) ? ends.remoteIp : ends.localIp)
const targetIp = (ends: Ends): string | undefined => plain(isInbound(ends) ? ends.localIp : ends.remoteIp)
const sourcePort = (ends: Ends): number | undefined => (isInbound(ends) ? ends.remotePort : ends.localPort)
const targetPort = (ends: Ends): number | undefined => (isInbound(ends) ? ends.localPort : ends.remotePort)
const sourceBytes = (event: ConnectionEvent): number | undefined =>
  isInbound(event) ? event.receivedBytes : event.sentBytes
const targetBytes = (event: ConnectionEvent): number | undefined =>
  isInbound(event) ? event.sentBytes : event.receivedBytes

function plain(ip: string | undefined): string | undefined {
  return ip === undefined ? undefined : plainIp(ip)
}

function networkTypeOf(ip: string | undefined): string | undefined {
  return ip === undefined ? undefined : isIpv4(ip) ? 'ipv4' : 'ipv6'
}

const pid: FieldSpec<SocketEvent> = {
  type: 'pid',
  doc: 'of the process that opened the connection, accepted it or listens; a connection counts as accepted by the first process that is seen to have it; absent when that is not known',
  ecs: { path: 'process.pid', value: ({ pid, process }) => (process === undefined ? pid : undefined) },
}

const transport: FieldSpec<SocketEvent> = {
  type: 'word',
  words: ['tcp'],
  doc: 'the protocol',
  isAlwaysKnown: true,
  ecs: 'network.transport',
}

const family: FieldSpec<SocketEvent> = {
  type: 'word',
  words: ['ipv4', 'ipv6'],
  doc: 'of the socket; one of IPv6 reaches an IPv4 address as `::ffff:192.0.2.1`',
  isAlwaysKnown: true,
}

/** The type of the network is that of the packets. */
const familyOfEnds: FieldSpec<Ends & SocketEvent> = {
  ...family,
  ecs: {
    path: 'network.type',
    value: ({ remoteIp, localIp }) => networkTypeOf(remoteIp ?? localIp),
    doc: 'of the packets: `ipv4` or `ipv6`',
  },
}

const netNs: FieldSpec<SocketEvent> = {
  type: 'number',
  doc: 'inode number of the network namespace, to which the addresses belong',
  dump: 'SOCK.id net_inonum',
  ecs: 'quark.socket.net_ns',
}

const socketId: FieldSpec<SocketEvent> = {
  type: 'digits',
  doc: 'cookie of the socket: the same in all of its events, and in `ss -e`; a socket may have several connections one after the other',
  isAlwaysKnown: true,
  dump: 'SOCK.id cookie',
  ecs: 'quark.socket.id',
}

const closerPid: FieldSpec<{ readonly closerPid: number | undefined }> = {
  type: 'pid',
  doc: 'of the process that closed it, as the last one that had it',
  dump: 'SOCK.end closer_pid',
  ecs: 'quark.socket.closer_pid',
}

const localIp: FieldSpec<Ends> = {
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

const localPort: FieldSpec<Ends> = {
  type: 'number',
  max: 65_535,
  roles: ['port'],
  doc: 'port of this end',
  ecs: [
    { path: 'source.port', value: sourcePort },
    { path: 'client.port', value: sourcePort },
  ],
}

const remoteIp: FieldSpec<Ends> = {
  type: 'string',
  roles: ['host'],
  doc: 'address of the other end',
  dump: { at: 'SOCK remote', value: ({ remoteIp, remotePort }) => endpointText(remoteIp, remotePort) },
  ecs: [
    { path: 'destination.ip', value: targetIp },
    { path: 'server.ip', value: targetIp },
  ],
}

const remotePort: FieldSpec<Ends> = {
  type: 'number',
  max: 65_535,
  roles: ['port'],
  doc: 'port of the other end',
  ecs: [
    { path: 'destination.port', value: targetPort },
    { path: 'server.port', value: targetPort },
  ],
}

const remoteName: FieldSpec<RemoteName> = {
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

const remoteNameSource: FieldSpec<RemoteName> = {
  type: 'word',
  words: ['tls', 'dns', 'dnsOfOther'],
  doc: 'where `remoteName` comes from: the connection itself, an answer to the same process, or one to another process of its network namespace',
  dump: 'SOCK.name source',
  ecs: 'quark.socket.remote_name_source',
}

const ACTIONS: readonly ConnectionAction[] = ['connect', 'accept', 'close']

const sentAndReceived = ({ sentBytes, receivedBytes }: ConnectionEvent): number | undefined =>
  sentBytes === undefined || receivedBytes === undefined ? undefined : sentBytes + receivedBytes

const connectionSpec: EventSpec<ConnectionEvent, ConnectionSummary> = {
  kind: 'connection',
  doc: 'A TCP connection was established by a process, accepted by one, or closed',
  subject: ({ pid, closerPid, process }) => process?.pid ?? pid ?? closerPid ?? 0,
  repeats: () => true,
  isFailure: ({ errno }) => errno !== undefined,
  runNs: ({ durationNs }) => durationNs,
  madeWith: 'sockets',
  fields: {
    actions: {
      type: 'words',
      words: ACTIONS,
      doc: 'what happened: its handshake has finished, a process got it, it was closed',
      isAlwaysKnown: true,
      ecs: 'quark.actions',
    },
    direction: {
      type: 'word',
      words: ['outbound', 'inbound'],
      doc: 'who began it: `outbound` is this end; absent when its beginning was not seen',
      ecs: {
        path: 'network.direction',
        value: ({ direction }) =>
          direction === undefined ? undefined : direction === 'inbound' ? 'ingress' : 'egress',
      },
      dump: 'SOCK.id direction',
    },
    pid,
    transport,
    family: familyOfEnds,
    localIp,
    localPort,
    remoteIp,
    remotePort,
    remoteName,
    remoteNameSource,
    sentBytes: {
      type: 'number',
      unit: 'bytes',
      max: Number.MAX_SAFE_INTEGER,
      doc: 'sent, without what was sent again, and with what waited to be sent when it was closed',
      dump: 'SOCK sent',
      ecs: [
        {
          path: 'source.bytes',
          value: sourceBytes,
        },
        {
          path: 'client.bytes',
          value: sourceBytes,
        },
        { path: 'network.bytes', value: sentAndReceived, doc: 'both together' },
      ],
    },
    receivedBytes: {
      type: 'number',
      unit: 'bytes',
      max: Number.MAX_SAFE_INTEGER,
      doc: 'received, whether or not they were read',
      dump: 'SOCK received',
      ecs: [
        {
          path: 'destination.bytes',
          value: targetBytes,
        },
        {
          path: 'server.bytes',
          value: targetBytes,
        },
      ],
    },
    handshakeNs: {
      type: 'duration',
      unit: 'ns',
      doc: 'from connect(2) until it was established',
      dump: 'SOCK.end handshake',
      ecs: 'quark.socket.handshake',
    },
    queuedNs: {
      type: 'duration',
      unit: 'ns',
      doc: 'from when the kernel established it until a process was seen to have it',
      dump: 'SOCK.end queued',
      ecs: 'quark.socket.queued',
    },
    durationNs: {
      type: 'duration',
      unit: 'ns',
      doc: 'until it was closed, from connect(2) on, or from when the kernel established it',
      dump: 'SOCK.end duration',
    },
    errno: {
      type: 'errno',
      doc: 'with which it had ended before it was closed: 104 is ECONNRESET, of a peer that reset it',
      dump: 'SOCK.end errno',
      ecs: [{ path: 'error.code', as: 'name', doc: '`ECONNRESET`' }, 'quark.socket.errno'],
    },
    unaccepted: {
      type: 'flag',
      doc: 'no process ever got it',
      dump: 'SOCK.end unaccepted',
      ecs: 'quark.socket.unaccepted',
    },
    closerPid,
    netNs,
    socketId,
    process: {
      type: 'object',
      object: processObject,
      doc: 'the process of `pid`, or of `closerPid` when that is not known',
    },
  },
  text: connectionText,
  summary: connectionSummary,
  dump: {
    title: ({ actions }) => actions.map((action) => TITLES[action]).join('+'),
    lines: ['SOCK local remote received sent', 'SOCK.name', 'SOCK.id', 'SOCK.end'],
  },
  ecs: {
    action: ({ actions }) => `connection${actions.map((action) => ECS_ACTIONS[action]).join('')}`,
    category: CATEGORY,
    type: ({ actions }) => typesOf(actions),
    dataset: DATASET,
    paths: PATHS,
    duration: ({ durationNs }) => durationNs,
    rows: [
      {
        what: 'TCP connection',
        action:
          '`connection`, then `-established` or `-accepted`, and `-closed`, as they apply: `connection-established-closed`',
        type: '`connection`; `start` for the first two, `end` for the last',
      },
    ],
  },
}

/** The first and the last are those of the C library. */
const TITLES: Readonly<Record<ConnectionAction, string>> = {
  connect: 'SOCK_CONN_ESTABLISHED',
  accept: 'SOCK_CONN_ACCEPTED',
  close: 'SOCK_CONN_CLOSED',
}

const ECS_ACTIONS: Readonly<Record<ConnectionAction, string>> = {
  connect: '-established',
  accept: '-accepted',
  close: '-closed',
}

function typesOf(actions: readonly ConnectionAction[]): string[] {
  const types = ['connection']
  if (actions.includes('connect') || actions.includes('accept')) types.push('start')
  if (actions.includes('close')) types.push('end')
  return types
}

const connectionFailedSpec: EventSpec<ConnectionFailedEvent> = {
  kind: 'connectionFailed',
  doc: 'A process tried to open a TCP connection, and it was not established',
  subject: ({ pid, process }) => process?.pid ?? pid ?? 0,
  repeats: () => true,
  isFailure: () => true,
  madeWith: 'sockets',
  fields: {
    errno: {
      type: 'errno',
      doc: 'why: 111 is ECONNREFUSED; absent when there was no way to the address, whose error is not seen, and when the process gave up',
      dump: 'SOCK.end errno',
      ecs: [{ path: 'error.code', as: 'name', doc: '`ECONNREFUSED`' }, 'quark.socket.errno'],
    },
    abandoned: {
      type: 'flag',
      doc: 'the socket was closed before there was an answer',
      dump: 'SOCK.end abandoned',
      ecs: 'quark.socket.abandoned',
    },
    pid,
    transport,
    family: familyOfEnds,
    localIp,
    localPort,
    remoteIp,
    remotePort,
    remoteName,
    remoteNameSource,
    durationNs: {
      type: 'duration',
      unit: 'ns',
      doc: 'from connect(2) until it failed; where there was no way, until the socket was used again or closed',
      dump: 'SOCK.end duration',
    },
    netNs,
    socketId,
    process: { type: 'object', object: processObject, doc: 'the process of `pid`' },
  },
  text: connectionFailedText,
  summary: connectionFailedSummary,
  dump: {
    title: () => 'SOCK_CONN_FAILED',
    isAlarm: true,
    lines: ['SOCK local remote', 'SOCK.name', 'SOCK.id', 'SOCK.end'],
  },
  ecs: {
    action: 'connection-failed',
    category: CATEGORY,
    type: ['connection'],
    outcome: 'failure',
    dataset: DATASET,
    paths: PATHS,
    duration: ({ durationNs }) => durationNs,
  },
}

const listenerSpec: EventSpec<ListenerEvent, ListenerSummary> = {
  kind: 'listener',
  doc: 'A process listens for TCP connections, or has stopped to',
  subject: ({ pid, closerPid, process }) => process?.pid ?? pid ?? closerPid ?? 0,
  repeats: () => true,
  runNs: ({ durationNs }) => durationNs,
  madeWith: 'sockets',
  fields: {
    actions: {
      type: 'words',
      words: ['listen', 'close'],
      doc: 'what happened',
      isAlwaysKnown: true,
      ecs: 'quark.actions',
    },
    pid,
    transport,
    family: {
      ...family,
      ecs: 'network.type',
    },
    localIp: {
      type: 'string',
      doc: 'the address that it listens at; `0.0.0.0` or `::` is any',
      dump: { at: 'SOCK local', value: ({ localIp, localPort }) => endpointText(localIp, localPort) },
      ecs: 'server.ip',
    },
    localPort: {
      type: 'number',
      max: 65_535,
      roles: ['port'],
      doc: 'the port; absent when the kernel chose it in listen(2)',
      ecs: 'server.port',
    },
    backlog: {
      type: 'number',
      doc: 'connections that may wait to be accepted',
      dump: 'SOCK.end backlog',
      ecs: 'quark.socket.backlog',
    },
    durationNs: {
      type: 'duration',
      unit: 'ns',
      doc: 'from listen(2) until it was closed',
      dump: 'SOCK.end duration',
    },
    closerPid,
    netNs,
    socketId,
    process: {
      type: 'object',
      object: processObject,
      doc: 'the process of `pid`, or of `closerPid` when that is not known',
    },
  },
  text: listenerText,
  summary: listenerSummary,
  dump: {
    title: ({ actions }) =>
      actions.map((action) => (action === 'listen' ? 'SOCK_LISTEN' : 'SOCK_LISTEN_CLOSED')).join('+'),
    lines: ['SOCK local', 'SOCK.id', 'SOCK.end'],
  },
  ecs: {
    action: ({ actions }) =>
      `listener${actions.map((action) => (action === 'listen' ? '-started' : '-stopped')).join('')}`,
    category: CATEGORY,
    type: ({ actions }) => actions.map((action) => (action === 'listen' ? 'start' : 'end')),
    dataset: DATASET,
    paths: PATHS,
    duration: ({ durationNs }) => durationNs,
    rows: [
      {
        what: 'process that listens',
        action: '`listener-started`, `listener-stopped`, `listener-started-stopped`',
        type: '`start`, `end`',
      },
    ],
  },
}

/** In the order of the docs. */
export const socketEvents = [connectionSpec, connectionFailedSpec, listenerSpec] as const
