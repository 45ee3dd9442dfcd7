import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { CpuRings } from './cpu-rings.js'
import { ClosedError } from '../errors.js'
import { HEADER_SIZE_BYTES, HEADER_TIME } from '../probe/record.js'
import { CPU_RING_HEADER_BYTES } from '../probe/scratch.js'

const RING_BYTES = 256
/** Lanes from here on are of another level, whose rings are smaller. */
const NESTED_FROM = 3
const NESTED_RING_BYTES = 128
const STRIDE_BYTES = 512

interface Written {
  readonly lane: number
  readonly timeNs: bigint
  readonly text: string
}

/** Rings in ordinary memory, with the programs' side of the protocol. */
class FakeRings {
  readonly rings: CpuRings
  readonly bytes: Buffer
  readonly heads: readonly BigUint64Array[]
  readonly tails: readonly BigUint64Array[]
  readonly origins: readonly Uint32Array[]

  constructor(lanes: number, startPosition = 0) {
    const memory = new ArrayBuffer(lanes * STRIDE_BYTES)
    const positions = (): BigUint64Array[] =>
      Array.from({ length: lanes }, () => BigUint64Array.of(BigInt(startPosition)))
    this.bytes = Buffer.from(memory)
    this.heads = positions()
    this.tails = positions()
    this.origins = Array.from({ length: lanes }, () => new Uint32Array(1))
    const { heads, tails, origins, bytes } = this
    // As in the kernel's map, rings need not lie in the order of their lanes.
    const rings = heads.map((head, lane) => ({
      head,
      tail: tails[lane]!,
      origin: origins[lane]!,
      startBytes: this.startOf(lane),
      sizeBytes: this.sizeOf(lane),
      shares: undefined,
    }))
    this.rings = new CpuRings({ rings, words: new Uint32Array(memory), bytes })
  }

  startOf(lane: number): number {
    return (this.heads.length - 1 - lane) * STRIDE_BYTES
  }

  sizeOf(lane: number): number {
    return lane < NESTED_FROM ? RING_BYTES : NESTED_RING_BYTES
  }

  /** False when there is no room. */
  write({ lane, timeNs, text }: Written): boolean {
    const lengthBytes = HEADER_SIZE_BYTES + Buffer.byteLength(text)
    const sizeBytes = (CPU_RING_HEADER_BYTES + lengthBytes + 7) & ~7
    const head = Number(this.heads[lane]![0])
    const tail = Number(this.tails[lane]![0])
    if (head === tail) this.origins[lane]![0] = head % 2 ** 32
    if (head - tail + sizeBytes > this.sizeOf(lane)) return false
    const place = (head - this.origins[lane]![0]!) & (this.sizeOf(lane) - 1)
    const at = this.startOf(lane) + place
    this.bytes.writeUInt32LE(lengthBytes, at)
    this.bytes.writeBigUInt64LE(timeNs, at + CPU_RING_HEADER_BYTES + HEADER_TIME)
    this.bytes.write(text, at + CPU_RING_HEADER_BYTES + HEADER_SIZE_BYTES)
    this.heads[lane]![0] = BigInt(head + sizeBytes)
    return true
  }

  /** The texts of what a drain gives. */
  drained(max?: number): string[] {
    const texts: string[] = []
    this.rings.drain(
      {
        record: (words, bytes, offset, length) => {
          assert.equal(words.buffer, bytes.buffer)
          assert.equal(offset % 8, 0)
          texts.push(bytes.toString('utf8', offset + HEADER_SIZE_BYTES, offset + length))
        },
      },
      max,
    )
    return texts
  }
}

test('records of several lanes come by their times, and their room is given back', () => {
  const fake = new FakeRings(3)
  fake.write({ lane: 1, timeNs: 5n, text: 'five' })
  fake.write({ lane: 0, timeNs: 1n << 32n, text: 'late' })
  fake.write({ lane: 1, timeNs: 9n, text: 'nine' })
  fake.write({ lane: 2, timeNs: 7n, text: 'seven' })
  fake.write({ lane: 0, timeNs: (1n << 32n) + 1n, text: 'last' })
  assert.ok(fake.rings.backlogBytes > 0 && fake.rings.fullness > 0)

  assert.deepEqual(fake.drained(2), ['five', 'seven'])
  assert.deepEqual(fake.drained(), ['nine', 'late', 'last'])
  assert.deepEqual(fake.drained(), [])
  assert.deepEqual([fake.rings.backlogBytes, fake.rings.fullness], [0, 0])
  assert.deepEqual(fake.tails, fake.heads)
})

