import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { isoTime } from './iso-time.js'

test('isoTime() writes all nine digits', () => {
  assert.equal(isoTime(0n), '1970-01-01T00:00:00.000000000Z')
  assert.equal(isoTime(1_767_323_045_000_000_006n), '2026-01-02T03:04:05.000000006Z')
  assert.equal(isoTime(1_767_323_045_999_999_999n), '2026-01-02T03:04:05.999999999Z')
})

test('isoTime() agrees with Date, whatever was written before', () => {
  fc.assert(
    fc.property(fc.array(fc.bigInt({ min: 0n, max: 0xffffffffffffffffn })), (times) => {
      for (const timeNs of times) {
        const iso = isoTime(timeNs)
        assert.equal(iso.slice(0, 23), new Date(Number(timeNs / 1_000_000n)).toISOString().slice(0, 23))
        assert.equal(BigInt(iso.slice(20, 29)), timeNs % 1_000_000_000n)
      }
    }),
  )
})
