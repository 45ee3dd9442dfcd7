import { readSync } from 'node:fs'

const CHUNK_BYTES = 4096

/** All that a file of the kernel says now. It needs neither its path nor the right to open it any more. */
export function readAgain(fd: number): string {
  const chunks: Buffer[] = []
  for (let position = 0; ;) {
    const chunk = Buffer.alloc(CHUNK_BYTES)
    const length = readSync(fd, chunk, 0, CHUNK_BYTES, position)
    if (length === 0) return Buffer.concat(chunks).toString('latin1')
    chunks.push(chunk.subarray(0, length))
    position += length
  }
}
