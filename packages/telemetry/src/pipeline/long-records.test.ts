import assert from 'node:assert/strict'
import { test } from 'node:test'
import { LongRecords } from './long-records.js'

const MIB = 1 << 20

test('garbage is collected after many long records, and for a twentieth of the time at most', () => {
  let nowMs = 0
  let collections = 0
  const long = new LongRecords(
    () => {
      collections += 1
      nowMs += 50
    },
    () => nowMs,
  )
  for (let i = 0; i < 10_000; i++) {
    long.note(1000)
    long.tidy()
  }
  assert.equal(collections, 0, 'short ones are left to the engine')
  for (let second = 0; second < 100; second++) {
    for (let i = 0; i < 100; i++) {
      long.note(MIB / 4)
      long.tidy()
      nowMs += 10
    }
  }
  assert.ok(collections > 50 && collections <= nowMs / 50 / 20, `${collections} in ${nowMs} ms`)
})

test('on a machine so busy that a collection takes a second, garbage stays bounded', () => {
  let nowMs = 0
  let garbageBytes = 0
  let mostBytes = 0
  const long = new LongRecords(
    () => {
      nowMs += 1000
      garbageBytes = 0
    },
    () => nowMs,
  )
  for (let i = 0; i < 10_000; i++) {
    long.note(MIB)
    garbageBytes += MIB
    mostBytes = Math.max(mostBytes, garbageBytes)
    long.tidy()
    nowMs += 1
  }
  assert.ok(mostBytes <= 32 * MIB, `${mostBytes} bytes`)
})
