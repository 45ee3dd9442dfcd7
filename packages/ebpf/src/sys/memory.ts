import { ClosedError } from '../errors.js'
import { type Address, MAP_PRIVATE, MAP_SHARED, mmap, munmap, viewMemory } from './libc.js'
import { checked } from './permission.js'
import type { Fd } from './fd.js'

const PROT_READ = 1
const PROT_WRITE = 2

/**
 * Maps `sizeBytes` bytes of `fd` for reading, for as long as the process lives: for what is shared by all, never
 * changes and takes no memory of this process. Nothing has to be closed, and any view stays valid. Writing to it
 * kills the process.
 *
 * @throws {KernelError} when mmap(2) refuses
 */
export function mapForGood(fd: Fd, sizeBytes: number, what: string): Uint8Array {
  return new Uint8Array(
    viewMemory(mapped(mmap(sizeBytes, PROT_READ, MAP_PRIVATE, fd.number, 0), what), sizeBytes),
  )
}

/** The address that mmap(2) answered. */
function mapped(answer: Address | number, what: string): Address {
  if (typeof answer !== 'number') return answer
  checked(`Cannot map ${what}`, 'mmap', answer)
  throw new TypeError('mmap answered neither an address nor an error')
}

/** What `MappedMemory.map` may be told. */
export interface MapOptions {
  /** Names the mapping in errors. */
  readonly what: string
  readonly writable: boolean
  readonly offsetBytes?: number
}

/** How many mappings of this process are open. */
let open = 0

/**
 * Memory shared with the kernel through a descriptor, which may be closed while the mapping lives on. Views are
 * valid until `close()`: touching one later, or writing to a read-only mapping, kills the process.
 */
export class MappedMemory implements Disposable {
  readonly sizeBytes: number
  readonly #what: string
  readonly #address: Address
  #buffer: ArrayBuffer | undefined
  #bytes: Uint8Array | undefined
  #words: Uint32Array | undefined

  private constructor(what: string, address: Address, sizeBytes: number) {
    this.sizeBytes = sizeBytes
    this.#what = what
    this.#address = address
    this.#buffer = viewMemory(address, sizeBytes)
    open += 1
  }

  /** How many mappings are open now; a test that ends with another count than it began with has a leak. */
  static openCount(): number {
    return open
  }

  /**
   * Maps `sizeBytes` bytes of `fd`.
   *
   * @throws {KernelError} when mmap(2) refuses
   */
  static map(fd: Fd, sizeBytes: number, options: MapOptions): MappedMemory {
    const protection = options.writable ? PROT_READ | PROT_WRITE : PROT_READ
    const answer = mmap(sizeBytes, protection, MAP_SHARED, fd.number, options.offsetBytes ?? 0)
    return new MappedMemory(options.what, mapped(answer, options.what), sizeBytes)
  }

  /**
   * The memory itself.
   *
   * @throws {ClosedError} after `close()`
   */
  get buffer(): ArrayBuffer {
    if (this.#buffer === undefined) {
      throw new ClosedError(this.#what)
    }
    return this.#buffer
  }

  /**
   * The memory as bytes.
   *
   * @throws {ClosedError} after `close()`
   */
  get bytes(): Uint8Array {
    this.#bytes ??= new Uint8Array(this.buffer)
    return this.#bytes
  }

  /**
   * The memory as 32-bit words.
   *
   * @throws {ClosedError} after `close()`
   */
  get words(): Uint32Array {
    this.#words ??= new Uint32Array(this.buffer)
    return this.#words
  }

  /** Whether `close()` was called. */
  get closed(): boolean {
    return this.#buffer === undefined
  }

  /** Unmaps the memory. Every view taken from it must be forgotten first. */
  close(): void {
    if (this.#buffer !== undefined) {
      this.#buffer = undefined
      this.#bytes = undefined
      this.#words = undefined
      open -= 1
      munmap(this.#address, this.sizeBytes)
    }
  }

  [Symbol.dispose](): void {
    this.close()
  }
}
