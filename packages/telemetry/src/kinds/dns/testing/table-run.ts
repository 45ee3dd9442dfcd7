/**
 * A program that makes every situation of names with each sort of rungs that this kernel has, and writes what was seen as lines
 * of JSON: `node table-run.js [RUNG…]`. `npm run names` makes a table of them.
 */

import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, rmdirSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { Probe } from 'quark-ebpf/probe'
import { findCgroupHierarchy } from '../../../process/procfs/cgroup-mounts.js'
import { openQuark } from '../../../quark.js'
import { type Verdict, writeRow } from '../../../testing/situation-rows.js'
import { catalogueOf } from '../../catalogue.js'
import { kinds, type QuarkEvent } from '../../index.js'
import type { Kind } from '../../kind.js'
import type { Asked, Wish } from './asker.js'
import type { Inside } from './inside.js'
import { Helper, runCommand } from './watch.js'

/** Sorts of rungs, best first: programs of cgroups at packets, and the tracepoint `net_dev_queue`. */
const RUNGS = ['packets', 'queue'] as const

type RungName = (typeof RUNGS)[number]

/** What is looked at in an event, and what it should be; `true` stands for anything that is known. */
type Expected = Readonly<Record<string, unknown>>

interface Situation {
  readonly wish: Omit<Wish, 'name'>
  readonly inside?: Inside
  /** The kind of the event that should be there, once. */
  readonly kind: 'dns' | 'connection'
  readonly expected: Expected
}

const ADDRESS = '127.5.3.6'
const WEB = '127.5.0.9'
const CHOSEN_PORT = 5399
const TLS_PORT = 443
const CHOSEN_TLS_PORT = 8443
const CONTAINER = 'c0ffee'.repeat(11).slice(0, 64)
const MAX_TRIES = 4

const wish = { address: ADDRESS, port: 53, transport: 'udp' } as const
/** A question with its answer. Over loopback each packet is seen twice, or four times: all of them are one event. */
const answered: Expected = {
  actions: 'query+answer',
  protocol: 'dns',
  direction: 'outbound',
  transport: 'udp',
  type: 'A',
  rcode: 'NOERROR',
  addresses: WEB,
  latencyNs: true,
  netNs: true,
  socketId: true,
}

function ask(more: Partial<Wish> = {}, expected: Expected = {}, inside?: Inside): Situation {
  return {
    wish: { ...wish, ...more },
    kind: 'dns',
    expected: { ...answered, transport: more.transport ?? 'udp', ...expected },
    ...(inside && { inside }),
  }
}

function greet(more: Partial<Wish> = {}): Situation {
  return {
    wish: { address: ADDRESS, port: TLS_PORT, transport: 'tls', ...more },
    kind: 'connection',
    expected: { remoteNameSource: 'tls' },
  }
}

const LONE = { actions: 'query', rcode: undefined, addresses: undefined, latencyNs: undefined }
const FROM = '127.0.0.1'
/** Addresses, ports and groups of the server. */
const SERVED = [
  `${ADDRESS} 53`,
  '::1 53',
  `${ADDRESS} ${CHOSEN_PORT}`,
  `${FROM} 5353 224.0.0.251`,
  `${FROM} 5355 224.0.0.252`,
]

/** By the first label of the names that are asked for, which is what a server does. */
const SITUATIONS: Readonly<Record<string, readonly [title: string, Situation]>> = {
  udp4: ['UDP over IPv4', ask()],
  udp6: ['UDP over IPv6', ask({ address: '::1' })],
  mapped: ['UDP over IPv4 by a socket of IPv6', ask({ address: `::ffff:${ADDRESS}` })],
  loose: ['UDP by a socket that is not connected', ask({ isLoose: true })],
  tcp4: ['TCP over IPv4', ask({ transport: 'tcp' })],
  tcp6: ['TCP over IPv6', ask({ transport: 'tcp', address: '::1' })],
  bytes: ['TCP, one byte in each segment', ask({ transport: 'tcp', firstBytes: 1 })],
  none: ['there is no such name', ask({}, { rcode: 'NXDOMAIN', addresses: undefined })],
  silent: ['nobody answers', ask({ waitMs: 500 }, LONE)],
  subnet: ['EDNS client subnet', ask({ hasSubnet: true }, { clientSubnet: '192.0.2.0/24' })],
  chosen: ['a chosen port', ask({ port: CHOSEN_PORT })],
  mdns: [
    'mDNS, answered to the asker alone',
    ask({ address: '224.0.0.251', port: 5353, from: FROM }, { protocol: 'mdns' }),
  ],
  llmnr: ['LLMNR', ask({ address: '224.0.0.252', port: 5355, from: FROM }, { protocol: 'llmnr' })],
  named: [
    'a connection to an address that was answered',
    { ...ask({ thenPort: 1 }), kind: 'connection', expected: { remoteIp: WEB, remoteNameSource: 'dns' } },
  ],
  netns: ['in another network namespace', ask({}, {}, { isOwnNet: true, server: [ADDRESS, '53'] })],
  container: [
    'in a container with the network of the host',
    ask({}, { container: CONTAINER }, { isOwnPid: true }),
  ],
  hello: ['ClientHello', greet()],
  hello6: ['ClientHello over IPv6', greet({ address: '::1' })],
  hellocut: ['ClientHello in two segments', greet({ firstBytes: 3 })],
  hellochosen: ['ClientHello on a chosen port', greet({ port: CHOSEN_TLS_PORT })],
}

