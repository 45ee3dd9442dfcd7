import assert from 'node:assert/strict'
import { test } from 'node:test'
import { HEADER_SIZE_BYTES } from './record.js'
import * as scratch from './scratch.js'

const COUNTERS_BYTES = scratch.COUNTERS * 8

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
  expectApart(
    [
      ['wake', scratch.SLOT_WAKE, 4],
      ['origin', scratch.SLOT_ORIGIN, 4],
      ['head', scratch.SLOT_HEAD, 8],
      ['tail', scratch.SLOT_TAIL, 8],
      ['seq', scratch.SLOT_SEQ, 4],
      ['depth', scratch.SLOT_DEPTH, 4],
      ['ring', scratch.SLOT_RING, 4],
      ['mask', scratch.SLOT_RING_MASK, 4],
      ['produced', scratch.SLOT_PRODUCED, COUNTERS_BYTES],
      ['lost', scratch.SLOT_LOST, COUNTERS_BYTES],
      ['stood in', scratch.SLOT_STOOD_IN, 8],
      ['too deep', scratch.SLOT_TOO_DEEP, 8],
      ['first level', scratch.SLOT_FIRST_LEVEL, 4],
      ['shares', scratch.SLOT_SHARES, scratch.MAX_SHARES * scratch.SHARE_BYTES],
      ['temporaries', scratch.FIRST_TEMPORARY, scratch.END_OF_TEMPORARIES - scratch.FIRST_TEMPORARY],
    ],
    scratch.RECORD_OFFSET,
  )
  const parts: [string, number, number][] = [
    ['written', scratch.SHARE_WRITTEN, 8],
    ['consumed', scratch.SHARE_CONSUMED, 8],
    ['limit', scratch.SHARE_LIMIT, 8],
  ]
  expectApart(parts, scratch.SHARE_BYTES)
  // User space sees the first page, and writes the lane into the record's header there.
  assert.ok(scratch.RECORD_OFFSET + HEADER_SIZE_BYTES <= 4096)
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

const LEVELS = [1, 2, 3, 4]

test('slots hold their temporaries and largest record, in whole pages, and the first level also the notes', () => {
  for (const pageBytes of [4096, 65_536]) {
    for (const maxRecordBytes of [16, 64, 65, 4096 - scratch.RECORD_OFFSET, 4096, 100_001]) {
      for (const levels of LEVELS) {
        const sizes = { levels, maxRecordBytes, nestedRecordBytes: Math.min(64, maxRecordBytes) }
        const layout = scratch.scratchLayout(sizes, pageBytes)
        // The last step of a copy reads beyond the record.
        const used = (recordBytes: number): number =>
          scratch.RECORD_OFFSET + recordBytes + scratch.COPY_STEP_BYTES
        const offsets = Array.from({ length: levels }, (_, level) => scratch.levelOffset(layout, level))
        assert.ok(offsets.every((offset) => offset % pageBytes === 0))
        expectApart(
          offsets.map((offset, level) => {
            const recordBytes = level === 0 ? maxRecordBytes : sizes.nestedRecordBytes
            return [`level ${level}`, offset, Math.ceil(used(recordBytes) / 8) * 8]
          }),
          scratch.notesOffset(layout),
        )
        assert.ok(scratch.notesOffset(layout) + scratch.MAX_NOTES * scratch.NOTE_BYTES <= layout.cpuBytes)
        const { valueSizeBytes, mmapable } = scratch.scratchMap(2, layout)
        assert.deepEqual([valueSizeBytes, mmapable], [2 * layout.cpuBytes, true])
      }
    }
  }
})

test('the rings of a CPU have room for the largest record of their level at their last byte, in whole pages', () => {
  for (const maxRecordBytes of [16, 4096 - 8, 4096, 100_001]) {
    for (const levels of LEVELS) {
      const sizes = { levels, maxRecordBytes, nestedRecordBytes: 16 }
      const layout = scratch.cpuRingsLayout(65_536, sizes, 4096)
      assert.deepEqual(
        [layout.sizeBytes, layout.nestedSizeBytes, layout.strideBytes % 4096],
        [65_536, 8192, 0],
      )
      expectApart(
        [0, 1].flatMap((cpu) =>
          Array.from({ length: levels }, (_, level): [string, number, number] => {
            const [ringBytes, recordBytes] = level === 0 ? [65_536, maxRecordBytes] : [8192, 16]
            const usedBytes =
              ringBytes + scratch.CPU_RING_HEADER_BYTES + recordBytes + scratch.COPY_STEP_BYTES
            return [`CPU ${cpu}, level ${level}`, scratch.ringOffset(layout, cpu, level), usedBytes]
          }),
        ),
        2 * layout.strideBytes,
      )
      const { valueSizeBytes, mmapable } = scratch.cpuRingsMap(3, layout)
      assert.deepEqual([valueSizeBytes, mmapable], [3 * layout.strideBytes, true])
    }
  }
  // However small a ring is, those of the other levels have a page.
  assert.equal(
    scratch.cpuRingsLayout(4096, { levels: 2, maxRecordBytes: 16, nestedRecordBytes: 16 }, 4096)
      .nestedSizeBytes,
    4096,
  )
})

test('the ways to be woken differ', () => {
  const words = [scratch.WAKE_NEVER, scratch.WAKE_ON_RECORD, scratch.WAKE_ON_BACKLOG]
  assert.equal(new Set(words).size, words.length)
})
