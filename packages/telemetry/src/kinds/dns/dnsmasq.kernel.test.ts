import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { DnsEvent } from './events.js'
import { Helper, runCommand, type Watched, watch } from './testing/watch.js'

/** Whether there is a command of that name. */
function hasCommand(name: string): boolean {
  return spawnSync('sh', ['-c', 'command -v "$0"', name]).status === 0
}

const lacking = ['dnsmasq', 'dig', 'getent', 'ip', 'nsenter', 'unshare'].filter((name) => !hasCommand(name))
const skip = lacking.length === 0 ? false : `not installed: ${lacking.join(', ')}`
const LIMIT = { timeout: 180_000, skip }

const LOCAL = '127.5.3.2'
const OUTSIDE = '10.77.3.1'
const INSIDE = '10.77.3.2'
const WEB = '127.5.0.10'

/** A server that knows all names below `test`, and prints each question with the port that it is from. */
function dnsmasq(...addresses: readonly string[]): Promise<Helper> {
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
    `--address=/test/${WEB}`,
    ...addresses.map((address) => `--listen-address=${address}`),
  ]
  return Helper.start('sh', ['-c', 'exec dnsmasq "$@" 2>&1', 'sh', ...args], /started/)
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
    await using server = await dnsmasq(LOCAL)
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

/** Another network namespace, and a wire to it. */
async function withNamespace(body: (enter: readonly string[]) => Promise<void>): Promise<void> {
  await using inside = await Helper.start('unshare', ['-n', 'sh', '-c', 'echo ready; exec sleep 100'])
  const enter = ['nsenter', '-t', String(inside.pid), '-n']
  const ip = (text: string, where: readonly string[] = []): void => {
    const [command = '', ...args] = [...where, 'ip', ...text.split(' ')]
    execFileSync(command, args, { stdio: ['ignore', 'ignore', 'inherit'] })
  }
  const [out, into] = [`qo${process.pid}`, `qi${process.pid}`]
  ip(`link add ${out} type veth peer name ${into} netns ${inside.pid}`)
  try {
    ip(`addr add ${OUTSIDE}/24 dev ${out}`)
    ip(`link set ${out} up`)
    ip('link set lo up', enter)
    ip(`addr add ${INSIDE}/24 dev ${into}`, enter)
    ip(`link set ${into} up`, enter)
    await body(enter)
  } finally {
    ip(`link del ${out}`)
  }
}

test(
  'from a network namespace of its own: the same, with its number, and its addresses are its own',
  LIMIT,
  async () => {
    await withNamespace(async ([enter = '', ...into]) => {
      await using server = await dnsmasq(OUTSIDE)
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
