import assert from 'node:assert/strict'
import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { DnsEvent } from './events.js'
import { type ConnectionLike, Helper, runCommand, type Watched, watch } from './testing/watch.js'

/** Whether there is a command of that name. */
function hasCommand(name: string): boolean {
  return spawnSync('sh', ['-c', 'command -v "$0"', name]).status === 0
}

const lacking = ['dnsmasq', 'dig', 'getent', 'ip', 'nsenter', 'unshare'].filter((name) => !hasCommand(name))
const skip = lacking.length === 0 ? false : `not installed: ${lacking.join(', ')}`
const LIMIT = { timeout: 180_000, skip }

const LOCAL = '127.5.3.2'
const UNBOUND = '127.5.3.5'
const OUTSIDE = '10.77.3.1'
const INSIDE = '10.77.3.2'
const WEB = '127.5.0.10'
/** What the server knows. */
const KNOWN = `--address=/test/${WEB}`

/** A server that knows all names below `test`, and prints each question with the port that it is from. */
function dnsmasq(more: readonly string[], ...addresses: readonly string[]): Promise<Helper> {
  const args = [
    '--keep-in-foreground',
    '--conf-file=/dev/null',
    '--no-resolv',
    '--no-hosts',
    '--user=root',
    '--pid-file',
    '--bind-interfaces',
    '--log-queries=extra',
    '--log-facility=-',
    ...more,
    ...addresses.map((address) => `--listen-address=${address}`),
  ]
  return Helper.start('sh', ['-c', 'exec dnsmasq "$@" 2>&1', 'sh', ...args], /started/)
}

/** The same of unbound, whose log has no ports. */
async function unbound(folder: string, address: string): Promise<Helper> {
  const file = join(folder, 'unbound.conf')
  writeFileSync(
    file,
    `server:
  interface: ${address}
  access-control: 127.0.0.0/8 allow
  do-daemonize: no
  use-syslog: no
  logfile: ""
  log-queries: yes
  verbosity: 1
  chroot: ""
  username: ""
  pidfile: ""
  num-threads: 1
  module-config: "iterator"
  local-zone: "test." redirect
  local-data: "test. 60 IN A ${WEB}"
remote-control:
  control-enable: no
`,
  )
  return Helper.start('sh', ['-c', 'exec unbound -d -c "$0" 2>&1', file], /start of service/)
}

function askedInUnbound(log: string): string[] {
  return [...log.matchAll(/info: ([\d.]+) (\S+)\. (\w+) IN/g)]
    .map(([, ip, name, type]) => `${ip} ${type} ${name?.toLowerCase()}`)
    .sort()
}

/** The questions of its log: `127.0.0.1 41234 A www.test`. */
function askedIn(log: string): string[] {
  return [...log.matchAll(/ ([\d.]+)\/(\d+) query\[(\w+)\] (\S+) from/g)]
    .map(([, ip, port, type, name]) => `${ip} ${port} ${type} ${name?.toLowerCase()}`)
    .sort()
}

function questionOf({ clientIp, clientPort, type, name }: DnsEvent): string {
  return `${clientIp} ${clientPort} ${type} ${name}`
}

function of({ dns }: Watched, ...servers: readonly string[]): DnsEvent[] {
  return dns.filter(({ serverIp }) => servers.includes(serverIp))
}

/** `resolv.conf` of the commands alone. */
function withServer(address: string, body: (shell: (code: string) => [string, string[]]) => Promise<void>) {
  const folder = mkdtempSync(join(tmpdir(), 'quark-dns-'))
  const file = join(folder, 'resolv.conf')
  writeFileSync(file, `nameserver ${address}\noptions timeout:2 attempts:1\n`)
  const shell = (code: string): [string, string[]] => [
    'unshare',
    ['-m', 'sh', '-c', `mount --bind ${file} /etc/resolv.conf && ${code}`],
  ]
  return body(shell).finally(() => rmSync(folder, { recursive: true }))
}

const NODE_GET = `const s = require('net').createServer((c) => c.end()).listen(0, '${WEB}', () =>
  require('net').connect(s.address().port, 'node.test').resume().on('close', () => s.close()))`

