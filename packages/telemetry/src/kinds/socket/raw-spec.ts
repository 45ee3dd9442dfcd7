/** The declarations of raw sockets and of Unix sockets. */

import type { EventSpec, FieldSpec } from '../../event/spec.js'
import { processObject } from '../../process/spec.js'
import { activityColumns } from '../../process/text.js'
import { CATEGORY, closerPid, DATASET, netNs, PATHS, socketId } from './event-fields.js'
import { closerNote, durationNote } from './event-texts.js'
import type { RawSocketEvent, UnixSocketEvent } from './events.js'
import { rawSocketSummary, type RawSocketSummary } from './summary.js'

const pid: FieldSpec<RawSocketEvent | UnixSocketEvent> = {
  type: 'pid',
  doc: 'of the process that did it',
  ecs: { path: 'process.pid', value: ({ pid, process }) => (process === undefined ? pid : undefined) },
}

const { isAlwaysKnown: _isAlways, ...anySocketId } = socketId
const someSocketId: FieldSpec<RawSocketEvent | UnixSocketEvent> = {
  ...(anySocketId as FieldSpec<object>),
  doc: 'cookie of the socket, where a program saw the socket itself',
}

/** include/uapi/linux/if_ether.h, include/uapi/linux/in.h */
const PACKET_PROTOCOLS: Readonly<Record<number, string>> = {
  0: 'none',
  3: 'all',
  0x800: 'ip',
  0x806: 'arp',
  0x86dd: 'ipv6',
}
const RAW_PROTOCOLS: Readonly<Record<number, string>> = {
  1: 'icmp',
  6: 'tcp',
  17: 'udp',
  58: 'ipv6-icmp',
  255: 'raw',
}

function protocolText({ family, protocol }: RawSocketEvent): string {
  if (protocol === undefined) return family
  const names = family === 'packet' ? PACKET_PROTOCOLS : RAW_PROTOCOLS
  return `${family} ${names[protocol] ?? protocol}`
}

const networkType = ({ family }: RawSocketEvent): string | undefined =>
  family === 'packet' ? undefined : family

export const rawSocketSpec: EventSpec<RawSocketEvent, RawSocketSummary> = {
  kind: 'rawSocket',
  doc: 'A process opened a raw socket or one of packets, through which it reads what is for others, or closed it',
  subject: ({ pid, closerPid, process }) => process?.pid ?? pid ?? closerPid ?? 0,
  repeats: () => true,
  runNs: ({ durationNs }) => durationNs,
  madeWith: 'sockets',
  summary: rawSocketSummary,
  fields: {
    actions: {
      type: 'words',
      words: ['open', 'close'],
      doc: 'what happened',
      isAlwaysKnown: true,
      ecs: 'quark.actions',
    },
    pid,
    family: {
      type: 'word',
      words: ['ipv4', 'ipv6', 'packet'],
      doc: 'of the socket; `packet` sees all that a network interface does',
      isAlwaysKnown: true,
      dump: 'SOCK family',
      ecs: [{ path: 'network.type', value: networkType }, 'quark.socket.family'],
    },
    socketType: {
      type: 'word',
      words: ['raw', 'dgram'],
      doc: 'with the headers of the interface, or without',
      dump: 'SOCK type',
      ecs: 'quark.socket.type',
    },
    protocol: {
      type: 'number',
      max: 65_535,
      doc: 'of IP, or of Ethernet for packets: 3 is all of them',
      dump: 'SOCK protocol',
      ecs: [
        {
          path: 'network.iana_number',
          as: 'string',
          value: ({ family, protocol }) =>
            family === 'packet' || protocol === undefined ? undefined : String(protocol),
        },
        'quark.socket.protocol',
      ],
    },
    durationNs: {
      type: 'duration',
      unit: 'ns',
      doc: 'from socket(2) until it was closed',
      dump: 'SOCK.end duration',
    },
    closerPid,
    netNs,
    socketId: someSocketId,
    process: {
      type: 'object',
      object: processObject,
      doc: 'the process of `pid`, or of `closerPid` when that is not known',
    },
  },
  text: {
    ...activityColumns<RawSocketEvent>(protocolText),
    word: ({ actions }) => (actions.includes('open') ? 'rawo' : 'rawc'),
    words: {
      rawo: { doc: 'a process opened a raw socket, or one of packets (`--sockets`)', tone: 'changed' },
      rawc: { doc: 'such a socket was closed', tone: 'quiet' },
    },
    notes: [durationNote, closerNote],
  },
  dump: {
    title: ({ actions }) =>
      actions.map((action) => (action === 'open' ? 'SOCK_RAW_OPEN' : 'SOCK_RAW_CLOSED')).join('+'),
    lines: ['SOCK family type protocol', 'SOCK.id', 'SOCK.end'],
  },
  ecs: {
    action: ({ actions }) =>
      `raw-socket${actions.map((action) => (action === 'open' ? '-opened' : '-closed')).join('')}`,
    category: CATEGORY,
    type: ({ actions }) => actions.map((action) => (action === 'open' ? 'start' : 'end')),
    dataset: DATASET,
    paths: PATHS,
    duration: ({ durationNs }) => durationNs,
    rows: [
      {
        what: 'raw socket',
        action: '`raw-socket-opened`, `raw-socket-closed`, `raw-socket-opened-closed`',
        type: '`start`, `end`',
      },
    ],
  },
}

