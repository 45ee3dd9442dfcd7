import { RecordingError } from '../errors.js'
import { crc32 } from '../memory/crc32.js'
import { utf8Of } from '../memory/utf8.js'
import {
  FILE_HEADER_BYTES,
  FIRST_VERSION,
  FRAME_ESSENTIAL,
  FRAME_HEADER_BYTES,
  MAGIC,
  MAX_FRAME_BYTES,
  padded,
  RECORD_HEADER_BYTES,
  type RecordingHeader,
  VERSION,
} from './format.js'
import type { ByteSource } from './source.js'
import { firstHeaderOf, headerOf } from './values.js'

/** One frame. `payload` belongs to the caller; its bytes begin at a multiple of 8 of their buffer. */
export interface Frame {
  readonly kind: number
  readonly payload: Uint8Array
  /** Where the payload begins in the source. */
  readonly offset: number
  /** A reader that does not know its kind must stop. */
  readonly isEssential: boolean
}

/** Reads a recording frame by frame; memory is bounded by the largest frame. Knows no platform: see `ByteSource`. */
export class RecordingReader implements Disposable {
  readonly path: string
  readonly header: RecordingHeader
  readonly #source: ByteSource
  #version = VERSION
  #offset = 0
  #isCut = false

  /** @throws {RecordingError} when the source is no recording, or of another version; it is closed then */
  constructor(source: ByteSource) {
    this.path = source.name
    this.#source = source
    try {
      this.header = this.#readHeader()
    } catch (error) {
      source.close()
      throw error
    }
  }

  /** Where the next frame begins, in bytes. */
  get offset(): number {
    return this.#offset
  }

  /** Whether `next` has what it needs; if not, `more` waits for it. */
  get isReady(): boolean {
    return isThere(this.#source, this.#offset, FRAME_HEADER_BYTES, 4)
  }

  /** Waits until more of the recording has come. */
  more(): Promise<void> {
    return this.#source.more?.() ?? Promise.resolve()
  }

  #readHeader(): RecordingHeader {
    const start = this.#read(FILE_HEADER_BYTES)
    if (start === undefined || utf8Of(start.subarray(0, 8)) !== MAGIC) {
      throw this.#broken(0, 'it is not a quark recording')
    }
    const view = viewOf(start)
    this.#version = view.getUint32(8, true)
    if (this.#version < FIRST_VERSION || this.#version > VERSION) {
      throw this.#broken(
        8,
        `its version is ${this.#version}, this quark reads ${FIRST_VERSION} to ${VERSION}`,
      )
    }
    const length = view.getUint32(12, true)
    const json = length > MAX_FRAME_BYTES ? undefined : this.#read(padded(length))
    if (json === undefined) throw this.#broken(12, 'its header is cut short')
    const take = this.#version === FIRST_VERSION ? firstHeaderOf : headerOf
    return this.#parse(json.subarray(0, length), FILE_HEADER_BYTES, take)
  }

  /** Whether the source ends within a frame. */
  get isCut(): boolean {
    return this.#isCut
  }

  /**
   * The next frame, or undefined at the end of the source, or of its last whole frame.
   *
   * @throws {RecordingError} when its checksum is wrong
   */
  next(): Frame | undefined {
    const at = this.#offset
    const header = this.#read(FRAME_HEADER_BYTES)
    if (header === undefined) {
      return this.#endAt(at)
    }
    const view = viewOf(header)
    const length = view.getUint32(4, true)
    if (length > MAX_FRAME_BYTES) throw this.#broken(at + 4, `a frame claims ${length} bytes`)
    const payload = this.#read(padded(length))
    if (payload === undefined) return this.#endAt(at)
    const bytes = payload.subarray(0, length)
    if (this.#checksumOf(header, bytes) !== view.getUint32(8, true)) {
      throw this.#broken(at, 'a frame has a wrong checksum')
    }
    const isEssential = this.#version === FIRST_VERSION || (view.getUint32(12, true) & FRAME_ESSENTIAL) !== 0
    return { kind: view.getUint32(0, true), payload: bytes, offset: at + FRAME_HEADER_BYTES, isEssential }
  }

  #endAt(at: number): undefined {
    this.#isCut = this.#offset > at
    this.#offset = at
    return undefined
  }

  #checksumOf(header: Uint8Array, payload: Uint8Array): number {
    if (this.#version === FIRST_VERSION) return crc32(payload)
    return crc32(payload, crc32(header.subarray(12), crc32(header.subarray(0, 8))))
  }

  /** The JSON value of a frame, if `take` finds it to be what it should be. @throws {RecordingError} */
  json<T>({ payload, offset }: Frame, take: (value: unknown) => T | undefined): T {
    return this.#parse(payload, offset, take)
  }

  /** Calls `sink` with each record of a step; returns the step's time. @throws {RecordingError} */
  records(
    { payload, offset }: Frame,
    sink: (words: Uint32Array, bytes: Uint8Array, at: number, length: number) => void,
  ): number {
    if (payload.length < 8) throw this.#broken(offset, 'a step has no time')
    const words = new Uint32Array(payload.buffer, payload.byteOffset, payload.length >> 2)
    const view = viewOf(payload)
    for (let at = 8; at < payload.length;) {
      const length = at + RECORD_HEADER_BYTES > payload.length ? Infinity : view.getUint32(at, true)
      at += RECORD_HEADER_BYTES
      if (at + length > payload.length) throw this.#broken(offset + at, 'a record is longer than its frame')
      sink(words, payload, at, length)
      at += padded(length)
    }
    return Number(view.getBigUint64(0, true))
  }

  [Symbol.dispose](): void {
    this.#source.close()
  }

  /** Exactly `length` bytes that begin at a multiple of 8 of their buffer, or undefined when the source ends before. */
  #read(length: number): Uint8Array | undefined {
    if (length === 0) return new Uint8Array(0)
    let bytes: Uint8Array | undefined
    try {
      bytes = this.#source.read(this.#offset, length)
    } catch (error) {
      throw new RecordingError(this.path, this.#offset, (error as Error).message, { cause: error })
    }
    if (bytes === undefined) return undefined
    this.#offset += bytes.length
    if (bytes.length < length) return undefined
    return bytes.byteOffset % 8 === 0 ? bytes : bytes.slice()
  }

  #parse<T>(json: Uint8Array, offset: number, take: (value: unknown) => T | undefined): T {
    let value: unknown
    try {
      value = JSON.parse(utf8Of(json))
    } catch (error) {
      throw new RecordingError(this.path, offset, 'it has broken JSON', { cause: error })
    }
    const taken = take(value)
    if (taken === undefined) throw this.#broken(offset, 'it has JSON of another form')
    return taken
  }

  #broken(offset: number, problem: string): RecordingError {
    return new RecordingError(this.path, offset, problem)
  }
}

/**
 * Waits until the header of a recording has come, which a reader begins with.
 */
export async function headerOfStream(source: ByteSource): Promise<void> {
  while (!isThere(source, 0, FILE_HEADER_BYTES, 12)) await source.more?.()
}

/** Whether what begins with a head that has the length of the rest is there, or never will be. */
function isThere(source: ByteSource, offset: number, headBytes: number, lengthAt: number): boolean {
  if (source.peek === undefined || source.isWhole === true) return true
  const head = source.peek(offset, headBytes)
  if (head === undefined) return false
  const length = viewOf(head).getUint32(lengthAt, true)
  // What claims too much is refused without waiting for it.
  return length > MAX_FRAME_BYTES || source.peek(offset, headBytes + padded(length)) !== undefined
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
}
