import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import type { RecordPlace } from '../event/raw.js'
import { RecordBuffer } from './buffer.js'

function bufferOf(options: { maxLength?: number; maxBufferBytes?: number } = {}): RecordBuffer {
  const all = { maxLength: 10_000, maxBufferBytes: 1 << 24, holdMs: 1000, ...options }
  return new RecordBuffer(all, SPACES)
}

/** Words of the keys of each space. */
const SPACES = [1, 4, 1, 2]

/** Inserts a record: a header with its time, and the rest of one value. */
function insert(
  buffer: RecordBuffer,
  timeNs: number,
  pid: number,
  value: number,
  lengthBytes = 24,
  space = 0,
): void {
  const memory = new ArrayBuffer(Math.ceil(lengthBytes / 8) * 8 + 8)
  const bytes = Buffer.from(memory)
  recordOf(timeNs, value, lengthBytes).copy(bytes, 8)
  // Keys of several words differ in all, or in the last one.
  const words = pid === 0 ? new Uint32Array(4) : Uint32Array.of(pid >> 1, 5, 6, pid)
  const at = SPACES[space] === 2 ? [0, 3] : [0, 1, 2, 3]
  const key = SPACES[space] === 1 ? pid : buffer.wideKey(space, words, 0, at)
  buffer.insert(new Uint32Array(memory), bytes, 8, lengthBytes, key, space, 1)
  bytes.fill(0xee)
}

function recordOf(timeNs: number, value: number, lengthBytes: number): Buffer {
  const bytes = Buffer.alloc(lengthBytes, value)
  bytes.writeUInt32LE(1, 0)
  bytes.writeBigUInt64LE(BigInt(timeNs), 8)
  return bytes
}

function bytesAt(buffer: RecordBuffer, index: number): Buffer {
  const place: RecordPlace = {
    type: 0,
    words: new Uint32Array(0),
    bytes: Buffer.alloc(0),
    offsetBytes: 0,
    lengthBytes: 0,
  }
  buffer.locate(index, place)
  assert.equal(place.offsetBytes % 8, 0)
  assert.equal(place.words.byteOffset, 0)
  return place.bytes.subarray(place.offsetBytes, place.offsetBytes + place.lengthBytes)
}

function valueAt(buffer: RecordBuffer, index: number): number {
  return bytesAt(buffer, index).at(-1) as number
}

/** Takes out all records, oldest first; their values. */
function takeAll(buffer: RecordBuffer): number[] {
  const values: number[] = []
  for (let index = buffer.oldest(); index !== -1; index = buffer.oldest()) {
    values.push(valueAt(buffer, index))
    buffer.remove(index)
  }
  return values
}

test('records leave in order of time, equal ones in order of arrival', () => {
  const buffer = bufferOf()
  for (const [value, timeNs] of [30, 10, 20, 10, 30, 5].entries()) insert(buffer, timeNs, value, value)
  assert.deepEqual(takeAll(buffer), [5, 1, 3, 2, 0, 4])
  assert.equal(buffer.count, 0)
  assert.equal(buffer.sizeBytes, 0)
})

test('records of a pid are chained in order of time', () => {
  const buffer = bufferOf()
  const times = [30, 10, 20, 10]
  for (const [value, timeNs] of times.entries()) insert(buffer, timeNs, 7, value)
  insert(buffer, 15, 8, 99)
  const chain: number[] = []
  for (let index = buffer.oldest(); index !== -1; index = buffer.nextOf(index)) {
    chain.push(valueAt(buffer, index))
  }
  assert.deepEqual(chain, [1, 3, 2, 0])
  assert.equal(valueAt(buffer, buffer.lastOf(buffer.oldest())), 0)
})

test('records of no process are not chained', () => {
  const buffer = bufferOf()
  insert(buffer, 1, 0, 1)
  insert(buffer, 2, 0, 2)
  assert.equal(buffer.nextOf(buffer.oldest()), -1)
})