test(
  'dnsmasq is asked by dig, getent and node, over UDP and TCP: every question of its log once',
  LIMIT,
  async () => {
    await using server = await dnsmasq([KNOWN], LOCAL)
    const pids = new Map<string, number>()
    let watched: Watched | undefined
    await withServer(LOCAL, async (shell) => {
      watched = await watch(async () => {
        for (const [name, ...args] of [
          ['dig.test'],
          ['tcp.test', '+tcp'],
          ['six.test', 'AAAA'],
          ['subnet.test', '+subnet=192.0.2.0/24'],
          ['none.invalid'],
        ] as const) {
          pids.set(name, (await runCommand('dig', [`@${LOCAL}`, '+short', name, ...args])).pid)
        }
        pids.set('getent.test', (await runCommand(...shell('exec getent ahosts getent.test'))).pid)
        pids.set(
          'vc.test',
          (await runCommand(...shell('export RES_OPTIONS=use-vc; exec getent ahosts vc.test'))).pid,
        )
        pids.set('node.test', (await runCommand(...shell(`exec ${process.execPath} -e "${NODE_GET}"`))).pid)
      })
    })
    assert.ok(watched)
    const events = of(watched, LOCAL)
    const asked = askedIn(server.text)
    assert.ok(asked.length >= 10, server.text)
    assert.deepEqual(events.map(questionOf).sort(), asked)
    for (const event of events) {
      assert.deepEqual(event.actions, ['query', 'answer'], event.name)
      assert.equal(event.pid, pids.get(event.name ?? ''), event.name)
      assert.equal(event.process?.pid, event.pid)
      // For each connection of TCP it makes a process.
      if (event.transport === 'udp') assert.equal(event.serverPid, server.pid)
      assert.ok((event.latencyNs ?? 0n) > 0n)
    }
    const transports = (name: string) =>
      new Set(events.filter((event) => event.name === name).map(({ transport }) => transport))
    for (const [name, transport] of [
      ['dig.test', 'udp'],
      ['tcp.test', 'tcp'],
      ['getent.test', 'udp'],
      ['vc.test', 'tcp'],
      ['node.test', 'udp'],
    ] as const) {
      assert.deepEqual([...transports(name)], [transport], name)
    }
    const rcodes = new Map(events.map(({ name, rcode }) => [name, rcode]))
    assert.deepEqual([rcodes.get('dig.test'), rcodes.get('none.invalid')], ['NOERROR', 'REFUSED'])
    assert.equal(events.find(({ name }) => name === 'subnet.test')?.clientSubnet, '192.0.2.0/24')
    const named = watched.connections.filter(
      ({ remoteIp, direction }) => remoteIp === WEB && direction === 'outbound',
    )
    assert.ok(named.length > 0)
    for (const { pid, remoteName, remoteNameSource } of named) {
      assert.deepEqual([pid, remoteName, remoteNameSource], [pids.get('node.test'), 'node.test', 'dns'])
    }
    assert.equal(watched.quark.stats().lost, 0)
  },
)

const ASK_BY_PYTHON = `import socket; socket.getaddrinfo('python.test', 80, socket.AF_INET)`

const lackingUnbound = ['unbound', 'dig', 'getent', 'unshare'].filter((name) => !hasCommand(name))

test(
  'unbound is asked by dig, getent, node and python, over UDP and TCP: every question of its log once',
  { ...LIMIT, skip: lackingUnbound.length === 0 ? false : `not installed: ${lackingUnbound.join(', ')}` },
  async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'quark-unbound-'))
    t.after(() => rmSync(folder, { recursive: true }))
    await using server = await unbound(folder, UNBOUND)
    const pids = new Map<string, number>()
    let watched: Watched | undefined
    await withServer(UNBOUND, async (shell) => {
      watched = await watch(async () => {
        const run = async (name: string, [command, args]: readonly [string, readonly string[]]) => {
          pids.set(name, (await runCommand(command, args)).pid)
        }
        await run('dig.test', ['dig', [`@${UNBOUND}`, '+short', '+tries=1', '+timeout=20', 'dig.test']])
        await run('tcp.test', ['dig', [`@${UNBOUND}`, '+short', '+tcp', '+tries=1', 'tcp.test']])
        await run('getent.test', shell('exec getent ahostsv4 getent.test'))
        await run('node.test', shell(`exec ${process.execPath} -e "${NODE_GET}"`))
        // Launchers of python may be there as well.
        if (hasCommand('python3')) await run('python.test', shell(`exec python3 -c "${ASK_BY_PYTHON}"`))
      })
    })
    assert.ok(watched)
    const events = of(watched, UNBOUND)
    const asked = askedInUnbound(server.text)
    assert.ok(asked.length >= 4, server.text)
    assert.deepEqual(events.map(({ clientIp, type, name }) => `${clientIp} ${type} ${name}`).sort(), asked)
    for (const { name, actions, pid, serverPid, rcode, addresses } of events) {
      assert.deepEqual([actions, rcode], [['query', 'answer'], 'NOERROR'], name)
      assert.equal(pid, pids.get(name ?? ''), name)
      assert.equal(serverPid, server.pid, name)
      assert.ok(addresses === undefined || addresses[0] === WEB)
    }
    const named = watched.connections.filter(
      ({ remoteIp, direction }) => remoteIp === WEB && direction === 'outbound',
    )
    assert.ok(named.length > 0)
    for (const one of named) {
      assert.deepEqual(
        [one.pid, one.remoteName, one.remoteNameSource],
        [pids.get('node.test'), 'node.test', 'dns'],
      )
    }
  },
)

