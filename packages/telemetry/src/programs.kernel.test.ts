/** Whom everyday programs contact, compared with what the servers that they contact have seen themselves. */

import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { kernelAtLeast, kernelPreempts } from 'quark-ebpf'
import type { DnsEvent } from './kinds/dns/events.js'
import { Helper, runCommand, watch, type Watched } from './kinds/dns/testing/watch.js'
import type { ConnectionEvent } from './kinds/socket/events.js'

const canWatch = kernelAtLeast(kernelPreempts() ? '6.10' : '6.2')
const WEB = '127.5.0.9'
const NAMES = '127.5.3.3'

/** Why programs cannot be run here. */
function skipOf(...programs: readonly string[]): string | false {
  if (!canWatch) return 'needs programs of cgroups that know their task, and bytes of sockets'
  const lacking = [...programs, 'unshare', 'mount'].filter(
    (name) => spawnSync('sh', ['-c', 'command -v "$0"', name]).status !== 0,
  )
  return lacking.length === 0 ? false : `not installed: ${lacking.join(', ')}`
}

/** What a server saw of a connection. */
interface Seen {
  readonly port: number
  readonly socket: Socket
}

let folder = ''
let server: Server
let port = 0
let seen: Seen[] = []
let requests: string[] = []

before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'quark-programs-'))
  mkdirSync(join(folder, 'www'))
  writeFileSync(join(folder, 'resolv.conf'), `nameserver ${NAMES}\n`)
  server = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? '/', 'http://x')
    requests.push(pathname)
    try {
      response.end(readFileSync(join(folder, 'www', decodeURIComponent(pathname))))
    } catch {
      response.writeHead(404).end()
    }
  })
  server.on('connection', (socket) => {
    if (socket.remotePort !== undefined) seen.push({ port: socket.remotePort, socket })
  })
  server.listen(0, WEB)
  await once(server, 'listening')
  port = (server.address() as { port: number }).port
})

after(() => {
  server.closeAllConnections()
  server.close()
  rmSync(folder, { recursive: true })
})

interface Contacts extends Watched {
  /** Of the server of names: `udp 127.0.0.1 41234 registry.test 1`. */
  readonly asked: readonly string[]
}

/** Runs a program whose server of names is ours. */
async function contactsOf(code: string): Promise<Contacts> {
  seen = []
  requests = []
  const path = fileURLToPath(new URL('kinds/dns/testing/server.js', import.meta.url))
  await using names = await Helper.start(process.execPath, [path, NAMES, '53'])
  const watched = await watch(async () => {
    const mounted = `mount --bind ${folder}/resolv.conf /etc/resolv.conf && cd ${folder} && ${code}`
    const { status, text } = await runCommand('unshare', ['-m', 'sh', '-c', mounted])
    assert.equal(status, 0, text)
  })
  const asked = names.text.split('\n').filter((line) => /^(udp|tcp) /.test(line))
  return { ...watched, asked }
}

const TYPES = new Map([
  ['A', '1'],
  ['AAAA', '28'],
  ['SRV', '33'],
])

function questionOf({ transport, clientIp, clientPort, name, type = '' }: DnsEvent): string {
  return `${transport} ${clientIp} ${clientPort} ${name} ${TYPES.get(type) ?? type}`
}

/** The events have what the servers saw, and nothing else, all of it of one process with that name. */
function assertComplete({ dns, connections, asked, quark }: Contacts, name: string, comm: RegExp): void {
  const questions = dns.filter(({ serverIp }) => serverIp === NAMES)
  assert.ok(asked.length > 0 && seen.length > 0)
  assert.deepEqual(questions.map(questionOf).sort(), [...asked].sort())
  const contacts = (connections as readonly ConnectionEvent[]).filter(
    ({ remoteIp, direction }) => remoteIp === WEB && direction === 'outbound',
  )
  const ports = seen.map((one) => one.port).sort()
  for (const action of ['connect', 'close'] as const) {
    const ours = contacts.filter(({ actions }) => actions.includes(action))
    assert.deepEqual(ours.map(({ localPort }) => localPort).sort(), ports, action)
  }
  for (const { localPort, remotePort, remoteName, process, actions, sentBytes, receivedBytes } of contacts) {
    assert.deepEqual([remotePort, remoteName], [port, name])
    assert.match(process?.comm ?? '', comm)
    if (!actions.includes('close')) continue
    const { bytesRead, bytesWritten } = seen.find((one) => one.port === localPort)?.socket ?? {}
    assert.deepEqual([sentBytes, receivedBytes], [bytesRead, bytesWritten])
  }
  for (const { process } of questions) assert.match(process?.comm ?? '', comm)
  assert.equal(quark.stats().lost, 0)
}

