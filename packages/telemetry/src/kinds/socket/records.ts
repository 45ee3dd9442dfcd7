/**
 * Layouts of socket records, whatever fills them. Addresses and ports are in network order, as the kernel has them;
 * an IPv4 address is the first word of four. `cookie` is the number that the kernel gives a socket for its lifetime.
 */

import { bytesTail, record, s32, u16, u32, u64 } from 'quark-ebpf/probe'

/** High byte of the types of records: unique among kinds, and part of the recording format. */
export const SOCKET_KIND = 4

export const RECORD_CONNECT = (SOCKET_KIND << 8) | 1
export const RECORD_CONNECT_FAILED = (SOCKET_KIND << 8) | 2
export const RECORD_ACCEPT = (SOCKET_KIND << 8) | 3
export const RECORD_LISTEN = (SOCKET_KIND << 8) | 4
export const RECORD_CLOSE = (SOCKET_KIND << 8) | 5
export const RECORD_TCP_COUNTS = (SOCKET_KIND << 8) | 0x21
const RECORD_TCP_PENDING = (SOCKET_KIND << 8) | 0x22
export const RECORD_FOUND = (SOCKET_KIND << 8) | 16
export const RECORD_FLOW = (SOCKET_KIND << 8) | 17
export const RECORD_RAW = (SOCKET_KIND << 8) | 18
export const RECORD_RAW_CLOSE = (SOCKET_KIND << 8) | 19
export const RECORD_UNIX = (SOCKET_KIND << 8) | 20
export const RECORD_CONNECT_ERROR = (SOCKET_KIND << 8) | 0x15
export const RECORD_LISTEN_PORT = (SOCKET_KIND << 8) | 0x16

/** `sun_path`, in whole words. */
const UNIX_NAME_BYTES = 112

/** What all records of the internet begin with. */
const socket = {
  /** Who opened it, accepted it or listens; 0 when that is not known. */
  pid: u32,
  netNs: u32,
  cookie: u64,
  /** Start of that process, which distinguishes it from others that get its pid; 0 when it is not known. */
  startBootNs: u64,
  /** CLOCK_BOOTTIME: when a connection was begun, accepted by the kernel, or listened for; 0 when it is not known. */
  sinceNs: u64,
  /** `AF_INET` or `AF_INET6`. */
  family: u16,
  localPort: u16,
  remotePort: u16,
  /** `PHASE_`: how it was opened. */
  phase: u16,
  local0: u32,
  local1: u32,
  local2: u32,
  local3: u32,
  remote0: u32,
  remote1: u32,
  remote2: u32,
  remote3: u32,
} as const

/** A connection that a process of this machine began is established. */
export const connectLayout = record(RECORD_CONNECT, 'connect', socket)

/** Such a connection was not established; `errno` is 0 when no error is known, or there was none. */
export const connectFailedLayout = record(RECORD_CONNECT_FAILED, 'connectFailed', {
  ...socket,
  errno: u32,
  /** Bits of `sk_shutdown`: both when the socket was closed before. */
  shutdown: u32,
})

/** A process has got a connection that another one began: it accepted it, or was the first to use it. */
export const acceptLayout = record(RECORD_ACCEPT, 'accept', socket)

/** A process listens for connections. */
export const listenLayout = record(RECORD_LISTEN, 'listen', { ...socket, backlog: u32 })

/** What connect(2) returned, of a socket whose state had said that it failed, and not why. */
export const connectErrorLayout = record(RECORD_CONNECT_ERROR, 'connectError', { cookie: u64, errno: u32 })

/** Where a process listens: known only when the kernel has chosen a port. */
export const listenPortLayout = record(RECORD_LISTEN_PORT, 'listenPort', socket)

/** A connection was closed by the last process that had it, or nobody listens at a socket any more. */
export const closeLayout = record(RECORD_CLOSE, 'socketClose', {
  ...socket,
  closerPid: u32,
  /** Why it had ended before; 0 if it had not, or without an error. */
  errno: u32,
  closerStartBootNs: u64,
  /** Without what was sent once more; with what is still to be sent. */
  sentBytes: u64,
  receivedBytes: u64,
  /** 1 if this kernel can supply the bytes. */
  hasBytes: u32,
})

