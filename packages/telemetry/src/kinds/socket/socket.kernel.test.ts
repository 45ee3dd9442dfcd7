import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { spawnSync } from 'node:child_process'
import { Quark } from '../../quark.js'
import { hasProgram } from '../../testing/native.js'
import type { QuarkStats } from '../../pipeline/stats.js'
import type { ConnectionEvent } from './events.js'
import { eventsOf, isOfSocket, sentence, sentencesOf } from './testing/sentences.js'

import { TCP_LIMIT as LIMIT } from './testing/watch.js'

const LOOPBACK = '127.0.0.1'

function openQuark(more: object = {}): Promise<Quark> {
  // Nothing is read before the end, whatever else happens on the machine.
  // What joins depends on the times, and is tested elsewhere.
  const options = { aggregation: 'none', ringSizeBytes: 2 ** 26 } as const
  return Quark.open({ sockets: true, backends: ['ebpf'], ...options, ...more })
}

/** A server of Node, which accepts without asking for the address. */
async function serve(
  host: string,
  answer: (socket: Socket) => void,
): Promise<{ server: Server; port: number }> {
  const server = createServer({ allowHalfOpen: true }, answer)
  server.listen(0, host)
  await once(server, 'listening')
  const address = server.address()
  assert.ok(address !== null && typeof address === 'object')
  return { server, port: address.port }
}

async function closeServer(server: Server): Promise<void> {
  server.close()
  await once(server, 'close')
}

for (const host of [LOOPBACK, '::1']) {
  test(`connections of Node over ${host}, and what is attached while they pass`, LIMIT, async () => {
    const quark = await openQuark()
    const ids = new Set(
      readdirSync('/proc/self/fdinfo').flatMap((fd) => {
        const id = /^prog_id:\t(\d+)$/m.exec(infoOf(fd))?.[1]
        return id === undefined ? [] : [Number(id)]
      }),
    )
    const closed: Promise<unknown>[] = []
    const { server, port } = await serve(host, (socket) => {
      closed.push(once(socket, 'close'))
      socket.resume()
      socket.once('end', () => socket.end('123456789'))
    })
    const client = connect(port, host)
    client.end('1234567')
    client.resume()
    await once(client, 'close')
    await Promise.all(closed)
    await closeServer(server)
    const refused = connect(port, host)
    const [error] = (await once(refused, 'error')) as [NodeJS.ErrnoException]
    assert.equal(error.code, 'ECONNREFUSED')
    const names = new Map([[process.pid, 'us']])
    const events = quark.finish().filter(isOfSocket)
    const facts = { pid: process.pid, port }
    const sentences = eventsOf(events, facts).map((event) => sentence(event, names))
    assert.deepEqual(
      sentences.toSorted(),
      sentencesOf([
        'accept & close inbound by us, closed by us: 9/7',
        'connect & close outbound by us, closed by us: 7/9',
        `failed by us to ${host}: 111`,
        'listen & close by us, closed by us',
      ]),
    )
    const inbound = events.filter((event) => event.kind === 'connection' && event.localPort === port)
    const [accepted, ended] = inbound as ConnectionEvent[]
    assert.deepEqual([accepted?.localIp, accepted?.remoteIp], [host, host])
    assert.ok((accepted?.queuedNs ?? 0n) < (ended?.durationNs ?? 0n))

    await quark.close()
    assert.ok(ids.size > 10)
    // The kernel frees programs some time later.
    const endMs = performance.now() + 60_000
    while ([...ids].some(hasProgram) && performance.now() < endMs) await sleep(50)
    assert.deepEqual([...ids].filter(hasProgram), [])
  })
}

test('an address to which there is no way: with the error if functions can be hooked', LIMIT, async () => {
  const quark = await openQuark()
  const isHooked = quark.capabilities.attached.some(({ hook }) => hook.endsWith('/tcp_v4_connect'))
  const lacking = quark.capabilities.missing.filter(({ fact }) => fact === 'socketUnreachable.errno')
  const client = connect(9, '224.0.0.1')
  const [error] = (await once(client, 'error')) as [NodeJS.ErrnoException]
  assert.equal(error.code, 'ENETUNREACH')
  await once(client, 'close')
  const events = quark.finish().filter(isOfSocket)
  await quark.close()
  const names = new Map([[process.pid, 'us']])
  const failed = events.filter(({ kind, pid }) => kind === 'connectionFailed' && pid === process.pid)
  assert.deepEqual(
    failed.map((event) => sentence(event, names)),
    [`failed by us to 224.0.0.1: ${isHooked ? 101 : 'unknown'}`],
  )
  assert.equal(lacking.length, isHooked ? 0 : 1)
})

