/**
 * A descriptor in Node's own event loop. Node itself watches only the kinds of descriptors that it knows, but libuv,
 * which it exports to addons, watches any that can be polled (uv_poll_t, include/uv.h). So only the event loop waits:
 * no thread of the pool blocks, and a wakeup switches no threads.
 */

import { eventLoop } from './environment.js'
import type { Fd } from './fd.js'
import { type Address, allocate, callbackAddress, callNative, free } from './libc.js'

const UV_POLL = 8
const UV_READABLE = 1
/** What is to be called when the descriptor of a handle can be read, by the address of the handle. */
const watched = new Map<Address, () => void>()
let callback: Address | undefined

function onReadable(handle: Address): void {
  watched.get(BigInt(handle))?.()
}

type HandleFunction = 'uv_ref' | 'uv_unref' | 'uv_poll_stop'

function uv(name: HandleFunction, handle: Address): void {
  callNative(name, 'void', ['void *'], handle)
}

/** Watches one descriptor, which must stay open until `close()`. */
export class LoopWatch implements Disposable {
  readonly #handle: Address
  #closed = false

  private constructor(handle: Address) {
    this.#handle = handle
  }

  /**
   * Undefined if this build of Node does not export libuv, or the descriptor cannot be polled; and in workers: the loop
   * of a terminated worker may still call back, when its JavaScript can no longer run.
   */
  static open(fd: Fd): LoopWatch | undefined {
    const loop = eventLoop()
    if (loop === undefined) return undefined
    const sizeBytes = Number(callNative('uv_handle_size', 'size_t', ['int'], UV_POLL))
    const handle = allocate(sizeBytes)
    if (typeof handle === 'number') return undefined
    const result = callNative('uv_poll_init', 'int', ['void *', 'void *', 'int'], loop, handle, fd.number)
    if (result !== 0) {
      free(handle)
      return undefined
    }
    uv('uv_unref', handle)
    return new LoopWatch(handle)
  }

  /** Calls `ready` each time the descriptor becomes readable, until `stop()`. Keeps the process alive meanwhile. */
  start(ready: () => void): void {
    callback ??= callbackAddress('quark_uv_poll_cb', onReadable)
    watched.set(this.#handle, ready)
    callNative('uv_poll_start', 'int', ['void *', 'int', 'void *'], this.#handle, UV_READABLE, callback)
    uv('uv_ref', this.#handle)
  }

  /** Stops watching. */
  stop(): void {
    if (this.#closed || !watched.delete(this.#handle)) return
    uv('uv_poll_stop', this.#handle)
    uv('uv_unref', this.#handle)
  }

  /** Closes the handle. */
  close(): void {
    if (this.#closed) return
    this.stop()
    this.#closed = true
    callNative('uv_close', 'void', ['void *', 'void *'], this.#handle, null)
    // libuv is done with the handle's memory at the end of this turn of the loop.
    const handle = this.#handle
    setImmediate(() => setImmediate(free, handle).unref()).unref()
  }

  [Symbol.dispose](): void {
    this.close()
  }
}
