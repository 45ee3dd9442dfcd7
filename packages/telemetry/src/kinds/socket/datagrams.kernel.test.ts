import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { test, type TestContext } from 'node:test'
import { kernelAtLeast, kernelPreempts, probeFeature } from 'quark-ebpf'
import { openQuark as openCatalogue, type Quark } from '../../quark.js'
import { catalogueOf } from '../catalogue.js'
import { cgroupKind } from '../cgroup/index.js'
import { processKind } from '../process/index.js'
import type { RawSocketEvent, UdpFlowEvent, UnixSocketEvent } from './events.js'
import { socketKind } from './index.js'
import { DATAGRAMS, UDP } from './testing/datagrams.js'
import { FLOWS, flowsOf, LOOP } from './testing/flows.js'
import { type Facts, hasPython, runProgram } from './testing/situations.js'
import { isConfidential } from './testing/watch.js'

const PYTHON = { timeout: 300_000, skip: hasPython ? false : 'there is no Python 3.9 here' }
/** Functions can be hooked, with all that there is to read; or programs of cgroups get the socket itself. */
const hasFunctions = probeFeature('fentry').supported || probeFeature('kprobe').supported
const canTell = hasFunctions
  ? kernelAtLeast('6.2') || !isConfidential()
  : kernelAtLeast('6.10') || (kernelAtLeast('6.2') && !kernelPreempts())

type AnyEvent = UdpFlowEvent | RawSocketEvent | UnixSocketEvent

function openQuark(options: object = {}): Promise<Quark> {
  return openCatalogue(catalogueOf([processKind, cgroupKind, socketKind] as const), {
    sockets: true,
    backends: ['ebpf'],
    ringSizeBytes: 2 ** 24,
    ...options,
  })
}

type Missing = Quark['capabilities']['missing']

function has(missing: Missing, lacking: string): boolean {
  return !missing.some(({ fact }) => fact === lacking)
}

/** Whether a fact is learnt here. Only kernels of which this is known may lack it, and they say why. */
function learns(t: TestContext, missing: Missing, fact: string): boolean {
  for (const { reason } of missing.filter((one) => one.fact === fact)) t.diagnostic(`no ${fact}: ${reason}`)
  assert.ok(has(missing, fact) || !canTell, `no ${fact}`)
  return has(missing, fact)
}

type Name = keyof typeof DATAGRAMS

function run(name: Name): Promise<Facts> {
  return runProgram(name, UDP + DATAGRAMS[name])
}

/** What happened while situations ran, and what each says itself. */
interface Seen {
  readonly events: readonly AnyEvent[]
  readonly facts: ReadonlyMap<Name, Facts>
  readonly missing: Missing
}

async function during(quark: Quark, names: readonly Name[]): Promise<Seen> {
  const facts = new Map<Name, Facts>()
  for (const name of names) facts.set(name, await run(name))
  const events = quark.finish() as unknown as AnyEvent[]
  await quark.close()
  return { events, facts, missing: quark.capabilities.missing }
}

/** One queue sees all that need no options of their own: to open one takes long where machines are slow. */
const TOGETHER: readonly Name[] = [
  ...(Object.keys(FLOWS) as Name[]),
  'unconnected',
  'reader',
  'reused',
  'namespaces',
  'raw',
  'packet',
]
let together: Promise<Seen> | undefined

async function seenOf(name: Name) {
  together ??= openQuark({ packetSockets: true }).then((quark) => during(quark, TOGETHER))
  const { events, facts, missing } = await together
  return { events, facts: facts.get(name) as Facts, missing }
}

for (const [name, [client, server]] of Object.entries(FLOWS)) {
  test(`flows of UDP: ${name}`, PYTHON, async (t) => {
    const { events, facts, missing } = await seenOf(name as Name)
    const isCounted = learns(t, missing, 'udpFlows')
    assert.deepEqual(flowsOf(events, facts.port, facts), isCounted ? client : [])
    assert.deepEqual(flowsOf(events, facts['server'], facts), isCounted ? server : [])
  })
}

