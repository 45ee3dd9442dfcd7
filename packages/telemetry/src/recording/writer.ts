import { closeSync, constants, fstatSync, ftruncateSync, openSync, writeSync } from 'node:fs'
import { crc32 } from 'node:zlib'
import { QuarkError } from '../errors.js'
import type { RecordRedaction } from '../event/redaction.js'
import { monotonicMs } from '../event/time-base.js'
import {
  FILE_HEADER_BYTES,
  FRAME_CLOCK,
  FRAME_CROWDING,
  FRAME_END,
  FRAME_ESSENTIAL,
  FRAME_HEADER_BYTES,
  FRAME_LOSSES,
  FRAME_LOST,
  FRAME_MISSING,
  FRAME_SNAPSHOT,
  FRAME_STEP,
  FRAME_TABLE,
  MAGIC,
  padded,
  RECORD_HEADER_BYTES,
  type RecordingHeader,
  VERSION,
} from './format.js'

/** Records that were lost, by user and by process. */
interface RecordedLosses {
  readonly total: number
  readonly uids: ReadonlyMap<number, number>
  readonly pids: ReadonlyMap<number, number>
}

/** Frames are flushed when they have this size together, and when the first of them is so old; a crash loses no more. */
const WRITE_BYTES = 256 << 10
const WRITE_MS = 1000

/** A pipe whose reader takes nothing for so long is given up. */
const STUCK_MS = 10_000
const LOOK_MS = 5
const STANDARD_OUTPUT = '/dev/stdout'
/** Opening a pipe must not wait for a reader, nor writing to one without an end. */
const FLAGS = constants.O_WRONLY | constants.O_CREAT | constants.O_NONBLOCK

/**
 * Writes a recording. A method throws a `QuarkError` if the file cannot be written; the file is then closed, without a
 * gap in it, and later calls do nothing.
 */
export class RecordingWriter implements Disposable {
  readonly #path: string
  readonly #fd: number
  readonly #redaction: RecordRedaction | undefined
  #chunks: Uint8Array[] = []
  #chunkBytes = 0
  #records: Uint8Array[] = []
  #closed = false
  #timer: NodeJS.Timeout | undefined
  #dueMs = 0
  /** What went wrong when nobody had called. */
  #failure: unknown

  /**
   * Creates the file.
   *
   * @param truncates whether a file that is there is overwritten
   * @param redaction takes the secrets out of records; nothing does without
   * @throws {QuarkError} when there is a file with something in it, or the file cannot be made
   */
  constructor(path: string, header: RecordingHeader, truncates = false, redaction?: RecordRedaction) {
    this.#path = path
    this.#redaction = redaction
    this.#fd = this.#system(() => openForRecording(path, truncates))
    const json = Buffer.from(JSON.stringify(header))
    const start = Buffer.alloc(FILE_HEADER_BYTES)
    start.write(MAGIC, 0, 'latin1')
    start.writeUInt32LE(VERSION, 8)
    start.writeUInt32LE(json.length, 12)
    this.#append(start)
    this.#append(pad(json))
    this.#flush()
  }

  /** Copies a record into the current step. */
  record(bytes: Uint8Array, offset: number, length: number): void {
    if (this.#closed) return
    const record = this.#redaction?.redacted(bytes, offset, length) ?? bytes.subarray(offset, offset + length)
    const copy = Buffer.alloc(RECORD_HEADER_BYTES + padded(record.length))
    copy.writeUInt32LE(record.length, 0)
    copy.set(record, RECORD_HEADER_BYTES)
    this.#records.push(copy)
  }

  /** Ends a step: its records were inserted, and the events that are due at `nowNs` delivered. */
  step(nowNs: number): void {
    this.#recordFrame(FRAME_STEP, nowNs)
  }

  /** The records since the last step came from a scan of /proc. */
  snapshot(nowNs: number): void {
    this.#recordFrame(FRAME_SNAPSHOT, nowNs)
  }

  /** Writes what the table of a kind learnt from other sources than records. */
  table(kind: string, value: unknown): void {
    this.#json(FRAME_TABLE, { kind, value })
  }

  lost(loss: { cause: string; count: number }): void {
    this.#json(FRAME_LOST, loss)
  }

  /** Whose records were lost in a time. */
  losses({ total, uids, pids }: RecordedLosses, { fromNs, toNs }: { fromNs: number; toNs: number }): void {
    this.#json(FRAME_LOSSES, { total, uids: [...uids], pids: [...pids], fromNs, toNs })
  }

  /** Which part of the limits of held records is used from now on. */
  crowding(part: number): void {
    this.#json(FRAME_CROWDING, { part })
  }

  missing(upTo: { cpu: number; seq: number }): void {
    this.#json(FRAME_MISSING, upTo)
  }