/** Programs that look a name up themselves, each with its arguments; they are left out where they are not there. */
const PROGRAMS: Readonly<Record<string, (name: string) => readonly [string, readonly string[]]>> = {
  node: (name) => [
    process.execPath,
    [
      '-e',
      `const r = new (require('dns').promises.Resolver)({ timeout: 20000, tries: 1 }); r.setServers(['${ADDRESS}']); r.resolve4('${name}')`,
    ],
  ],
  dig: (name) => ['dig', [`@${ADDRESS}`, '+short', '+timeout=20', '+tries=1', name]],
  busybox: (name) => ['busybox', ['nslookup', '-type=a', name, ADDRESS]],
}

interface Ran {
  readonly title: string
  readonly kind: string
  readonly name: string
  readonly expected: Expected
}

const PROGRAM = fileURLToPath(new URL('asker.js', import.meta.url))
const INSIDE = fileURLToPath(new URL('inside.js', import.meta.url))
const SERVER = fileURLToPath(new URL('server.js', import.meta.url))

/** Makes situations by one process. */
async function run(labels: readonly string[], serverPid: number, web: number): Promise<Ran[]> {
  const situations = labels.map((label) => (SITUATIONS[label] as (typeof SITUATIONS)[string])[1])
  const wishes = situations.map(({ wish }, at): Wish => {
    const then = wish.thenPort === undefined ? {} : { thenPort: web }
    return { ...wish, name: `${labels[at]}.test`, ...then }
  })
  const asked = [PROGRAM, JSON.stringify(wishes)]
  const inside = situations[0]?.inside
  const cgroup = inside?.isOwnPid === true ? containerCgroup() : undefined
  const where: Inside = { ...inside, ...(cgroup && { cgroup }) }
  const { text } = await runCommand(
    process.execPath,
    inside === undefined ? asked : [INSIDE, JSON.stringify(where), ...asked],
  )
  const { pid, serverPid: own = serverPid } = JSON.parse(text) as Asked & { readonly serverPid?: number }
  return situations.map(({ kind, expected }, at) => ({
    title: (SITUATIONS[labels[at] as string] as (typeof SITUATIONS)[string])[0],
    kind,
    name: `${labels[at]}.test`,
    expected: {
      ...expected,
      ...(cgroup === undefined && { container: undefined }),
      pid,
      ...(expected['rcode'] !== undefined && { serverPid: own }),
    },
  }))
}

/** A cgroup with the name of a container of Docker; undefined without a hierarchy. */
function containerCgroup(): string | undefined {
  const hierarchy = findCgroupHierarchy()
  if (hierarchy === undefined) return undefined
  const path = join(hierarchy.mountPoint, 'docker', CONTAINER)
  mkdirSync(path, { recursive: true })
  return path
}

function removeCgroup(): void {
  const mountPoint = findCgroupHierarchy()?.mountPoint
  for (const path of mountPoint === undefined ? [] : [`docker/${CONTAINER}`, 'docker']) {
    try {
      rmdirSync(join(mountPoint as string, path))
    } catch {
      // It is not there, or others use it.
    }
  }
}

/** The name of an event, and what is compared of it. */
function factsOf(event: QuarkEvent): { readonly name: string | undefined; readonly facts: Expected } {
  const { actions, process, addresses, ...rest } = event as unknown as {
    actions: readonly string[]
    process?: { readonly container?: { readonly id?: string } }
    addresses?: readonly string[]
    name?: string
    remoteName?: string
  }
  const name = event.kind === 'dns' ? rest.name : rest.remoteName
  const container = process?.container?.id
  return { name, facts: { ...rest, actions: actions.join('+'), addresses: addresses?.join(), container } }
}

function verdictOf({ kind, name, expected }: Ran, events: readonly QuarkEvent[]): Verdict {
  const found = events.filter((event) => event.kind === kind).map(factsOf)
  const own = found.filter((one) => one.name === name && one.facts['direction'] !== 'inbound')
  const [first] = own
  if (first === undefined) {
    return { verdict: 'less', notes: [kind === 'connection' ? 'name' : 'event'] }
  }
  const notes = { lacks: [] as string[], wrong: own.length === 1 ? [] : [`${own.length} events`] }
  const inbound = found.filter((one) => one.name === name && one !== first && own.length === 1)
  if (inbound.length > 0) notes.wrong.push(`${inbound.length} more of the server`)
  for (const [key, value] of Object.entries(expected)) {
    const seen = first.facts[key]
    if (seen === value || (value === true && seen !== undefined)) continue
    if (seen === undefined) notes.lacks.push(key)
    else notes.wrong.push(`${key} is ${String(seen)}`)
  }
  if (notes.wrong.length > 0) return { verdict: 'wrong', notes: [...notes.wrong, ...notes.lacks] }
  return { verdict: notes.lacks.length === 0 ? 'right' : 'less', notes: notes.lacks }
}

