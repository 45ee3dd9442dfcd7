import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { connect, createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { QuarkOptions, QuarkEvent, ReplayOptions } from '../index.js'
import { Quark } from '../../quark.js'

const LIMIT = { timeout: 120_000 }

/** A server that answers and hangs up; those of any address take IPv4 as IPv6. */
async function serve(address: string): Promise<{ readonly server: Server; readonly port: number }> {
  const server = createServer((socket) => {
    socket.on('error', () => {})
    socket.once('data', () => socket.end('HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok'))
  })
  server.listen(0, address).unref()
  await once(server, 'listening')
  return { server, port: (server.address() as { readonly port: number }).port }
}

/** What an event says, in words that are the same in each run. */
function words(event: QuarkEvent, names: Readonly<Record<number, string>>): string {
  const { kind } = event
  if (kind === 'listener') return `listener ${names[event.localPort ?? 0]}`
  if (kind !== 'connection' && kind !== 'connectionFailed') return kind
  const who = kind === 'connectionFailed' ? 'failed' : event.direction
  const port = who === 'inbound' ? event.localPort : event.remotePort
  return `${who} ${event.remoteIp} ${names[port ?? 0] ?? 'other'}`
}

function sorted(events: readonly QuarkEvent[], names: Readonly<Record<number, string>>): string[] {
  return [...new Set(events.filter(({ kind }) => kind !== 'lost').map((event) => words(event, names)))].sort()
}

/** Everything that is delivered until the end. */
async function eventsOf(quark: Quark): Promise<QuarkEvent[]> {
  const events: QuarkEvent[] = []
  for await (const event of quark) events.push(event)
  return events
}

function isThere(program: string): boolean {
  return spawnSync(program, ['--version']).status === 0
}

/** Runs a program to its end while this process serves it. */
async function runProgram(file: string, ...args: readonly string[]): Promise<void> {
  const child = spawn(file, args, { stdio: 'ignore' })
  await once(child, 'close')
}

test('port and host leave out other connections, live and in a replay', LIMIT, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'quark-socket-filters-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const record = join(folder, 'recording')
  const four = await serve('127.0.0.1')
  const six = await serve('::')
  const names = { [four.port]: 'four', [six.port]: 'six', 1: 'closed' }
  const live: QuarkOptions = {
    sockets: true,
    backends: ['ebpf'],
    record,
    where: { port: [four.port, 1], host: '127.0.0.0/8' },
  }
  await using quark = await Quark.open(live)
  const missing = quark.capabilities.missing.find(({ fact }) => fact === 'socketConnections')
  if (missing !== undefined) {
    four.server.close()
    six.server.close()
    return t.skip(missing.reason)
  }
  const talk = async (host: string, port: number): Promise<void> => {
    const socket = connect({ port, host })
    socket.on('error', () => {})
    socket.end('GET / HTTP/1.0\r\n\r\n')
    await new Promise((resolve) => socket.resume().once('close', resolve))
  }
  await talk('127.0.0.1', four.port)
  await talk('127.0.0.1', six.port)
  await talk('::1', six.port)
  await talk('127.0.0.1', 1)
  if (isThere('curl')) await runProgram('curl', '-s', `http://127.0.0.1:${four.port}/`)
  if (isThere('python3')) {
    const script = `import socket; s = socket.create_connection(("127.0.0.1", ${six.port})); s.send(b"x"); s.recv(9)`
    await runProgram('python3', '-c', script)
  }
  four.server.close()
  six.server.close()
  await sleep(200)
  const events = [...quark.poll(), ...quark.finish()]
  assert.deepEqual(sorted(events, names), [
    'failed 127.0.0.1 closed',
    'inbound 127.0.0.1 four',
    'outbound 127.0.0.1 four',
  ])
  assert.ok(quark.stats().filtered > 0)
  await quark.close()

  const replay = async (options: ReplayOptions): Promise<string[]> => {
    await using replayed = await Quark.replay(record, options)
    return sorted(
      (await eventsOf(replayed)).filter((event) => /connection|listener/.test(event.kind)),
      names,
    )
  }
  const ofSix = [
    'inbound ::1 six',
    'inbound ::ffff:127.0.0.1 six',
    'outbound 127.0.0.1 six',
    'outbound ::1 six',
  ]
  // Who listens has a port, and no other end.
  assert.deepEqual(await replay({ where: { port: six.port } }), [...ofSix, 'listener six'].sort())
  assert.deepEqual(await replay({ where: { port: six.port, host: ['127.0.0.1', '::1'] } }), ofSix)
  assert.deepEqual(await replay({ where: { port: six.port, host: '127.0.0.1' } }), ofSix.slice(1, 3))
  assert.deepEqual(
    await replay({ where: { port: six.port, host: '::ffff:127.0.0.0/104' } }),
    ofSix.slice(1, 3),
  )
  assert.deepEqual(await replay({ where: { port: six.port, host: ['::/0', '10.0.0.0/8'] } }), [
    ofSix[0],
    ofSix[3],
  ])
  assert.deepEqual(await replay({ where: { host: '127.0.0.1', port: '-1' } }), ['failed 127.0.0.1 closed'])
  assert.deepEqual(await replay({ where: { host: '192.0.2.0/24' } }), [])
  assert.deepEqual(await replay({ where: { host: '*.example.org' } }), [])
  const all = await replay({})
  assert.ok(all.includes('outbound 127.0.0.1 four') && all.includes('outbound ::1 six'))
})