/** A wire to the network namespace of a process. */
async function withWire(pid: number, body: (enter: readonly string[]) => Promise<void>): Promise<void> {
  const enter = ['nsenter', '-t', String(pid), '-n']
  const ip = (text: string, where: readonly string[] = []): void => {
    const [command = '', ...args] = [...where, 'ip', ...text.split(' ')]
    execFileSync(command, args, { stdio: ['ignore', 'ignore', 'inherit'] })
  }
  const [out, into] = [`qo${process.pid}`, `qi${process.pid}`]
  ip(`link add ${out} type veth peer name ${into} netns ${pid}`)
  try {
    ip(`addr add ${OUTSIDE}/24 dev ${out}`)
    ip(`link set ${out} up`)
    ip('link set lo up', enter)
    ip(`link set ${into} up`, enter)
    ip(`addr add ${INSIDE}/24 dev ${into}`, enter)
    await body(enter)
  } finally {
    // With the last process of the namespace it goes by itself.
    spawnSync('ip', ['link', 'del', out])
  }
}

/** Another network namespace, and a wire to it. */
async function withNamespace(body: (enter: readonly string[]) => Promise<void>): Promise<void> {
  await using inside = await Helper.start('unshare', ['-n', 'sh', '-c', 'echo ready; exec sleep 100'])
  await withWire(inside.pid, body)
}

test(
  'from a network namespace of its own: the same, with its number, and its addresses are its own',
  LIMIT,
  async () => {
    await withNamespace(async ([enter = '', ...into]) => {
      await using server = await dnsmasq([KNOWN], OUTSIDE)
      const pids = new Map<string, number>()
      let watched: Watched | undefined
      await withServer(OUTSIDE, async (shell) => {
        watched = await watch(async () => {
          const run = async (name: string, [command, args]: [string, readonly string[]]): Promise<void> => {
            pids.set(name, (await runCommand(enter, [...into, command, ...args])).pid)
          }
          await run('dig.test', ['dig', [`@${OUTSIDE}`, '+short', 'dig.test']])
          await run('tcp.test', ['dig', [`@${OUTSIDE}`, '+short', '+tcp', 'tcp.test']])
          await run('getent.test', shell('exec getent ahosts getent.test'))
          await run('node.test', shell(`exec ${process.execPath} -e "${NODE_GET}"`))
        })
      })
      assert.ok(watched)
      const events = of(watched, OUTSIDE)
      assert.deepEqual(events.map(questionOf).sort(), askedIn(server.text))
      assert.ok(events.length >= 4)
      const own = statSync('/proc/self/ns/net').ino
      for (const event of events) {
        assert.deepEqual([event.actions, event.direction], [['query', 'answer'], 'outbound'], event.name)
        assert.equal(event.pid, pids.get(event.name ?? ''), event.name)
        assert.equal(event.clientIp, INSIDE)
        assert.ok(event.netNs !== undefined && event.netNs !== own)
      }
      const named = watched.connections.filter(
        ({ remoteIp, direction }) => remoteIp === WEB && direction === 'outbound',
      )
      assert.ok(named.length > 0)
      for (const { remoteName } of named) assert.equal(remoteName, 'node.test')
    })
  },
)

const lackingDocker = ['dnsmasq', 'dockerd', 'docker', 'busybox', 'ip', 'nsenter'].filter(
  (name) => !hasCommand(name),
)

/** The innermost first. */
function mountsBelow(root: string): string[] {
  return readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .map((line) => line.split(' ')[4] ?? '')
    .filter((place) => place.startsWith(`${root}/`))
    .toReversed()
}

/** A daemon of its own, without networks; undefined if it does not start here. */
async function dockerDaemon(root: string) {
  const socket = join(root, 'docker.sock')
  const options = [
    ...`--bridge=none --iptables=false --exec-opt native.cgroupdriver=cgroupfs -H unix://${socket}`.split(
      ' ',
    ),
    ...`--data-root ${root}/data --exec-root ${root}/exec --pidfile ${root}/pid`.split(' '),
  ]
  const daemon = spawn('dockerd', options, { stdio: 'ignore' })
  // What runs in containers may need this thread.
  const docker = (...args: string[]): ReturnType<typeof runCommand> =>
    runCommand('docker', ['-H', `unix://${socket}`, ...args])
  let isUp = false
  for (let tries = 0; tries < 300 && !isUp && daemon.exitCode === null; tries++) {
    isUp = (await docker('info')).status === 0
    if (!isUp) await sleep(100)
  }
  const stop = async (): Promise<void> => {
    if (daemon.exitCode === null) {
      const ended = once(daemon, 'exit')
      daemon.kill()
      await ended
    }
    // What it leaves mounted: its data, and its own network namespace.
    for (const place of mountsBelow(root)) spawnSync('umount', ['-l', place])
  }
  if (isUp) return { docker, stop }
  await stop()
  return undefined
}

