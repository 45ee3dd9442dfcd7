import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { constant, currentTask, type Chars } from './expr.js'
import {
  chars,
  type Field,
  isTail,
  kernelString,
  path,
  s32,
  s64,
  u16,
  u32,
  u64,
  u8,
  userBytes,
  words,
} from './fields.js'
import { describeLayout, HEADER_SIZE_BYTES, layoutOf } from './layout.js'
import { expectGolden } from './testing/golden.js'
import type { SmallTask } from './testing/small-kernel.js'

const task = currentTask<SmallTask>()
const one = constant(1)

test('a layout follows the rules of C', () => {
  const layout = layoutOf(7, 'every_kind', {
    byte: u8(one),
    half: u16(one),
    name: kernelString(one, 64),
    signed: s32(one),
    wide: u64(one),
    comm: chars(16, task.comm),
    byteAgain: u8(one),
    cwd: path(task.fs.pwd, task.fs.root),
    wideSigned: s64(one),
    groups: words(one, one, 4, 128),
    argv: userBytes(one, one, 4096),
    word: u32(one),
  })
  expectGolden('layout', describeLayout(layout))
  assert.deepEqual(layout.at.name, 20)
  assert.equal(layout.maxSizeBytes, layout.fixedSizeBytes + 64 + 4354 + 128 + 4096)
})

test('a record without fields is its header', () => {
  const { fixedSizeBytes, maxSizeBytes, fixed, tails } = layoutOf(1, 'empty', {})
  assert.deepEqual(
    { fixedSizeBytes, maxSizeBytes, fixed, tails },
    {
      fixedSizeBytes: HEADER_SIZE_BYTES,
      maxSizeBytes: HEADER_SIZE_BYTES,
      fixed: [],
      tails: [],
    },
  )
})

const anyField: fc.Arbitrary<Field> = fc.oneof(
  fc.constantFrom<Field>(u8(one), u16(one), u32(one), u64(one), s32(one), s64(one)),
  fc.integer({ min: 1, max: 8 }).map((count): Field => chars(count * 8, task.comm)),
  fc.constantFrom<Field>(path(task.fs.pwd, task.fs.root)),
  fc.integer({ min: 0, max: 5000 }).map((maxBytes): Field => userBytes(one, one, maxBytes)),
  fc.integer({ min: 0, max: 5000 }).map((maxBytes): Field => words(one, one, 8, maxBytes)),
)

test('fields never overlap, are aligned, and tails come in order of declaration', () => {
  fc.assert(
    fc.property(fc.array(anyField, { maxLength: 20 }), (list) => {
      const fields = Object.fromEntries(list.map((field, index) => [`f${index}`, field]))
      const layout = layoutOf(1, 'any', fields)
      let end = HEADER_SIZE_BYTES
      for (const [name, { spec }] of Object.entries(fields)) {
        const offset = layout.at[name] ?? Number.NaN
        const sizeBytes = isTail(spec) ? 4 : spec.sizeBytes
        assert.ok(offset >= end, `${name} overlaps what is before it`)
        assert.equal(offset % (isTail(spec) ? 4 : spec.align), 0)
        end = offset + sizeBytes
      }
      assert.ok(layout.fixedSizeBytes >= end && layout.fixedSizeBytes < end + 8)
      assert.equal(layout.fixedSizeBytes % 8, 0)
      const tails = Object.entries(fields).filter(([, { spec }]) => isTail(spec))
      assert.deepEqual(
        layout.tails.map(({ name }) => name),
        tails.map(([name]) => name),
      )
      const most = layout.tails.reduce((sum, { maxBytes }) => sum + maxBytes, layout.fixedSizeBytes)
      assert.equal(layout.maxSizeBytes, most)
      assert.equal(layout.fixed.length + layout.tails.length, list.length)
    }),
  )
})

test('a field that cannot be is refused where it is declared', () => {
  const comm = task.comm as Chars
  for (const length of [0, -8, 12, 8.5]) {
    assert.throws(() => chars(length, comm), {
      name: 'RangeError',
      message: `Cannot declare chars of ${length} bytes as the length must be a multiple of 8`,
    })
  }
  for (const maxBytes of [-1, 1.5, (4 << 20) + 1]) {
    assert.throws(() => userBytes(one, one, maxBytes), {
      name: 'RangeError',
      message: `Cannot declare a tail of ${maxBytes} bytes: the limit is 4194304`,
    })
  }
})
