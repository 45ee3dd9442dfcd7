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
import { OPEN_SOCKETS } from './facts.js'
import { socketKind } from './index.js'
import { LIMIT, whyNoDiag } from './testing/watch.js'

const LOOPBACK = '127.0.0.1'
/** Iterators. */
const canWalk = kernelAtLeast(kernelPreempts() ? '6.10' : '5.12')
/** The ways to the sockets, each by the hook of its rung. */
const WAYS = { programs: 'iter/task_file', sock_diag: 'netlink/sock_diag', proc: 'proc/net' } as const

/** The kind, which has one way only. */
function catalogueFor(way: keyof typeof WAYS) {
  const facts = (surroundings: Parameters<typeof socketKind.facts>[0]) =>
    socketKind.facts(surroundings).map((fact) =>
      fact.name !== OPEN_SOCKETS
        ? fact
        : {
            ...fact,
            rungs: fact.rungs.filter((rung) =>
              rung.by === 'source' ? rung.hook === WAYS[way] : way === 'programs',
            ),
          },
    )
  return catalogueOf([processKind, cgroupKind, { ...socketKind, facts }] as const)
}

for (const way of ['programs', 'sock_diag', 'proc'] as const) {
  const isSkipped = way === 'programs' && !canWalk
  const skip = isSkipped ? 'this kernel lets nobody walk through files' : LIMIT.skip
  const name = `sockets that are open at the start are events, and are found by number, process and ends: ${way}`
  test(name, { ...LIMIT, skip }, async (t) => {
    const whyNot = way === 'sock_diag' ? whyNoDiag() : undefined
    if (whyNot !== undefined) {
      t.diagnostic(whyNot)
      await using quark = await openCatalogue(catalogueFor(way), { backends: ['ebpf'], sockets: true })
      const reasons = quark.capabilities.missing.flatMap(({ fact, reason }) =>
        fact === OPEN_SOCKETS ? reason : [],
      )
      assert.deepEqual([reasons.length, reasons[0]?.includes(whyNot)], [1, true], reasons.join())
      assert.deepEqual([...quark.sockets()], [])
      return
    }
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
    const quark = await openCatalogue(catalogueFor(way), {
      backends: ['ebpf'],
      sockets: true,
      snapshot: true,
    })
    const { attached } = quark.capabilities
    assert.ok(attached.some(({ fact, hook }) => fact === OPEN_SOCKETS && hook === WAYS[way]))
    const listening = quark.lookupSocket({ localIp: LOOPBACK, localPort: port })
    assert.deepEqual([listening?.state, listening?.pid], ['listening', process.pid])
    const ends = { localIp: LOOPBACK, localPort: client.localPort ?? 0, remoteIp: LOOPBACK, remotePort: port }
    const ours = quark.lookupSocket(ends)
    const bytes = way === 'programs' ? [5, 0] : [undefined, undefined]
    assert.deepEqual([ours?.state, ours?.sentBytes, ours?.receivedBytes], ['connected', ...bytes])
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
    // What /proc/net lists has no number.
    const closed = quark.lookupSocket(ends)
    if (way !== 'proc')
      assert.deepEqual([closed?.state, closed?.closerPid, closed?.pid], ['closed', process.pid, process.pid])
    await quark.close()
    server.close()
    udp.close()
  })
}
