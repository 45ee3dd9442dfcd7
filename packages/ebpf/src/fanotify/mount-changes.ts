/** Whether something was mounted or unmounted. */

import { Fd } from '../sys/fd.js'
import { epollControl, epollCreate, epollPoll } from '../sys/libc.js'
import { checked } from '../sys/permission.js'

const EPOLL_CLOEXEC = 0o2000000
const EPOLL_CTL_ADD = 1
const EPOLLIN = 1
/** The table always is readable: what counts is that it woke those who wait for it. */
const EPOLLET = 0x8000_0000
/** Of `struct epoll_event`, at most. */
const EVENT_BYTES = 16

/**
 * Says when the mounts of this process's namespace change.
 *
 * @example
 * ```ts
 * using mounts = MountChanges.open()
 * if (mounts.take()) console.log(readFileSync('/proc/self/mountinfo', 'utf8'))
 * ```
 */
export class MountChanges implements Disposable {
  /** Readable when mounts changed since `take()`. */
  readonly fd: Fd
  readonly #table: Fd
  readonly #event = new Uint8Array(EVENT_BYTES)

  private constructor(fd: Fd, table: Fd) {
    this.fd = fd
    this.#table = table
  }

  /**
   * @throws {KernelError} when the kernel refuses
   * @throws {Error} what `fs.openSync` throws, without /proc
   */
  static open(): MountChanges {
    const table = Fd.openFile('/proc/self/mountinfo', 'r')
    let fd: Fd | undefined
    try {
      fd = new Fd(
        checked('Cannot watch mounts', 'epoll_create1', epollCreate(EPOLL_CLOEXEC)),
        'mount changes',
      )
      const event = new DataView(new ArrayBuffer(EVENT_BYTES))
      event.setUint32(0, (EPOLLIN | EPOLLET) >>> 0, true)
      const result = epollControl(fd.number, EPOLL_CTL_ADD, table.number, new Uint8Array(event.buffer))
      checked('Cannot watch mounts', 'epoll_ctl(EPOLL_CTL_ADD)', result)
      return new MountChanges(fd, table)
    } catch (error) {
      fd?.close()
      table.close()
      throw error
    }
  }

  /** Whether mounts changed since this was asked last. The first time it is true. */
  take(): boolean {
    return epollPoll(this.fd.number, this.#event, 1) > 0
  }

  close(): void {
    this.fd.close()
    this.#table.close()
  }

  [Symbol.dispose](): void {
    this.close()
  }
}
