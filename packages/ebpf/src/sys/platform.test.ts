import assert from 'node:assert/strict'
import { test } from 'node:test'
import { kernelAtLeast, kernelVersion, parseKernelVersion } from './platform.js'

test('parseKernelVersion() reads what vendors make of a release', async (t) => {
  const cases = [
    { text: '6.1.0-18-amd64', version: { major: 6, minor: 1, patch: 0 } },
    { text: '5.10.209', version: { major: 5, minor: 10, patch: 209 } },
    { text: '4.18.0-553.el8_10.x86_64', version: { major: 4, minor: 18, patch: 0 } },
    { text: '7.2-rc1', version: { major: 7, minor: 2, patch: 0 } },
  ]
  for (const { text, version } of cases) {
    await t.test(text, () => assert.deepEqual(parseKernelVersion(text), version))
  }
})

test('parseKernelVersion() refuses what is no release', () => {
  for (const text of ['', 'linux', '6', 'v6.1']) {
    assert.throws(() => parseKernelVersion(text), RangeError)
  }
})

test('kernelAtLeast() compares numbers, not text', async (t) => {
  const cases = [
    { wanted: '5.8', running: '5.10.1', expected: true },
    { wanted: '5.10', running: '5.8.18', expected: false },
    { wanted: '5.10', running: '5.10.0', expected: true },
    { wanted: '5.10.3', running: '5.10.2', expected: false },
    { wanted: '5.17', running: '6.0.0', expected: true },
    { wanted: '6.0', running: '5.19.17', expected: false },
  ]
  for (const { wanted, running, expected } of cases) {
    await t.test(`${running} for ${wanted}`, () => {
      assert.equal(kernelAtLeast(wanted, parseKernelVersion(running)), expected)
    })
  }
})

test(
  'kernelVersion() is what uname says',
  { skip: process.platform === 'linux' ? false : 'no Linux' },
  () => {
    assert.ok(kernelVersion().major >= 4)
  },
)
