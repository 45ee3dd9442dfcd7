import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  LEAST_TTL_S,
  MAX_NAMED,
  MAX_NAMED_OF_USER,
  MAX_NAMES_OF_ADDRESS,
  MAX_USERS,
  MOST_TTL_S,
  Names,
  type NameUser,
} from './names.js'

const S = 1e9
const ALICE = 1000
const MALLORY = 1001
const RESOLVER = 101

/** A process of a user, which began at the tick of its pid. */
function processOf(pid: number, uid: number | undefined = ALICE): NameUser {
  return { pid, startTicks: pid, uid }
}

const address = { ip: '192.0.2.1', name: 'www.example.org', ttlS: 3600, netNs: 5, asker: processOf(7) }
const connection = { socketId: 9n, netNs: 5, opener: processOf(7), remoteIp: '192.0.2.1' }

test('an address has the name that its process asked for, else that of another one of the user, in its namespace', () => {
  const names = new Names()
  assert.equal(names.find(connection, 0), undefined)
  names.setAddress(address, 0)
  const own = { name: 'www.example.org', source: 'dns' }
  assert.deepEqual(names.find(connection, 2), own)
  const shared = { name: 'www.example.org', source: 'dnsOfOther' }
  assert.deepEqual(names.find({ ...connection, opener: processOf(8) }, 2), shared)
  // The pid is another process's by now, or what was known of it is not known any more.
  assert.deepEqual(names.find({ ...connection, opener: { ...processOf(7), startTicks: 99 } }, 2), shared)
  assert.deepEqual(names.find({ ...connection, opener: { ...processOf(7), startTicks: undefined } }, 2), own)
  // A process that is of another user by now.
  assert.deepEqual(names.find({ ...connection, opener: processOf(7, 42) }, 2), own)
  assert.equal(names.find({ ...connection, netNs: 6 }, 2), undefined)
  assert.equal(names.find({ ...connection, remoteIp: '192.0.2.2' }, 2), undefined)
  assert.equal(names.find({ ...connection, remoteIp: undefined }, 2), undefined)
})

test('what a user asked for names no connection of another one; what the system asked for does', () => {
  const names = new Names()
  names.setAddress({ ...address, name: 'evil.example', asker: processOf(66, MALLORY) }, 0)
  for (const opener of [processOf(7), processOf(7, 0), processOf(7, undefined), undefined])
    assert.equal(names.find({ ...connection, opener }, 1), undefined)
  names.setAddress({ ...address, asker: processOf(3, RESOLVER) }, 0)
  const expected = { name: 'www.example.org', source: 'dnsOfOther' }
  for (const opener of [processOf(7), processOf(7, 0), processOf(7, undefined), undefined])
    assert.deepEqual(names.find({ ...connection, opener }, 1), expected)
  // Nobody knows whose it was.
  names.setAddress({ ...address, ip: '192.0.2.9', asker: { ...processOf(3), uid: undefined } }, 0)
  assert.equal(names.find({ ...connection, remoteIp: '192.0.2.9' }, 1), undefined)
})

test('of several names that others asked for none is chosen; of its own a process has the latest', () => {
  const names = new Names()
  names.setAddress({ ...address, asker: processOf(3, RESOLVER) }, 0)
  names.setAddress({ ...address, name: 'evil.example', asker: processOf(3, RESOLVER) }, 1)
  assert.equal(names.find(connection, 2), undefined)
  names.setAddress({ ...address, name: 'first.example' }, 3)
  names.setAddress({ ...address, name: 'second.example' }, 4)
  assert.deepEqual(names.find(connection, 5), { name: 'second.example', source: 'dns' })
  // Of what nobody else gets, too.
  names.setAddress({ ...address, name: 'third.example', asker: processOf(7, undefined) }, 6)
  names.setAddress({ ...address, name: 'fourth.example' }, 7)
  assert.deepEqual(names.find(connection, 8), { name: 'fourth.example', source: 'dns' })
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
  for (let i = 0; i < MAX_NAMED + 3; i++) names.setSocket(BigInt(i), 'name')
  for (let i = 0; i < MAX_NAMED_OF_USER + 2; i++) names.setAddress({ ...address, ip: `${i}` }, 0)
  assert.deepEqual(names.stats(), { addresses: MAX_NAMED_OF_USER, sockets: MAX_NAMED, forgotten: 5 })
  const of = (ip: string, socketId: bigint) =>
    names.find({ ...connection, socketId, remoteIp: ip }, 1)?.source
  assert.deepEqual([of('1', 2n), of('2', 2n), of('2', 3n)], [undefined, 'dns', 'tls'])
  for (let pid = 0; pid < 20; pid++)
    names.setAddress({ ...address, name: `n${pid}`, asker: processOf(pid) }, 0)
  const by = (pid: number) =>
    names.find({ ...connection, socketId: 1n << 60n, opener: processOf(pid) }, 1)?.source
  assert.deepEqual([by(20 - MAX_NAMES_OF_ADDRESS), by(19 - MAX_NAMES_OF_ADDRESS)], ['dns', undefined])
  names.setSocket(1n, 'x'.repeat(2000))
  assert.equal(names.find({ ...connection, socketId: 1n, netNs: 1 }, 1), undefined)
})

test('whatever users ask for, others keep half of the room, and the latest users keep all of theirs', () => {
  const names = new Names()
  for (let i = 0; i < 1000; i++) names.setAddress({ ...address, ip: `${i}` }, 0)
  const flood = (uid: number, count: number): void => {
    for (let i = 0; i < count; i++)
      names.setAddress({ ...address, ip: `f${i}`, asker: processOf(66, uid) }, 0)
  }
  const kept = () =>
    Array.from({ length: 1000 }, (_, i) => names.find({ ...connection, remoteIp: `${i}` }, 1)).filter(Boolean)
      .length
  flood(MALLORY, MAX_NAMED * 2)
  assert.equal(kept(), 1000)
  const { addresses } = names.stats()
  assert.equal(addresses, MAX_NAMED_OF_USER + 1000)
  for (let uid = 2000; uid < 2000 + MAX_USERS; uid++) flood(uid, 10)
  assert.equal(kept(), 0)
  assert.equal(names.stats()['addresses'], MAX_USERS * 10)
})
