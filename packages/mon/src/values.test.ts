import assert from 'node:assert/strict'
import test from 'node:test'
import * as fc from 'fast-check'
import {
  ageMs,
  byteCount,
  byteText,
  diskSize,
  durationMs,
  fileName,
  nearestWord,
  oneOf,
  someOf,
  timeMs,
  timeText,
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
  assert.equal(byteCount('1G', 0, 2 ** 40), 2 ** 30)
  assert.equal(byteCount('64KiB', 0, 1e9), 65_536)
  assert.equal(diskSize('2gib'), 2 ** 31)
  assert.equal(ageMs('90'), 90_000)
  assert.equal(ageMs('90s'), 90_000)
  assert.equal(ageMs('30m'), 1_800_000)
  assert.equal(ageMs('0.5h'), 1_800_000)
  assert.equal(ageMs('700d'), 60_480_000_000)
  assert.equal(durationMs('0.25'), 250)
  assert.equal(durationMs('10'), 10_000)
  assert.equal(durationMs('5m'), 300_000)
  assert.equal(durationMs('500ms'), 500)
  assert.equal(timeMs('500', 'ms', 0, 1000), 500)
  assert.equal(timeMs('1s', 'ms', 0, 1000), 1000)
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
    ['an unknown unit', () => byteCount('1P', 0, 2 ** 60)],
    ['a decimal unit', () => byteCount('1KB', 0, 1e9)],
    ['a unit alone', () => byteCount('K', 0, 1e9)],
    ['bytes below the least', () => byteCount('1K', 4096, 1e9)],
    ['bytes above the most', () => byteCount('2M', 0, 1_000_000)],
    ['less than a kibibyte', () => diskSize('1023')],
    ['more than a number of bytes can be', () => diskSize('9000000T')],
    ['an unknown unit of disks', () => diskSize('1P')],
    ['no age', () => ageMs('0h')],
    ['an age below a second', () => ageMs('999ms')],
    ['an unknown unit of time', () => ageMs('1w')],
    ['a unit of time alone', () => durationMs('s')],
    ['no time', () => durationMs('0')],
    ['a negative time', () => durationMs('-1s')],
    ['a time that no timer holds', () => durationMs('25d')],
    ['two times', () => durationMs('1m30s')],
    ['a time beyond the limit', () => timeMs('1001', 'ms', 0, 1000)],
    ['another word', () => oneOf('c', ['a', 'b'])],
    ['an empty list', () => someOf('', ['a'])],
    ['a list with another word', () => someOf('a,c', ['a'])],
    ['an empty name', () => fileName('')],
  ]
  for (const [name, read] of cases) {
    await t.test(name, () => assert.throws(read, ValueError))
  }
})

test('timeText() writes what timeMs() reads', () => {
  assert.equal(timeText(0), '0ms')
  assert.equal(timeText(1000), '1s')
  assert.equal(timeText(1500), '1500ms')
  assert.equal(timeText(86_400_000), '1d')
  fc.assert(
    fc.property(fc.nat(), (ms) => {
      assert.equal(timeMs(timeText(ms), 's', 0, 2 ** 40), ms)
    }),
  )
})

test('nearestWord() finds the word that was meant, and none when none was', () => {
  const words = ['doctor', 'completions', 'help', 'ebpf', 'always', 'auto', 'never']
  const cases: readonly (readonly [string, string | undefined])[] = [
    ['doctr', 'doctor'],
    ['dcotor', 'doctor'],
    ['Doctor', 'doctor'],
    ['completion', 'completions'],
    ['ebfp', 'ebpf'],
    ['alway', 'always'],
    ['ps', undefined],
    ['make', undefined],
    ['', undefined],
  ]
  for (const [text, word] of cases) assert.equal(nearestWord(text, words), word, text)
})

test('byteText() writes what byteCount() reads', () => {
  fc.assert(
    fc.property(fc.nat(), (bytes) => {
      assert.equal(byteCount(byteText(bytes), 0, 2 ** 40), bytes)
    }),
  )
})
