import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import { test } from 'node:test'
import { kernelAtLeast } from 'quark-ebpf'
import { and, narrowed, ne, or, type Probe } from 'quark-ebpf/probe'
import { openQuark } from '../../quark.js'
import { catalogueOf } from '../catalogue.js'
import { cgroupKind } from '../cgroup/index.js'
import { processKind } from '../process/index.js'
import { swap16 } from '../../names/address.js'
import { socketKind } from './index.js'

const LIMIT = { timeout: 300_000, skip: !kernelAtLeast('5.12') }
const HOST = '127.0.0.1'
const COUNT = 80

/** No record tells of a connection to a port whose own port is a multiple of four. */
function hiding(probe: Probe, port: number): Probe {
  if (probe.record?.name !== 'connect') return probe
  return narrowed(probe, (filling) => {
    const [local, remote] = [filling('localPort'), filling('remotePort')]
    if (local === undefined || remote === undefined) return undefined
    // Ports are in network order: the lower byte comes second.
    return or(ne(remote, swap16(port)), ne(and(local, 0x0300), 0))
  })
}

/** The kind, blind for some connections to a port; 0 is none. */
function blindFor(port: number) {
  const facts = (surroundings: Parameters<typeof socketKind.facts>[0]) =>
    socketKind.facts(surroundings).map((fact) => ({
      ...fact,
      rungs: fact.rungs.map((rung) =>
        rung.by === 'ebpf' ? { ...rung, probes: rung.probes.map((probe) => hiding(probe, port)) } : rung,
      ),
    }))
  return catalogueOf([processKind, cgroupKind, { ...socketKind, facts }] as const)
}

async function listen() {
  const server = createServer((socket) => {
    socket.on('error', () => undefined)
    socket.resume()
  })
  server.listen(0, HOST)
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  return { server, port }
}

for (const isBlind of [true, false]) {
  const what = isBlind
    ? 'connections that no record tells of are a loss, as many as there are'
    : 'nothing is reported while connections begin, fail, wait and stay'
  test(what, LIMIT, async (t) => {
    const { server, port } = await listen()
    const gone = await listen()
    gone.server.close()
    const options = { sockets: true, backends: ['ebpf'], ringSizeBytes: 2 ** 24 }
    const quark = await openQuark(blindFor(isBlind ? port : 0), options)
    const counts = quark.capabilities.attached.filter(({ fact }) => fact === 'socketCounts')
    let lost = 0
    const take = (events: readonly { kind: string }[]): void => {
      for (const event of events as { kind: string; cause?: string; count?: number; table?: string }[]) {
        if (event.kind !== 'lost' || event.cause !== 'unseen') continue
        assert.equal(event.table, 'socket')
        lost += event.count ?? 0
      }
    }
    take(quark.poll())
    let hidden = 0
    const kept: ReturnType<typeof connect>[] = []
    for (let i = 0; i < COUNT; i += 1) {
      const client = connect(port, HOST)
      await once(client, 'connect')
      if (isBlind && (client.localPort ?? 1) % 4 === 0) hidden += 1
      if (i % 10 === 0) kept.push(client)
      else {
        client.end()
        client.resume()
        await once(client, 'close')
      }
      const refused = connect(gone.port, HOST)
      await once(refused, 'error')
      take(quark.poll())
    }
    // Until it was compared twice.
    const endMs = performance.now() + 16_000
    while (performance.now() < endMs) {
      await quark.wait(200)
      take(quark.poll())
    }
    for (const client of kept) client.destroy()
    server.close()
    take(quark.finish())
    await quark.close()
    const { lostUnseen, lost: all, lostRecursion } = quark.stats()
    t.diagnostic(`${hidden} hidden, ${lostUnseen} reported; ${lostRecursion} runs were skipped`)
    assert.equal(counts.length, 1)
    assert.ok(!isBlind || hidden > 0)
    assert.equal(lost, lostUnseen)
    // Other losses may explain some of them.
    assert.ok(
      lostUnseen <= hidden && lostUnseen >= hidden - (all - lostUnseen),
      JSON.stringify(quark.stats()),
    )
  })
}
