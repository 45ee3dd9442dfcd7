import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as scratch from './scratch.js'

const COUNTERS_BYTES = scratch.TYPES * 8

function expectApart(
  parts: readonly [name: string, start: number, sizeBytes: number][],
  limit: number,
): void {
  const sorted = parts.toSorted(([, a], [, b]) => a - b)
  sorted.forEach(([name, start, sizeBytes], index) => {
    assert.equal(start % Math.min(sizeBytes, 8), 0, `${name} is not aligned`)
    const [next, nextStart] = sorted[index + 1] ?? ['the end', limit]
    assert.ok(start + sizeBytes <= nextStart, `${name} runs into ${next}`)
  })
}

test('the parts of a slot do not overlap', () => {
  const { SLOT_WAKE, SLOT_ORIGIN, SLOT_SEQ, SLOT_HEAD, SLOT_TAIL, SLOT_PRODUCED, SLOT_LOST, SLOT_STOOD_IN } =
    scratch
  const { FIRST_TEMPORARY } = scratch
  expectApart(
    [
      ['wake', SLOT_WAKE, 4],
      ['origin', SLOT_ORIGIN, 4],
      ['seq', SLOT_SEQ, 8],
      ['head', SLOT_HEAD, 8],
      ['tail', SLOT_TAIL, 8],
      ['produced', SLOT_PRODUCED, COUNTERS_BYTES],
      ['lost', SLOT_LOST, COUNTERS_BYTES],
      ['stood in', SLOT_STOOD_IN, 8],
    ],
    FIRST_TEMPORARY,
  )
  expectApart(
    [
      ['temporaries', FIRST_TEMPORARY, scratch.END_OF_TEMPORARIES - FIRST_TEMPORARY],
      ['tasks', scratch.SLOT_TASKS, COUNTERS_BYTES],
    ],
    scratch.RECORD_OFFSET,
  )
})

test('the temporaries of a walk do not overlap each other or those of expressions', () => {
  const walk = Object.entries(scratch).filter(([name]) => name.startsWith('TEMP_'))
  assert.equal(walk.length, 8)
  expectApart(
    walk.map(([name, offset]) => [name, Number(offset), 8]),
    scratch.FREE_TEMPORARY,
  )
  assert.ok(walk.every(([, offset]) => Number(offset) >= scratch.FIRST_TEMPORARY))
  assert.equal(scratch.FREE_TEMPORARY % 8, 0)
  assert.ok(scratch.FREE_TEMPORARY < scratch.END_OF_TEMPORARIES)
  assert.equal(scratch.RECORD_OFFSET % 8, 0)
})

test('a slot holds the temporaries and the largest record, in whole pages', () => {
  for (const pageBytes of [4096, 65_536]) {
    for (const maxRecordBytes of [16, 64, 65, 4096 - scratch.RECORD_OFFSET, 4096, 100_001]) {
      const slotBytes = scratch.scratchSlotBytes(maxRecordBytes, pageBytes)
      assert.equal(slotBytes % pageBytes, 0)
      // The last step of a copy reads beyond the record.
      const usedBytes = scratch.RECORD_OFFSET + maxRecordBytes + scratch.COPY_STEP_BYTES
      assert.ok(slotBytes >= usedBytes && slotBytes < usedBytes + pageBytes)
      const { valueSizeBytes, mmapable } = scratch.scratchMap(2, slotBytes)
      assert.deepEqual([valueSizeBytes, mmapable], [2 * slotBytes, true])
    }
  }
})

test('a ring of a CPU has room for the largest record at its last byte, in whole pages', () => {
  for (const maxRecordBytes of [16, 4096 - 8, 4096, 100_001]) {
    const { sizeBytes, strideBytes } = scratch.cpuRingsLayout(8192, maxRecordBytes, 4096)
    assert.deepEqual([sizeBytes, strideBytes % 4096], [8192, 0])
    const room = strideBytes - sizeBytes - scratch.CPU_RING_HEADER_BYTES - scratch.COPY_STEP_BYTES
    assert.ok(room >= maxRecordBytes && room < maxRecordBytes + 4096)
    const { valueSizeBytes, mmapable } = scratch.cpuRingsMap(3, { sizeBytes, strideBytes })
    assert.deepEqual([valueSizeBytes, mmapable], [3 * strideBytes, true])
  }
})

test('the ways to be woken differ', () => {
  const words = [scratch.WAKE_NEVER, scratch.WAKE_ON_RECORD, scratch.WAKE_ON_BACKLOG]
  assert.equal(new Set(words).size, words.length)
})
