import assert from 'node:assert/strict'
import test from 'node:test'
import { ValueError } from '../values.js'
import { addressText, metricsAddress } from './address.js'

test('an address is a path, or a port of this machine alone', () => {
  const cases: readonly (readonly [string, object, string])[] = [
    ['/run/quark.sock', { path: '/run/quark.sock' }, '/run/quark.sock'],
    ['unix:quark.sock', { path: 'quark.sock' }, 'quark.sock'],
    ['./9464', { path: './9464' }, './9464'],
    ['9464', { host: '127.0.0.1', port: 9464 }, '127.0.0.1:9464'],
    ['localhost:9464', { host: '127.0.0.1', port: 9464 }, '127.0.0.1:9464'],
    ['127.1.2.3:1', { host: '127.1.2.3', port: 1 }, '127.1.2.3:1'],
    ['[::1]:65535', { host: '::1', port: 65_535 }, '[::1]:65535'],
  ]
  for (const [text, address, again] of cases) {
    assert.deepEqual(metricsAddress(text), address, text)
    assert.equal(addressText(metricsAddress(text)), again)
  }
  for (const text of [
    '',
    ':9464',
    '0.0.0.0:9464',
    '[::]:9464',
    '10.0.0.1:80',
    'example.org:80',
    '127.0.0.1.example.org:80',
    '127.0.0.256:80',
    '127.0.0.1',
    '0',
    '65536',
    'unix:',
    `/${'x'.repeat(107)}`,
    '/a\0b',
  ]) {
    assert.throws(() => metricsAddress(text), ValueError, text)
  }
})