test('room() is bounded by records and by bytes', () => {
  const buffer = bufferOf({ maxLength: 3, maxBufferBytes: 1000 })
  assert.equal(buffer.room(), 3)
  insert(buffer, 1, 1, 1)
  assert.equal(buffer.room(), 2)
  insert(buffer, 2, 2, 2, 2000)
  assert.equal(buffer.room(), 0)
  buffer.remove(buffer.oldest())
  buffer.remove(buffer.oldest())
  assert.equal(buffer.room(), 3)
})

test('the hold time falls with bytes, too', () => {
  const buffer = bufferOf({ maxLength: 10_000, maxBufferBytes: 1000 })
  assert.equal(buffer.holdTimeNs(), 1e9)
  insert(buffer, 1, 1, 1, 504)
  assert.equal(buffer.holdTimeNs(), 497e6)
  insert(buffer, 1, 1, 1, 504)
  assert.equal(buffer.holdTimeNs(), 0)
})

test('any inserts and removals: in order, with their bytes, and chains that agree', () => {
  interface Model {
    timeNs: number
    arrival: number
    pid: number
    space: number
    value: number
    lengthBytes: number
  }
  const insertion = fc.record({
    timeNs: fc.nat(50),
    pid: fc.nat(4),
    space: fc.nat(SPACES.length - 1),
    lengthBytes: fc.oneof(fc.integer({ min: 17, max: 900 }), fc.integer({ min: 60_000, max: 70_000 })),
  })
  // A number takes the oldest and so many more of its pid.
  const steps = fc.array(fc.oneof({ weight: 3, arbitrary: insertion }, fc.nat(3)), { maxLength: 150 })
  fc.assert(
    fc.property(steps, (actions) => {
      const buffer = bufferOf()
      let model: Model[] = []
      for (const [arrival, action] of actions.entries()) {
        if (typeof action !== 'number') {
          const value = arrival % 251
          insert(buffer, action.timeNs, action.pid, value, action.lengthBytes, action.space)
          model.push({ ...action, arrival, value })
          model.sort((a, b) => a.timeNs - b.timeNs || a.arrival - b.arrival)
          continue
        }
        const [first] = model
        const chain = model.filter(({ pid, space }) => pid === first?.pid && space === first.space)
        const taken = (first?.pid === 0 ? chain.slice(0, 1) : chain).slice(0, action + 1)
        let index = buffer.oldest()
        assert.equal(index === -1, first === undefined)
        for (const { value, lengthBytes, timeNs } of taken) {
          const expected = recordOf(timeNs, value, lengthBytes)
          assert.ok(bytesAt(buffer, index).equals(expected))
          assert.equal(buffer.timeOf(index) - buffer.relative(0), timeNs)
          const next = buffer.nextOf(index)
          buffer.remove(index)
          index = next
        }
        model = model.filter((entry) => !taken.includes(entry))
      }
      assert.equal(buffer.count, model.length)
      assert.equal(
        buffer.sizeBytes,
        model.reduce((sum, { lengthBytes }) => sum + lengthBytes, 0),
      )
      assert.deepEqual(
        [...buffer.indices()].map((index) => buffer.timeOf(index) - buffer.relative(0)),
        model.map(({ timeNs }) => timeNs),
      )
      assert.deepEqual(
        takeAll(buffer),
        model.map(({ value }) => value),
      )
    }),
    { numRuns: 300 },
  )
})

test('the queue grows and is swept, whatever is taken from its middle', () => {
  const buffer = bufferOf({ maxLength: 100_000 })
  insert(buffer, 0, 1, 1)
  // The oldest stays; ten thousand younger ones of another process come and go.
  for (let round = 0; round < 20; round++) {
    for (let i = 0; i < 3000; i++) insert(buffer, round * 3000 + i + 1, 2, i & 0xff, 100)
    const [, second] = buffer.indices()
    for (let index = second as number; index !== -1;) {
      const next = buffer.nextOf(index)
      buffer.remove(index)
      index = next
    }
  }
  assert.equal(buffer.count, 1)
  assert.equal(buffer.capacity, 8192)
  insert(buffer, 1e6, 3, 9)
  assert.deepEqual(takeAll(buffer), [1, 9])
})