const WORDS = { connect: 'ucon', accept: 'uacc', listen: 'ulst' } as const

export const unixSocketSpec: EventSpec<UnixSocketEvent> = {
  kind: 'unixSocket',
  doc: 'A process connected through a Unix socket, accepted such a connection, or listens for them',
  subject: ({ pid, process }) => process?.pid ?? pid ?? 0,
  repeats: () => true,
  madeWith: 'unixSockets',
  fields: {
    action: {
      type: 'word',
      words: ['connect', 'accept', 'listen'],
      doc: 'what it did',
      isAlwaysKnown: true,
    },
    pid,
    path: {
      type: 'string',
      doc: 'the name of who listens: a path as bind(2) got it, or an abstract name without its leading NUL, up to the next one',
      dump: 'SOCK path',
      ecs: 'quark.socket.path',
    },
    abstract: {
      type: 'flag',
      doc: 'the name is abstract: no file has it',
      dump: 'SOCK abstract',
      ecs: 'quark.socket.abstract',
    },
    peerPid: {
      type: 'pid',
      doc: 'of the other end: of a client the process that called listen(2), of a server the one that connected',
      dump: 'SOCK.id peer_pid',
      ecs: 'quark.socket.peer_pid',
    },
    socketType: {
      type: 'word',
      words: ['stream', 'dgram', 'seqpacket'],
      doc: 'type of the socket',
      dump: 'SOCK type',
      ecs: 'quark.socket.type',
    },
    netNs,
    socketId: someSocketId,
    process: { type: 'object', object: processObject, doc: 'the process of `pid`' },
  },
  text: {
    ...activityColumns<UnixSocketEvent>(
      ({ path, abstract }) => `${abstract ? '@' : ''}${path ?? '(unnamed)'}`,
    ),
    word: ({ action }) => WORDS[action],
    words: {
      ucon: { doc: 'a process connected through a Unix socket (`--unix`)', tone: 'began' },
      uacc: { doc: 'a process accepted such a connection', tone: 'began' },
      ulst: { doc: 'a process listens at a Unix socket', tone: 'began' },
    },
    notes: [
      {
        label: 'peer ',
        type: 'pid',
        value: ({ peerPid }) => peerPid,
        doc: 'pid of the other end of a Unix socket',
        example: 'peer 812',
      },
    ],
  },
  dump: {
    title: ({ action }) => `SOCK_UNIX_${action.toUpperCase()}`,
    lines: ['SOCK path abstract type', 'SOCK.id'],
  },
  ecs: {
    action: ({ action }) => `unix-socket-${action}`,
    category: CATEGORY,
    type: ({ action }) => (action === 'listen' ? ['start'] : ['connection', 'start']),
    dataset: DATASET,
    paths: PATHS,
    rows: [
      {
        what: 'Unix socket',
        action: '`unix-socket-connect`, `unix-socket-accept`, `unix-socket-listen`',
        type: '`start`; `connection` for the first two',
      },
    ],
  },
}
