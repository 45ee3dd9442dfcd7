import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { type AddressInfo, connect, createServer, type Server } from 'node:net'
import { networkInterfaces, tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { QuarkEvent } from './kinds/index.js'
import { RULES_IN_KERNEL } from './process/ruled/ruling.js'
import { Quark } from './quark.js'
import { rulesOf } from './rule-sets.js'

const LIMIT = { timeout: 400_000 }
/** Long enough for what is opened and closed at once to be one event on a slow machine, too. */
const HOLD_MS = 300

async function listening(host: string): Promise<Server & { port: number }> {
  const server = createServer((socket) => socket.on('error', () => undefined).end('x')).listen(0, host)
  await once(server, 'listening')
  return Object.assign(server, { port: (server.address() as AddressInfo).port })
}

/** Connects so many times, one after the other. */
async function contact(host: string, port: number, count: number): Promise<void> {
  for (let i = 0; i < count; i++) {
    const socket = connect(port, host)
    // Where nobody listens there is an error.
    socket.on('error', () => undefined).resume()
    await new Promise((resolve) => socket.once('close', resolve))
  }
}

async function take(quark: Quark, ms: number): Promise<QuarkEvent[]> {
  const events: QuarkEvent[] = []
  const endMs = Date.now() + ms
  while (Date.now() < endMs) {
    events.push(...quark.poll())
    await sleep(5)
  }
  return events
}

/** Events about connections to and from a port, by kind and direction. */
function about(events: readonly QuarkEvent[], port: number): string[] {
  return events.flatMap((event) => {
    if (event.kind !== 'connection' && event.kind !== 'connectionFailed') return []
    if (event.localPort !== port && event.remotePort !== port) return []
    return event.kind === 'connection'
      ? [`${event.kind} ${event.direction} ${event.actions.join()}`]
      : [event.kind]
  })
}

/** How many records of connections programs have written. */
function written(quark: Quark): number {
  const { produced } = quark.stats()
  const names = ['connect', 'connectFailed', 'accept', 'socketClose']
  return names.reduce((sum, name) => sum + (produced[name] ?? 0), 0)
}

const hasIpv6 = Object.values(networkInterfaces()).some((list) =>
  list?.some(({ family }) => family === 'IPv6'),
)

test(
  'connections that rules drop by ports and addresses are left out in the kernel, others are not',
  LIMIT,
  async () => {
    const [quiet, noisy] = [await listening('127.0.0.1'), await listening('127.0.0.1')]
    const other = await listening('127.9.0.1')
    const ipv6 = hasIpv6 ? await listening('::1') : undefined
    const closed = await listening('127.0.0.1')
    closed.close()
    const rules = rulesOf(
      [
        `drop on socket.port [ ${noisy.port} ${closed.port} ]`,
        'drop on socket.host [ 127.9.0.0/16 ::1 ] event.kind connection',
        'pass on event.kind [ connection connectionFailed ]',
        'drop on any',
      ].join('\n'),
    )
    try {
      await using quark = await Quark.open({ rules, sockets: true, holdMs: HOLD_MS })
      const { attached, missing } = quark.capabilities
      assert.ok(
        attached.some(({ fact, hook }) => fact === RULES_IN_KERNEL && hook === 'map/quark_ends'),
        JSON.stringify(missing),
      )
      await take(quark, 100)
      const before = written(quark)
      await contact('127.0.0.1', noisy.port, 50)
      await contact('127.0.0.1', closed.port, 10)
      // From another address than that of the network: whoever accepts sees one that is not in it.
      if (ipv6 !== undefined) await contact('::1', ipv6.port, 20)
      let events = await take(quark, HOLD_MS + 300)
      assert.deepEqual(about(events, noisy.port), [])
      assert.deepEqual(about(events, closed.port), [])
      if (ipv6 !== undefined) assert.deepEqual(about(events, ipv6.port), [])
      // Others on this machine connect, too.
      assert.ok(
        written(quark) - before < 60,
        `${written(quark) - before} records, of which some 290 need not be written`,
      )
      const [byPort, byHost] = rules.counters()
      assert.ok((byPort?.leftOut ?? 0) >= 210, JSON.stringify(byPort))
      if (ipv6 !== undefined) assert.ok((byHost?.leftOut ?? 0) >= 80, JSON.stringify(byHost))
      await contact('127.0.0.1', quiet.port, 3)
      await contact('127.9.0.1', other.port, 3)
      events = await take(quark, HOLD_MS + 300)
      const shown = about(events, quiet.port)
      assert.equal(
        shown.filter((one) => one.startsWith('connection outbound connect')).length,
        3,
        shown.join('; '),
      )
      assert.equal(
        shown.filter((one) => one.startsWith('connection inbound accept')).length,
        3,
        shown.join('; '),
      )
      assert.deepEqual(
        about(events, other.port).filter((one) => one.startsWith('connection outbound')),
        [],
      )
      // Other rules: what was left out comes now, and what came is left out.
      quark.setRules(rulesOf(`drop on socket.port ${quiet.port}\npass on event.kind connection\ndrop on any`))
      await take(quark, 300)
      await contact('127.0.0.1', quiet.port, 5)
      await contact('127.0.0.1', noisy.port, 5)
      events = await take(quark, HOLD_MS + 300)
      assert.deepEqual(about(events, quiet.port), [])
      assert.equal(
        about(events, noisy.port).filter((one) => one.startsWith('connection outbound connect')).length,
        5,
      )
    } finally {
      for (const server of [quiet, noisy, other, ipv6]) server?.close()
    }
  },
)

const CLAUSES =
  `socket.port FIRST, socket.port SECOND, socket.port 1..32767, socket.host 127.0.0.0/8, socket.host 127.9.0.0/16,
not socket.host 127.9.0.0/16, socket.host ::/0, event.kind connection, event.kind connectionFailed, event.kind listener, process.uid 0,
event.action close, not socket.port FIRST`.split(/,\s+/)

test(
  'random rules about connections: what is delivered is what user space alone delivers',
  { timeout: 600_000 },
  async (t) => {
    const seed = Date.now() % 2 ** 31
    t.diagnostic(`seed ${seed}`)
    let state = seed
    const next = (below: number): number => {
      state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fff_ffff
      return Math.floor((state / 0x8000_0000) * below)
    }
    const directory = mkdtempSync(join(tmpdir(), 'quark-ends-'))
    t.after(() => rmSync(directory, { recursive: true, force: true }))
    const servers = [await listening('127.0.0.1'), await listening('127.9.0.1')] as const
    t.after(() => servers.forEach((server) => server.close()))
    const ports = servers.map(({ port }) => port)
    let leftOut = 0
    for (let round = 0; round < 5; round++) {
      const pick = (list: readonly string[]): string => list[next(list.length)] as string
      const random = Array.from(
        { length: 1 + next(4) },
        () =>
          `${pick(['drop', 'drop', 'drop', 'pass', 'poison 1'])} on ${pick(CLAUSES)} ${next(2) === 0 ? pick(CLAUSES) : ''}`,
      )
      const text = [...random, round < 2 ? 'drop on socket.port FIRST' : '']
        .join('\n')
        .replaceAll('FIRST', String(ports[0]))
        .replaceAll('SECOND', String(ports[1]))
      const options = { sockets: true, holdMs: 50, aggregation: 'none' } as const
      const inKernel = rulesOf(text)
      const first = await Quark.open({ ...options, rules: inKernel })
      // A recording has all records: its rules are decided in user space.
      const second = await Quark.open({
        ...options,
        rules: rulesOf(text),
        record: join(directory, `r${round}`),
      })
      await Promise.all([take(first, 100), take(second, 100)])
      await contact('127.0.0.1', ports[0] as number, 5)
      await contact('127.9.0.1', ports[1] as number, 5)
      await sleep(200)
      const [some, same] = await Promise.all([take(first, 200), take(second, 200)])
      some.push(...first.finish())
      same.push(...second.finish())
      leftOut += inKernel.counters().reduce((sum, counter) => sum + counter.leftOut, 0)
      await Promise.all([first.close(), second.close()])
      for (const port of ports) assert.deepEqual(about(some, port), about(same, port), text)
    }
    assert.ok(leftOut > 0, 'the kernel left nothing out: the test shows nothing')
  },
)