function shell(code: string): void {
  execFileSync('sh', ['-ec', code], { cwd: folder, stdio: ['ignore', 'ignore', 'inherit'] })
}

test(
  'npm ci: the registry, by whom, how often and with how many bytes',
  { timeout: 180_000, skip: skipOf('npm', 'tar') },
  async () => {
    const packages: Record<string, object> = {}
    const dependencies: Record<string, string> = {}
    for (const name of ['one', 'two', 'three']) {
      const content = JSON.stringify({ name, version: '1.0.0' })
      shell(`mkdir -p build/package www/${name}/-; echo '${content}' > build/package/package.json
      tar -C build -czf www/${name}/-/${name}-1.0.0.tgz package`)
      const bytes = readFileSync(join(folder, `www/${name}/-/${name}-1.0.0.tgz`))
      packages[`node_modules/${name}`] = {
        version: '1.0.0',
        resolved: `http://registry.test:${port}/${name}/-/${name}-1.0.0.tgz`,
        integrity: `sha512-${createHash('sha512').update(bytes).digest('base64')}`,
      }
      dependencies[name] = '1.0.0'
    }
    const root = { name: 'app', version: '1.0.0', dependencies }
    mkdirSync(join(folder, 'app'))
    writeFileSync(join(folder, 'app/package.json'), JSON.stringify(root))
    writeFileSync(
      join(folder, 'app/package-lock.json'),
      JSON.stringify({ ...root, lockfileVersion: 3, requires: true, packages: { '': root, ...packages } }),
    )
    const contacts = await contactsOf(
      `cd app && npm ci --registry=http://registry.test:${port}/ --cache=${folder}/cache --no-audit --no-fund --no-update-notifier 2>&1`,
    )
    assert.equal(requests.length, 3)
    assertComplete(contacts, 'registry.test', /^(node|npm)/)
  },
)

test(
  'git clone over http: the server of the repository',
  { timeout: 180_000, skip: skipOf('git') },
  async () => {
    shell(`git init -q work; cd work; echo text > file; git add file
    git -c user.name=x -c user.email=x@example.org commit -qm first
    cd ..; git clone -q --bare work www/repository.git; cd www/repository.git; git update-server-info`)
    const contacts = await contactsOf(`git clone -q http://git.test:${port}/repository.git cloned 2>&1`)
    assert.ok(requests.length >= 3)
    assertComplete(contacts, 'git.test', /^git-remote-http/)
  },
)

test(
  'apt-get update: the mirror, with the questions for its services',
  { timeout: 180_000, skip: skipOf('apt-get') },
  async () => {
    shell(`mkdir -p www/debian apt/lists/partial apt/cache/archives/partial apt/etc/apt.conf.d apt/etc/preferences.d
    printf 'Package: nothing\\nVersion: 1\\nArchitecture: all\\nDescription: nothing\\n\\n' > www/debian/Packages`)
    writeFileSync(
      join(folder, 'apt/sources.list'),
      `deb [trusted=yes] http://mirror.test:${port}/debian/ ./\n`,
    )
    const options = [
      `Dir::Etc::sourcelist=${folder}/apt/sources.list`,
      'Dir::Etc::sourceparts=-',
      `Dir::State::lists=${folder}/apt/lists`,
      `Dir::Cache=${folder}/apt/cache`,
      'APT::Sandbox::User=root',
      'Acquire::http::Proxy=false',
      'Acquire::Languages=none',
    ]
    const contacts = await contactsOf(`apt-get update ${options.map((one) => `-o ${one}`).join(' ')} 2>&1`)
    assert.ok(
      requests.includes('/debian/./Packages') || requests.includes('/debian/Packages'),
      requests.join(),
    )
    assert.ok(contacts.dns.some(({ type, name }) => type === 'SRV' && name === '_http._tcp.mirror.test'))
    assertComplete(contacts, 'mirror.test', /^http$/)
  },
)
