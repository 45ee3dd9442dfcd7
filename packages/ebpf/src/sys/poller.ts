import { ClosedError } from '../errors.js'
import { Fd } from './fd.js'
import { epollControl, epollCreate, epollPoll } from './libc.js'
import { LoopWatch } from './loop.js'
import { checked } from './permission.js'

const EPOLL_CLOEXEC = 0o2000000
const EPOLL_CTL_ADD = 1
const EPOLLIN = 1
/** Edge-triggered: only new input ends a wait, not what an earlier drain left in a ring. */
const EPOLLET = 0x8000_0000
const MAX_EVENTS = 16
/** Poll intervals where the event loop cannot watch the descriptors: at first, and in a long wait. */
const FIRST_POLL_MS = 5
const LAST_POLL_MS = 50

/** `struct epoll_event`: a u32 of events and a u64 of our own; x86-64 packs the two into 12 bytes, arm64 takes 16. */
const EVENT_SIZE_BYTES = process.arch === 'x64' ? 12 : 16

/** The current wait. */
interface Waiting {
  readonly end: (isReady: boolean) => void
  readonly fail: (error: unknown) => void
}

/**
 * Waits for descriptors in Node's own event loop: no thread waits, however many pollers there are. In workers, and
 * where this build of Node does not export its loop, a timer polls the descriptors, every 5 ms at first and every 50 ms
 * in a long wait. Waiting keeps the process alive.
 */
export class Poller implements Disposable {
  readonly #epoll: Fd
  readonly #watch: LoopWatch | undefined
  readonly #events = new Uint8Array(MAX_EVENTS * EVENT_SIZE_BYTES)
  #waiting: Waiting | undefined
  #isWoken = false
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
      for (const fd of fds) this.#add(fd)
      this.#watch = LoopWatch.open(this.#epoll)
    } catch (error) {
      this.#epoll.close()
      throw error
    }
  }

  /**
   * Waits until a descriptor has input.
   *
   * @param timeoutMs -1 waits without end
   * @returns false when the time is over, or `wake()`, `close()` or `signal` ended the wait
   * @throws {ClosedError} after `close()`
   * @throws {KernelError} when the kernel refuses
   * @throws {TypeError} while another wait is not over
   */
  async wait(timeoutMs: number, signal?: AbortSignal): Promise<boolean> {
    if (this.#closed) throw new ClosedError('Poller')
    if (this.#waiting !== undefined) {
      throw new TypeError('Cannot wait: an earlier wait of this poller is not over')
    }
    if (signal?.aborted === true) return false
    if (this.#takeReady()) return true
    if (this.#isWoken || timeoutMs === 0) {
      this.#isWoken = false
      return false
    }
    return this.#wait(timeoutMs, signal)
  }

  /** Ends the current wait, or the next one if there is none. Does nothing after `close()`. */
  wake(): void {
    if (this.#closed) return
    if (this.#waiting === undefined) this.#isWoken = true
    else this.#waiting.end(false)
  }

  /** Ends the current wait. */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#waiting?.end(false)
    this.#watch?.close()
    this.#epoll.close()
  }

  [Symbol.dispose](): void {
    this.close()
  }

  #add(fd: Fd): void {
    const event = new DataView(new ArrayBuffer(EVENT_SIZE_BYTES))
    event.setUint32(0, (EPOLLIN | EPOLLET) >>> 0, true)
    const result = epollControl(this.#epoll.number, EPOLL_CTL_ADD, fd.number, new Uint8Array(event.buffer))
    checked('Cannot watch a descriptor', 'epoll_ctl(EPOLL_CTL_ADD)', result)
  }

  #wait(timeoutMs: number, signal: AbortSignal | undefined): Promise<boolean> {
    return new Promise((resolve, reject) => {
      const onAbort = (): void => this.#waiting?.end(false)
      const timer = timeoutMs < 0 ? undefined : setTimeout(onAbort, timeoutMs)
      let nextMs = FIRST_POLL_MS
      let next: NodeJS.Timeout | undefined
      const poll = (): void => {
        try {
          if (this.#takeReady()) this.#waiting?.end(true)
          else if (this.#watch === undefined) pollLater()
        } catch (error) {
          // Nobody could catch it where the event loop calls.
          this.#waiting?.fail(error)
        }
      }
      const pollLater = (): void => {
        next = setTimeout(poll, nextMs)
        nextMs = Math.min(nextMs * 1.5, LAST_POLL_MS)
      }
      signal?.addEventListener('abort', onAbort, { once: true })
      const stop = (): void => {
        this.#waiting = undefined
        clearTimeout(timer)
        clearTimeout(next)
        signal?.removeEventListener('abort', onAbort)
        this.#watch?.stop()
      }
      this.#waiting = {
        end: (isReady) => {
          stop()
          resolve(isReady)
        },
        fail: (error) => {
          stop()
          reject(error)
        },
      }
      if (this.#watch === undefined) pollLater()
      else this.#watch.start(poll)
    })
  }

  /** Whether a descriptor has got input since the last call. */
  #takeReady(): boolean {
    const count = epollPoll(this.#epoll.number, this.#events, MAX_EVENTS)
    return checked('Cannot poll descriptors', 'epoll_wait', count) > 0
  }
}
