import { statSync } from 'node:fs'
import { constants } from 'node:os'
import { EbpfError } from '../errors.js'
import { Fd } from '../sys/fd.js'
import { bind, receive, send, socket } from '../sys/libc.js'
import { checked, fileError } from '../sys/permission.js'
import { kernelAtLeast } from '../sys/platform.js'

const AF_NETLINK = 16
const SOCK_DGRAM = 2
const SOCK_NONBLOCK = 0o4000
const SOCK_CLOEXEC = 0o2000000
const NETLINK_CONNECTOR = 11
const NLMSG_DONE = 3
const CN_IDX_PROC = 1
const CN_VAL_PROC = 1
const PROC_CN_MCAST_LISTEN = 1
const PROC_CN_MCAST_IGNORE = 2
/** Inode numbers that the kernel gives to the first namespace of each kind (include/linux/proc_ns.h). */
const INITIAL_USER_NAMESPACE = 0xefff_fffd
const INITIAL_PID_NAMESPACE = 0xefff_fffc

export const PROC_EVENT_FORK = 0x1
export const PROC_EVENT_EXEC = 0x2
export const PROC_EVENT_UID = 0x4
export const PROC_EVENT_GID = 0x40
export const PROC_EVENT_SID = 0x80
export const PROC_EVENT_PTRACE = 0x100
export const PROC_EVENT_COMM = 0x200
export const PROC_EVENT_COREDUMP = 0x4000_0000
export const PROC_EVENT_EXIT = 0x8000_0000

/** For want of memory the kernel may refuse once. */
const IGNORE_TRIES = 3

const ACTION = 'Cannot listen to the proc connector'

/** A socket on which the kernel reports process events: forks, execs, exits, changes of ids, names and sessions. */
export class ProcConnector implements Disposable {
  /** Non-blocking, readable when messages wait: for a `Poller`, and for a socket filter. */
  readonly fd: Fd
  #isMember = false
  #isListening = false
  #lost = 0

  /** Made by `openProcConnector`; owns `fd`. */
  constructor(fd: Fd) {
    this.fd = fd
  }

  /** How often the kernel had to drop messages because this socket was full. */
  get overruns(): number {
    return this.#lost
  }

  /**
   * Joins the kernel's broadcast and asks for messages. Attach a filter first: what comes before is not filtered.
   *
   * @param eventMask `PROC_EVENT_*` bits. Kernels before 6.6 cannot select and send everything
   * @throws {KernelError | ClosedError}
   */
  listen(eventMask?: number): void {
    if (!this.#isMember) {
      // Not earlier: the messages that other listeners asked for come to every socket of the group.
      checked(ACTION, 'bind', bind(this.fd.number, netlinkAddress(CN_IDX_PROC)))
      this.#isMember = true
    }
    // Older kernels silently ignore a request of the longer form, so it must not be tried on them.
    const mask = kernelAtLeast('6.6') ? eventMask : undefined
    checked(ACTION, 'send', send(this.fd.number, controlMessage(PROC_CN_MCAST_LISTEN, mask), 0))
    // Who did not ask must not take back: the kernel would count one listener less than there are.
    this.#isListening = true
  }

  /**
   * Receives one datagram: netlink header (16 bytes), connector header (20), `struct proc_event`.
   *
   * @returns its length in bytes, 0 when none waits
   * @throws {KernelError | ClosedError}
   */
  receive(buffer: Uint8Array): number {
    for (;;) {
      const result = receive(this.fd.number, buffer, 0)
      if (result === -constants.errno.EAGAIN) {
        return 0
      }
      if (result === -constants.errno.ENOBUFS) {
        this.#lost += 1
      } else if (result !== -constants.errno.EINTR) {
        return checked('Cannot receive from the proc connector', 'recv', result)
      }
    }
  }

  /** Makes the kernel stop sending, and closes the socket. */
  close(): void {
    if (!this.fd.closed) {
      // The kernel counts listeners and does not notice that a socket is closed: without this request every
      // later fork and exec would still compose a message that nobody receives.
      const message = controlMessage(PROC_CN_MCAST_IGNORE, undefined)
      for (let tries = 0; this.#isListening && tries < IGNORE_TRIES; tries += 1) {
        if (send(this.fd.number, message, 0) >= 0) this.#isListening = false
      }
      this.fd.close()
    }
  }

  [Symbol.dispose](): void {
    this.close()
  }
}

/**
 * A control request to the proc connector (include/uapi/linux/{netlink,connector,cn_proc}.h):
 *
 *   0  length u32 | 4 type u16 | 6 flags u16 | 8 sequence u32 | 12 port u32        struct nlmsghdr
 *   16 idx u32 | 20 val u32 | 24 seq u32 | 28 ack u32 | 32 len u16 | 34 flags u16  struct cn_msg
 *   36 operation u32 | 40 event mask u32, if any                                   struct proc_input
 */
export function controlMessage(operation: number, mask: number | undefined): Uint8Array {
  const payloadBytes = mask === undefined ? 4 : 8
  const view = new DataView(new ArrayBuffer(36 + payloadBytes))
  view.setUint32(0, view.byteLength, true)
  view.setUint16(4, NLMSG_DONE, true)
  view.setUint32(16, CN_IDX_PROC, true)
  view.setUint32(20, CN_VAL_PROC, true)
  view.setUint16(32, payloadBytes, true)
  view.setUint32(36, operation, true)
  if (mask !== undefined) {
    view.setUint32(40, mask, true)
  }
  return new Uint8Array(view.buffer)
}

/**
 * Opens a socket to the proc connector, silent until `listen()`. Needs CONFIG_PROC_EVENTS, CAP_NET_ADMIN and the
 * initial pid, user and network namespaces.
 *
 * @throws {KernelError} when the kernel refuses
 * @throws {EbpfError} ERR_EBPF_NOT_SUPPORTED in another namespace, where the kernel would never answer
 */
export function openProcConnector(): ProcConnector {
  const action = 'Cannot open the proc connector'
  for (const [kind, inode] of [
    ['pid', INITIAL_PID_NAMESPACE],
    ['user', INITIAL_USER_NAMESPACE],
  ] as const) {
    if (namespaceOf(kind, action) !== inode) {
      throw new EbpfError(
        'ERR_EBPF_NOT_SUPPORTED',
        `${action}: it does not answer in this ${kind} namespace (run it in the host's ${kind} namespace)`,
      )
    }
  }
  const type = SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC
  const number = checked(action, 'socket', socket(AF_NETLINK, type, NETLINK_CONNECTOR))
  return new ProcConnector(new Fd(number, 'proc connector'))
}

/** @throws {KernelError} when /proc does not show it */
function namespaceOf(kind: string, action: string): number {
  const path = `/proc/self/ns/${kind}`
  try {
    return statSync(path).ino
  } catch (error) {
    throw fileError(action, `stat of ${path}`, error)
  }
}

/** `struct sockaddr_nl`: family u16, padding u16, port u32 (0: the kernel chooses), groups u32. */
function netlinkAddress(groups: number): Uint8Array {
  const view = new DataView(new ArrayBuffer(12))
  view.setUint16(0, AF_NETLINK, true)
  view.setUint32(8, groups, true)
  return new Uint8Array(view.buffer)
}
