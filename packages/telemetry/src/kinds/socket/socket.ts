/** A socket as the table has it, for everyone. */

/** Protocols of sockets. */
export const TRANSPORTS = ['tcp', 'mptcp', 'udp', 'raw'] as const

export type Transport = (typeof TRANSPORTS)[number]

/** What a socket does. */
export const SOCKET_STATES = ['listening', 'connecting', 'connected', 'open', 'closed'] as const

export type SocketState = (typeof SOCKET_STATES)[number]

/** What is known of a socket. Objects do not change: a later look-up gives another one. */
export interface Socket {
  /** Cookie of the socket: the number that the kernel gives it for its lifetime. */
  readonly socketId: bigint
  readonly transport: Transport
  readonly family: 'ipv4' | 'ipv6'
  /** `open` is one without a peer that does not listen. */
  readonly state: SocketState
  readonly localIp: string | undefined
  readonly localPort: number | undefined
  readonly remoteIp: string | undefined
  readonly remotePort: number | undefined
  /** Inode number of the network namespace. */
  readonly netNs: number | undefined
  /** Of the process that opened, accepted or found it; undefined when that is not known. */
  readonly pid: number | undefined
  /** Number of its descriptor in that process; only of sockets that were there before the queue. */
  readonly fd: number | undefined
  /** Of the process that closed it. */
  readonly closerPid: number | undefined
  /** Epoch ns; undefined of a socket that was there before. */
  readonly openedNs: bigint | undefined
  /** Epoch ns of its end; undefined while it is open. */
  readonly closedNs: bigint | undefined
  /** Without what was sent again; as it was when it was found or closed. */
  readonly sentBytes: number | undefined
  readonly receivedBytes: number | undefined
}

/** Two ends by which a socket is looked up, as text of IPv4 or IPv6. */
export interface SocketEnds {
  readonly localIp: string
  readonly localPort: number
  /** Left out for one that listens or has no peer. */
  readonly remoteIp?: string
  readonly remotePort?: number
  /** Inode number of the network namespace; any when left out. */
  readonly netNs?: number
}

/** Whether two sockets may have the same value of a member: what is not known of one of them does not tell them apart. */
export function mayBeEqual<T>(one: T | undefined, other: T | undefined): boolean {
  return one === undefined || other === undefined || one === other
}
