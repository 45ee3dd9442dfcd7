import { closeSync, openSync } from 'node:fs'
import { ClosedError } from '../errors.js'
import { atEnd, cancelAtEnd } from './environment.js'
import { close } from './libc.js'

/** How many `Fd`s of this process are open. */
let open = 0

/** An open file descriptor that this object alone owns: closing it twice is fine, using it afterwards is not. */
export class Fd implements Disposable {
  #number: number
  readonly #what: string
  /** Node opened and tracks it: only Node may close it. */
  readonly #isOfNode: boolean

  /**
   * Takes ownership of an open descriptor.
   *
   * @param what names it in errors, such as `map "events"`
   * @param isOfNode `fs.openSync` and the like opened it: in a worker, Node closes such a descriptor once more otherwise
   */
  constructor(number: number, what: string, isOfNode = false) {
    if (!Number.isInteger(number) || number < 0) {
      throw new RangeError(`Not a file descriptor: ${number}`)
    }
    this.#number = number
    this.#what = what
    this.#isOfNode = isOfNode
    open += 1
    if (!isOfNode) atEnd('close', BigInt(number))
  }

  /**
   * Opens a file.
   *
   * @param flags as of `fs.openSync`
   * @throws {Error} what `fs.openSync` throws
   */
  static openFile(path: string, flags: string | number, what: string = path): Fd {
    return new Fd(openSync(path, flags), what, true)
  }

  /** How many `Fd`s are open now; a test that ends with another count than it began with has a leak. */
  static openCount(): number {
    return open
  }

  /**
   * The descriptor's number, valid until `close()`.
   *
   * @throws {ClosedError} after `close()`
   */
  get number(): number {
    if (this.#number === -1) {
      throw new ClosedError(this.#what)
    }
    return this.#number
  }

  /** Whether `close()` was called. */
  get closed(): boolean {
    return this.#number === -1
  }

  /** Closes the descriptor. Linux frees the number even when close(2) fails, so a failure is not reported. */
  close(): void {
    if (this.#number !== -1) {
      const number = this.#number
      this.#number = -1
      open -= 1
      if (this.#isOfNode) {
        closeSync(number)
        return
      }
      cancelAtEnd('close', BigInt(number))
      close(number)
    }
  }

  [Symbol.dispose](): void {
    this.close()
  }
}
