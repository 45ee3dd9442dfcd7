/** Size of the chunks that small records share. */
const CHUNK_BYTES = 256 << 10
/** Records above this have a chunk of their own, so that they do not waste the rest of a shared one. */
const LARGE_BYTES = CHUNK_BYTES / 4
/**
 * Empty chunks that are kept, at least, and as a share of those in use: rates go up and down, and a new chunk costs
 * zeroing, page faults, and in the end a garbage collection.
 */
const MIN_SPARE_CHUNKS = 4
const SPARE_SHARE = 1 / 4
/** Below this a loop over words is faster than a call of `Buffer.copy`. */
const LOOP_BYTES = 768

class Chunk {
  readonly words: Uint32Array
  readonly bytes: Buffer
  usedBytes = 0
  liveRecords = 0

  constructor(sizeBytes: number) {
    const memory = new ArrayBuffer(sizeBytes)
    this.words = new Uint32Array(memory)
    this.bytes = Buffer.from(memory)
  }
}

/**
 * Memory for the bytes of held records. Records leave in nearly the order in which they came, so memory is
 * reused a chunk at a time, once all records in it are gone.
 */
export class Slab {
  /** Where the last record was put: a chunk and an offset in it, a multiple of 8. */
  chunkId = 0
  offsetBytes = 0
  readonly #chunks: (Chunk | undefined)[] = [new Chunk(CHUNK_BYTES)]
  readonly #freeIds: number[] = []
  readonly #spare: Chunk[] = []
  #currentId = 0

  /** Copies a record; `chunkId` and `offsetBytes` say where it is. */
  put(words: Uint32Array, bytes: Uint8Array, offsetBytes: number, lengthBytes: number): void {
    const chunk = this.#reserve((lengthBytes + 7) & ~7)
    const start = this.offsetBytes
    if (lengthBytes > LOOP_BYTES) {
      chunk.bytes.set(bytes.subarray(offsetBytes, offsetBytes + lengthBytes), start)
      return
    }
    const target = chunk.words
    const end = (start + lengthBytes + 3) >> 2
    let to = start >> 2
    let from = offsetBytes >> 2
    for (; to + 4 <= end; to += 4, from += 4) {
      target[to] = words[from] as number
      target[to + 1] = words[from + 1] as number
      target[to + 2] = words[from + 2] as number
      target[to + 3] = words[from + 3] as number
    }
    for (; to < end; to++, from++) target[to] = words[from] as number
  }

  /** Makes room for `sizeBytes`, a multiple of 8, as for a record; `chunkId` and `offsetBytes` say where. */
  reserve(sizeBytes: number): void {
    this.#reserve(sizeBytes)
  }

  #reserve(sizeBytes: number): Chunk {
    const chunk = sizeBytes > LARGE_BYTES ? this.#ownChunk(sizeBytes) : this.#sharedChunk(sizeBytes)
    this.offsetBytes = chunk.usedBytes
    chunk.usedBytes += sizeBytes
    chunk.liveRecords += 1
    return chunk
  }

  wordsOf(chunkId: number): Uint32Array {
    return (this.#chunks[chunkId] as Chunk).words
  }

  bytesOf(chunkId: number): Buffer {
    return (this.#chunks[chunkId] as Chunk).bytes
  }

  /** Gives back one record of a chunk. */
  release(chunkId: number): void {
    const chunk = this.#chunks[chunkId] as Chunk
    chunk.liveRecords -= 1
    if (chunk.liveRecords !== 0) return
    chunk.usedBytes = 0
    if (chunkId === this.#currentId) return
    this.#chunks[chunkId] = undefined
    this.#freeIds.push(chunkId)
    const maxSpare = MIN_SPARE_CHUNKS + (this.#chunks.length - this.#freeIds.length) * SPARE_SHARE
    if (this.#spare.length > maxSpare) this.#spare.pop()
    else if (chunk.bytes.length === CHUNK_BYTES) this.#spare.push(chunk)
  }

  #sharedChunk(sizeBytes: number): Chunk {
    const current = this.#chunks[this.#currentId] as Chunk
    this.chunkId = this.#currentId
    if (current.usedBytes + sizeBytes <= CHUNK_BYTES) return current
    // The old chunk is full: it is released with the last of its records.
    const chunk = this.#spare.pop() ?? new Chunk(CHUNK_BYTES)
    this.#currentId = this.#place(chunk)
    return chunk
  }

  #ownChunk(sizeBytes: number): Chunk {
    const chunk = new Chunk(sizeBytes)
    this.#place(chunk)
    return chunk
  }

  #place(chunk: Chunk): number {
    const id = this.#freeIds.pop() ?? this.#chunks.length
    this.#chunks[id] = chunk
    this.chunkId = id
    return id
  }
}
