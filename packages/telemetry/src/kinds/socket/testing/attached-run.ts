/**
 * A program that watches sockets, for tests of what becomes of its programs: `node attached-run.js hold` writes their ids and
 * waits to be killed; `unmounted` watches where no cgroup2 is mounted, makes a connection, and writes what was seen.
 */

import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { Quark } from '../../../quark.js'
import { enterNamespaces, raiseLoopback, unmountAll } from '../../../testing/namespaces.js'

/** What is written, as JSON. */
export interface Watched {
  readonly programs: readonly number[]
  readonly hooks: readonly string[]
  /** Bytes that arrived, and the events of the connection. */
  readonly received?: number
  readonly seen?: readonly string[]
}

function programs(): number[] {
  return readdirSync('/proc/self/fdinfo').flatMap((fd) => {
    try {
      const id = /^prog_id:\t(\d+)$/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'latin1'))?.[1]
      return id === undefined ? [] : [Number(id)]
    } catch {
      // That of the directory is closed again.
      return []
    }
  })
}

function write(watched: Watched): void {
  console.log(JSON.stringify(watched))
}

async function connection(): Promise<number> {
  let received = 0
  const server = createServer((socket) => socket.on('data', (bytes) => (received += bytes.length)))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const accepted = once(server, 'connection')
  const client = connect((server.address() as { port: number }).port, '127.0.0.1')
  client.end('12345')
  client.resume()
  await Promise.all([accepted, once(client, 'close')])
  server.close()
  await once(server, 'close')
  return received
}

const isUnmounted = process.argv[2] === 'unmounted'
if (isUnmounted) {
  enterNamespaces()
  raiseLoopback()
  unmountAll('cgroup2')
}
const quark = await Quark.open({ sockets: true, backends: ['ebpf'] })
const hooks = quark.capabilities.attached.map(({ hook }) => hook)
if (isUnmounted) {
  const received = await connection()
  const seen = quark
    .finish()
    .flatMap((event) =>
      event.kind === 'connection' && event.pid === process.pid
        ? [`${event.direction} ${event.actions.join()}`]
        : [],
    )
  write({ programs: programs(), hooks, received, seen: seen.toSorted() })
  await quark.close()
} else {
  write({ programs: programs(), hooks })
  setInterval(() => quark.poll(), 100)
}
