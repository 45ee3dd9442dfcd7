import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  CPU_RING_HEADER_BYTES,
  SHARE_BYTES,
  SHARE_CONSUMED,
  SHARE_LIMIT,
  SHARE_WRITTEN,
  SLOT_SHARES,
} from '../probe/scratch.js'
import { CpuRings } from './cpu-rings.js'
import { RingCursor } from './cursor.js'
import { RingShares } from './shares.js'

const SHARED = 7
const OTHER = 3
const RECORD_BYTES = 24
const LARGE_BYTES = 1 << 20
const TAKEN_BYTES = RECORD_BYTES + CPU_RING_HEADER_BYTES

/** A page in which the second share is that of one kind. */
function page() {
  const memory = new ArrayBuffer(4096)
  const word = (field: number): BigUint64Array =>
    new BigUint64Array(memory, SLOT_SHARES + SHARE_BYTES + field, 1)
  const index = new Int8Array(1 << 16).fill(-1).fill(1, SHARED << 8, (SHARED + 1) << 8)
  word(SHARE_CONSUMED)[0] = 1000n
  word(SHARE_WRITTEN)[0] = 9000n
  const shares = new RingShares(index, [10, LARGE_BYTES], memory)
  return { shares, limit: word(SHARE_LIMIT), consumed: word(SHARE_CONSUMED) }
}

/** Memory with records of these kinds in a row, as both sorts of rings have them. */
function recordsOf(kinds: readonly number[]): ArrayBuffer {
  const data = new ArrayBuffer(512)
  const view = new DataView(data)
  for (const [i, kind] of kinds.entries()) {
    view.setUint32(i * TAKEN_BYTES, RECORD_BYTES, true)
    view.setUint16(i * TAKEN_BYTES + CPU_RING_HEADER_BYTES, (kind << 8) | 1, true)
  }
  return data
}

/** Takes records out of a ring of either sort, and returns what a kind has consumed then. */
function consumedAfter(sort: 'one ring' | 'rings of the CPUs', data: ArrayBuffer, endBytes: number): number {
  const { shares, consumed, limit } = page()
  assert.equal(limit[0], BigInt(LARGE_BYTES))
  const words = new Uint32Array(data)
  const bytes = Buffer.from(data)
  const position = (at: number): BigUint64Array => BigUint64Array.of(BigInt(at))
  if (sort === 'one ring') {
    const [consumer, producer, headers] = [position(0), position(endBytes), new Int32Array(data)]
    new RingCursor('fake', 256, { consumer, producer, headers, words, bytes, shares }).drain({
      record: () => {},
    })
  } else {
    const ring = { head: position(endBytes), tail: position(0), origin: new Uint32Array(1) }
    const rings = [{ ...ring, startBytes: 0, sizeBytes: 256, shares }]
    new CpuRings({ rings, words, bytes }).drain({ record: () => {} })
  }
  return Number(consumed[0])
}

for (const sort of ['one ring', 'rings of the CPUs'] as const) {
  test(`what is read is given back to its kind (${sort})`, () => {
    const kinds = [SHARED, OTHER, SHARED]
    assert.equal(consumedAfter(sort, recordsOf(kinds), 3 * TAKEN_BYTES), 1000 + 2 * TAKEN_BYTES)
    assert.equal(consumedAfter(sort, recordsOf([OTHER]), TAKEN_BYTES), 1000)
  })

  test(`what is skipped is given back to its kind (${sort})`, () => {
    const data = recordsOf([SHARED, OTHER, SHARED])
    new DataView(data).setUint32(TAKEN_BYTES, 0x0fff_ffff, true)
    assert.equal(consumedAfter(sort, data, 3 * TAKEN_BYTES), 9000)
  })
}

test('shares are narrowed from what they were at first, and not below a few long records', () => {
  const { shares, limit } = page()
  for (const [part, bytes] of [
    [0.25, LARGE_BYTES / 4],
    [0.5, LARGE_BYTES / 2],
    [1 / 64, 32 << 10],
    [1, LARGE_BYTES],
  ] as const) {
    shares.narrow(part)
    assert.equal(limit[0], BigInt(bytes))
  }
})
