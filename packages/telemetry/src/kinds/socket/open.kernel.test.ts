import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { test } from 'node:test'
import { kernelAtLeast, kernelPreempts } from 'quark-ebpf'
import { openQuark as openCatalogue } from '../../quark.js'
import { catalogueOf } from '../catalogue.js'
import { cgroupKind } from '../cgroup/index.js'
import { processKind } from '../process/index.js'
import type { SocketSnapshotEvent } from './events.js'
import { socketKind } from './index.js'
import { LIMIT } from './testing/watch.js'

const LOOPBACK = '127.0.0.1'
/** Iterators. */
const canWalk = kernelAtLeast(kernelPreempts() ? '6.10' : '5.12')

test(
  'sockets that are open at the start are events, and are found by number, process and ends',
  { ...LIMIT, skip: canWalk ? LIMIT.skip : 'this kernel lets nobody walk through files' },
  async () => {
    const server = createServer()
    server.listen(0, LOOPBACK)
    await once(server, 'listening')
    const { port } = server.address() as { port: number }
    const accepted = once(server, 'connection') as Promise<[Socket]>
    const client = connect(port, LOOPBACK)
    await once(client, 'connect')
    const [end] = await accepted
    client.write('12345')
    await once(end, 'data')
    const udp = createSocket('udp6')
    udp.bind(0, '::1')
    await once(udp, 'listening')
    const quark = await openCatalogue(catalogueOf([processKind, cgroupKind, socketKind] as const), {
      backends: ['ebpf'],
      sockets: true,
      snapshot: true,
    })
    const listening = quark.lookupSocket({ localIp: LOOPBACK, localPort: port })
    assert.deepEqual([listening?.state, listening?.pid], ['listening', process.pid])
    const ends = { localIp: LOOPBACK, localPort: client.localPort ?? 0, remoteIp: LOOPBACK, remotePort: port }
    const ours = quark.lookupSocket(ends)
    assert.deepEqual([ours?.state, ours?.sentBytes, ours?.receivedBytes], ['connected', 5, 0])
    assert.equal(quark.socket(ours?.socketId ?? 0n), ours)
    assert.ok(quark.socketsOf(process.pid).length >= 4)
    assert.ok([...quark.sockets()].includes(ours as never))
    client.destroy()
    end.destroy()
    await Promise.all([once(client, 'close'), once(end, 'close')])
    const events = quark.finish().filter(({ kind }) => (kind as string) === 'socketSnapshot')
    const mine = (events as unknown as SocketSnapshotEvent[]).filter(({ pid }) => pid === process.pid)
    assert.deepEqual(
      mine
        .filter(({ localPort, remotePort }) =>
          [localPort, remotePort].some((one) => one === port || one === udp.address().port),
        )
        .map(({ transport, state, family, process: owner }) => [transport, state, family, owner?.pid])
        .toSorted(),
      [
        ['tcp', 'connected', 'ipv4', process.pid],
        ['tcp', 'connected', 'ipv4', process.pid],
        ['tcp', 'listening', 'ipv4', process.pid],
        ['udp', 'open', 'ipv6', process.pid],
      ],
    )
    assert.ok(mine.every(({ fd }) => fd !== undefined))
    const closed = quark.lookupSocket(ends)
    assert.deepEqual([closed?.state, closed?.closerPid], ['closed', process.pid])
    await quark.close()
    server.close()
    udp.close()
  },
)