/** What the kernel has counted in quark's network namespace, and what of it no record can have told of yet. */
export const tcpCountsLayout = record(RECORD_TCP_COUNTS, 'tcpCounts', {
  netNs: u32,
  /** Connections that are being tried. */
  opening: u32,
  /** CLOCK_BOOTTIME at which the counters were read. */
  readNs: u64,
  /** ActiveOpens, PassiveOpens and AttemptFails of /proc/net/snmp; ListenDrops of /proc/net/netstat. */
  activeOpens: u64,
  passiveOpens: u64,
  attemptFails: u64,
  listenDrops: u64,
  /** Connections that others opened, and that no process was seen to have. */
  waiting: u32,
})

/** A connection of which no record can have told yet: one of `opening`, of `waiting`, or both. Only iterators make it. */
export const tcpPendingLayout = record(RECORD_TCP_PENDING, 'tcpPending', { isOpening: u32, isWaiting: u32 })
/** A socket that a process had when the queue was opened. */
export const foundLayout = record(RECORD_FOUND, 'socketFound', {
  ...socket,
  /** Number of its descriptor in that process. */
  fd: s32,
  /** `IPPROTO_`, and `SOCK_`. */
  protocol: u16,
  socketType: u16,
  /** As in include/net/tcp_states.h. */
  state: u32,
  hasBytes: u32,
  sentBytes: u64,
  receivedBytes: u64,
})

/** Datagrams between a socket and one other end, from the first to the last. */
export const flowLayout = record(RECORD_FLOW, 'udpFlow', {
  ...socket,
  openerPid: u32,
  closerPid: u32,
  /** CLOCK_BOOTTIME of the last datagram. */
  lastNs: u64,
  sentDatagrams: u64,
  receivedDatagrams: u64,
  sentBytes: u64,
  receivedBytes: u64,
  /** `FLOW_`: why nothing more is expected. */
  ended: u32,
})

/** What records of sockets that see packets of others have besides. */
const raw = {
  ...socket,
  /** `IPPROTO_`, or of a packet socket `ETH_P_`, in the order of the machine. */
  protocol: u16,
  /** `SOCK_` */
  socketType: u16,
} as const

/** A process has opened a raw socket, or one of packets. */
export const rawLayout = record(RECORD_RAW, 'rawSocket', { ...raw, reserved: u32 })

/** The last process that had such a socket has closed it. */
export const rawCloseLayout = record(RECORD_RAW_CLOSE, 'rawSocketClose', {
  ...raw,
  closerPid: u32,
  closerStartBootNs: u64,
})

/** A process has connected, accepted or begun to listen at a Unix socket. */
export const unixLayout = record(RECORD_UNIX, 'unixSocket', {
  pid: u32,
  peerPid: u32,
  cookie: u64,
  startBootNs: u64,
  netNs: u32,
  /** `UNIX_` */
  action: u32,
  socketType: u32,
  /** The name is none of a file. */
  isAbstract: u32,
  name: bytesTail(UNIX_NAME_BYTES),
})

export const UNIX_CONNECT = 0
export const UNIX_ACCEPT = 1
export const UNIX_LISTEN = 2

/** Both sides may still send: the queue ends. */
export const FLOW_OPEN = 0
export const FLOW_CLOSED = 1
export const FLOW_IDLE = 2

/** How a socket was opened. */
export const PHASE_UNKNOWN = 0
/** A connection was tried. */
export const PHASE_TRIED = 1
export const PHASE_CONNECTED = 2
/** The process that has it is known. */
export const PHASE_ACCEPTED = 3
/** Taken by the kernel; no process was seen to have it. */
export const PHASE_WAITING = 4
export const PHASE_LISTENING = 5
/** Taken by the kernel, and never accepted. */
export const PHASE_REFUSED = 6
/** It was there before; who has it is known, and not how it was opened. */
export const PHASE_FOUND = 7

/** include/uapi/linux/in.h, include/linux/net.h */
export const IPPROTO_UDP = 17
export const IPPROTO_MPTCP = 262
export const SOCK_STREAM = 1
export const SOCK_DGRAM = 2
export const SOCK_RAW = 3
export const SOCK_SEQPACKET = 5

export const AF_UNIX = 1
export const AF_PACKET = 17

export const AF_INET = 2
export const AF_INET6 = 10
