import assert from 'node:assert/strict'
import { test } from 'node:test'
import { EbpfError } from '../errors.js'
import { splitFrames } from './frames.js'

/** A record as iterators write it. */
function frame(...bytes: number[]): number[] {
  const padding = Array.from({ length: (8 - (bytes.length % 8)) % 8 }, () => 0xff)
  return [bytes.length, 0, 0, 0, 0, 0, 0, 0, ...bytes, ...padding]
}

function split(bytes: number[]): number[][] {
  const records: number[][] = []
  const count = splitFrames(Uint8Array.from(bytes), {
    record: (words, all, offset, length) => {
      assert.equal(words[offset / 4], all.readUInt32LE(offset))
      records.push([...all.subarray(offset, offset + length)])
    },
  })
  assert.equal(count, records.length)
  return records
}

test('records of one read are handed out one by one, without their padding', () => {
  const [short, long] = [
    [1, 2, 3, 4],
    [5, 6, 7, 8, 9, 10, 11, 12, 13],
  ]
  assert.deepEqual(split([...frame(...short), ...frame(...long), ...frame(...short)]), [short, long, short])
  assert.deepEqual(split([]), [])
})

test('bytes that do not end with a record are an error', () => {
  for (const bytes of [frame(), frame(1, 2, 3, 4).slice(0, 8), [9, 0, 0, 0]]) {
    assert.throws(() => split(bytes), EbpfError)
  }
})
