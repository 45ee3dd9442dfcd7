import { closeSync, openSync, readSync } from 'node:fs'
import { crc32 } from 'node:zlib'
import { RecordingError } from '../errors.js'
import {
  FILE_HEADER_BYTES,
  FRAME_HEADER_BYTES,
  MAGIC,
  MAX_FRAME_BYTES,
  padded,
  RECORD_HEADER_BYTES,
  type RecordingHeader,
  VERSION,
} from './format.js'
import { headerOf } from './values.js'

/** One frame. `payload` belongs to the caller; its bytes begin at a multiple of 8 of their buffer. */
export interface Frame {
  readonly kind: number
  readonly payload: Buffer
  /** Where the payload begins in the file. */
  readonly offset: number
}

/** Reads a recording frame by frame; memory is bounded by the largest frame. */
export class RecordingReader implements Disposable {
  readonly path: string
  readonly header: RecordingHeader
  readonly #fd: number
  #offset = 0
  #types: ReadonlyMap<number, number> = new Map()
  #closed = false

  /** @throws {RecordingError} when the file is missing, not a recording, or of another version */
  constructor(path: string) {
    this.path = path
    try {
      this.#fd = openSync(path, 'r')
    } catch (error) {
      throw new RecordingError(path, 0, (error as Error).message, { cause: error })
    }
    try {
      this.header = this.#readHeader()
    } catch (error) {
      closeSync(this.#fd)
      throw error
    }
  }

  /** Shows records of some types as of others from now on: by the types in the file. */
  renumber(types: ReadonlyMap<number, number>): void {
    this.#types = types
  }

  /** Where the next frame begins, in bytes. */
  get offset(): number {
    return this.#offset
  }

  #readHeader(): RecordingHeader {
    const start = this.#read(FILE_HEADER_BYTES)
    if (start === undefined || start.toString('latin1', 0, 8) !== MAGIC) {
      throw this.#broken(0, 'it is not a quark recording')
    }
    const version = start.readUInt32LE(8)
    if (version !== VERSION) throw this.#broken(8, `its version is ${version}, this quark reads ${VERSION}`)
    const length = start.readUInt32LE(12)
    const json = length > MAX_FRAME_BYTES ? undefined : this.#read(padded(length))
    if (json === undefined) throw this.#broken(12, 'its header is cut short')
    return this.#parse(json.subarray(0, length), FILE_HEADER_BYTES, headerOf)
  }

  /**
   * The next frame, or undefined at the end of the file.
   *
   * @throws {RecordingError} when the frame is cut short or its checksum is wrong
   */
  next(): Frame | undefined {
    const at = this.#offset
    const header = this.#read(FRAME_HEADER_BYTES)
    if (header === undefined) {
      if (this.#offset === at) return undefined
      throw this.#broken(at, 'a frame is cut short')
    }
    const length = header.readUInt32LE(4)
    if (length > MAX_FRAME_BYTES) throw this.#broken(at + 4, `a frame claims ${length} bytes`)
    const payload = this.#read(padded(length))
    if (payload === undefined) throw this.#broken(at, 'a frame is cut short')
    const bytes = payload.subarray(0, length)
    if (crc32(bytes) !== header.readUInt32LE(8)) throw this.#broken(at, 'a frame has a wrong checksum')
    return { kind: header.readUInt32LE(0), payload: bytes, offset: at + FRAME_HEADER_BYTES }
  }

  /** The JSON value of a frame, if `take` finds it to be what it should be. @throws {RecordingError} */
  json<T>({ payload, offset }: Frame, take: (value: unknown) => T | undefined): T {
    return this.#parse(payload, offset, take)
  }

  /** Calls `sink` with each record of a step; returns the step's time. @throws {RecordingError} */
  records(
    { payload, offset }: Frame,
    sink: (words: Uint32Array, bytes: Buffer, at: number, length: number) => void,
  ): number {
    if (payload.length < 8) throw this.#broken(offset, 'a step has no time')
    const words = new Uint32Array(payload.buffer, payload.byteOffset, payload.length >> 2)
    for (let at = 8; at < payload.length;) {
      const length = at + RECORD_HEADER_BYTES > payload.length ? Infinity : payload.readUInt32LE(at)
      at += RECORD_HEADER_BYTES
      if (at + length > payload.length) throw this.#broken(offset + at, 'a record is longer than its frame')
      this.#renumber(words, at >> 2)
      sink(words, payload, at, length)
      at += padded(length)
    }
    return Number(payload.readBigUInt64LE(0))
  }

  #renumber(words: Uint32Array, w: number): void {
    const start = words[w] as number
    const type = this.#types.get(start & 0xffff)
    if (type !== undefined) words[w] = (start & ~0xffff) | type
  }

  [Symbol.dispose](): void {
    if (this.#closed) return
    this.#closed = true
    closeSync(this.#fd)
  }

  /** Exactly `length` bytes in a buffer of their own, or undefined when the file ends before. */
  #read(length: number): Buffer | undefined {
    const buffer = Buffer.from(new ArrayBuffer(length))
    let got = 0
    while (got < length) {
      const count = this.#readInto(buffer, got)
      if (count === 0) return undefined
      got += count
      this.#offset += count
    }
    return buffer
  }

  #readInto(buffer: Buffer, at: number): number {
    try {
      return readSync(this.#fd, buffer, at, buffer.length - at, this.#offset)
    } catch (error) {
      throw new RecordingError(this.path, this.#offset, (error as Error).message, { cause: error })
    }
  }

  #parse<T>(json: Buffer, offset: number, take: (value: unknown) => T | undefined): T {
    let value: unknown
    try {
      value = JSON.parse(json.toString('utf8'))
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
