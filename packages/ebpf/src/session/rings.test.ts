import assert from 'node:assert/strict'
import { test } from 'node:test'
import { usualBytes, wakeRingBytes } from './rings.js'

const KIB = 1024
const MIB = 1024 * KIB

test('each CPU has its part of the ring, of at least 512 KiB, unless all together took too much', () => {
  const sizes: [ringSizeBytes: number, cpus: number, expected: number | undefined][] = [
    [2 * MIB, 1, 2 * MIB],
    [2 * MIB, 2, MIB],
    [2 * MIB, 3, 512 * KIB],
    [2 * MIB, 16, 512 * KIB],
    [4 * MIB, 32, 512 * KIB],
    [4 * MIB, 33, undefined],
    [256 * KIB, 2, 512 * KIB],
    [128 * KIB, 2, undefined],
    [4 * KIB, 1, undefined],
  ]
  for (const [ringSizeBytes, cpus, expected] of sizes) {
    assert.equal(usualBytes(ringSizeBytes, cpus), expected, `${ringSizeBytes} bytes, ${cpus} CPUs`)
  }
})

test('what wakes the reader finds room for every CPU, in a power of two of whole pages', () => {
  for (const cpus of [1, 128, 129, 4096]) {
    const bytes = wakeRingBytes(cpus)
    assert.ok(bytes >= 2 * 16 * cpus && bytes % 4096 === 0)
    assert.equal(bytes & (bytes - 1), 0)
  }
})
