import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { hostname, release } from 'node:os'
import { test } from 'node:test'
import {
  addressesOf,
  boundingSetOf,
  hostOf,
  parseMachineId,
  parseOsRelease,
  readHost,
  unknownHost,
  isThisMachine,
} from './host.js'

test('parseOsRelease() reads assignments as a shell does', () => {
  const text = [
    '# comment',
    '',
    'NAME="Some Linux"',
    'PRETTY_NAME=\'Some "Linux" 3\'',
    'VERSION_ID=3.1',
    'ID_LIKE="a\\"b \\$c \\\\ \\`d \\e"',
    'MIXED=a\'b c\'"d"\\ e',
    'EMPTY=',
    'TWICE=1',
    'TWICE=2',
    'not an assignment',
    '  INDENTED=x  ',
    'CRLF=y\r',
    'RELEASE_TYPE=stable',
  ].join('\n')
  assert.deepEqual(Object.fromEntries(parseOsRelease(text)), {
    NAME: 'Some Linux',
    PRETTY_NAME: 'Some "Linux" 3',
    VERSION_ID: '3.1',
    ID_LIKE: 'a"b $c \\ `d \\e',
    MIXED: 'ab cd e',
    EMPTY: '',
    TWICE: '2',
    INDENTED: 'x',
    CRLF: 'y',
    RELEASE_TYPE: 'stable',
  })
})

test('addressesOf() lists each address once and leaves out MACs that are none', () => {
  assert.deepEqual(
    addressesOf([
      { address: '127.0.0.1', mac: '00:00:00:00:00:00' },
      { address: '::1', mac: '00:00:00:00:00:00' },
      { address: '10.0.0.1', mac: '02:0A:00:00:00:01' },
      { address: 'fe80::1', mac: '02:0a:00:00:00:01' },
      { address: '10.0.0.1', mac: '02:0a:00:00:00:02' },
      { address: '10.0.0.3', mac: '' },
    ]),
    {
      ips: ['127.0.0.1', '::1', '10.0.0.1', 'fe80::1', '10.0.0.3'],
      macs: ['02:0a:00:00:00:01', '02:0a:00:00:00:02'],
    },
  )
})

test('isThisMachine() goes by the installation, or by the boot', () => {
  const { machineId, bootId } = readHost()
  const other = '0123456789abcdef0123456789abcdef'
  assert.equal(isThisMachine({ machineId: undefined, bootId }), true)
  assert.equal(isThisMachine({ machineId, bootId: undefined }), machineId !== undefined)
  assert.equal(isThisMachine({ machineId: other, bootId: other }), false)
  assert.equal(isThisMachine({ machineId: undefined, bootId: undefined }), false)
})

test('readHost() describes this machine', () => {
  const host = readHost()
  assert.equal(host.hostname, hostname())
  assert.equal(host.kernelRelease, release())
  assert.equal(host.bootId, readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').slice(0, -1))
  assert.match(host.architecture ?? '', /^(x86_64|aarch64)$/)
  for (const [name, fact] of Object.entries(host)) assert.notEqual(fact, '', name)
})

test('a machine id is 32 digits, and not a word that stands for none', () => {
  assert.equal(parseMachineId('0123456789abcdef0123456789abcdef\n'), '0123456789abcdef0123456789abcdef')
  for (const text of [undefined, '', 'uninitialized\n', '0'.repeat(32), '0123', 'g'.repeat(32)]) {
    assert.equal(parseMachineId(text), undefined, text)
  }
})

test('boundingSetOf() is the set of a status file', () => {
  assert.equal(boundingSetOf('CapEff:\t1\nCapBnd:\t000001fffeffffff\nCapAmb:\t0\n'), '0x000001fffeffffff')
  for (const status of [undefined, '', 'CapBnd:\n', 'CapBnd: x'])
    assert.equal(boundingSetOf(status), undefined)
})

test('hostOf() takes the members that are what they should be', () => {
  const host = readHost()
  assert.deepEqual(hostOf(JSON.parse(JSON.stringify(host))), host)
  assert.deepEqual(hostOf({ hostname: 7, osName: 'Linux', ips: [1], macs: 'x', more: 'more' }), {
    ...unknownHost(undefined, undefined),
    osName: 'Linux',
  })
  for (const value of [undefined, null, 'host', []]) assert.equal(hostOf(value), undefined)
})