test('one socket has a flow for each other end', PYTHON, async (t) => {
  const { events, facts, missing } = await seenOf('unconnected')
  if (!learns(t, missing, 'udpFlows')) return
  const flows = events.flatMap((event) =>
    event.kind === 'udpFlow' && event.localPort === facts.port && event.pid === facts.pid ? event : [],
  )
  assert.deepEqual(
    flows
      .map(({ remotePort, sentDatagrams, sentBytes }) => [remotePort, sentDatagrams, sentBytes])
      .toSorted(),
    (facts['servers'] as number[]).map((port, i) => [port, i + 1, 5 * (i + 1)]).toSorted(),
  )
  assert.equal(new Set(flows.map(({ socketId }) => socketId)).size, 1)
})

test('who only reads is known where the kernel tells', PYTHON, async (t) => {
  const { events, facts, missing } = await seenOf('reader')
  if (!learns(t, missing, 'udpFlows')) return
  const isTold = has(missing, 'udpReceived.process')
  if (!isTold) t.diagnostic('this kernel does not tell who reads')
  assert.deepEqual(flowsOf(events, facts['server'], facts), [
    `inbound ${LOOP} 0/1 0/3 by ${isTold ? 'child' : 'us'} of us, closed by us`,
  ])
})

test('a port that is used again at once has flows of its own', PYTHON, async (t) => {
  const { events, facts, missing } = await seenOf('reused')
  if (!learns(t, missing, 'udpFlows')) return
  const flows = events.flatMap((event) =>
    event.kind === 'udpFlow' && event.localPort === facts.port && event.pid === facts.pid ? event : [],
  )
  assert.deepEqual(
    flows.map(({ sentBytes }) => sentBytes).toSorted((a, b) => (a ?? 0) - (b ?? 0)),
    Array.from({ length: 50 }, (_, i) => i + 1),
  )
  assert.equal(new Set(flows.map(({ socketId }) => socketId)).size, 50)
})

test('equal ends in two network namespaces, which are gone soon, are two flows', PYTHON, async (t) => {
  const { events, facts, missing } = await seenOf('namespaces')
  if (!learns(t, missing, 'udpFlows')) return
  const hasNamespaces = has(missing, 'udpFlows.netNs')
  const flows = events.flatMap((event) =>
    event.kind === 'udpFlow' && event.pid === facts.pid && event.localPort === 5001 ? event : [],
  )
  const inodes = facts['inodes'] as number[]
  if (!hasNamespaces) t.diagnostic('this kernel does not tell the namespace of a packet')
  assert.deepEqual(
    flows.map(({ netNs, sentBytes }) => [netNs, sentBytes]).toSorted(),
    [1, 2].map((bytes, i) => [hasNamespaces ? inodes[i] : undefined, bytes]).toSorted(),
  )
})

test('a flow without a datagram ends while the socket is open', PYTHON, async (t) => {
  const quark = await openQuark({ flowIdleMs: 100 })
  if (!learns(t, quark.capabilities.missing, 'udpFlows')) return quark.close()
  const { createSocket } = await import('node:dgram')
  const socket = createSocket('udp4')
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve))
  const { port } = socket.address()
  // Nothing looks for idle flows before it is read: where machines are slow that takes longer than `flowIdleMs`.
  const isRead = once(socket, 'message')
  await new Promise((resolve) => socket.send('123', port, '127.0.0.1', resolve))
  await isRead
  const found: UdpFlowEvent[] = []
  const endMs = performance.now() + 30_000
  while (found.length === 0 && performance.now() < endMs) {
    await quark.wait(500)
    for (const event of quark.poll() as readonly { kind: string }[]) {
      if (event.kind === 'udpFlow' && (event as UdpFlowEvent).localPort === port)
        found.push(event as UdpFlowEvent)
    }
  }
  await quark.close()
  socket.close()
  assert.deepEqual(
    found.map(({ ended, sentDatagrams, receivedBytes, pid }) => [ended, sentDatagrams, receivedBytes, pid]),
    [['idle', 1, 3, process.pid]],
  )
})

