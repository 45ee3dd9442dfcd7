import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import type { Socket } from './socket.js'
import { SocketTable } from './table.js'

const SECOND = 1e9

function socket(id: number, more: Partial<Socket> = {}): Socket {
  return {
    socketId: BigInt(id),
    transport: 'tcp',
    family: 'ipv4',
    state: 'connected',
    localIp: '192.0.2.7',
    localPort: 40_000 + id,
    remoteIp: '198.51.100.9',
    remotePort: 443,
    netNs: 5,
    pid: 7,
    fd: undefined,
    closerPid: undefined,
    openedNs: 1n,
    closedNs: undefined,
    sentBytes: undefined,
    receivedBytes: undefined,
    ...more,
  }
}

function table(more = {}): SocketTable {
  return new SocketTable({ socketGraceMs: 4000, maxSockets: 100, maxSocketBytes: 1 << 20, ...more })
}

test('sockets are found by number, process and ends, and closed ones for their grace time', () => {
  const all = table()
  all.put(socket(1))
  all.put(socket(2, { pid: 8 }))
  assert.deepEqual([all.get(1n)?.localPort, all.get(9n)], [40_001, undefined])
  assert.deepEqual(
    all.ofPid(7).map(({ socketId }) => socketId),
    [1n],
  )
  all.end(socket(1, { closedNs: 5n, state: 'closed' }), 10 * SECOND)
  assert.deepEqual(
    [...all.all()].map(({ socketId, state }) => [socketId, state]),
    [
      [2n, 'connected'],
      [1n, 'closed'],
    ],
  )
  all.collect(13 * SECOND, 13 * SECOND)
  assert.equal(all.size, 2)
  assert.equal(all.collectInNs(13 * SECOND), SECOND)
  all.collect(14 * SECOND, 14 * SECOND)
  assert.deepEqual([all.size, all.get(1n), all.collectInNs(14 * SECOND)], [1, undefined, Infinity])
})

test('of sockets with the same ends the one of the namespace is found, and an open one before a closed one', () => {
  const all = table()
  const same = { localPort: 1, remotePort: 2 }
  all.end(socket(1, { ...same, closedNs: 5n }), 1)
  all.put(socket(2, same))
  all.put(socket(3, { ...same, netNs: 6 }))
  const ends = { localIp: '192.0.2.7', localPort: 1, remoteIp: '198.51.100.9', remotePort: 2 }
  assert.deepEqual(
    [{ ...ends, netNs: 6 }, { ...ends, netNs: 5 }, ends, { ...ends, netNs: 7 }].map(
      (one) => all.at(one)?.socketId,
    ),
    [3n, 2n, 2n, undefined],
  )
})

test('beyond the limits closed sockets go first, then the oldest, and only open ones count as evicted', () => {
  const all = table({ maxSockets: 3 })
  all.put(socket(1))
  all.put(socket(2))
  all.end(socket(3, { closedNs: 1n }), 1)
  all.put(socket(4))
  assert.deepEqual([all.get(3n), all.evicted, all.stats()['shortened']], [undefined, 0, 1])
  all.put(socket(5))
  assert.deepEqual([all.get(1n), all.evicted, all.size], [undefined, 1, 3])
  // A socket that is known already takes no room.
  all.put(socket(5))
  assert.equal(all.evicted, 1)
})

test('whatever happens, the table is within its limits, and forgets what it forgot everywhere', () => {
  const step = fc.record({
    id: fc.nat({ max: 20 }),
    pid: fc.nat({ max: 3 }),
    port: fc.nat({ max: 3 }),
    isEnd: fc.boolean(),
    localIp: fc.string({ maxLength: 40 }),
  })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const all = table({ maxSockets: 8, maxSocketBytes: 3000 })
      let now = 0
      for (const { id, pid, port, isEnd, localIp } of steps) {
        now += SECOND
        const one = socket(id, { pid, localPort: port, localIp })
        if (isEnd) all.end({ ...one, closedNs: BigInt(now) }, now)
        else all.put(one)
        all.collect(now, now)
        assert.ok(all.size <= 8 && (all.sizeBytes <= 3000 || all.size === 1))
        const listed = [...all.all()].map(({ socketId }) => socketId).sort()
        assert.equal(new Set(listed).size, listed.length)
        const byPid = [0, 1, 2, 3].flatMap((other) => all.ofPid(other).map(({ socketId }) => socketId))
        assert.deepEqual(byPid.sort(), listed)
        const open = [...all.all()].filter(({ closedNs }) => closedNs === undefined)
        for (const pid of [0, 1, 2, 3]) {
          assert.deepEqual(
            [...all.openOfPid(pid)],
            open.filter((one) => one.pid === pid),
          )
        }
      }
      all.collect(now + 100 * SECOND, now + 100 * SECOND)
      const left = [...all.all()]
      for (const { socketId } of left) all.end({ ...socket(Number(socketId)), closedNs: 1n }, now)
      all.collect(now + 1000 * SECOND, now + 1000 * SECOND)
      assert.deepEqual([all.size, all.sizeBytes], [0, 0])
    }),
  )
})
