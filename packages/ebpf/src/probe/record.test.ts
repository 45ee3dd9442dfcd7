import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { chars, type FieldType, isTail, s32, s64, u16, u32, u64, u8 } from './fields.js'
import { describeLayout, HEADER_SIZE_BYTES, record } from './record.js'
import { bytesTail, pathTail, stringTail, wordsTail } from './tails/index.js'
import { expectGolden } from './testing/golden.js'

test('a layout follows the rules of C', () => {
  const layout = record(7, 'every_kind', {
    byte: u8,
    half: u16,
    name: stringTail(64),
    signed: s32,
    wide: u64,
    comm: chars(16),
    byteAgain: u8,
    cwd: pathTail,
    wideSigned: s64,
    groups: wordsTail(4, 128),
    argv: bytesTail(4096),
    word: u32,
  })
  expectGolden('layout', describeLayout(layout))
  assert.deepEqual(layout.at.name, 20)
})

test('a record without fields is its header', () => {
  const { fixedSizeBytes, fixed, tails } = record(1, 'empty', {})
  assert.deepEqual(
    { fixedSizeBytes, fixed, tails },
    { fixedSizeBytes: HEADER_SIZE_BYTES, fixed: [], tails: [] },
  )
})

const anyField: fc.Arbitrary<FieldType> = fc.oneof(
  fc.constantFrom<FieldType>(u8, u16, u32, u64, s32, s64, pathTail),
  fc.integer({ min: 1, max: 8 }).map((count): FieldType => chars(count * 8)),
  fc.integer({ min: 0, max: 5000 }).map((maxBytes): FieldType => bytesTail(maxBytes)),
  fc.integer({ min: 0, max: 5000 }).map((maxBytes): FieldType => wordsTail(8, maxBytes)),
)

test('fields never overlap, are aligned, and tails come in order of declaration', () => {
  fc.assert(
    fc.property(fc.array(anyField, { maxLength: 20 }), (list) => {
      const fields = Object.fromEntries(list.map((field, index) => [`f${index}`, field]))
      const layout = record(1, 'any', fields)
      let end = HEADER_SIZE_BYTES
      for (const [name, type] of Object.entries(fields)) {
        const offset = layout.at[name] ?? Number.NaN
        const sizeBytes = isTail(type) ? 4 : type.sizeBytes
        assert.ok(offset >= end, `${name} overlaps what is before it`)
        assert.equal(offset % (isTail(type) ? 4 : type.align), 0)
        end = offset + sizeBytes
      }
      assert.ok(layout.fixedSizeBytes >= end && layout.fixedSizeBytes < end + 8)
      assert.equal(layout.fixedSizeBytes % 8, 0)
      const tails = Object.entries(fields).filter(([, type]) => isTail(type))
      assert.deepEqual(
        layout.tails.map(({ name }) => name),
        tails.map(([name]) => name),
      )
      assert.equal(layout.fixed.length + layout.tails.length, list.length)
    }),
  )
})

test('an impossible field is refused where it is declared', () => {
  for (const length of [0, -8, 12, 8.5]) {
    assert.throws(() => chars(length), {
      name: 'RangeError',
      message: `Cannot declare chars of ${length} bytes as the length must be a multiple of 8`,
    })
  }
  for (const maxBytes of [-1, 1.5, (4 << 20) + 1]) {
    assert.throws(() => bytesTail(maxBytes), {
      name: 'RangeError',
      message: `Cannot declare a tail of ${maxBytes} bytes: the limit is 4194304`,
    })
  }
})

test('a record type is a u16, and 0 is none', () => {
  for (const type of [0, 0x10000, -1, 1.5]) {
    assert.throws(() => record(type, 'r', {}), {
      name: 'RangeError',
      message: `Cannot declare record "r" with type ${type}: use 1 to 65535`,
    })
  }
  assert.equal(record(0xffff, 'r', {}).type, 0xffff)
})