test('sockets that were there before have their process when they are closed', LIMIT, async () => {
  const { server, port } = await serve(LOOPBACK, () => undefined)
  const connection = once(server, 'connection')
  const client = connect(port, LOOPBACK)
  await once(client, 'connect')
  client.write('1')
  const [accepted] = (await connection) as [Socket]
  accepted.resume()
  const quark = await openQuark()
  const { missing } = quark.capabilities
  const ends = [once(client, 'close'), once(accepted, 'close')]
  accepted.end()
  client.resume()
  client.end()
  await Promise.all(ends)
  await closeServer(server)
  const events = quark.finish().filter(isOfSocket)
  await quark.close()
  assert.deepEqual(
    missing.filter(({ fact }) => fact === 'openSockets'),
    [],
  )
  const names = new Map([[process.pid, 'us']])
  const sentences = eventsOf(events, { pid: process.pid, port }).map((event) => sentence(event, names))
  assert.deepEqual(sentences.toSorted(), [
    'close by us, closed by us',
    'close undefined by us, closed by us: 0/1',
    'close undefined by us, closed by us: 1/0',
  ])
})

function infoOf(fd: string): string {
  try {
    return readFileSync(`/proc/self/fdinfo/${fd}`, 'latin1')
  } catch {
    // That of the directory is closed again.
    return ''
  }
}

/** Fills the rings with connections until one is lost, and then starts some processes. */
async function flood(): Promise<{ stats: QuarkStats; seen: string[][] }> {
  const quark = await openQuark({ ringSizeBytes: 2 ** 18 })
  const { server, port } = await serve(LOOPBACK, (socket) => {
    socket.on('error', () => undefined)
    socket.destroy()
  })
  // Nobody reads meanwhile.
  for (let i = 0; i < 20_000 && lostOf(quark) === 0; i += 1) {
    const client = connect(port, LOOPBACK)
    client.on('error', () => undefined)
    client.resume()
    await once(client, 'close')
  }
  const pids = Array.from({ length: 3 }, () => spawnSync('/bin/true').pid)
  const events = quark.finish()
  await closeServer(server)
  await quark.close()
  const seen = pids.map((pid) =>
    events
      .flatMap((event) => (event.kind === 'process' && event.process.pid === pid ? event.actions : []))
      .toSorted(),
  )
  return { stats: quark.stats(), seen }
}

test('a flood of connections loses records of its own, and none of processes', LIMIT, async (t) => {
  const ofProcesses = ({ lostRingFull: { fork = 0, exec = 0, exit = 0 } }: QuarkStats) => fork + exec + exit
  let { stats, seen } = await flood()
  // Other processes of the machine may fill the part that connections leave.
  for (let tries = 1; ofProcesses(stats) > 0 && tries < 10; tries += 1) {
    t.diagnostic(`try ${tries}: ${JSON.stringify(stats.lostRingFull)}`)
    ;({ stats, seen } = await flood())
  }
  assert.ok((stats.lostRingFull['connect'] ?? 0) > 0, JSON.stringify(stats.lostRingFull))
  const whole = ['exec', 'exit', 'fork']
  assert.deepEqual(seen, [whole, whole, whole], JSON.stringify(stats.lostRingFull))
})

function lostOf(quark: Quark): number {
  return quark.stats().lostRingFull['connect'] ?? 0
}

test('nothing of sockets is attached unless it is asked for', LIMIT, async () => {
  const quark = await Quark.open({ backends: ['ebpf'] })
  const { attached, missing } = quark.capabilities
  await quark.close()
  assert.deepEqual(
    [...attached, ...missing].filter(({ fact }) => fact.startsWith('socket')),
    [],
  )
})
