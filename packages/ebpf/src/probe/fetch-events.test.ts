import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { EventValues, eventArg, splitArgs } from './fetch-events.js'

const arg = fc.record({
  name: fc.constantFrom('a1', 'a22', 'a333'),
  text: fc.string({ minLength: 1, maxLength: 63 }),
  sizeBytes: fc.constantFrom(1, 2, 4, 8, 512),
  maxStringBytes: fc.constantFrom(0, 0, 256),
})

test('every argument is in one event, in order, and no event is too large', () => {
  fc.assert(
    fc.property(fc.array(arg, { maxLength: 300 }), fc.constantFrom(2032, 8176), (args, maxRecordBytes) => {
      const events = splitArgs(args, { maxRecordBytes, headChars: 160 })
      assert.deepEqual(events.flat(), [...args.keys()])
      for (const indexes of events) {
        const own = indexes.map((index) => args[index]!)
        const sum = (of: (one: (typeof own)[number]) => number): number =>
          own.reduce((total, one) => total + of(one), 0)
        assert.ok(own.length > 0 && own.length <= 128)
        assert.ok(160 + sum((one) => eventArg(one).length + 1) <= 4094)
        assert.ok(16 + sum((one) => one.sizeBytes) <= 2000)
        assert.ok(16 + sum((one) => one.sizeBytes + one.maxStringBytes) <= maxRecordBytes)
      }
    }),
  )
})

test('values are found in the record of their event', () => {
  const first = Buffer.alloc(32)
  first.writeUInt32LE(0xdead_beef, 16)
  first.writeUInt8(5, 20)
  first.writeUInt32LE(25 | (4 << 16), 21)
  first.write('abc\0', 25)
  const second = Buffer.alloc(24)
  second.writeBigUInt64LE(2n ** 63n, 16)
  const values = new EventValues(
    [
      { event: 0, field: { offset: 16, sizeBytes: 4, dynamic: false } },
      { event: 0, field: { offset: 20, sizeBytes: 1, dynamic: false } },
      { event: 0, field: { offset: 21, sizeBytes: 4, dynamic: true } },
      { event: 1, field: { offset: 16, sizeBytes: 8, dynamic: false } },
    ],
    [first, second],
  )
  assert.deepEqual([values.number(0), values.number(1), values.number(3)], [0xdead_beefn, 5n, 2n ** 63n])
  assert.equal(String(values.bytes(2)), 'abc\0')
  assert.equal(values.bytes(3).length, 8)
})

test('a string that would lie outside of its record is empty', () => {
  const record = Buffer.alloc(20)
  record.writeUInt32LE(1000 | (50 << 16), 16)
  const values = new EventValues([{ event: 0, field: { offset: 16, sizeBytes: 4, dynamic: true } }], [record])
  assert.equal(values.bytes(0).length, 0)
})
