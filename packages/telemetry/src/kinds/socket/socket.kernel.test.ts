import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { spawnSync } from 'node:child_process'
import { kernelAtLeast } from 'quark-ebpf'
import { openQuark as openCatalogue, Quark } from '../../quark.js'
import { hasProgram } from '../../testing/native.js'
import type { QuarkStats } from '../../pipeline/stats.js'
import { type QuarkEvent } from '../index.js'
import type { ConnectionEvent } from './events.js'
import { catalogueWith } from './testing/rungs.js'
import {
  EXPECTED,
  eventsOf,
  isOfSocket,
  sentence,
  sentencesOf,
  type AnySocketEvent,
} from './testing/sentences.js'
import { type Facts, hasPython, run, type Situation } from './testing/situations.js'

/** A lockdown keeps programs of older kernels from reading most of a socket. */
const canWatch = kernelAtLeast('6.10') || (kernelAtLeast('5.10') && !isConfidential())
const LIMIT = { timeout: 300_000, skip: !canWatch }
const LOOPBACK = '127.0.0.1'

function isConfidential(): boolean {
  try {
    return readFileSync('/sys/kernel/security/lockdown', 'latin1').includes('[confidentiality]')
  } catch {
    return false
  }
}

function openQuark(more: object = {}): Promise<Quark> {
  // Nothing is read before the end, whatever else happens on the machine.
  // What joins depends on the times, and is tested elsewhere.
  const options = { aggregation: 'none', ringSizeBytes: 2 ** 26 } as const
  return Quark.open({ sockets: true, backends: ['ebpf'], ...options, ...more })
}

test(
  'each situation has the right processes, bytes and errors, or says nothing',
  { ...LIMIT, skip: LIMIT.skip || !hasPython },
  async (t) => {
    const recording = join(mkdtempSync(join(tmpdir(), 'quark-sockets-')), 'recording')
    t.after(() => rmSync(dirname(recording), { recursive: true }))
    const facts = new Map<Situation, Facts>()
    const names = [...Object.keys(EXPECTED), 'reused', 'namespaces', 'counted'] as Situation[]
    let isAtOnce = false
    let events: AnySocketEvent[] = []
    // On a busy machine the kernel may skip programs, which is reported as a loss: then what is missing proves nothing.
    for (let tries = 1, lost = 1; lost > 0; tries += 1) {
      assert.ok(tries <= 5, `${lost} records were lost, five times`)
      const quark = await openQuark({ record: recording, truncate: true })
      // Where functions can be hooked, an accept is seen at once.
      isAtOnce = quark.capabilities.attached.some(({ hook }) => hook.endsWith('/inet_csk_accept'))
      for (const name of names) facts.set(name, await run(name))
      events = quark.finish().filter(isOfSocket)
      await quark.close()
      lost = quark.stats().lost
      if (lost > 0) t.diagnostic(`try ${tries}: ${JSON.stringify(quark.stats())}`)
    }
    await t.test('a replay of the recording', async () => {
      const replay = await Quark.replay(recording, { aggregation: 'none' })
      const replayed: AnySocketEvent[] = []
      for await (const event of replay) if (isOfSocket(event)) replayed.push(event)
      await replay.close()
      const ofSocket = ({ process, relatives: _relatives, ...rest }: AnySocketEvent) => {
        return { ...rest, process: process?.entityId }
      }
      assert.deepEqual(replayed.map(ofSocket), events.map(ofSocket))
    })
    const factsOf = (name: Situation): Facts => facts.get(name) ?? assert.fail(name)
    const namesOf = ({ pid, child }: Facts) =>
      new Map([
        [pid, 'parent'],
        [Number(child), 'child'],
      ])
    for (const [name, expected] of Object.entries(EXPECTED)) {
      await t.test(name, (t) => {
        const known = factsOf(name as Situation)
        if (known['absent'] !== undefined) {
          t.skip(`this kernel has no ${String(known['absent'])}`)
          return
        }
        const sentences = eventsOf(events, known).map((event) => sentence(event, namesOf(known)))
        const seen = isAtOnce
          ? expected.map((text) => text.replace('accept+close', 'accept & close'))
          : expected
        assert.deepEqual(sentences.toSorted(), sentencesOf(seen))
      })
    }
    await t.test('a socket that was connected twice', () => {
      const known = factsOf('twice')
      const again = eventsOf(events, known, known['second'] as number).map((event) =>
        sentence(event, namesOf(known)),
      )
      assert.deepEqual(
        again.toSorted(),
        sentencesOf([
          'close inbound by nobody, unaccepted: 0/0',
          'connect & close outbound by parent, closed by parent: 0/0',
        ]),
      )
    })
    await t.test('addresses that cannot be reached', () => {
      const known = factsOf('unreachable')
      assert.deepEqual(known['codes'], [101, 101, 101])
      const failed = eventsOf(events, known, 9).map((event) => sentence(event, namesOf(known)))
      const unknown = failed.map((text) => text.replace(/: (101|unknown)$/, ''))
      assert.deepEqual(unknown.toSorted(), [
        'failed by parent to 224.0.0.1',
        'failed by parent to 224.0.0.2',
        'failed by parent to ff02::1',
      ])
    })
    await t.test('two servers at one port', () => {
      const known = factsOf('reused')
      const accepted = eventsOf(events, known).filter(
        (event) => event.kind === 'connection' && event.actions.includes('accept'),
      )
      const owners = accepted.map(({ pid }) => pid)
      assert.equal(owners.filter((pid) => pid === known.pid).length, known['mine'])
      assert.deepEqual(
        owners.filter((pid) => pid !== known.pid),
        [known['child']],
      )
    })
    await t.test('the same addresses and ports in two network namespaces', () => {
      const known = factsOf('namespaces')
      const found = eventsOf(events, known).map((event) => {
        return `${sentence(event, namesOf(known))} in ${event.netNs}`
      })
      const expected = (known['inodes'] as number[]).flatMap((inode, index) => [
        `accept inbound by parent in ${inode}`,
        `close inbound by parent, closed by parent: 0/${index + 1} in ${inode}`,
        `connect outbound by parent in ${inode}`,
        `close outbound by parent, closed by parent: ${index + 1}/0 in ${inode}`,
      ])
      assert.deepEqual(found.toSorted(), expected.toSorted())
    })
    await t.test('as many as the kernel counts, each with its process', () => {
      const { pid, inode, active, passive, failed } = factsOf('counted')
      // A namespace may have the number of one that is gone.
      const found = events.filter((event) => event.netNs === inode && event.pid === pid)
      const countOf = (action: string): number =>
        found.filter((event) => event.kind === 'connection' && event.actions.join() === action).length
      const refused = found.filter(({ kind }) => kind === 'connectionFailed').length
      assert.deepEqual(
        { active: countOf('connect') + refused, passive: countOf('accept'), failed: refused },
        { active, passive, failed },
      )
      assert.equal(countOf('close'), countOf('connect') + countOf('accept'))
    })
    await t.test('a socket of IPv6 that reaches an address of IPv4', () => {
      const opened = eventsOf(events, factsOf('mapped')).filter(
        (event) => event.kind === 'connection' && !event.actions.includes('close'),
      )
      const ends = opened.map((event) => [event.family, event.localIp])
      assert.deepEqual(ends.toSorted(), [
        ['ipv4', '127.0.0.1'],
        ['ipv6', '::ffff:127.0.0.1'],
      ])
    })
  },
)

