import * as fc from 'fast-check'
import type { BaseEvent } from '../../../event/event.js'
import type { Made } from '../../../event/forms.js'
import { hostileText, maybe, u32, u64 } from '../../../testing/hostile-text.js'
import type { Samples } from '../../../testing/samples.js'
import type {
  ConnectionEvent,
  ConnectionFailedEvent,
  ListenerEvent,
  RawSocketEvent,
  SocketSnapshotEvent,
  UdpFlowEvent,
  UnixSocketEvent,
} from '../events.js'
import { SOCKET_STATES, TRANSPORTS } from '../socket.js'

/** 2026-01-02T03:04:05.000000006Z. */
const TIME_NS = 1_767_323_045_000_000_006n

const SOCKET = {
  timeNs: TIME_NS,
  transport: 'tcp',
  family: 'ipv4',
  localIp: '192.0.2.7',
  localPort: 50_250,
  netNs: 4_026_531_840,
  socketId: 4107n,
  pid: 4242,
  process: undefined,
} as const

const UNKNOWN = {
  handshakeNs: undefined,
  queuedNs: undefined,
  durationNs: undefined,
  sentBytes: undefined,
  receivedBytes: undefined,
  errno: undefined,
  unaccepted: false,
  closerPid: undefined,
  remoteName: undefined,
  remoteNameSource: undefined,
} as const

/** Opened, and closed by another process soon after, when the peer had reset it. */
const SHORT: Made<ConnectionEvent> = {
  ...SOCKET,
  kind: 'connection',
  actions: ['connect', 'close'],
  direction: 'outbound',
  remoteIp: '198.51.100.9',
  remotePort: 443,
  remoteName: 'www.example.org',
  remoteNameSource: 'tls',
  handshakeNs: 12_345_678n,
  queuedNs: undefined,
  durationNs: 1_500_000_000n,
  sentBytes: 517,
  receivedBytes: 5_000_000_000,
  errno: 104,
  unaccepted: false,
  closerPid: 4243,
}

const ACCEPTED: Made<ConnectionEvent> = {
  ...SOCKET,
  ...UNKNOWN,
  kind: 'connection',
  actions: ['accept'],
  family: 'ipv6',
  localIp: '2001:db8::7',
  localPort: 443,
  direction: 'inbound',
  remoteIp: '2001:db8:0:1::9',
  remotePort: 60_000,
  queuedNs: 17_802_196n,
}

/** Nobody accepted it. */
const UNACCEPTED: Made<ConnectionEvent> = {
  ...ACCEPTED,
  actions: ['close'],
  family: 'ipv6',
  localIp: '::ffff:192.0.2.7',
  remoteIp: '::ffff:198.51.100.9',
  queuedNs: undefined,
  durationNs: 8864n,
  sentBytes: 0,
  receivedBytes: 7,
  unaccepted: true,
  pid: undefined,
}

/** It was there before the queue. */
const CLOSED: Made<ConnectionEvent> = {
  ...SHORT,
  actions: ['close'],
  direction: undefined,
  pid: undefined,
  handshakeNs: undefined,
  durationNs: undefined,
  errno: undefined,
}

const REFUSED: Made<ConnectionFailedEvent> = {
  ...SOCKET,
  kind: 'connectionFailed',
  remoteIp: '198.51.100.9',
  remotePort: 443,
  remoteName: 'www.example.org',
  remoteNameSource: 'dns',
  errno: 111,
  abandoned: false,
  durationNs: 110_200n,
}

const ABANDONED: Made<ConnectionFailedEvent> = {
  ...REFUSED,
  errno: undefined,
  abandoned: true,
  remoteName: undefined,
  remoteNameSource: undefined,
}

const UNREACHABLE: Made<ConnectionFailedEvent> = {
  ...REFUSED,
  localIp: undefined,
  localPort: undefined,
  errno: undefined,
}

const LISTENING: Made<ListenerEvent> = {
  ...SOCKET,
  kind: 'listener',
  actions: ['listen'],
  localIp: '0.0.0.0',
  localPort: 8080,
  backlog: 511,
  durationNs: undefined,
  closerPid: undefined,
}

