import assert from 'node:assert/strict'
import { ClosedError } from '../errors.js'
import { BpfMap } from '../map/map.js'
import { RingReader } from './ringbuf.js'
import { pageSizeBytes } from '../sys/libc.js'
import { expectNoLeaks } from '../testing/descriptors.js'
import { kernelTest } from '../testing/kernel-test.js'
import { RingWriter } from '../testing/programs.js'

expectNoLeaks()

const HEADER_SIZE_BYTES = 8

function createRing(): BpfMap {
  return BpfMap.create({ name: 'ring', type: 'ringbuf', maxEntries: pageSizeBytes() })
}

function drainTexts(reader: RingReader, max?: number): string[] {
  const texts: string[] = []
  reader.drain(
    { record: (_, bytes, at, length) => texts.push(bytes.toString('latin1', at, at + length)) },
    max,
  )
  return texts
}

kernelTest('records come out as programs wrote them, without the discarded ones', '5.8', () => {
  using map = createRing()
  using writer = new RingWriter(map)
  using reader = RingReader.open(map)
  assert.equal(reader.capacityBytes, pageSizeBytes())
  writer.write(Buffer.from('first'))
  writer.discard()
  writer.write(Buffer.from('second record'))
  assert.equal(reader.backlogBytes, 16 + 24 + 24)
  assert.equal(reader.fullness, (16 + 24 + 24) / reader.capacityBytes)
  assert.deepEqual(drainTexts(reader, 1), ['first'])
  assert.deepEqual(drainTexts(reader), ['second record'])
  assert.equal(reader.backlogBytes, 0)
})

kernelTest('a full ring takes nothing until it is drained, and wraps any number of times', '5.8', () => {
  using map = createRing()
  using writer = new RingWriter(map)
  using reader = RingReader.open(map)
  // 208 bytes do not divide a page, so records lie across the end of the ring.
  const lengthBytes = 200
  const perRound = Math.floor(reader.capacityBytes / (lengthBytes + HEADER_SIZE_BYTES))
  for (let round = 0; round < 50; round += 1) {
    const written: string[] = []
    for (let text = '0'.padStart(lengthBytes); writer.write(Buffer.from(text));) {
      written.push(text)
      text = `${round}.${written.length}`.padStart(lengthBytes)
    }
    assert.equal(written.length, perRound)
    assert.deepEqual(drainTexts(reader), written)
  }
})

kernelTest('a second reader continues where the first one stopped', '5.8', () => {
  using map = createRing()
  using writer = new RingWriter(map)
  writer.write(Buffer.from('one'))
  writer.write(Buffer.from('two'))
  const first = RingReader.open(map)
  assert.deepEqual(drainTexts(first, 1), ['one'])
  first.close()
  using second = RingReader.open(map)
  assert.deepEqual(drainTexts(second), ['two'])
})

kernelTest('a reader outlives its map', '5.8', () => {
  const map = createRing()
  const writer = new RingWriter(map)
  const reader = RingReader.open(map)
  writer.write(Buffer.from('kept'))
  writer[Symbol.dispose]()
  map.close()
  assert.deepEqual(drainTexts(reader), ['kept'])
  reader.close()
})

kernelTest('a lease reads in place and gives space back at its release', '5.8', () => {
  using map = createRing()
  using writer = new RingWriter(map)
  using reader = RingReader.open(map)
  writer.write(Buffer.from('leased'))
  const lease = reader.lease()
  assert.deepEqual(
    [...lease.records].map((record) => [record.lengthBytes, record.bytes.toString('latin1')]),
    [[6, 'leased']],
  )
  assert.equal(reader.backlogBytes, 16)
  lease.release()
  assert.equal(reader.backlogBytes, 0)
})

kernelTest('a closed reader throws ClosedError and touches no memory, also from inside a sink', '5.8', () => {
  using map = createRing()
  using writer = new RingWriter(map)
  writer.write(Buffer.from('one'))
  writer.write(Buffer.from('two'))
  const reader = RingReader.open(map)
  let count = 0
  assert.equal(
    reader.drain({
      record(): void {
        count += 1
        reader.close()
      },
    }),
    1,
  )
  assert.equal(count, 1)

  const leased = RingReader.open(map)
  const lease = leased.lease()
  const [record] = lease.records
  assert.equal(record?.bytes.toString('latin1'), 'two')
  leased.close()
  leased.close()
  assert.throws(() => record?.bytes, ClosedError)
  lease.release()

  for (const closed of [reader, leased]) {
    assert.throws(() => closed.backlogBytes, ClosedError)
    assert.throws(() => closed.fullness, ClosedError)
    assert.throws(() => closed.drain({ record: () => undefined }), ClosedError)
    assert.throws(() => closed.lease(), ClosedError)
  }
})

kernelTest('only rings can be read', '5.8', () => {
  using map = BpfMap.create({ name: 'array', type: 'array', maxEntries: 1 })
  assert.throws(() => RingReader.open(map), TypeError)
})
