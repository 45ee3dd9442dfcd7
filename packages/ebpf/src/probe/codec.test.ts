import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { decodeRecord, encodeRecord } from './codec.js'
import { chars, s32, s64, u16, u32, u64, u8 } from './fields.js'
import { record } from './record.js'
import { TAIL_DELETED, TAIL_PSEUDO, TAIL_TRUNCATED } from './tails/descriptor.js'
import { bytesTail, decodePath, pathTail, stringTail, wordsTail } from './tails/index.js'

const MAX_BYTES = 64

const layout = record(9, 'everything', {
  byte: u8,
  half: u16,
  word: u32,
  signed: s32,
  wide: u64,
  wideSigned: s64,
  comm: chars(16),
  cwd: pathTail,
  argv: bytesTail(MAX_BYTES),
  exe: pathTail,
  name: stringTail(MAX_BYTES),
  user: stringTail(MAX_BYTES),
  groups: wordsTail(4, MAX_BYTES),
  masks: wordsTail(8, MAX_BYTES),
})
const header = { cpu: 3, seq: 0xfffffffe, timeNs: 2n ** 63n + 5n }

const text = (maxBytes: number): fc.Arbitrary<string> =>
  fc.string({ unit: 'grapheme' }).filter((s) => !s.includes('\0') && Buffer.from(s).length <= maxBytes)
const component = text(32).filter((s) => s !== '' && !s.includes('/'))
const place = fc.array(component, { maxLength: 6 }).map((names) => `/${names.join('/')}`)
/** Objects as others make them. */
const PLAIN = { noNullPrototype: true } as const
const anyPath = fc.oneof(
  fc.record({ path: place, truncated: fc.constant(true), deleted: fc.boolean() }, PLAIN),
  fc.record({ path: place, truncated: fc.constant(false), deleted: fc.boolean() }, PLAIN),
  fc.record({ path: place, root: place, truncated: fc.constant(false), deleted: fc.boolean() }, PLAIN),
  fc.record({ path: component, truncated: fc.constant(false), deleted: fc.constant(false) }, PLAIN),
)
const orUnreadable = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
  fc.option(value, { nil: undefined })
const values = fc.record({
  byte: fc.integer({ min: 0, max: 0xff }),
  half: fc.integer({ min: 0, max: 0xffff }),
  word: fc.integer({ min: 0, max: 0xffffffff }),
  signed: fc.integer({ min: -0x80000000, max: 0x7fffffff }),
  wide: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
  wideSigned: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  comm: text(16),
  cwd: orUnreadable(anyPath),
  argv: orUnreadable(fc.uint8Array({ maxLength: MAX_BYTES })),
  exe: orUnreadable(anyPath),
  name: orUnreadable(text(MAX_BYTES - 1)),
  user: orUnreadable(text(MAX_BYTES - 1)),
  groups: orUnreadable(fc.array(fc.integer({ min: 0, max: 0xffffffff }), { maxLength: MAX_BYTES / 4 })),
  masks: orUnreadable(fc.array(fc.maxSafeNat(), { maxLength: MAX_BYTES / 8 })),
})

test('what is encoded is what is decoded', () => {
  fc.assert(
    fc.property(values, (given) => {
      assert.deepEqual(decodeRecord(layout, encodeRecord(layout, header, given)), {
        type: 9,
        ...header,
        ...given,
      })
    }),
  )
})

test('a record may lie anywhere in memory, and nothing of it is kept', () => {
  fc.assert(
    fc.property(values, fc.integer({ min: 0, max: 9 }), (given, before) => {
      const bytes = encodeRecord(layout, header, given)
      const around = new Uint8Array(before + bytes.length + 5).fill(0xaa)
      around.set(bytes, before)
      const decoded = decodeRecord(layout, around.subarray(before, before + bytes.length))
      around.fill(0xff)
      assert.deepEqual(decoded, { type: 9, ...header, ...given })
    }),
  )
})

test('a record that was cut short is a RangeError, never a wrong value', () => {
  fc.assert(
    fc.property(values, fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), (given, part) => {
      const bytes = encodeRecord(layout, header, given)
      const cut = bytes.subarray(0, Math.floor(bytes.length * part))
      assert.throws(() => decodeRecord(layout, cut), { name: 'RangeError' })
    }),
  )
})

test('random bytes decode to something or are a RangeError', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 0, maxLength: 400 }), (bytes) => {
      try {
        decodeRecord(layout, bytes)
      } catch (error) {
        assert.ok(error instanceof RangeError)
        assert.match(error.message, /^Cannot decode everything: /)
      }
    }),
  )
})

