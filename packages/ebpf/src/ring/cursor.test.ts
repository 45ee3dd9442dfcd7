import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { ClosedError } from '../errors.js'
import { RingCursor, type RingMemory } from './cursor.js'

const BUSY = 0x8000_0000
const DISCARDED = 0x4000_0000

/** A ring in ordinary memory, with the kernel's side of the protocol. */
class FakeRing {
  readonly capacityBytes: number
  readonly memory: RingMemory
  #produced: number

  constructor(capacityBytes: number, startPosition = 0) {
    this.capacityBytes = capacityBytes
    const data = new ArrayBuffer(2 * capacityBytes)
    this.memory = {
      consumer: BigUint64Array.of(BigInt(startPosition)),
      producer: BigUint64Array.of(BigInt(startPosition)),
      headers: new Int32Array(data),
      words: new Uint32Array(data),
      bytes: Buffer.from(data),
    }
    this.#produced = startPosition
  }

  get consumed(): number {
    return Number(this.memory.consumer[0])
  }

  /** Writes a record with `flags` in its header, at both places where it shows; false when there is no room. */
  write(text: string, flags = 0): boolean {
    const bytes = Buffer.from(text)
    const sizeBytes = Math.ceil((bytes.byteLength + 8) / 8) * 8
    if (this.#produced + sizeBytes - this.consumed > this.capacityBytes) {
      return false
    }
    const record = Buffer.alloc(sizeBytes)
    record.writeUInt32LE((bytes.byteLength | flags) >>> 0)
    bytes.copy(record, 8)
    for (let index = 0; index < sizeBytes; index += 1) {
      const at = (this.#produced + index) % this.capacityBytes
      this.memory.bytes[at] = this.memory.bytes[at + this.capacityBytes] = record[index] ?? 0
    }
    this.#produced += sizeBytes
    this.memory.producer[0] = BigInt(this.#produced)
    return true
  }

  /** Ends the record that begins at `position`, with other `flags`. */
  finish(position: number, lengthBytes: number, flags = 0): void {
    this.memory.bytes.writeUInt32LE((lengthBytes | flags) >>> 0, position % this.capacityBytes)
  }

  cursor(): RingCursor {
    return new RingCursor('ring "fake"', this.capacityBytes, this.memory)
  }
}

/** Collects the texts of records. */
class Texts {
  readonly seen: string[] = []
  record(words: Uint32Array, bytes: Buffer, offsetBytes: number, lengthBytes: number): void {
    assert.equal(words.buffer, bytes.buffer)
    assert.equal(offsetBytes % 8, 0)
    this.seen.push(bytes.toString('utf8', offsetBytes, offsetBytes + lengthBytes))
  }
}

test('drain() gives finished records in order and their space back', () => {
  const ring = new FakeRing(64)
  const cursor = ring.cursor()
  ring.write('one')
  ring.write('twotwotwo')
  assert.equal(cursor.backlogBytes, 40)

  const sink = new Texts()
  assert.equal(cursor.drain(sink), 2)
  assert.deepEqual(sink.seen, ['one', 'twotwotwo'])
  assert.equal(ring.consumed, 40)
  assert.equal(cursor.backlogBytes, 0)
  assert.equal(cursor.drain(sink), 0)
})

test('drain() stops at an unfinished record, and the next drain continues there', () => {
  const ring = new FakeRing(64)
  const cursor = ring.cursor()
  const sink = new Texts()
  ring.write('a')
  ring.write('b', BUSY)
  ring.write('c')
  assert.equal(cursor.drain(sink), 1)
  assert.equal(ring.consumed, 16)
  ring.finish(16, 1)
  assert.equal(cursor.drain(sink), 2)
  assert.deepEqual(sink.seen, ['a', 'b', 'c'])
})

test('discarded records are skipped, uncounted, and given back', () => {
  const ring = new FakeRing(64)
  const cursor = ring.cursor()
  const sink = new Texts()
  ring.write('a', DISCARDED)
  ring.write('b')
  ring.write('c', DISCARDED)
  assert.equal(cursor.drain(sink), 1)
  assert.deepEqual(sink.seen, ['b'])
  assert.equal(ring.consumed, 48)
})

test('drain() takes no more than it was asked for', () => {
  const ring = new FakeRing(64)
  const cursor = ring.cursor()
  const sink = new Texts()
  for (const text of ['a', 'b', 'c']) {
    ring.write(text)
  }
  assert.equal(cursor.drain(sink, 2), 2)
  assert.equal(cursor.drain(sink, 0), 0)
  assert.equal(cursor.drain(sink, 2), 1)
  assert.deepEqual(sink.seen, ['a', 'b', 'c'])
})

test('space comes back during a long batch, at each quarter of the ring', () => {
  const ring = new FakeRing(256)
  const cursor = ring.cursor()
  for (let i = 0; i < 16; i += 1) {
    ring.write('x')
  }
  const consumedAt: number[] = []
  cursor.drain({ record: () => consumedAt.push(ring.consumed) })
  assert.deepEqual(consumedAt, [0, 0, 0, 0, 64, 64, 64, 64, 128, 128, 128, 128, 192, 192, 192, 192])
  assert.equal(ring.consumed, 256)
})

test('the record at which the sink throws counts as consumed, and no other', () => {
  const ring = new FakeRing(64)
  const cursor = ring.cursor()
  for (const text of ['a', 'b', 'c']) {
    ring.write(text)
  }
  let calls = 0
  const failing = {
    record(): void {
      calls += 1
      if (calls === 2) {
        throw new Error('bad record')
      }
    },
  }
  assert.throws(() => cursor.drain(failing), /bad record/)
  assert.equal(ring.consumed, 32)
  const sink = new Texts()
  assert.equal(cursor.drain(sink), 1)
  assert.deepEqual(sink.seen, ['c'])
})

test('a sink may stop the cursor, but not drain or lease inside a drain', () => {
  const ring = new FakeRing(64)
  const cursor = ring.cursor()
  ring.write('a')
  ring.write('b')
  let count = 0
  const sink = {
    record(): void {
      count += 1
      assert.throws(() => cursor.drain(sink), TypeError)
      assert.throws(() => cursor.lease(), TypeError)
      cursor.stop()
    },
  }
  assert.equal(cursor.drain(sink), 1)
  assert.equal(count, 1)
  assert.equal(ring.consumed, 16)
})

test('a lease holds records until it is released', () => {
  const ring = new FakeRing(64)
  const cursor = ring.cursor()
  ring.write('a')
  ring.write('b', DISCARDED)
  ring.write('c')
  const lease = cursor.lease()
  assert.equal(lease.count, 2)
  assert.deepEqual(
    [...lease.records].map((record) => record.bytes.toString()),
    ['a', 'c'],
  )
  assert.equal(ring.consumed, 0)
  assert.throws(() => cursor.drain(new Texts()), TypeError)
  assert.throws(() => cursor.lease(), TypeError)

  const [first] = lease.records
  const rest = lease.records[Symbol.iterator]()
  lease.release()
  lease.release()
  assert.equal(ring.consumed, 48)
  assert.throws(() => lease.records, ClosedError)
  assert.throws(() => first?.bytes, ClosedError)
  assert.throws(() => rest.next(), ClosedError)
  assert.equal(cursor.lease(1).count, 0)
})

test('a stopped cursor throws ClosedError and ends its lease', () => {
  const ring = new FakeRing(64)
  const cursor = ring.cursor()
  ring.write('a')
  const lease = cursor.lease()
  assert.equal(cursor.stop(), true)
  assert.equal(cursor.stop(), false)
  assert.throws(() => lease.records, ClosedError)
  assert.throws(() => cursor.backlogBytes, ClosedError)
  assert.throws(() => cursor.drain(new Texts()), ClosedError)
  assert.throws(() => cursor.lease(), ClosedError)
})

test('what is written comes out once and in order, whatever the batches and wherever the ring wraps', () => {
  const step = fc.record({
    text: fc.string({ minLength: 1, maxLength: 30 }),
    discarded: fc.boolean(),
    drainMax: fc.option(fc.nat(5), { nil: undefined }),
  })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 100 }), fc.nat(2 ** 40), (steps, start) => {
      const ring = new FakeRing(256, start * 8)
      const cursor = ring.cursor()
      const sink = new Texts()
      const expected: string[] = []
      for (const { text, discarded, drainMax } of steps) {
        if (ring.write(text, discarded ? DISCARDED : 0) && !discarded) {
          expected.push(text)
        }
        if (drainMax !== undefined) {
          cursor.drain(sink, drainMax)
        }
      }
      cursor.drain(sink)
      assert.deepEqual(sink.seen, expected)
      assert.equal(cursor.backlogBytes, 0)
    }),
  )
})

test('a record with an impossible length is passed with length 0, and what was written after it is skipped', () => {
  for (const length of [25, 0x3fff_ffff, 4096]) {
    const ring = new FakeRing(128)
    const cursor = ring.cursor()
    const sink = new Texts()
    ring.write('before')
    ring.write('broken')
    ring.write('skipped')
    ring.finish(16, length)
    assert.equal(cursor.drain(sink), 2)
    assert.deepEqual(sink.seen, ['before', ''], `length ${length}`)
    assert.equal(cursor.backlogBytes, 0)
    ring.write('after')
    assert.equal(cursor.drain(sink), 1)
    assert.equal(sink.seen.at(-1), 'after')

    ring.write('again broken')
    ring.write('again skipped')
    ring.finish(ring.consumed, length, DISCARDED)
    using lease = cursor.lease()
    assert.deepEqual(
      [...lease.records].map((record) => record.lengthBytes),
      [0],
    )
  }
})
