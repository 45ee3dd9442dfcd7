import { constants } from 'node:os'
import { ClosedError } from '../errors.js'
import { Fd } from './fd.js'
import { epollControl, epollCreate, epollWait, eventfd, read, type Result, write } from './libc.js'
import { checked, kernelError } from './permission.js'

const EPOLL_CLOEXEC = 0o2000000
const EPOLL_CTL_ADD = 1
const EPOLLIN = 1
/** Only what comes newly ends a wait: a ring that still holds something has been looked at. */
const EPOLLET = 0x8000_0000
const EFD_CLOEXEC = 0o2000000
const EFD_NONBLOCK = 0o4000
const MAX_EVENTS = 16
/** What epoll reports for the descriptor that only wakes the thread. */
const WAKE_TOKEN = 0xffff_ffff

/**
 * `struct epoll_event` is a u32 of events and a u64 of our own; x86-64 packs the two, arm64 does not:
 *
 *   x64    events 0 | token  4 | 12 bytes        arm64  events 0 | padding 4 | token 8 | 16 bytes
 */
const EVENT_SIZE_BYTES = process.arch === 'x64' ? 12 : 16
const TOKEN_AT = process.arch === 'x64' ? 4 : 8

/** Those whose thread waits. */
const waitingPollers = new Set<Poller>()
let endsWithProcess = false

/** `process.exit()` waits for every thread of the pool, so those that wait here must be told. */
function endWithProcess(): void {
  if (endsWithProcess) return
  endsWithProcess = true
  process.on('exit', () => {
    for (const poller of waitingPollers) poller.wake()
  })
}

/**
 * Waits for descriptors on one thread of libuv's pool, which it holds only during `wait()`. Waiting keeps the
 * process alive.
 */
export class Poller implements Disposable {
  readonly #epoll: Fd
  readonly #wake: Fd
  readonly #events = new Uint8Array(MAX_EVENTS * EVENT_SIZE_BYTES)
  #waiting: Promise<boolean> | undefined
  #closed = false

  /**
   * Watches `fds` for input. They stay the caller's, and may be closed before the poller.
   *
   * @throws {KernelError} when the kernel refuses
   */
  constructor(fds: readonly Fd[]) {
    const action = 'Cannot create a poller'
    this.#epoll = new Fd(checked(action, 'epoll_create1', epollCreate(EPOLL_CLOEXEC)), 'poller')
    try {
      const number = checked(action, 'eventfd', eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK))
      this.#wake = new Fd(number, 'wakeup of a poller')
    } catch (error) {
      this.#epoll.close()
      throw error
    }
    try {
      this.#watch(this.#wake, WAKE_TOKEN)
      fds.forEach((fd, index) => this.#watch(fd, index))
    } catch (error) {
      this.#release()
      throw error
    }
  }

  /**
   * Waits until a descriptor has input.
   *
   * @param timeoutMs -1 waits without end
   * @returns false when the time is over, or `wake()`, `close()`, `signal` or a signal of the system ended the wait
   * @throws {ClosedError} after `close()`
   * @throws {TypeError} while another wait is not over: a second one would hold a second thread
   */
  async wait(timeoutMs: number, signal?: AbortSignal): Promise<boolean> {
    if (this.#closed) {
      throw new ClosedError('Poller')
    }
    if (this.#waiting !== undefined) {
      throw new TypeError('Cannot wait: an earlier wait of this poller is not over')
    }
    if (signal?.aborted === true) {
      return false
    }
    const onAbort = (): void => this.wake()
    signal?.addEventListener('abort', onAbort, { once: true })
    try {
      this.#waiting = this.#epollWait(timeoutMs)
      waitingPollers.add(this)
      endWithProcess()
      return await this.#waiting
    } finally {
      this.#waiting = undefined
      waitingPollers.delete(this)
      signal?.removeEventListener('abort', onAbort)
      if (this.#closed) {
        this.#release()
      }
    }
  }

  /** Ends the wait at hand, or the next one if there is none. Does nothing after `close()`. */
  wake(): void {
    if (!this.#wake.closed) {
      write(this.#wake.number, new Uint8Array(BigUint64Array.of(1n).buffer))
    }
  }

  /** Ends the wait at hand. Its thread still uses the poller's descriptors, so they close when the wait is over. */
  close(): void {
    if (!this.#closed) {
      this.#closed = true
      if (this.#waiting === undefined) {
        this.#release()
      } else {
        this.wake()
      }
    }
  }

  [Symbol.dispose](): void {
    this.close()
  }

  #watch(fd: Fd, token: number): void {
    const event = new DataView(new ArrayBuffer(EVENT_SIZE_BYTES))
    event.setUint32(0, (EPOLLIN | EPOLLET) >>> 0, true)
    event.setUint32(TOKEN_AT, token, true)
    const result = epollControl(this.#epoll.number, EPOLL_CTL_ADD, fd.number, new Uint8Array(event.buffer))
    checked('Cannot watch a descriptor', 'epoll_ctl(EPOLL_CTL_ADD)', result)
  }

  async #epollWait(timeoutMs: number): Promise<boolean> {
    const result = await epollWait(this.#epoll.number, this.#events, MAX_EVENTS, timeoutMs)
    if (result < 0 && result !== -constants.errno.EINTR) {
      throw kernelError('Cannot wait for descriptors', 'epoll_wait', result)
    }
    return this.#anyReady(result)
  }

  /** Whether any event but the wakeup came; takes the wakeup back. */
  #anyReady(count: Result): boolean {
    const view = new DataView(this.#events.buffer)
    let ready = false
    for (let index = 0; index < count; index += 1) {
      if (view.getUint32(index * EVENT_SIZE_BYTES + TOKEN_AT, true) === WAKE_TOKEN) {
        read(this.#wake.number, new Uint8Array(8))
      } else {
        ready = true
      }
    }
    return ready
  }

  #release(): void {
    this.#epoll.close()
    this.#wake.close()
  }
}