test('an empty ring is filled from its first byte again', () => {
  const fake = new FakeRings(1, 2 ** 32 - 8)
  const seen: number[] = []
  for (const text of ['one', 'two', 'three']) {
    fake.write({ lane: 0, timeNs: 1n, text })
    fake.rings.drain({ record: (_words, _bytes, offset) => seen.push(offset) })
  }
  assert.deepEqual(seen, [CPU_RING_HEADER_BYTES, CPU_RING_HEADER_BYTES, CPU_RING_HEADER_BYTES])
})

test('what is written during a drain is for the next one', () => {
  const fake = new FakeRings(1)
  fake.write({ lane: 0, timeNs: 1n, text: 'first' })
  const count = fake.rings.drain({ record: () => void fake.write({ lane: 0, timeNs: 2n, text: 'second' }) })
  assert.equal(count, 1)
  assert.deepEqual(fake.drained(), ['second'])
})

test('room is given back before the end, at every quarter of a ring', () => {
  const fake = new FakeRings(1)
  while (fake.write({ lane: 0, timeNs: 1n, text: 'x'.repeat(8) }));
  const tails: bigint[] = []
  fake.rings.drain({ record: () => tails.push(fake.tails[0]![0]!) })
  assert.deepEqual([...new Set(tails)], [0n, 64n, 128n, 192n])
})

test('an impossible length is passed as 0, and ends the batch of that ring, and of no other', () => {
  for (const length of [0x8000_0000, 0xffff_ffff, 120]) {
    const fake = new FakeRings(2)
    fake.write({ lane: 0, timeNs: 1n, text: 'before' })
    const at = fake.startOf(0) + Number(fake.heads[0]![0])
    fake.write({ lane: 0, timeNs: 2n, text: 'without a length' })
    fake.write({ lane: 0, timeNs: 3n, text: 'unreachable' })
    fake.write({ lane: 1, timeNs: 4n, text: 'elsewhere' })
    fake.bytes.writeUInt32LE(length, at)
    assert.deepEqual(fake.drained(), ['before', '', 'elsewhere'], `length ${length}`)
    assert.equal(fake.rings.backlogBytes, 0)
    fake.write({ lane: 0, timeNs: 5n, text: 'after' })
    assert.deepEqual(fake.drained(), ['after'])
  }
})

test('a record at which the sink throws is consumed, and the others are not', () => {
  const fake = new FakeRings(2)
  fake.write({ lane: 0, timeNs: 1n, text: 'bad' })
  fake.write({ lane: 1, timeNs: 2n, text: 'good' })
  const failing = { record: () => assert.fail('bad record') }
  assert.throws(() => fake.rings.drain(failing), /bad record/)
  assert.deepEqual(fake.drained(), ['good'])
})

test('a sink may not drain, and may stop the rings', () => {
  const fake = new FakeRings(1)
  fake.write({ lane: 0, timeNs: 1n, text: 'one' })
  fake.write({ lane: 0, timeNs: 2n, text: 'two' })
  const record = (): void => {
    assert.throws(() => fake.drained(), TypeError)
    fake.rings.stop()
  }
  assert.equal(fake.rings.drain({ record }), 1)
  assert.throws(() => fake.drained(), ClosedError)
  assert.throws(() => fake.rings.backlogBytes, ClosedError)
  assert.throws(() => fake.rings.fullness, ClosedError)
  fake.rings.stop()
  // The one that was taken is given back.
  assert.ok(fake.tails[0]![0]! > 0n && fake.tails[0]![0]! < fake.heads[0]![0]!)
})

test("whatever is written and drained: each record that found room comes once, whole, in its lane's order", () => {
  const write = fc.record({
    lane: fc.integer({ min: 0, max: 4 }),
    timeNs: fc.bigInt({ min: 0n, max: 3n << 31n }),
    text: fc.string({ unit: 'binary-ascii', maxLength: 90 }),
  })
  const steps = fc.array(fc.oneof(write, fc.integer({ min: 0, max: 5 })), { maxLength: 60 })
  fc.assert(
    fc.property(steps, fc.constantFrom(0, 248, 2 ** 33 - 8), (list, startPosition) => {
      const fake = new FakeRings(5, startPosition)
      const expected: string[][] = [[], [], [], [], []]
      const seen: string[][] = [[], [], [], [], []]
      let number = 0
      const take = (max?: number): void => {
        for (const text of fake.drained(max)) seen[Number(text[0])]?.push(text)
      }
      for (const step of list) {
        if (typeof step === 'number') take(step)
        else {
          const text = `${step.lane} ${number++} ${step.text}`
          if (fake.write({ ...step, text })) expected[step.lane]?.push(text)
        }
      }
      take()
      assert.deepEqual(seen, expected)
      assert.equal(fake.rings.backlogBytes, 0)
    }),
  )
})
