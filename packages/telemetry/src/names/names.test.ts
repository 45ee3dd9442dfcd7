import assert from 'node:assert/strict'
import { test } from 'node:test'
import { LEAST_TTL_S, MAX_NAMED, MAX_NAMES_OF_ADDRESS, MOST_TTL_S, Names } from './names.js'

const S = 1e9
const address = { ip: '192.0.2.1', name: 'www.example.org', ttlS: 3600, netNs: 5, pid: 7 }
const connection = { socketId: 9n, netNs: 5, pid: 7, remoteIp: '192.0.2.1' }

test('an address has the name that its process asked for, else that of another process of the namespace', () => {
  const names = new Names()
  assert.equal(names.find(connection, 0), undefined)
  names.setAddress(address, 0)
  names.setAddress({ ...address, name: 'cdn.example.net', pid: 8 }, 1)
  assert.deepEqual(names.find(connection, 2), { name: 'www.example.org', source: 'dns' })
  assert.deepEqual(names.find({ ...connection, pid: 8 }, 2), { name: 'cdn.example.net', source: 'dns' })
  const other = { name: 'cdn.example.net', source: 'dnsOfOther' }
  assert.deepEqual(names.find({ ...connection, pid: 9 }, 2), other)
  assert.deepEqual(names.find({ ...connection, pid: undefined }, 2), other)
  assert.equal(names.find({ ...connection, netNs: 6 }, 2), undefined)
  assert.equal(names.find({ ...connection, remoteIp: '192.0.2.2' }, 2), undefined)
  assert.equal(names.find({ ...connection, remoteIp: undefined }, 2), undefined)
})

test('what the connection itself asked for comes first', () => {
  const names = new Names()
  names.setAddress(address, 0)
  names.setSocket(9n, 'tls.example.org')
  assert.deepEqual(names.find(connection, 1), { name: 'tls.example.org', source: 'tls' })
  assert.equal(names.find({ ...connection, socketId: 10n }, 1)?.source, 'dns')
})

test('names expire: not before the least time, not after the most', () => {
  for (const [ttlS, untilS] of [
    [0, LEAST_TTL_S],
    [3600, 3600],
    [2 ** 32 - 1, MOST_TTL_S],
  ] as const) {
    const names = new Names()
    names.setAddress({ ...address, ttlS }, 0)
    assert.ok(names.find(connection, (untilS - 1) * S), `${ttlS}`)
    assert.equal(names.find(connection, untilS * S), undefined, `${ttlS}`)
  }
})

test('both tables are bounded, and what was written longest ago goes', () => {
  const names = new Names()
  for (let i = 0; i < MAX_NAMED + 3; i++) {
    names.setAddress({ ...address, ip: `${i}` }, 0)
    names.setSocket(BigInt(i), 'name')
  }
  assert.deepEqual(names.stats(), { addresses: MAX_NAMED, sockets: MAX_NAMED, forgotten: 6 })
  assert.equal(names.find({ ...connection, socketId: 2n, remoteIp: '2' }, 1), undefined)
  assert.equal(names.find({ ...connection, socketId: 0n, remoteIp: '3' }, 1)?.source, 'dns')
  for (let i = 0; i < 20; i++) names.setAddress({ ...address, name: `n${i}`, pid: i }, 0)
  const of = (pid: number) => names.find({ ...connection, socketId: 1n << 60n, pid }, 1)?.source
  assert.deepEqual([of(20 - MAX_NAMES_OF_ADDRESS), of(19 - MAX_NAMES_OF_ADDRESS)], ['dns', 'dnsOfOther'])
  names.setSocket(1n, 'x'.repeat(2000))
  assert.equal(names.find({ ...connection, socketId: 1n, netNs: 1 }, 1), undefined)
})
