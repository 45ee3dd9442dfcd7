/** Records that came out of an iterator, one behind the other: probe/output-reader.ts. */

import { EbpfError } from '../errors.js'
import { READER_HEADER_BYTES } from '../probe/output-reader.js'
import type { RecordSink } from '../ring/cursor.js'

/**
 * Hands each record to `sink`; the bytes must lie at a multiple of 8 bytes within their buffer.
 *
 * @returns the number of records
 * @throws {EbpfError} when the bytes do not end with a record
 */
export function splitFrames(given: Uint8Array, sink: RecordSink): number {
  const { buffer, byteOffset, byteLength } = given
  const bytes = Buffer.from(buffer, byteOffset, byteLength)
  const words = new Uint32Array(buffer, byteOffset, Math.floor(byteLength / 4))
  let records = 0
  for (let at = 0; at < byteLength; records += 1) {
    const length = words[at / 4] ?? 0
    const end = at + READER_HEADER_BYTES + Math.ceil(length / 8) * 8
    if (length === 0 || end > byteLength) {
      throw new EbpfError(
        'ERR_EBPF_KERNEL',
        `Cannot split records: ${byteLength - at} bytes are no whole one`,
      )
    }
    sink.record(words, bytes, at + READER_HEADER_BYTES, length)
    at = end
  }
  return records
}
