import { constants } from 'node:os'
import { Fd } from '../sys/fd.js'
import { bind, getSocketOption, receive, send, setSocketOption, socket } from '../sys/libc.js'
import { checked } from '../sys/permission.js'

const AF_NETLINK = 16
const SOCK_RAW = 3
const SOCK_NONBLOCK = 0o4000
const SOCK_CLOEXEC = 0o2000000
const SOL_SOCKET = 1
const SO_RCVBUF = 8
const SO_RCVTIMEO = 20
const SO_RCVBUFFORCE = 33
const SO_MEMINFO = 55
const SOL_NETLINK = 270
const NETLINK_NO_ENOBUFS = 5
/** Places in what SO_MEMINFO answers (include/uapi/linux/sock_diag.h). */
const SK_MEMINFO_RMEM_ALLOC = 0
const SK_MEMINFO_RCVBUF = 1
const SK_MEMINFO_DROPS = 8
const SK_MEMINFO_VARS = 9

/** The messages in a socket's queue, and those dropped because it was full. */
export interface ReceiveQueue {
  /** Memory that waiting messages take, and how much they may take. */
  readonly usedBytes: number
  readonly limitBytes: number
  /** Messages dropped for lack of room since the socket was created; wraps after 2^32. */
  readonly drops: number
}

/**
 * Opens a netlink socket.
 *
 * @param protocol `NETLINK_*`
 * @param what names it in errors
 * @param timeoutMs longest wait of a receive; undefined makes the socket non-blocking
 * @throws {KernelError} when the kernel refuses
 */
export function openNetlink(protocol: number, what: string, timeoutMs?: number): Fd {
  const action = `Cannot open the ${what}`
  const type = SOCK_RAW | SOCK_CLOEXEC | (timeoutMs === undefined ? SOCK_NONBLOCK : 0)
  const fd = new Fd(checked(action, 'socket', socket(AF_NETLINK, type, protocol)), what)
  if (timeoutMs === undefined) return fd
  // struct timeval: seconds and microseconds.
  const timeout = BigInt64Array.of(BigInt(Math.floor(timeoutMs / 1000)), BigInt((timeoutMs % 1000) * 1000))
  try {
    const result = setSocketOption(fd.number, SOL_SOCKET, SO_RCVTIMEO, new Uint8Array(timeout.buffer))
    checked(action, 'setsockopt(SO_RCVTIMEO)', result)
    return fd
  } catch (error) {
    fd.close()
    throw error
  }
}

/**
 * Joins multicast groups.
 *
 * @param groups bit n is group n + 1
 * @throws {KernelError} when the kernel refuses
 */
export function joinGroups(fd: Fd, groups: number, action: string): void {
  // struct sockaddr_nl: family u16, padding u16, port u32 (0: the kernel chooses), groups u32.
  const address = new DataView(new ArrayBuffer(12))
  address.setUint16(0, AF_NETLINK, true)
  address.setUint32(8, groups, true)
  checked(action, 'bind', bind(fd.number, new Uint8Array(address.buffer)))
}

/**
 * Enlarges a socket's receive buffer, as far as the process may, and lets the socket receive again as soon as a message
 * fits. Each message takes several times its own size.
 */
export function makeRoom(fd: Fd, sizeBytes: number): void {
  // The kernel doubles the number, for its own overhead.
  const value = new Uint8Array(Int32Array.of(sizeBytes >> 1).buffer)
  if (setSocketOption(fd.number, SOL_SOCKET, SO_RCVBUFFORCE, value) < 0) {
    setSocketOption(fd.number, SOL_SOCKET, SO_RCVBUF, value)
  }
  // Otherwise a socket that was full receives nothing until its queue is empty.
  setSocketOption(fd.number, SOL_NETLINK, NETLINK_NO_ENOBUFS, new Uint8Array(Int32Array.of(1).buffer))
}

/** The state of a socket's queue. Needs Linux 4.12; undefined before. */
export function receiveQueue(fd: Fd): ReceiveQueue | undefined {
  const words = new Uint32Array(SK_MEMINFO_VARS)
  const length = getSocketOption(fd.number, SOL_SOCKET, SO_MEMINFO, new Uint8Array(words.buffer))
  if (length < words.byteLength) return undefined
  return {
    usedBytes: words[SK_MEMINFO_RMEM_ALLOC] ?? 0,
    limitBytes: words[SK_MEMINFO_RCVBUF] ?? 0,
    drops: words[SK_MEMINFO_DROPS] ?? 0,
  }
}

/**
 * Receives one datagram.
 *
 * @returns its length in bytes; 0 when none waits, or none arrived within the timeout
 * @throws {KernelError | ClosedError}
 */
export function receiveDatagram(fd: Fd, buffer: Uint8Array, what: string): number {
  for (;;) {
    const result = receive(fd.number, buffer, 0)
    if (result === -constants.errno.EAGAIN) return 0
    if (result !== -constants.errno.EINTR && result !== -constants.errno.ENOBUFS) {
      return checked(`Cannot receive from the ${what}`, 'recv', result)
    }
  }
}

/** Sends one datagram to the kernel. @throws {KernelError | ClosedError} */
export function sendDatagram(fd: Fd, bytes: Uint8Array, action: string): void {
  checked(action, 'send', send(fd.number, bytes, 0))
}
