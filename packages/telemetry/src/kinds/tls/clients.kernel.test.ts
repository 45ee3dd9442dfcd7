import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { LIMIT } from '../../names/testing/limit.js'
import type { QuarkEvent, QuarkOptions } from '../index.js'
import { Quark } from '../../quark.js'
import type { TlsEvent } from './events.js'

const SERVER = fileURLToPath(new URL('testing/server.js', import.meta.url))
const ADDRESS = '127.5.0.12'
const PORT = 9443

/** Programs that speak TLS, by name; those that are not installed are left out. */
const CLIENTS: Readonly<Record<string, (name: string) => readonly string[]>> = {
  curl: (name) => ['curl', '-ksf', `https://${name}:${PORT}/`],
  node: (name) => [
    process.execPath,
    '-e',
    `require('https').get({ host: '${name}', port: ${PORT}, rejectUnauthorized: false }, (r) => r.pipe(process.stdout))`,
  ],
  python3: (name) => [
    'python3',
    '-c',
    `import ssl, urllib.request as u
c = ssl.create_default_context(); c.check_hostname = False; c.verify_mode = ssl.CERT_NONE
print(u.urlopen('https://${name}:${PORT}/', context=c).read().decode(), end='')`,
  ],
  openssl: (name) => [
    'sh',
    '-c',
    `printf 'GET / HTTP/1.0\\r\\n\\r\\n' | openssl s_client -quiet -connect ${name}:${PORT} -servername ${name} 2>/dev/null | tail -n 1`,
  ],
}

/** Names by a file in place of that of this machine. */
function hostsFile(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'quark-tls-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const names = Object.keys(CLIENTS).map((client) => `${ADDRESS} ${client}.example\n`)
  writeFileSync(join(folder, 'hosts'), names.join(''))
  return join(folder, 'hosts')
}

/** Python may be without TLS. */
function isInstalled(name: string): boolean {
  if (name === 'python3') return spawnSync('python3', ['-c', 'import ssl']).status === 0
  return name === 'node' || spawnSync('sh', ['-c', 'command -v "$0"', name]).status === 0
}

const installed = Object.keys(CLIENTS).filter(isInstalled)

/** Runs each client; what was seen of the port, and their names. */
async function seenOf(t: TestContext, options: QuarkOptions) {
  const hosts = hostsFile(t)
  const server = spawn(process.execPath, [SERVER, ADDRESS, String(PORT)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const ended = once(server, 'exit')
  t.after(async () => {
    server.kill('SIGKILL')
    await ended
  })
  await once(server.stdout, 'data')
  await using quark = await Quark.open({
    tls: true,
    tlsPorts: [PORT],
    backends: ['ebpf'],
    ringSizeBytes: 2 ** 24,
    ...options,
  })
  for (const name of installed) {
    const [command = '', ...args] = CLIENTS[name]?.(`${name}.example`) ?? []
    const code = `mount -o bind ${hosts} /etc/hosts && exec "$0" "$@"`
    const child = spawn('unshare', ['-m', 'sh', '-c', code, command, ...args], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    let text = ''
    child.stdout.on('data', (bytes: Buffer) => (text += String(bytes)))
    assert.deepEqual(await once(child, 'close'), [0, null], name)
    assert.equal(text, 'hello', name)
  }
  await sleep(100)
  const events: readonly QuarkEvent[] = quark.finish()
  assert.equal(quark.stats().lost, 0)
  assert.equal(quark.stats().tables['tls']?.['unread'], 0)
  return { events, serverPid: server.pid }
}

/** The name of the program: launchers of python have other pids than what they launch. */
function nameOf(comm: string | undefined): string {
  return (comm ?? '').replace(/^MainThread$/, 'node').replace(/^python3\..*/, 'python3')
}

test(
  `${installed.join(', ')} speak TLS on a port of choice: each name once, of who asked for it`,
  LIMIT,
  async (t) => {
    const { events } = await seenOf(t, {})
    const hellos = events.filter(
      (event): event is TlsEvent & QuarkEvent => event.kind === 'tls' && event.serverPort === PORT,
    )
    assert.deepEqual(
      hellos.map(({ direction, serverName, process, version }) => {
        return [direction, serverName, nameOf(process?.comm), version]
      }),
      installed.map((name) => ['outbound', `${name}.example`, name, 'TLSv1.3']),
    )
  },
)

test('with sockets their connections have the names, and there is nothing else', LIMIT, async (t) => {
  const { events, serverPid } = await seenOf(t, { sockets: true })
  const connections = events.flatMap((event) =>
    event.kind === 'connection' && (event.remotePort === PORT || event.localPort === PORT) ? [event] : [],
  )
  const named = connections.filter(
    ({ direction, actions }) => direction === 'outbound' && actions.includes('connect'),
  )
  assert.deepEqual(
    named.map(({ remoteName, remoteNameSource, process }) => {
      return [remoteName, remoteNameSource, nameOf(process?.comm)]
    }),
    installed.map((name) => [`${name}.example`, 'tls', name]),
  )
  // Those of the server have no name: it is not the other end that was asked for.
  for (const { direction, pid, remoteName } of connections) {
    if (direction === 'inbound') assert.deepEqual([pid, remoteName], [serverPid, undefined])
  }
  assert.deepEqual(
    events.filter(({ kind }) => kind === 'tls'),
    [],
  )
})
