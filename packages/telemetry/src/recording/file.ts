import { closeSync, openSync, readSync } from 'node:fs'
import { RecordingError } from '../errors.js'
import { headerOfStream, RecordingReader } from './reader.js'
import type { ByteSource } from './source.js'
import { StreamSource } from './stream.js'

/** A recording in a file. */
export class FileSource implements ByteSource {
  readonly name: string
  readonly #fd: number
  #isClosed = false

  /** @throws {Error} of the system if it cannot be opened */
  constructor(path: string) {
    this.name = path
    this.#fd = openSync(path, 'r')
  }

  read(offset: number, length: number): Uint8Array | undefined {
    const bytes = new Uint8Array(length)
    let got = 0
    while (got < length) {
      const count = readSync(this.#fd, bytes, got, length - got, offset + got)
      if (count === 0) break
      got += count
    }
    return got === 0 ? undefined : bytes.subarray(0, got)
  }

  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    closeSync(this.#fd)
  }
}

/**
 * Opens a recording.
 *
 * @throws {RecordingError} when the file is missing, not a recording, or of another version
 */
export function openRecording(path: string): RecordingReader {
  let source: FileSource
  try {
    source = new FileSource(path)
  } catch (error) {
    throw new RecordingError(path, 0, (error as Error).message, { cause: error })
  }
  return new RecordingReader(source)
}

/**
 * Opens a recording whose bytes come one after the other.
 *
 * @throws {RecordingError} when they are not a recording, or of another version
 */
export async function openRecordingStream(pieces: AsyncIterable<Uint8Array>): Promise<RecordingReader> {
  const name = 'fd' in pieces && pieces.fd === 0 ? 'standard input' : 'stream'
  const source = new StreamSource(pieces, name)
  await headerOfStream(source)
  return new RecordingReader(source)
}