test('what is left out is 0 or unreadable', () => {
  assert.deepEqual(decodeRecord(layout, encodeRecord(layout, header, {})), {
    type: 9,
    ...header,
    byte: 0,
    half: 0,
    word: 0,
    signed: 0,
    wide: 0n,
    wideSigned: 0n,
    comm: '',
    cwd: undefined,
    argv: undefined,
    exe: undefined,
    name: undefined,
    user: undefined,
    groups: undefined,
    masks: undefined,
  })
})

test('what is longer than its tail is cut, as the kernel side does', () => {
  const bytes = encodeRecord(layout, header, {
    argv: new Uint8Array(MAX_BYTES + 1).fill(7),
    name: 'n'.repeat(MAX_BYTES),
    groups: Array.from({ length: 20 }, (_, i) => i),
  })
  const decoded = decodeRecord(layout, bytes)
  assert.deepEqual(decoded.argv, new Uint8Array(MAX_BYTES).fill(7))
  assert.equal(decoded.name, 'n'.repeat(MAX_BYTES - 1))
  assert.deepEqual(
    decoded.groups,
    Array.from({ length: 16 }, (_, i) => i),
  )
  for (const name of ['argv', 'name', 'groups'] as const) {
    const descriptor = Buffer.from(bytes).readUInt32LE(layout.at[name])
    assert.equal(descriptor, MAX_BYTES | TAIL_TRUNCATED, name)
  }
})

test('a tail is cut where its maker says, but never later than its layout does', () => {
  const argv = new Uint8Array(MAX_BYTES).fill(7)
  const sizes = [0, 10, MAX_BYTES, 1000].map((limit) => {
    const bytes = Buffer.from(
      encodeRecord(layout, header, { argv, name: 'nine char' }, { argv: limit, name: 5 }),
    )
    const descriptor = bytes.readUInt32LE(layout.at.argv)
    assert.equal(decodeRecord(layout, bytes).name, 'nine')
    return descriptor
  })
  assert.deepEqual(sizes, [TAIL_TRUNCATED, 10 | TAIL_TRUNCATED, MAX_BYTES, MAX_BYTES])
})

test('a value that does not fit its field is a RangeError', () => {
  for (const wrong of [{ byte: 256 }, { half: -1 }, { word: 2 ** 32 }, { wide: -1n }, { signed: 2 ** 31 }]) {
    assert.throws(() => encodeRecord(layout, header, wrong), { name: 'RangeError' })
  }
})

test('bytes that are not UTF-8 are kept by the encoder', () => {
  const bytes = encodeRecord(layout, header, { comm: Uint8Array.of(0xff), name: Uint8Array.of(0xfe) })
  assert.ok(bytes.includes(0xff, layout.at.comm))
  assert.equal(bytes[layout.fixedSizeBytes], 0xfe)
})

test('the components of a path are turned around', async (t) => {
  const plain = { truncated: false, deleted: false }
  const cases: { name: string; flags?: number; components: string; expected: object }[] = [
    { name: 'the root', components: '\0', expected: { path: '/', root: '/', ...plain } },
    { name: 'below the root', components: 'b\0a\0\0', expected: { path: '/a/b', root: '/', ...plain } },
    {
      name: 'below a root that is not the root of the namespace',
      components: 'b\0a\0\0jail\0srv\0',
      expected: { path: '/a/b', root: '/srv/jail', ...plain },
    },
    { name: 'outside of the root', components: 'b\0a\0', expected: { path: '/a/b', ...plain } },
    {
      name: 'cut before the root was reached',
      flags: TAIL_TRUNCATED,
      components: 'c\0b\0',
      expected: { path: '/b/c', truncated: true, deleted: false },
    },
    {
      name: 'cut between the root and the root of the namespace',
      flags: TAIL_TRUNCATED,
      components: 'c\0b\0\0srv\0',
      expected: { path: '/b/c', truncated: true, deleted: false },
    },
    {
      name: 'deleted',
      flags: TAIL_DELETED,
      components: 'a\0\0',
      expected: { path: '/a', root: '/', truncated: false, deleted: true },
    },
    {
      name: 'a file without a place',
      flags: TAIL_PSEUDO,
      components: 'memfd:x/y\0',
      expected: { path: 'memfd:x/y', ...plain },
    },
    { name: 'not ASCII', components: '\xc3\xa9\0\0', expected: { path: '/é', root: '/', ...plain } },
    { name: 'nothing', components: '', expected: { path: '/', ...plain } },
  ]
  for (const { name, flags = 0, components, expected } of cases) {
    await t.test(name, () => assert.deepEqual(decodePath(flags, components), expected))
  }
})
