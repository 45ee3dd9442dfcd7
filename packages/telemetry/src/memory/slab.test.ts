import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Slab } from './slab.js'

const memory = new ArrayBuffer(128 << 10)
const words = new Uint32Array(memory)
const bytes = Buffer.from(memory)

/** Puts records of `lengthBytes`, each released when `held` younger ones are there; the chunks that were used. */
function chunksUsed(slab: Slab, lengthBytes: number, held: number): Set<number> {
  const used = new Set<number>()
  const queue: number[] = []
  for (let i = 0; i < 20_000; i++) {
    slab.put(words, bytes, 0, lengthBytes)
    used.add(slab.chunkId)
    queue.push(slab.chunkId)
    if (queue.length > held) slab.release(queue.shift() as number)
  }
  for (const chunkId of queue) slab.release(chunkId)
  return used
}

test('memory is used again, a chunk at a time', () => {
  const slab = new Slab()
  assert.deepEqual([...chunksUsed(slab, 100, 1000)], [0, 1])
  assert.deepEqual(chunksUsed(slab, 100, 0).size, 1)
})

test('large records have chunks of their own, whose numbers are used again', () => {
  assert.deepEqual([...chunksUsed(new Slab(), 100 << 10, 2)], [1, 2, 3])
})

test('a record begins at a multiple of 8 and does not touch its neighbours', () => {
  const slab = new Slab()
  const places = [1, 8, 13, 800, 1001].map((lengthBytes, i) => {
    bytes.fill(i + 1, 16, 16 + lengthBytes)
    slab.put(words, bytes, 16, lengthBytes)
    return { chunkId: slab.chunkId, start: slab.offsetBytes, lengthBytes, value: i + 1 }
  })
  for (const { chunkId, start, lengthBytes, value } of places) {
    assert.equal(start % 8, 0)
    const copy = slab.bytesOf(chunkId).subarray(start, start + lengthBytes)
    assert.ok(copy.equals(Buffer.alloc(lengthBytes, value)))
    assert.equal(slab.wordsOf(chunkId).buffer, slab.bytesOf(chunkId).buffer)
  }
})

test('empty chunks are kept by the number of those in use, and few when all are empty', () => {
  const slab = new Slab()
  const held: number[] = []
  const seen = new Set<unknown>()
  /** Fills so many chunks and returns how many of them are new. */
  const fill = (chunks: number): number => {
    const before = seen.size
    for (let i = 0; i < chunks * 4; i++) {
      slab.put(words, bytes, 0, 64 << 10)
      held.push(slab.chunkId)
      seen.add(slab.wordsOf(slab.chunkId).buffer)
    }
    return seen.size - before
  }
  const release = (chunks: number): void => {
    for (const chunkId of held.splice(0, chunks * 4)) slab.release(chunkId)
  }
  assert.equal(fill(40), 40)
  release(20)
  assert.equal(fill(20), 10)
  release(40)
  assert.equal(fill(20), 14)
})
