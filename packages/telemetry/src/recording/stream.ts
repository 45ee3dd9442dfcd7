/** A recording that comes bit by bit, as through a pipe. */

import type { ByteSource } from './source.js'

const NOTHING = new Uint8Array(0)

/**
 * Bytes of a recording as they come. They are read in order and once; no more are kept than are asked for at once and
 * one piece more.
 */
export class StreamSource implements ByteSource {
  readonly name: string
  readonly #pieces: AsyncIterator<Uint8Array>
  /** What was not read yet, and where in the recording it begins. */
  #bytes: Uint8Array = NOTHING
  #start = 0
  #isEnded = false
  #error: unknown
  #coming: Promise<void> | undefined

  constructor(pieces: AsyncIterable<Uint8Array>, name: string) {
    this.#pieces = pieces[Symbol.asyncIterator]()
    this.name = name
  }

  read(offset: number, length: number): Uint8Array | undefined {
    if (this.#error !== undefined) throw this.#error
    const from = offset - this.#start
    const bytes = this.#bytes.slice(from, from + length)
    this.#bytes = this.#bytes.subarray(from + bytes.length)
    this.#start = offset + bytes.length
    return bytes.length === 0 ? undefined : bytes
  }

  peek(offset: number, length: number): Uint8Array | undefined {
    const from = offset - this.#start
    return this.#bytes.length < from + length ? undefined : this.#bytes.slice(from, from + length)
  }

  get isWhole(): boolean {
    return this.#isEnded
  }

  /** Takes one more piece; calls at the same time take the same one. */
  more(): Promise<void> {
    this.#coming ??= this.#take().finally(() => (this.#coming = undefined))
    return this.#coming
  }

  async #take(): Promise<void> {
    if (this.#isEnded) return
    try {
      const { done, value } = await this.#pieces.next()
      if (done === true) this.#isEnded = true
      else this.#bytes = joined(this.#bytes, value)
    } catch (error) {
      this.#error = error
      this.#isEnded = true
    }
  }

  close(): void {
    this.#isEnded = true
    this.#bytes = NOTHING
    // It may wait for a piece that never comes; nobody waits for that.
    void this.#pieces.return?.()?.catch(() => {})
  }
}

function joined(first: Uint8Array, second: Uint8Array): Uint8Array {
  // Not a Buffer, whose slices are not copies.
  if (first.length === 0) return new Uint8Array(second.buffer, second.byteOffset, second.length)
  const both = new Uint8Array(first.length + second.length)
  both.set(first)
  both.set(second, first.length)
  return both
}
