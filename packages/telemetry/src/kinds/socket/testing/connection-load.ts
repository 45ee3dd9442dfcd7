/**
 * A program that makes many connections over loopback, in a network namespace of its own where packets are steered to all
 * CPUs, and says what the kernel counted of them: `node connection-load.js COUNT PER_MS`. It is the server; the client is
 * another process. Each connection carries so many bytes as `bytesFor` says, so that every one can be checked.
 */

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readdirSync, readFileSync, readlinkSync, rmdirSync, writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import { enterNamespaces, mountFileSystem, raiseLoopback } from '../../../testing/namespaces.js'
import { countersOf } from '../tcp-counters.js'

/** What the client sends on a connection from a port. */
export function bytesFor(port: number): number {
  return (port % 50) + 1
}

/** What happened, as the kernel counted it. */
export interface Load {
  readonly clientPid: number
  readonly serverPid: number
  readonly netNs: number
  readonly made: number
  readonly seconds: number
  readonly activeOpens: number
  readonly passiveOpens: number
  /**
   * Handshakes of the client that ended in a softirq which had interrupted a thread of pid 1. Some kernels run no tracing
   * program there. Undefined where ftrace cannot tell.
   */
  readonly interruptedInit: number | undefined
}

const AT_ONCE = 64
/** Addresses of loopback: each has ports of its own. */
const ADDRESSES = 200
const TRACEFS = '/sys/kernel/tracing'

/** The transitions of sockets that softirqs make while a thread of pid 1 runs, as ftrace sees them. */
class InitTrace {
  readonly #folder = `${TRACEFS}/instances/quark_${process.pid}`

  /** Undefined where the kernel or its lockdown has no ftrace. */
  static begin(): InitTrace | undefined {
    const trace = new InitTrace()
    try {
      mountFileSystem('tracefs', TRACEFS)
      mkdirSync(trace.#folder)
    } catch {
      return undefined
    }
    try {
      const event = `${trace.#folder}/events/sock/inet_sock_set_state`
      const isInit = readdirSync('/proc/1/task').map((tid) => `common_pid == ${tid}`)
      writeFileSync(`${trace.#folder}/buffer_size_kb`, '16384')
      writeFileSync(`${event}/filter`, `(${isInit.join(' || ')}) && oldstate == 2`)
      writeFileSync(`${event}/enable`, '1')
      return trace
    } catch {
      rmdirSync(trace.#folder)
      return undefined
    }
  }

  /** Of the connections to a port. */
  end(port: number): number {
    writeFileSync(`${this.#folder}/events/enable`, '0')
    const lines = readFileSync(`${this.#folder}/trace`, 'latin1').split('\n')
    rmdirSync(this.#folder)
    return lines.filter((line) => line.includes(` dport=${port} `)).length
  }
}

async function runClient(port: number, count: number, perMs: number): Promise<void> {
  let [begun, open] = [0, 0]
  const beganMs = performance.now()
  await new Promise<void>((resolve, reject) => {
    const begin = (): void => {
      const index = begun
      begun += 1
      open += 1
      const client = connect({ port, host: `127.0.1.${1 + (index % ADDRESSES)}` })
      client.once('connect', () => client.end(Buffer.alloc(bytesFor(client.localPort ?? 0))))
      client.once('error', reject)
      client.resume()
      client.once('close', () => {
        open -= 1
        if (begun === count && open === 0) resolve()
        else if (perMs === 0) more()
      })
    }
    const more = (): void => {
      const allowed = perMs === 0 ? count : Math.min(count, (performance.now() - beganMs) * perMs)
      const room = Math.min(Math.ceil(allowed) - begun, AT_ONCE - open)
      for (let i = 0; i < room; i += 1) begin()
      if (perMs > 0 && begun < count) setTimeout(more, 1)
    }
    more()
  })
}

async function runServer(count: number, perMs: number): Promise<Load> {
  enterNamespaces()
  mountFileSystem('sysfs', '/sys')
  raiseLoopback()
  const cpus = 2 ** Math.min(availableParallelism(), 30) - 1
  writeFileSync('/sys/class/net/lo/queues/rx-0/rps_cpus', cpus.toString(16))
  const trace = InitTrace.begin()
  let [received, closed] = [0, 0]
  const server = createServer((socket) => {
    socket.on('data', (bytes) => (received += bytes.length))
    socket.once('close', () => {
      closed += 1
      if (closed === count) server.close()
    })
  })
  const isClosed = once(server, 'close')
  server.listen({ port: 0, host: '0.0.0.0', backlog: 4096 })
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  const beganMs = performance.now()
  const client = spawn(
    process.execPath,
    [fileURLToPath(import.meta.url), 'client', ...[port, count, perMs].map(String)],
    {
      stdio: ['ignore', 'inherit', 'inherit'],
    },
  )
  const [code, signal] = (await once(client, 'close')) as [number | null, string | null]
  if (code !== 0) throw new Error(`The client ended with ${code ?? signal}`)
  await isClosed
  const seconds = (performance.now() - beganMs) / 1000
  if (received === 0) throw new Error('The client sent nothing')
  const tcp = countersOf(readFileSync('/proc/thread-self/net/snmp', 'latin1'), 'Tcp')
  return {
    clientPid: client.pid ?? 0,
    serverPid: process.pid,
    netNs: Number(/\d+/.exec(readlinkSync('/proc/thread-self/ns/net'))?.[0]),
    made: closed,
    seconds,
    activeOpens: tcp.get('ActiveOpens') ?? 0,
    passiveOpens: tcp.get('PassiveOpens') ?? 0,
    interruptedInit: trace?.end(port),
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [first = '', ...rest] = process.argv.slice(2)
  if (first === 'client') {
    const [port = 0, count = 0, perMs = 0] = rest.map(Number)
    await runClient(port, count, perMs)
  } else {
    const load = await runServer(Number(first), Number(rest[0] ?? 0))
    console.log(JSON.stringify(load))
  }
}