/** Who closed a socket is not seen. */
const BY_STATES: Readonly<Partial<Record<Situation, readonly string[]>>> = {
  forked: [
    'connect & close outbound by parent, closed by nobody: 5/0',
    'accept & close inbound by parent, closed by nobody: 0/5',
  ],
  silentRead: [
    'connect & close outbound by parent, closed by nobody: 1/0',
    'accept & close inbound by parent, closed by nobody: 0/1',
  ],
  silentClose: [
    'connect & close outbound by parent, closed by nobody: 0/0',
    'close inbound by nobody, closed by nobody: 0/0',
  ],
  halfClosed: [
    'connect & close outbound by parent, closed by nobody: 7/9',
    'accept & close inbound by parent, closed by nobody: 9/7',
  ],
  abandoned: ['failed by parent to 127.0.0.1: abandoned'],
}

test(
  'tracepoints alone say who opens and reads, and nothing that they do not know',
  { ...LIMIT, skip: LIMIT.skip || !hasPython },
  async (t) => {
    const options = { sockets: true, backends: ['ebpf'], ringSizeBytes: 2 ** 26, aggregation: 'none' }
    const quark = await openCatalogue(catalogueWith('states'), options)
    const hooks = quark.capabilities.attached.filter(({ fact }) => fact.startsWith('socket'))
    const facts = new Map<string, Facts>()
    for (const name of Object.keys(BY_STATES)) facts.set(name, await run(name as Situation))
    const events = (quark.finish() as readonly QuarkEvent[]).filter(isOfSocket)
    await quark.close()
    assert.ok(hooks.length > 0)
    assert.deepEqual(
      hooks.filter(({ hook }) => !/^(tp_btf|raw_tp|iter|proc)\//.test(hook)),
      [],
    )
    assert.deepEqual(
      quark.capabilities.missing.flatMap(({ fact }) => (fact.startsWith('socket') ? [fact] : [])),
      ['socketCloses.closerPid', 'socketCloses.closerStartBootNs', 'socketAccepts.at once'],
    )
    for (const [name, expected] of Object.entries(BY_STATES)) {
      await t.test(name, () => {
        const known = facts.get(name) ?? assert.fail(name)
        const names = new Map([[known.pid, 'parent']])
        const sentences = eventsOf(events, known).map((event) => sentence(event, names))
        assert.deepEqual(sentences.toSorted(), sentencesOf(expected))
      })
    }
  },
)

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
