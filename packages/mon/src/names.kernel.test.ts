import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { test, type TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import { kernelAtLeast, kernelPreempts } from 'quark-ebpf'
import { Running } from './testing/command.js'

/** Programs of cgroups know the current task since 6.1, and since 6.10 where tasks are preempted. */
const hasCgroups = kernelAtLeast(kernelPreempts() ? '6.10' : '6.1')
const LIMIT = {
  timeout: 240_000,
  skip: hasCgroups ? false : 'needs programs of cgroups that know their task',
}
const RESOLVER = '127.5.3.20'
/** What the resolver answers. */
const WEB = '127.5.0.9'
const TLS_PORT = 8443
/** An answer that takes longer is an event of its own. */
const HOLD_MS = 1000 * Number(process.env['TEST_SLOW'] ?? 1)
/** Of the last thing that is asked. */
const LAST = 'last.test'

interface Line {
  readonly kind: string
  readonly actions?: readonly string[]
  readonly pid?: number
  readonly name?: string
  readonly transport?: string
  readonly rcode?: string
  readonly addresses?: readonly string[]
  readonly latencyNs?: number
  readonly clientSubnet?: string
  readonly serverPid?: number
  readonly serverIp?: string
  readonly process?: { readonly pid: number; readonly comm: string }
  readonly direction?: string
  readonly remoteName?: string
  readonly remoteNameSource?: string
  readonly remoteIp?: string
}

/** Runs a program of the tests of names. */
function program(name: string, ...args: readonly string[]): ChildProcess {
  const file = new URL(`../../telemetry/dist/kinds/dns/testing/${name}.js`, import.meta.url)
  return spawn(process.execPath, [fileURLToPath(file), ...args], { stdio: ['ignore', 'pipe', 'inherit'] })
}

async function listen(t: TestContext, address: string, port = 0): Promise<number> {
  const server = createServer((socket) =>
    socket
      .on('error', () => {})
      .resume()
      .end(),
  ).listen(port, address)
  await once(server, 'listening')
  t.after(() => void server.close())
  return (server.address() as { readonly port: number }).port
}

/** What the command said of a program that asks for names, connects to what they gave, and speaks TLS. */
async function seenOfAsker(t: TestContext, options: readonly string[]) {
  const server = program('server', RESOLVER, '53')
  t.after(() => void server.kill('SIGKILL'))
  const [ready] = (await once(server.stdout as NodeJS.ReadableStream, 'data')) as [Buffer]
  assert.match(String(ready), /^ready$/m)
  const thenPort = await listen(t, WEB)
  await listen(t, WEB, TLS_PORT)
  const kinds = ['--dns', '--sockets', '--tls', `--tls-ports=${TLS_PORT}`]
  const running = new Running([...options, ...kinds, '-q', '--json', `--hold=${HOLD_MS}`, '--ring-size=16M'])
  await running.seen(/^\{/m)
  const resolver = { address: RESOLVER, port: 53 }
  const wishes = [
    { ...resolver, transport: 'udp', name: 'udp.test', thenPort },
    { ...resolver, transport: 'tcp', name: 'tcp.test' },
    { ...resolver, transport: 'udp', name: 'none.test' },
    { ...resolver, transport: 'udp', name: 'subnet.test', hasSubnet: true },
    { ...resolver, transport: 'udp', name: 'silent.test', waitMs: 300 },
    { address: WEB, port: TLS_PORT, transport: 'tls', name: 'tls.example' },
    { ...resolver, transport: 'udp', name: LAST },
  ]
  const asker = program('asker', JSON.stringify(wishes))
  assert.deepEqual(await once(asker, 'close'), [0, null])
  await running.seen(new RegExp(`"name":"${LAST}"`))
  running.child.kill('SIGINT')
  const { code, out, err } = await running.ended()
  assert.equal(code, 0, err)
  const lines = out
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Line)
  return { lines: lines.filter(({ pid }) => pid === asker.pid), pid: asker.pid, serverPid: server.pid }
}

for (const options of [[], ['-D']]) {
  test(
    `${options.length === 0 ? 'with' : 'without'} rights: names that are looked up, and names of connections`,
    LIMIT,
    async (t) => {
      const { lines, pid, serverPid } = await seenOfAsker(t, options)
      for (const { process, kind } of lines) {
        if (kind !== 'process') assert.deepEqual([process?.pid, process?.comm], [pid, 'node'], kind)
      }
      const lookups = lines.filter(({ kind }) => kind === 'dns')
      const both = ['query', 'answer']
      assert.deepEqual(
        lookups.map(({ name, actions, transport, rcode, addresses, serverPid }) => {
          return [name, transport, actions, rcode, addresses?.length ?? 0, serverPid]
        }),
        [
          ['udp.test', 'udp', both, 'NOERROR', 1, serverPid],
          ['tcp.test', 'tcp', both, 'NOERROR', 1, kernelAtLeast('6.2') ? serverPid : undefined],
          ['none.test', 'udp', both, 'NXDOMAIN', 0, serverPid],
          ['subnet.test', 'udp', both, 'NOERROR', 1, serverPid],
          ['silent.test', 'udp', ['query'], undefined, 0, undefined],
          [LAST, 'udp', both, 'NOERROR', 1, serverPid],
        ],
      )
      // What EDNS adds is read by a library.
      assert.equal(lookups.find(({ name }) => name === 'subnet.test')?.clientSubnet, '192.0.2.0/24')
      for (const { actions, latencyNs } of lookups) assert.equal((latencyNs ?? 0) > 0, actions?.length === 2)
      const opened = lines.filter(({ kind, direction, remoteIp }) => {
        return kind === 'connection' && direction === 'outbound' && remoteIp === WEB
      })
      const names = new Set(opened.map((one) => `${one.remoteName} ${one.remoteNameSource}`))
      assert.deepEqual([...names], ['udp.test dns', 'tls.example tls'])
    },
  )
}
