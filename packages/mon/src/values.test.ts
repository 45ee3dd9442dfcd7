import assert from 'node:assert/strict'
import test from 'node:test'
import * as fc from 'fast-check'
import {
  byteCount,
  byteText,
  diskSize,
  durationMs,
  fileName,
  oneOf,
  secondsAsMs,
  someOf,
  ValueError,
  wholeNumber,
} from './values.js'

test('values are read as they are written', () => {
  assert.equal(wholeNumber('0', 0), 0)
  assert.equal(wholeNumber('2000000', 1, 2_000_000), 2_000_000)
  assert.equal(byteCount('512', 0, 1e9), 512)
  assert.equal(byteCount('64K', 0, 1e9), 65_536)
  assert.equal(byteCount('2m', 0, 1e9), 2_097_152)
  assert.equal(diskSize('4096'), 4096)
  assert.equal(diskSize('100m'), 100 * 2 ** 20)
  assert.equal(diskSize('2G'), 2 ** 31)
  assert.equal(diskSize('1T'), 2 ** 40)
  assert.equal(durationMs('90'), 90_000)
  assert.equal(durationMs('90s'), 90_000)
  assert.equal(durationMs('30m'), 1_800_000)
  assert.equal(durationMs('7d'), 604_800_000)
  assert.equal(secondsAsMs('0.25'), 250)
  assert.equal(secondsAsMs('10'), 10_000)
  assert.equal(oneOf('b', ['a', 'b']), 'b')
  assert.deepEqual(someOf('b,a', ['a', 'b']), ['b', 'a'])
  assert.equal(fileName('x'), 'x')
})

test('other values are refused', async (t) => {
  const cases: [string, () => unknown][] = [
    ['no number', () => wholeNumber('', 0)],
    ['a sign', () => wholeNumber('+1', 0)],
    ['a negative number', () => wholeNumber('-1', 0)],
    ['a fraction', () => wholeNumber('1.5', 0)],
    ['hexadecimal', () => wholeNumber('0x10', 0)],
    ['an exponent', () => wholeNumber('1e3', 0)],
    ['spaces', () => wholeNumber(' 1', 0)],
    ['less than the least', () => wholeNumber('0', 1)],
    ['more than the most', () => wholeNumber('11', 1, 10)],
    ['more than a number holds', () => wholeNumber('9007199254740993', 0)],
    ['an unknown unit', () => byteCount('1G', 0, 1e12)],
    ['a unit alone', () => byteCount('K', 0, 1e9)],
    ['bytes below the least', () => byteCount('1K', 4096, 1e9)],
    ['bytes above the most', () => byteCount('2M', 0, 1_000_000)],
    ['less than a kibibyte', () => diskSize('1023')],
    ['more than a number of bytes can be', () => diskSize('9000000T')],
    ['an unknown unit of disks', () => diskSize('1P')],
    ['no duration', () => durationMs('0h')],
    ['an unknown unit of time', () => durationMs('1w')],
    ['half an hour', () => durationMs('0.5h')],
    ['no time', () => secondsAsMs('0')],
    ['a time that no timer holds', () => secondsAsMs('2147484')],
    ['a time with a unit', () => secondsAsMs('1s')],
    ['another word', () => oneOf('c', ['a', 'b'])],
    ['an empty list', () => someOf('', ['a'])],
    ['a list with another word', () => someOf('a,c', ['a'])],
    ['an empty name', () => fileName('')],
  ]
  for (const [name, read] of cases) {
    await t.test(name, () => assert.throws(read, ValueError))
  }
})

test('byteText() writes what byteCount() reads', () => {
  fc.assert(
    fc.property(fc.nat(), (bytes) => {
      assert.equal(byteCount(byteText(bytes), 0, 2 ** 40), bytes)
    }),
  )
})
