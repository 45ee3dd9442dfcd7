import { Fd } from './fd.js'
import { epollControl, epollCreate, timerfd, timerfdSet } from './libc.js'
import { checked } from './permission.js'

const EPOLL_CLOEXEC = 0o2000000
const EPOLL_CTL_ADD = 1
const EPOLLIN = 1
const CLOCK_MONOTONIC = 1
const TFD_NONBLOCK = 0o4000
const TFD_CLOEXEC = 0o2000000
const EVENT_SIZE_BYTES = process.arch === 'x64' ? 12 : 16
const NS_PER_MS = 1_000_000n

/**
 * One descriptor that is readable while one of several is, or when a time is over: for an event loop that is not
 * Node's.
 */
export class Readiness implements Disposable {
  /** For poll(2), epoll(7) and the like. Nothing can be read from it. */
  readonly fd: Fd
  readonly #timer: Fd
  #watched: ReadonlySet<Fd> = new Set()

  /** @throws {KernelError} when the kernel refuses */
  constructor() {
    const action = 'Cannot create a descriptor to wait with'
    this.fd = new Fd(checked(action, 'epoll_create1', epollCreate(EPOLL_CLOEXEC)), 'readiness')
    let timer: Fd | undefined
    try {
      const number = checked(action, 'timerfd_create', timerfd(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC))
      timer = new Fd(number, 'timer of readiness')
      this.#add(timer)
      this.#timer = timer
    } catch (error) {
      timer?.close()
      this.fd.close()
      throw error
    }
  }

  /**
   * From now on, the descriptor is readable while one of `fds` is, and after `ms`.
   *
   * @param fds stay the caller's. One that was closed is not watched any more
   * @param ms 0 or less: at once
   * @throws {KernelError} when the kernel refuses
   * @throws {ClosedError}
   */
  arm(fds: readonly Fd[], ms: number): void {
    for (const fd of fds) if (!this.#watched.has(fd)) this.#add(fd)
    if (fds.length !== this.#watched.size || fds.some((fd) => !this.#watched.has(fd))) {
      this.#watched = new Set(fds)
    }
    // struct itimerspec: no interval; a value of 0 would stop the timer.
    const ns = ms <= 0 ? 1n : BigInt(Math.ceil(ms)) * NS_PER_MS
    const value = BigInt64Array.of(0n, 0n, ns / 1_000_000_000n, ns % 1_000_000_000n)
    checked('Cannot set a timer', 'timerfd_settime', timerfdSet(this.#timer.number, value))
  }

  /** Closes the descriptor. */
  close(): void {
    this.#timer.close()
    this.fd.close()
  }

  [Symbol.dispose](): void {
    this.close()
  }

  #add(fd: Fd): void {
    const event = new DataView(new ArrayBuffer(EVENT_SIZE_BYTES))
    event.setUint32(0, EPOLLIN, true)
    const result = epollControl(this.fd.number, EPOLL_CTL_ADD, fd.number, new Uint8Array(event.buffer))
    checked('Cannot watch a descriptor', 'epoll_ctl(EPOLL_CTL_ADD)', result)
  }
}
