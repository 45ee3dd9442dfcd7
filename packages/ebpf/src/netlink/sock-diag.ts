/** Sockets of the internet, as the kernel lists them (include/uapi/linux/inet_diag.h). */

import { constants } from 'node:os'
import { EbpfError } from '../errors.js'
import { Fd } from '../sys/fd.js'
import { setNamespace } from '../sys/libc.js'
import { checked, kernelError } from '../sys/permission.js'
import { openNetlink, receiveDatagram, sendDatagram } from './socket.js'

const NETLINK_SOCK_DIAG = 4
const SOCK_DIAG_BY_FAMILY = 20
const NLM_F_REQUEST = 1
const NLM_F_DUMP = 0x300
const NLMSG_ERROR = 2
const NLMSG_DONE = 3
const HEADER_BYTES = 16
const REQUEST_BYTES = 56
/** `struct inet_diag_msg`, without attributes. */
const MESSAGE_BYTES = 72
const BUFFER_BYTES = 65_536
const TIMEOUT_MS = 3000
const CLONE_NEWNET = 0x4000_0000

/** Which sockets to list. */
export interface SocketsWanted {
  /** `AF_INET` or `AF_INET6`. */
  readonly family: number
  /** `IPPROTO_TCP`, `IPPROTO_UDP`, or `IPPROTO_RAW` for raw sockets. */
  readonly protocol: number
  /** Bit n is state n of include/net/tcp_states.h. */
  readonly states: number
}

/** One socket. Ports and the words of addresses are in network order, as the kernel has them. */
export interface ListedSocket {
  readonly family: number
  readonly state: number
  readonly localPort: number
  readonly remotePort: number
  /** Four words each; an IPv4 address is the first of them. */
  readonly local: readonly [number, number, number, number]
  readonly remote: readonly [number, number, number, number]
  /** The number that the kernel gives a socket for its lifetime. */
  readonly cookie: bigint
  /** Of its file; 0 when no process has it any more, or none yet. */
  readonly inode: number
}

/**
 * Lists the sockets of a network namespace.
 *
 * @param namespace path of the namespace, such as `/proc/1/ns/net`; undefined for that of this thread. The thread enters it
 * while the socket that lists is opened, and is back when this returns; it needs CAP_SYS_ADMIN.
 * @param take gets each socket; listing ends when it returns false
 * @throws {EbpfError} when the kernel refuses, or knows no sockets of that protocol
 * @throws {Error} of `fs.openSync` when the namespace is gone
 */
export function listSockets(
  namespace: string | undefined,
  wanted: readonly SocketsWanted[],
  take: (socket: ListedSocket) => boolean,
): void {
  const open = (): ReturnType<typeof openNetlink> =>
    openNetlink(NETLINK_SOCK_DIAG, 'socket that lists sockets', TIMEOUT_MS)
  const fd = namespace === undefined ? open() : inNamespace(namespace, open)
  const buffer = Buffer.alloc(BUFFER_BYTES)
  try {
    for (const one of wanted) {
      sendDatagram(fd, requestFor(one), 'Cannot list sockets')
      if (!takeAll(() => receiveDatagram(fd, buffer, 'socket that lists sockets'), buffer, take)) return
    }
  } finally {
    fd.close()
  }
}

function requestFor({ family, protocol, states }: SocketsWanted): Uint8Array {
  const message = Buffer.alloc(HEADER_BYTES + REQUEST_BYTES)
  message.writeUInt32LE(message.length, 0)
  message.writeUInt16LE(SOCK_DIAG_BY_FAMILY, 4)
  message.writeUInt16LE(NLM_F_REQUEST | NLM_F_DUMP, 6)
  message[HEADER_BYTES] = family
  message[HEADER_BYTES + 1] = protocol
  message.writeUInt32LE(states, HEADER_BYTES + 4)
  return message
}

/** False when `take` has enough. */
function takeAll(receive: () => number, buffer: Buffer, take: (socket: ListedSocket) => boolean): boolean {
  for (;;) {
    const length = receive()
    if (length < HEADER_BYTES)
      throw new EbpfError('ERR_EBPF_KERNEL', 'Cannot list sockets: the kernel does not answer')
    for (let at = 0; at + HEADER_BYTES <= length;) {
      const size = buffer.readUInt32LE(at)
      const type = buffer.readUInt16LE(at + 4)
      if (type === NLMSG_DONE || type === NLMSG_ERROR) {
        // A list that ends because the kernel has no such protocol says so at its end.
        const isWhole = length >= at + HEADER_BYTES + 4
        const errno = isWhole ? buffer.readInt32LE(at + HEADER_BYTES) : -constants.errno.EIO
        if (type === NLMSG_DONE && (!isWhole || errno >= 0)) return true
        throw kernelError('Cannot list sockets', 'send(NETLINK_SOCK_DIAG)', errno)
      }
      if (size < HEADER_BYTES || at + size > length) return true
      if (
        type === SOCK_DIAG_BY_FAMILY &&
        size >= HEADER_BYTES + MESSAGE_BYTES &&
        !take(parse(buffer, at + HEADER_BYTES))
      )
        return false
      at += (size + 3) & ~3
    }
  }
}

function parse(buffer: Buffer, at: number): ListedSocket {
  const words = (from: number): [number, number, number, number] => [
    buffer.readUInt32LE(from),
    buffer.readUInt32LE(from + 4),
    buffer.readUInt32LE(from + 8),
    buffer.readUInt32LE(from + 12),
  ]
  return {
    family: buffer[at] as number,
    state: buffer[at + 1] as number,
    localPort: buffer.readUInt16LE(at + 4),
    remotePort: buffer.readUInt16LE(at + 6),
    local: words(at + 8),
    remote: words(at + 24),
    cookie: buffer.readBigUInt64LE(at + 44),
    inode: buffer.readUInt32LE(at + 68),
  }
}

/** Runs something while this thread is in another network namespace. */
function inNamespace<T>(path: string, action: () => T): T {
  const own = Fd.openFile('/proc/thread-self/ns/net', 'r')
  try {
    const other = Fd.openFile(path, 'r')
    try {
      const what = `Cannot enter the network namespace ${path}`
      checked(what, 'setns', setNamespace(other.number, CLONE_NEWNET))
      try {
        return action()
      } finally {
        checked(
          'Cannot go back to the own network namespace',
          'setns',
          setNamespace(own.number, CLONE_NEWNET),
        )
      }
    } finally {
      other.close()
    }
  } finally {
    own.close()
  }
}