const STOPPED: Made<ListenerEvent> = {
  ...LISTENING,
  actions: ['listen', 'close'],
  family: 'ipv6',
  localIp: '::',
  durationNs: 739_266_928n,
  closerPid: 4242,
}

/** A resolver asked, and its child closed the socket. */
const ASKED: Made<UdpFlowEvent> = {
  ...SOCKET,
  kind: 'udpFlow',
  transport: 'udp',
  remoteName: 'dns.example',
  remoteNameSource: 'dnsOfOther',
  direction: 'outbound',
  remoteIp: '198.51.100.53',
  remotePort: 53,
  ended: 'closed',
  beganNs: TIME_NS - 30_000_000n,
  lastNs: TIME_NS - 7_000_000n,
  durationNs: 23_000_000n,
  sentDatagrams: 2,
  receivedDatagrams: 3,
  sentBytes: 78,
  receivedBytes: 1234,
  openerPid: 4241,
  closerPid: 4243,
}

/** Its beginning was evicted, and nobody is known. */
const QUIET: Made<UdpFlowEvent> = {
  ...ASKED,
  family: 'ipv6',
  direction: undefined,
  localIp: '::ffff:192.0.2.7',
  remoteIp: '::ffff:198.51.100.53',
  ended: 'idle',
  remoteName: undefined,
  remoteNameSource: undefined,
  beganNs: undefined,
  durationNs: undefined,
  sentDatagrams: 0,
  sentBytes: 0,
  netNs: undefined,
  pid: undefined,
  openerPid: undefined,
  closerPid: undefined,
}

const SERVED: Made<UdpFlowEvent> = { ...ASKED, direction: 'inbound', ended: undefined, closerPid: undefined }

const { transport: _transport, family: _family, localIp: _ip, localPort: _port, ...BARE } = SOCKET

const PINGED: Made<RawSocketEvent> = {
  ...BARE,
  kind: 'rawSocket',
  actions: ['open', 'close'],
  family: 'ipv4',
  socketType: 'raw',
  protocol: 1,
  durationNs: 3_250_000n,
  closerPid: 4243,
}

const SNIFFED: Made<RawSocketEvent> = {
  ...PINGED,
  actions: ['open'],
  family: 'packet',
  socketType: 'dgram',
  protocol: 3,
  socketId: undefined,
  durationNs: undefined,
  closerPid: undefined,
}

const UNSNIFFED: Made<RawSocketEvent> = {
  ...SNIFFED,
  actions: ['close'],
  socketType: undefined,
  protocol: undefined,
  pid: undefined,
  closerPid: 4242,
}

const DIALLED: Made<UnixSocketEvent> = {
  ...BARE,
  kind: 'unixSocket',
  action: 'connect',
  socketType: 'stream',
  path: '/run/a b\x1b.sock',
  abstract: false,
  peerPid: 812,
}

const ABSTRACT: Made<UnixSocketEvent> = {
  ...DIALLED,
  action: 'accept',
  socketType: 'seqpacket',
  path: 'tmp/.X11',
  abstract: true,
}

const UNNAMED: Made<UnixSocketEvent> = {
  ...DIALLED,
  action: 'listen',
  socketType: undefined,
  path: undefined,
  peerPid: undefined,
}

const FOUND: Made<SocketSnapshotEvent> = {
  ...SOCKET,
  kind: 'socketSnapshot',
  state: 'connected',
  remoteIp: '198.51.100.9',
  remotePort: 443,
  fd: 7,
  sentBytes: 517,
  receivedBytes: 3_410_000,
}

const FOUND_UDP: Made<SocketSnapshotEvent> = {
  ...FOUND,
  transport: 'udp',
  state: 'open',
  localIp: '0.0.0.0',
  localPort: 53,
  remoteIp: undefined,
  remotePort: undefined,
  sentBytes: undefined,
  receivedBytes: undefined,
}

const ip = maybe(
  fc.oneof(
    fc.ipV4(),
    fc.ipV6(),
    fc.ipV4().map((ipv4) => `::ffff:${ipv4}`),
  ),
)
const port = maybe(fc.nat({ max: 65_535 }))

