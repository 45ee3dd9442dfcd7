import assert from 'node:assert/strict'
import { test } from 'node:test'
import { capabilityNames, errnoName, signalName } from './names.js'

test('signalName() and errnoName() prefer the usual of two names', () => {
  assert.deepEqual([6, 9, 16, 29, 31, 34, 0].map(signalName), [
    'SIGABRT',
    'SIGKILL',
    'SIGSTKFLT',
    'SIGIO',
    'SIGSYS',
    undefined,
    undefined,
  ])
  assert.deepEqual([2, 8, 11, 4095].map(errnoName), ['ENOENT', 'ENOEXEC', 'EAGAIN', undefined])
})

test('capabilityNames() names bits in ascending order', () => {
  assert.deepEqual(capabilityNames(0n), [])
  assert.deepEqual(capabilityNames((1n << 21n) | 1n), ['CAP_CHOWN', 'CAP_SYS_ADMIN'])
  assert.deepEqual(capabilityNames((1n << 40n) | (1n << 41n) | (1n << 63n)), [
    'CAP_CHECKPOINT_RESTORE',
    '41',
    '63',
  ])
  assert.equal(capabilityNames(0x1ffffffffffn).length, 41)
})
