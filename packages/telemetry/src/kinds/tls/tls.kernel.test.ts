import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { LIMIT } from '../../names/testing/limit.js'
import type { QuarkEvent, QuarkOptions } from '../index.js'
import { Quark } from '../../quark.js'
import type { TlsEvent } from './events.js'
import { clientHello } from './testing/client-hello.js'

const ADDRESS = '127.5.0.11'
const HOLD_MS = 500

/** What these tests look at in events of connections, which are another kind's. */
interface ConnectionLike {
  readonly actions: readonly string[]
  readonly pid: number | undefined
  readonly direction: string | undefined
  readonly remoteIp: string | undefined
  readonly remoteName: string | undefined
  readonly remoteNameSource: string | undefined
}

/** Runs a client of a server that reads for a while, and then closes. */
async function watch(port: number, code: string, options: QuarkOptions) {
  const server = createServer((socket) => {
    socket.resume().on('error', () => {})
    setTimeout(() => socket.destroy(), 1500)
  }).listen(port, ADDRESS)
  await once(server, 'listening')
  const quark = await Quark.open({ tls: true, backends: ['ebpf'], holdMs: HOLD_MS, ...options })
  const events: QuarkEvent[] = []
  const reading = (async () => {
    for await (const event of quark) events.push(event)
  })()
  const client = spawn(process.execPath, ['-e', code], { stdio: 'inherit' })
  await once(client, 'exit')
  await sleep(HOLD_MS * 2)
  await quark.close()
  await reading
  server.close()
  const connections = events.filter(({ kind }) => kind === 'connection') as unknown as ConnectionLike[]
  return {
    pid: client.pid,
    hellos: events.filter(
      (event): event is TlsEvent & QuarkEvent => event.kind === 'tls' && event.serverIp === ADDRESS,
    ),
    connections: connections.filter(
      ({ remoteIp, direction }) => remoteIp === ADDRESS && direction === 'outbound',
    ),
    stats: quark.stats(),
  }
}

function greet(port: number): string {
  return `require('tls').connect({ host: '${ADDRESS}', port: ${port}, servername: 'github.com', ALPNProtocols: ['h2'] }).on('error', () => {})`
}

test(
  'the name that a client of TLS asks for is an event, and the name of its connection',
  LIMIT,
  async () => {
    const alone = await watch(443, greet(443), {})
    assert.deepEqual(
      alone.hellos.map(({ pid, serverName, protocols, version, process }) => {
        return [pid, process?.pid, serverName, protocols, version]
      }),
      [[alone.pid, alone.pid, 'github.com', ['h2'], 'TLSv1.3']],
    )
    for (const aggregation of ['default', 'none'] as const) {
      const { pid, hellos, connections } = await watch(443, greet(443), { sockets: true, aggregation })
      assert.equal(hellos.length, aggregation === 'none' ? 1 : 0)
      // The opening is delivered before, if nothing joins it.
      const named = connections.filter(
        ({ actions }) => aggregation === 'default' || actions.includes('close'),
      )
      assert.ok(named.length > 0)
      for (const one of named) {
        assert.deepEqual([one.pid, one.remoteName, one.remoteNameSource], [pid, 'github.com', 'tls'])
      }
    }
  },
)

test('on other ports, split in two segments; what is no TLS is no event', LIMIT, async () => {
  const bytes = await clientHello({ servername: 'split.example.org' })
  const code = `const b = Buffer.from('${bytes.toString('hex')}', 'hex')
    const s = require('net').connect(8443, '${ADDRESS}', () => {
      s.setNoDelay(true); s.write(b.subarray(0, 3)); setTimeout(() => s.write(b.subarray(3)), 30) })
    s.on('error', () => {})`
  const { pid, hellos, stats } = await watch(8443, code, { tlsPorts: [8443] })
  assert.deepEqual(
    hellos.map((event) => [event.pid, event.serverName]),
    [[pid, 'split.example.org']],
  )
  assert.equal(stats.tables['tls']?.['unread'], 0)
  const plain = await watch(8443, `require('net').connect(8443, '${ADDRESS}').end('GET / HTTP/1.1')`, {
    tlsPorts: [8443],
  })
  assert.deepEqual([plain.hellos, plain.stats.tables['tls']?.['unread']], [[], 0])
})