const socket = {
  timeNs: u64,
  transport: fc.constantFrom(...TRANSPORTS),
  family: fc.constantFrom('ipv4' as const, 'ipv6' as const),
  localIp: ip,
  localPort: port,
  netNs: maybe(u32),
  socketId: u64,
  pid: maybe(u32),
  process: fc.constant(undefined),
}

const { transport: _any, family: _any4, localIp: _anyIp, localPort: _anyPort, ...bare } = socket
const direction = fc.constantFrom('outbound' as const, 'inbound' as const, undefined)
const bytes = { sentBytes: maybe(fc.maxSafeNat()), receivedBytes: maybe(fc.maxSafeNat()) }

const remote = {
  remoteIp: ip,
  remotePort: port,
  remoteName: maybe(fc.string({ unit: 'binary' })),
  remoteNameSource: fc.constantFrom('tls' as const, 'dns' as const, 'dnsOfOther' as const, undefined),
}

const anySocketEvent: fc.Arbitrary<BaseEvent> = fc.oneof(
  fc.record({
    kind: fc.constant('connection' as const),
    ...socket,
    ...remote,
    actions: fc.subarray(['connect' as const, 'accept' as const, 'close' as const], { minLength: 1 }),
    direction,
    handshakeNs: maybe(u64),
    queuedNs: maybe(u64),
    durationNs: maybe(u64),
    sentBytes: maybe(fc.maxSafeNat()),
    receivedBytes: maybe(fc.maxSafeNat()),
    errno: maybe(fc.nat({ max: 4095 })),
    unaccepted: fc.boolean(),
    closerPid: maybe(u32),
  }),
  fc.record({
    kind: fc.constant('connectionFailed' as const),
    ...socket,
    ...remote,
    errno: maybe(fc.nat({ max: 4095 })),
    abandoned: fc.boolean(),
    durationNs: maybe(u64),
  }),
  fc.record({
    kind: fc.constant('listener' as const),
    ...socket,
    actions: fc.subarray(['listen' as const, 'close' as const], { minLength: 1 }),
    backlog: maybe(u32),
    durationNs: maybe(u64),
    closerPid: maybe(u32),
  }),
  fc.record({
    kind: fc.constant('udpFlow' as const),
    ...socket,
    ...remote,
    ...bytes,
    direction,
    ended: fc.constantFrom('closed' as const, 'idle' as const, undefined),
    beganNs: maybe(u64),
    lastNs: u64,
    durationNs: maybe(u64),
    sentDatagrams: maybe(fc.maxSafeNat()),
    receivedDatagrams: maybe(fc.maxSafeNat()),
    openerPid: maybe(u32),
    closerPid: maybe(u32),
  }),
  fc.record({
    kind: fc.constant('rawSocket' as const),
    ...bare,
    actions: fc.subarray(['open' as const, 'close' as const], { minLength: 1 }),
    family: fc.constantFrom('ipv4' as const, 'ipv6' as const, 'packet' as const),
    socketType: fc.constantFrom('raw' as const, 'dgram' as const, undefined),
    protocol: port,
    durationNs: maybe(u64),
    closerPid: maybe(u32),
  }),
  fc.record({
    kind: fc.constant('unixSocket' as const),
    ...bare,
    action: fc.constantFrom('connect' as const, 'accept' as const, 'listen' as const),
    socketType: fc.constantFrom('stream' as const, 'dgram' as const, 'seqpacket' as const, undefined),
    path: maybe(hostileText),
    abstract: fc.boolean(),
    peerPid: maybe(u32),
  }),
  fc.record({
    kind: fc.constant('socketSnapshot' as const),
    ...socket,
    ...remote,
    ...bytes,
    state: fc.constantFrom(...SOCKET_STATES),
    fd: port,
  }),
)

export const samples: Samples = {
  golden: [
    SHORT,
    ACCEPTED,
    UNACCEPTED,
    CLOSED,
    REFUSED,
    ABANDONED,
    UNREACHABLE,
    LISTENING,
    STOPPED,
    ASKED,
    QUIET,
    SERVED,
    PINGED,
    SNIFFED,
    UNSNIFFED,
    DIALLED,
    ABSTRACT,
    UNNAMED,
    FOUND,
    FOUND_UDP,
  ],
  any: anySocketEvent,
}
