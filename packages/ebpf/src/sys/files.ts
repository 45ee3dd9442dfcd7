import { readSync } from 'node:fs'

const CHUNK_BYTES = 4096

/** Reads an open file of the kernel from its start: needs neither its path nor the right to open it. */
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