test('50,000 other ends take no room from processes, and what is given up is counted', PYTHON, async (t) => {
  const quark = await openQuark({ maxFlows: 1024, ringSizeBytes: 2 ** 18 })
  if (!learns(t, quark.capabilities.missing, 'udpFlows')) return quark.close()
  const facts = await run('flood')
  const pids = Array.from({ length: 3 }, () => spawnSync('/bin/true').pid)
  const events = quark.finish() as unknown as (AnyEvent & {
    readonly process?: { readonly pid: number }
    readonly actions?: readonly string[]
    readonly count?: number
  })[]
  const { lostRingFull } = quark.stats()
  await quark.close()
  for (const pid of pids) {
    const actions = events.flatMap((event) =>
      (event.kind as string) === 'process' && event.process?.pid === pid ? (event.actions ?? []) : [],
    )
    assert.deepEqual([...actions].toSorted(), ['exec', 'exit', 'fork'], JSON.stringify(lostRingFull))
  }
  const flows = events.filter((event) => event.kind === 'udpFlow' && event.localPort === facts.port)
  const lost = events.reduce(
    (sum, event) => sum + ((event.kind as string) === 'lost' ? (event.count ?? 0) : 0),
    0,
  )
  const sent = facts['sent'] as number
  assert.ok(sent > 40_000)
  // Flows of others may be among the lost ones.
  assert.ok(flows.length + lost >= sent, `${flows.length} flows and ${lost} lost of ${sent}`)
})

test('raw sockets are seen from their opening to their close', PYTHON, async (t) => {
  const { events, facts, missing } = await seenOf('raw')
  if (!learns(t, missing, 'rawSockets') || !learns(t, missing, 'rawSocketCloses')) return
  const raw = events.flatMap((event) => (event.kind === 'rawSocket' && event.pid === facts.pid ? event : []))
  assert.deepEqual(
    raw.map(({ actions, family, socketType, protocol, closerPid }) => [
      actions.join(),
      family,
      socketType,
      protocol,
      closerPid,
    ]),
    [
      ['open,close', 'ipv4', 'raw', 1, facts['child']],
      ['open,close', 'ipv6', 'raw', 58, facts.pid],
    ],
  )
})

test('sockets of packets are seen, with what they listen to', PYTHON, async (t) => {
  const { events, facts, missing } = await seenOf('packet')
  if (!learns(t, missing, 'packetSockets')) return
  const seesClose = has(missing, 'packetSocketCloses')
  const raw = events.flatMap((event) => (event.kind === 'rawSocket' && event.pid === facts.pid ? event : []))
  const actions = seesClose ? 'open,close' : 'open'
  assert.deepEqual(
    raw.map((event) => [event.actions.join(), event.family, event.socketType, event.protocol]),
    [
      [actions, 'packet', 'raw', 3],
      [actions, 'packet', 'dgram', 0x86dd],
    ],
  )
})

test('connections through Unix sockets have the name of who listens, and the other end', PYTHON, async () => {
  const { events, facts } = await during(await openQuark({ sockets: false, unixSockets: true }), ['unix'])
  const { pid, path, children } = facts.get('unix') as Facts & { readonly path: string }
  const [first, second] = children as [number, number]
  const unix = events.flatMap((event) =>
    event.kind === 'unixSocket' && [pid, first, second].includes(event.pid ?? 0) ? event : [],
  )
  const abstract = `quark-\x1b[31m${pid}`
  assert.deepEqual(
    unix.map((event) => [event.action, event.pid, event.path, event.abstract, event.peerPid]).toSorted(),
    [
      ['accept', pid, path, false, first],
      ['accept', pid, abstract, true, second],
      ['connect', first, path, false, pid],
      ['connect', second, abstract, true, pid],
      ['listen', pid, path, false, pid],
      ['listen', pid, abstract, true, pid],
    ].toSorted(),
  )
})