  clock(bootEpochNs: bigint): void {
    this.#json(FRAME_CLOCK, { bootEpochNs: String(bootEpochNs) })
  }

  /** Writes the end mark and closes the file. */
  end(nowNs: number): void {
    if (this.#closed) return
    this.#json(FRAME_END, { nowNs })
    this[Symbol.dispose]()
  }

  /** Flushes and closes the file, without an end mark. */
  [Symbol.dispose](): void {
    if (this.#closed) return
    try {
      this.#flush()
    } finally {
      this.abandon()
    }
  }

  /** Closes the file as it is. */
  abandon(): void {
    if (this.#closed) return
    this.#closed = true
    clearTimeout(this.#timer)
    if (this.#fd !== 1) closeSync(this.#fd)
  }

  #recordFrame(kind: number, nowNs: number): void {
    const now = Buffer.alloc(8)
    now.writeBigUInt64LE(BigInt(nowNs))
    this.#frame(kind, Buffer.concat([now, ...this.#records]))
    this.#records = []
  }

  #json(kind: number, value: unknown): void {
    this.#frame(kind, Buffer.from(JSON.stringify(value)))
  }

  #frame(kind: number, payload: Buffer): void {
    this.#reportFailure()
    if (this.#closed) return
    const header = Buffer.alloc(FRAME_HEADER_BYTES)
    header.writeUInt32LE(kind, 0)
    header.writeUInt32LE(payload.length, 4)
    // All kinds of frames so far change what a replay delivers.
    header.writeUInt32LE(FRAME_ESSENTIAL, 12)
    const before = crc32(header.subarray(12), crc32(header.subarray(0, 8)))
    header.writeUInt32LE(crc32(payload, before), 8)
    this.#append(header)
    this.#append(pad(payload))
    if (this.#chunkBytes >= WRITE_BYTES || monotonicMs() >= this.#dueMs) this.#flush()
    // Loops that are not Node's run no timers, and a queue without events calls nothing.
    else this.#timer ??= setTimeout(() => this.#flushLate(), this.#dueMs - monotonicMs()).unref()
  }

  #flushLate(): void {
    this.#timer = undefined
    try {
      if (!this.#closed) this.#flush()
    } catch (error) {
      this.#failure = error
    }
  }

  #reportFailure(): void {
    const failure = this.#failure
    this.#failure = undefined
    if (failure !== undefined) throw failure
  }

  #append(bytes: Uint8Array): void {
    if (this.#chunkBytes === 0) this.#dueMs = monotonicMs() + WRITE_MS
    this.#chunks.push(bytes)
    this.#chunkBytes += bytes.length
  }

  #flush(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    if (this.#chunkBytes === 0) return
    const bytes = Buffer.concat(this.#chunks)
    this.#chunks = []
    this.#chunkBytes = 0
    try {
      this.#system(() => {
        writeAll(this.#fd, bytes)
      })
    } catch (error) {
      this.abandon()
      throw error
    }
  }

  #system<T>(action: () => T): T {
    try {
      return action()
    } catch (error) {
      const { message } = error as Error
      throw new QuarkError('ERR_QUARK_SYSTEM', `Cannot write recording "${this.#path}": ${message}`, {
        cause: error,
      })
    }
  }
}

/** Opens the file, unless something is in it that nobody wants to be overwritten. */
function openForRecording(path: string, truncates: boolean): number {
  let fd: number
  try {
    fd = openSync(path, FLAGS, 0o600)
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'ENXIO') throw cause
    // Standard output may be a socket, which cannot be opened by its name: it is written to as it is.
    if (path === STANDARD_OUTPUT) return 1
    throw new Error('nobody reads this FIFO: start its reader first', { cause })
  }
  try {
    const found = fstatSync(fd)
    if (found.isFile() && found.size > 0) {
      if (!truncates) throw new Error('the file exists, and is not overwritten unless it is to be truncated')
      ftruncateSync(fd)
    }
    return fd
  } catch (error) {
    closeSync(fd)
    throw error
  }
}

/** Writes all, and waits for whoever reads a pipe. */
function writeAll(fd: number, bytes: Uint8Array): void {
  let waitedMs = 0
  for (let written = 0; written < bytes.length;) {
    try {
      written += writeSync(fd, bytes, written)
      waitedMs = 0
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error
      if (waitedMs >= STUCK_MS) throw new Error(`nobody reads it for ${STUCK_MS / 1000} s`, { cause: error })
      Atomics.wait(SLEEP, 0, 0, LOOK_MS)
      waitedMs += LOOK_MS
    }
  }
}

const SLEEP = new Int32Array(new SharedArrayBuffer(4))

function pad(bytes: Buffer): Buffer {
  const extra = padded(bytes.length) - bytes.length
  return extra === 0 ? bytes : Buffer.concat([bytes, Buffer.alloc(extra)])
}