/** The kinds, of which those of names have a sort of rungs only. */
function catalogueWith(rung: RungName) {
  const isOf = (probes: readonly Probe[]): boolean =>
    probes.some(({ hook }) => (hook.kind === 'tracepoint') === (rung === 'queue'))
  return catalogueOf(
    (kinds as readonly Kind[]).map((kind): Kind => {
      if (kind.name !== 'dns' && kind.name !== 'tls') return kind
      const facts: Kind['facts'] = (surroundings) =>
        kind.facts(surroundings).flatMap((fact) => {
          const rungs = fact.rungs.filter((rung) => rung.by === 'ebpf' && isOf(rung.probes))
          return rungs.length === 0 ? [] : [{ ...fact, rungs }]
        })
      return { ...kind, facts }
    }),
  )
}

/** Servers that read until the client has sent all. */
async function serveTls(port: number, address: string): Promise<Server> {
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => {}).resume()
    socket.on('end', () => socket.end())
  }).listen(port, address)
  await once(server, 'listening')
  return server
}

async function rowsOf(rung: RungName): Promise<void> {
  const options = {
    dns: true,
    tls: true,
    sockets: true,
    backends: ['ebpf'],
    ringSizeBytes: 2 ** 25,
    dnsPorts: [53, 5353, 5355, CHOSEN_PORT],
    tlsPorts: [TLS_PORT, CHOSEN_TLS_PORT],
  }
  for (let tries = 1; tries <= MAX_TRIES; tries += 1) {
    const closing: (() => Promise<void> | void)[] = []
    try {
      const rows = await rowsOnce(rung, options, closing)
      if (rows === undefined && tries < MAX_TRIES) continue
      for (const row of rows ?? [{ absent: 'records were lost each time' }]) writeRow({ rung, ...row })
      return
    } finally {
      for (const close of closing.toReversed()) await close()
      removeCgroup()
    }
  }
}

type CellRow = (Verdict & { readonly situation: string }) | { readonly absent: string }

/** Undefined when records were lost. */
async function rowsOnce(
  rung: RungName,
  options: object,
  closing: (() => Promise<void> | void)[],
): Promise<readonly CellRow[] | undefined> {
  const quark = await openQuark(catalogueWith(rung), options as never)
  closing.push(() => quark.close())
  const { attached, missing } = quark.capabilities
  if (!attached.some(({ fact }) => fact.startsWith('dns'))) {
    const { reason = 'unknown' } = missing.find(({ fact }) => fact.startsWith('dns')) ?? {}
    return [{ absent: reason }]
  }
  const rows: CellRow[] = missing
    .filter(({ fact }) => fact.startsWith('tls') || fact.startsWith('dns'))
    .map(({ reason }) => ({ absent: reason }))
  const main = await Helper.start(process.execPath, [SERVER, ...SERVED.join(' + ').split(' ')])
  closing.push(() => main[Symbol.asyncDispose]())
  const web = createServer((socket) => socket.end()).listen(0, WEB)
  await once(web, 'listening')
  closing.push(() => void web.close())
  for (const [port, address] of [
    [TLS_PORT, ADDRESS],
    [TLS_PORT, '::1'],
    [CHOSEN_TLS_PORT, ADDRESS],
  ] as const) {
    const server = await serveTls(port, address)
    closing.push(() => void server.close())
  }
  const ran: Ran[] = []
  const { port } = web.address() as { port: number }
  const labels = Object.keys(SITUATIONS)
  const isAlone = (label: string): boolean => SITUATIONS[label]?.[1].inside !== undefined
  for (const together of [
    labels.filter((label) => !isAlone(label)),
    ...labels.filter(isAlone).map((label) => [label]),
  ])
    ran.push(...(await run(together, main.pid, port)))
  for (const [program, argumentsFor] of Object.entries(PROGRAMS)) {
    const name = `by${program}.test`
    const [command, args] = argumentsFor(name)
    if (spawnSync('sh', ['-c', 'command -v "$0"', command]).status !== 0) continue
    const { pid } = await runCommand(command, args)
    const expected = { ...answered, pid, serverPid: main.pid }
    ran.push({ title: `asked by ${program}`, kind: 'dns', name, expected })
  }
  await sleep(100)
  const events = quark.finish() as readonly QuarkEvent[]
  if (quark.stats().lost > 0) return undefined
  return [...rows, ...ran.map((one) => ({ situation: one.title, ...verdictOf(one, events) }))]
}

const wanted = process.argv.slice(2)
for (const rung of RUNGS.filter((name) => wanted.length === 0 || wanted.includes(name))) {
  try {
    await rowsOf(rung)
  } catch (error) {
    writeRow({ rung, absent: (error as Error).message })
  }
}
