import { ClosedError } from '../errors.js'
import { isMainThread } from 'node:worker_threads'
import {
  type Address,
  addressOf,
  MAP_FIXED,
  MAP_PRIVATE,
  MAP_SHARED,
  mmap,
  munmap,
  pageSizeBytes,
  viewMemory,
} from './libc.js'
import { checked } from './permission.js'
import type { Fd } from './fd.js'

const PROT_READ = 1
const PROT_WRITE = 2

/** The address that mmap(2) returned. */
function mapped(answer: Address | number, what: string): Address {
  if (typeof answer !== 'number') return answer
  checked(`Cannot map ${what}`, 'mmap', answer)
  throw new TypeError('mmap answered neither an address nor an error')
}

/** Options of `MappedMemory.map`. */
export interface MapOptions {
  /** Names the mapping in errors. */
  readonly what: string
  readonly writable: boolean
  readonly offsetBytes?: number
}

/** How many mappings of this process are open. */
let open = 0

/** For a mapping without a descriptor. */
const MAP_ANONYMOUS = 0x20
const NO_FD = -1

/** A resizable array buffer, for which the engine reserves pages that it unmaps with the buffer. */
type ResizableBuffer = new (lengthBytes: number, options: { readonly maxByteLength: number }) => ArrayBuffer

/**
 * Pages that are freed with this thread: a terminated worker runs no code that could unmap anything, but the engine
 * frees the memory of its buffers, and so unmaps what was mapped over them. Undefined on the main thread.
 */
function reservePages(sizeBytes: number): Uint8Array | undefined {
  if (isMainThread) return undefined
  const buffer = new (ArrayBuffer as ResizableBuffer)(sizeBytes, { maxByteLength: sizeBytes })
  const bytes = new Uint8Array(buffer)
  return addressOf(bytes) % BigInt(pageSizeBytes()) === 0n ? bytes : undefined
}

/** Maps a descriptor: over those pages if there are any. */
function mapOver(
  pages: Uint8Array | undefined,
  fd: Fd,
  sizeBytes: number,
  what: string,
  place: { readonly offsetBytes: number; readonly protection: number; readonly sharing: number },
): Address {
  const { offsetBytes, protection, sharing } = place
  const at = pages === undefined ? null : addressOf(pages)
  const flags = pages === undefined ? sharing : sharing | MAP_FIXED
  return mapped(mmap(sizeBytes, protection, flags, fd.number, offsetBytes, at), what)
}

/** Pages of mappings that are never unmapped. */
const kept: Uint8Array[] = []

/**
 * Maps `sizeBytes` bytes of `fd` for reading, for as long as this thread lives: for what is shared by all, never
 * changes and takes no memory of this process. Nothing has to be closed, and any view stays valid. Writing to it
 * kills the process.
 *
 * @throws {KernelError} when mmap(2) refuses
 */
export function mapForGood(fd: Fd, sizeBytes: number, what: string): Uint8Array {
  const pages = reservePages(sizeBytes)
  if (pages !== undefined) kept.push(pages)
  return new Uint8Array(
    viewMemory(
      mapOver(pages, fd, sizeBytes, what, { offsetBytes: 0, protection: PROT_READ, sharing: MAP_PRIVATE }),
      sizeBytes,
    ),
  )
}

/**
 * Memory shared with the kernel through a descriptor, which may be closed while the mapping lives on. Views are
 * valid until `close()`: touching one later, or writing to a read-only mapping, kills the process.
 */
export class MappedMemory implements Disposable {
  readonly sizeBytes: number
  readonly #what: string
  readonly #address: Address
  /** What the memory was mapped over, in a worker. */
  #pages: Uint8Array | undefined
  #buffer: ArrayBuffer | undefined
  #bytes: Uint8Array | undefined
  #words: Uint32Array | undefined

  private constructor(what: string, address: Address, sizeBytes: number, pages: Uint8Array | undefined) {
    this.sizeBytes = sizeBytes
    this.#what = what
    this.#address = address
    this.#pages = pages
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
    const pages = reservePages(sizeBytes)
    const place = { offsetBytes: options.offsetBytes ?? 0, protection, sharing: MAP_SHARED }
    const address = mapOver(pages, fd, sizeBytes, options.what, place)
    return new MappedMemory(options.what, address, sizeBytes, pages)
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
      this.#unmap()
    }
  }

  [Symbol.dispose](): void {
    this.close()
  }

  #unmap(): void {
    if (this.#pages === undefined) {
      munmap(this.#address, this.sizeBytes)
      return
    }
    // The pages are the engine's: they must stay mapped until it frees them.
    const flags = MAP_PRIVATE | MAP_FIXED | MAP_ANONYMOUS
    mmap(this.sizeBytes, PROT_READ | PROT_WRITE, flags, NO_FD, 0, this.#address)
    this.#pages = undefined
  }
}
