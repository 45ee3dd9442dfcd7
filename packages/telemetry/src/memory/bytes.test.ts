import assert from 'node:assert/strict'
import { test } from 'node:test'
import { crc32 as crc32OfZlib } from 'node:zlib'
import * as fc from 'fast-check'
import { crc32 } from './crc32.js'
import { utf8Of } from './utf8.js'

test('crc32() is that of zlib, and goes on from what was before', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(200), (bytes, cut) => {
      assert.equal(crc32(bytes), crc32OfZlib(bytes))
      assert.equal(crc32(bytes.subarray(cut), crc32(bytes.subarray(0, cut))), crc32OfZlib(bytes))
    }),
  )
})

test('utf8Of() reads back any text', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 50 }), fc.nat(5000), (text, length) => {
      const whole = text + 'é'.repeat(length)
      assert.equal(utf8Of(Buffer.from(whole)), Buffer.from(whole).toString('utf8'))
    }),
    { numRuns: 30 },
  )
})

test('utf8Of() replaces bytes that are not UTF-8', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 50 }), (bytes) => {
      const text = utf8Of(bytes)
      assert.equal(text.includes('\ufffd'), Buffer.from(bytes).toString('utf8').includes('\ufffd'))
      assert.equal(
        text.replaceAll('\ufffd', ''),
        Buffer.from(bytes).toString('utf8').replaceAll('\ufffd', ''),
      )
    }),
  )
})
