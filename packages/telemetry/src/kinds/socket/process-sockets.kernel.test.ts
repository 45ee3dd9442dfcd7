import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import { test } from 'node:test'
import { jsonOf } from '../../outputs.js'
import { openQuark as openCatalogue } from '../../quark.js'
import { catalogueOf } from '../catalogue.js'
import { cgroupKind } from '../cgroup/index.js'
import { processKind } from '../process/index.js'
import { socketKind } from './index.js'
import { LIMIT } from './testing/watch.js'

const LOOPBACK = '127.0.0.1'
/** It reads: where functions cannot be hooked, a connection that nobody uses has no process yet. */
const SERVER = `require('net').createServer((end) => end.once('data', () => console.log('read')))
  .listen(0, '${LOOPBACK}', function () { console.log(this.address().port) })`

interface Listed {
  readonly kind: string
  readonly actions?: readonly string[]
  readonly process?: { readonly pid: number }
  readonly sockets?: readonly {
    readonly state: string
    readonly localPort: number
    readonly remotePort?: number
  }[]
}

test('the line of a process has its sockets: when it is found, and when it is killed', LIMIT, async () => {
  const before = createServer()
  before.listen(0, LOOPBACK)
  await once(before, 'listening')
  const { port: oldPort } = before.address() as { port: number }
  const quark = await openCatalogue(catalogueOf([processKind, cgroupKind, socketKind] as const), {
    backends: ['ebpf'],
    sockets: true,
    processSockets: 16,
    snapshot: true,
    aggregation: 'none',
  })
  const server = spawn(process.execPath, ['-e', SERVER], { stdio: ['ignore', 'pipe', 'inherit'] })
  const [text] = (await once(server.stdout, 'data')) as [Buffer]
  const port = Number(text)
  const client = connect(port, LOOPBACK)
  client.on('error', () => {})
  client.write('x')
  await once(server.stdout, 'data')
  const { localPort: clientPort } = client
  server.kill('SIGKILL')
  await once(server, 'close')
  client.destroy()
  const lines = quark.finish().map((event) => jsonOf(event as never))
  await quark.close()
  before.close()
  const events = lines.map((line) => JSON.parse(line) as Listed)
  const found = events.find(({ kind, process: one }) => kind === 'snapshot' && one?.pid === process.pid)
  assert.ok(
    found?.sockets?.some(({ state, localPort }) => state === 'listening' && localPort === oldPort),
    JSON.stringify(found),
  )
  const exit = events.find(
    ({ kind, actions, process: one }) =>
      kind === 'process' && one?.pid === server.pid && actions?.includes('exit'),
  )
  assert.deepEqual(
    exit?.sockets?.map(({ state, localPort, remotePort }) => [state, localPort, remotePort]),
    [
      ['listening', port, undefined],
      ['connected', port, clientPort],
    ],
  )
})
