import { readSync } from 'node:fs'
import { fileError } from './permission.js'

const CHUNK_BYTES = 4096

/**
 * Reads an open file of the kernel from its start: needs neither its path nor the right to open it.
 *
 * @throws {KernelError} when it cannot be read
 */
export function readAgain(fd: number): string {
  const chunks: Buffer[] = []
  for (let position = 0; ;) {
    const chunk = Buffer.alloc(CHUNK_BYTES)
    const length = readChunk(fd, chunk, position)
    if (length === 0) return Buffer.concat(chunks).toString('latin1')
    chunks.push(chunk.subarray(0, length))
    position += length
  }
}

function readChunk(fd: number, chunk: Buffer, position: number): number {
  try {
    return readSync(fd, chunk, 0, CHUNK_BYTES, position)
  } catch (error) {
    throw fileError('Cannot read a file of the kernel', 'read', error)
  }
}
