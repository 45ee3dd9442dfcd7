import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { PerfCursor } from './cursor.js'

const SIZE_BYTES = 4096
const HEAD = 1024 / 8
const TAIL = 1032 / 8

/** A ring that has been used before, so that records wrap. */
class Ring {
  readonly control = new BigUint64Array(512)
  readonly data = Buffer.alloc(SIZE_BYTES)
  readonly cursor = new PerfCursor(3, this)

  constructor(start: number) {
    this.control[HEAD] = BigInt(start)
    this.control[TAIL] = BigInt(start)
  }

  write(record: Buffer): void {
    const head = Number(this.control[HEAD])
    for (const [index, byte] of record.entries()) this.data[(head + index) % SIZE_BYTES] = byte
    this.control[HEAD] = BigInt(head + record.length)
  }

  drain(): string[] {
    const seen: string[] = []
    this.cursor.drain({
      sample: ({ cpu, tid, timeNs, raw }) =>
        seen.push(`sample ${cpu} ${tid} ${timeNs} ${raw.toString('latin1')}`),
      lost: (cpu, count) => seen.push(`lost ${cpu} ${count}`),
    })
    return seen
  }

  get isEmpty(): boolean {
    return this.control[HEAD] === this.control[TAIL] && this.cursor.backlogBytes === 0
  }
}

function header(type: number, sizeBytes: number): Buffer {
  const bytes = Buffer.alloc(Math.max(sizeBytes, 8))
  bytes.writeUInt32LE(type, 0)
  bytes.writeUInt16LE(sizeBytes, 6)
  return bytes
}

function sample(tid: number, timeNs: bigint, text: string): Buffer {
  const record = header(9, Math.ceil((36 + text.length) / 8) * 8)
  record.writeUInt32LE(1, 8)
  record.writeUInt32LE(tid, 12)
  record.writeBigUInt64LE(timeNs, 16)
  record.writeUInt32LE(text.length, 32)
  record.write(text, 36, 'latin1')
  return record
}

function lost(count: bigint): Buffer {
  const record = header(2, 48)
  record.writeBigUInt64LE(count, 16)
  return record
}

test('samples and losses come in order, wherever the ring wraps', () => {
  for (let start = 0; start < 200; start += 8) {
    const ring = new Ring(SIZE_BYTES * 5 - start)
    ring.write(sample(1, 10n, 'first'))
    ring.write(lost(7n))
    ring.write(sample(2, 2n ** 60n, 'x'.repeat(150)))
    ring.write(header(3, 16))
    assert.deepEqual(ring.drain(), [
      'sample 3 1 10 first',
      'lost 3 7',
      `sample 3 2 ${2n ** 60n} ${'x'.repeat(150)}`,
    ])
    assert.ok(ring.isEmpty)
    assert.deepEqual(ring.drain(), [])
  }
})

test('a record of more than 4 KiB is whole', () => {
  const control = new BigUint64Array(512)
  const data = Buffer.alloc(16_384)
  const text = 'y'.repeat(9000)
  const record = sample(5, 1n, text)
  const start = 16_384 - 4096
  control[HEAD] = BigInt(start + record.length)
  control[TAIL] = BigInt(start)
  for (const [index, byte] of record.entries()) data[(start + index) % data.length] = byte
  const seen: string[] = []
  new PerfCursor(0, { control, data }).drain({
    sample: ({ raw }) => seen.push(raw.toString('latin1')),
    lost: () => assert.fail('nothing is lost'),
  })
  assert.deepEqual(seen, [text])
})

test('a malformed record is counted, and the next one is read', () => {
  const longer = sample(1, 1n, 'text')
  longer.writeUInt32LE(1000, 32)
  for (const broken of [header(9, 16), longer, header(2, 16)]) {
    const ring = new Ring(0)
    ring.write(broken)
    ring.write(sample(2, 2n, 'next'))
    assert.deepEqual(ring.drain(), ['lost 3 1', 'sample 3 2 2 next'])
    assert.equal(ring.cursor.broken, 1)
  }
})

test('an impossible length ends a batch with one loss, and the next batch is read', () => {
  for (const sizeBytes of [0, 4, 12, 4000]) {
    const ring = new Ring(64)
    const broken = header(9, 8)
    broken.writeUInt16LE(sizeBytes, 6)
    ring.write(sample(1, 1n, 'a'))
    ring.write(broken)
    ring.write(sample(2, 2n, 'b'))
    assert.deepEqual(ring.drain(), ['sample 3 1 1 a', 'lost 3 1'])
    ring.write(sample(3, 3n, 'c'))
    assert.deepEqual(ring.drain(), ['sample 3 3 3 c'])
  }
})

test('a head that is further than the ring is long is one loss', () => {
  const ring = new Ring(0)
  ring.control[HEAD] = BigInt(SIZE_BYTES + 8)
  assert.deepEqual(ring.drain(), ['lost 3 1'])
  assert.ok(ring.isEmpty)
})

test('any bytes are read to their end without an error', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 512 }), fc.nat({ max: 4096 }), (bytes, start) => {
      const ring = new Ring(start)
      ring.write(Buffer.from(bytes))
      ring.drain()
      assert.ok(ring.isEmpty)
    }),
  )
})

test('a stopped cursor touches nothing', () => {
  const ring = new Ring(0)
  ring.write(sample(1, 1n, 'a'))
  ring.cursor.stop()
  assert.deepEqual(ring.drain(), [])
  assert.deepEqual([ring.cursor.backlogBytes, ring.cursor.fullness], [0, 0])
})