test(
  'from containers of Docker, with the network of the host and with their own: each question once, of its container',
  {
    timeout: 300_000,
    skip: lackingDocker.length === 0 ? false : `not installed: ${lackingDocker.join(', ')}`,
  },
  async (t) => {
    const root = mkdtempSync(join(tmpdir(), 'quark-dns-docker-'))
    const daemon = await dockerDaemon(root)
    t.after(async () => {
      await daemon?.stop()
      rmSync(root, { recursive: true, force: true, maxRetries: 5 })
    })
    if (daemon === undefined) return t.skip('dockerd does not start here')
    const { docker } = daemon
    mkdirSync(join(root, 'go'))
    const busybox = spawnSync('sh', ['-c', 'command -v busybox']).stdout.toString().trim()
    const image = spawnSync('sh', [
      '-c',
      `tar -C / -c ${busybox.slice(1)} | docker -H unix://${root}/docker.sock import - test/box:1`,
    ])
    assert.equal(image.status, 0, image.stderr.toString())
    const web = createServer((socket) => socket.resume().end('HTTP/1.0 200 OK\r\n\r\n')).listen(0, '0.0.0.0')
    await once(web, 'listening')
    t.after(() => web.close())
    const { port } = web.address() as { readonly port: number }
    let failure: string | undefined
    const start = async (network: string, server: string, code: string): Promise<string> => {
      writeFileSync(join(root, `resolv.${network}`), `nameserver ${server}\n`)
      const { text, status } = await docker(
        ...`run -d --network ${network} -v ${root}/go:/go -v ${root}/resolv.${network}:/etc/resolv.conf test/box:1`.split(
          ' ',
        ),
        busybox,
        'sh',
        '-c',
        code.replaceAll('BOX', busybox),
      )
      if (status !== 0) failure ??= `docker run ended with ${status}`
      return text.trim()
    }
    const get = (name: string): string => `exec BOX wget -q -O /dev/null http://${name}.test:${port}/`
    const ids: string[] = []
    let watched: Watched | undefined
    await using local = await dnsmasq([KNOWN], LOCAL)
    let wire: Helper | undefined
    try {
      watched = await watch(async () => {
        ids.push(await start('host', LOCAL, get('host')))
        await docker('wait', ids[0] as string)
        if (failure !== undefined) return
        // It waits for its wire, and for the server at the other end.
        const waiting = `while ! BOX test -e /go/now; do BOX sleep 0.1; done; ${get('own')}`
        ids.push(await start('none', OUTSIDE, waiting))
        if (failure !== undefined) return
        const pid = Number((await docker('inspect', '-f', '{{.State.Pid}}', ids[1] as string)).text)
        await withWire(pid, async () => {
          wire = await dnsmasq([`--address=/test/${OUTSIDE}`], OUTSIDE)
          writeFileSync(join(root, 'go/now'), '')
          await docker('wait', ids[1] as string)
        })
      })
      if (failure !== undefined) return t.skip(`containers do not start here: ${failure}`)
      const ran: readonly (readonly [name: string, server: string, helper: Helper | undefined])[] = [
        ['host.test', LOCAL, local],
        ['own.test', OUTSIDE, wire],
      ]
      for (const [at, [name, address, server]] of ran.entries()) {
        const events = of(watched, address)
        assert.deepEqual(events.map(questionOf).sort(), askedIn(server?.text ?? ''), name)
        assert.ok(events.length >= 1, name)
        const pids = new Set(events.map(({ pid }) => pid))
        assert.equal(pids.size, 1)
        for (const event of events) {
          assert.deepEqual([event.name, event.actions], [name, ['query', 'answer']])
          assert.equal(event.process?.container?.id, ids[at], name)
          assert.equal(event.serverPid, server?.pid)
        }
        const named: readonly ConnectionLike[] = watched.connections.filter(
          ({ pid, remotePort, direction }) =>
            pids.has(pid) && remotePort === port && direction === 'outbound',
        )
        assert.ok(named.length > 0, name)
        for (const { remoteName, remoteNameSource } of named)
          assert.deepEqual([remoteName, remoteNameSource], [name, 'dns'])
      }
    } finally {
      await wire?.[Symbol.asyncDispose]()
    }
  },
)
