import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
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

const PYTHON = { timeout: 120_000, skip: hasPython ? false : 'there is no Python 3.9 here' }
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

function has(quark: Quark, lacking: string): boolean {
  return !quark.capabilities.missing.some(({ fact }) => fact === lacking)
}

/** Whether a fact is learnt here. Only kernels of which this is known may lack it, and they say why. */
function learns(t: TestContext, quark: Quark, fact: string): boolean {
  const missing = quark.capabilities.missing.filter((one) => one.fact === fact)
  for (const { reason } of missing) t.diagnostic(`no ${fact}: ${reason}`)
  assert.ok(missing.length === 0 || !canTell, `no ${fact}`)
  return missing.length === 0
}

function run(name: keyof typeof DATAGRAMS): Promise<Facts> {
  return runProgram(name, UDP + DATAGRAMS[name])
}

/** What happened while a situation ran, and what it says itself. */
async function during(quark: Quark, name: keyof typeof DATAGRAMS): Promise<[AnyEvent[], Facts]> {
  const facts = await run(name)
  const events = quark.finish() as unknown as AnyEvent[]
  await quark.close()
  return [events, facts]
}

for (const [name, [client, server]] of Object.entries(FLOWS)) {
  test(`flows of UDP: ${name}`, PYTHON, async (t) => {
    const quark = await openQuark()
    const isCounted = learns(t, quark, 'udpFlows')
    const [events, facts] = await during(quark, name as keyof typeof DATAGRAMS)
    assert.deepEqual(flowsOf(events, facts.port, facts), isCounted ? client : [])
    assert.deepEqual(flowsOf(events, facts['server'], facts), isCounted ? server : [])
  })
}

test('one socket has a flow for each other end', PYTHON, async (t) => {
  const quark = await openQuark()
  if (!learns(t, quark, 'udpFlows')) return quark.close()
  const [events, facts] = await during(quark, 'unconnected')
  const flows = events.flatMap((event) =>
    event.kind === 'udpFlow' && event.localPort === facts.port ? event : [],
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
  const quark = await openQuark()
  if (!learns(t, quark, 'udpFlows')) return quark.close()
  const isTold = has(quark, 'udpReceived.process')
  const [events, facts] = await during(quark, 'reader')
  if (!isTold) t.diagnostic('this kernel does not tell who reads')
  assert.deepEqual(flowsOf(events, facts['server'], facts), [
    `inbound ${LOOP} 0/1 0/3 by ${isTold ? 'child' : 'us'} of us, closed by us`,
  ])
})

test('a port that is used again at once has flows of its own', PYTHON, async (t) => {
  const quark = await openQuark()
  if (!learns(t, quark, 'udpFlows')) return quark.close()
  const [events, facts] = await during(quark, 'reused')
  const flows = events.flatMap((event) =>
    event.kind === 'udpFlow' && event.localPort === facts.port ? event : [],
  )
  assert.deepEqual(
    flows.map(({ sentBytes }) => sentBytes).toSorted((a, b) => (a ?? 0) - (b ?? 0)),
    Array.from({ length: 50 }, (_, i) => i + 1),
  )
  assert.equal(new Set(flows.map(({ socketId }) => socketId)).size, 50)
})

test('equal ends in two network namespaces, which are gone soon, are two flows', PYTHON, async (t) => {
  const quark = await openQuark()
  if (!learns(t, quark, 'udpFlows')) return quark.close()
  const hasNamespaces = has(quark, 'udpFlows.netNs')
  const [events, facts] = await during(quark, 'namespaces')
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
  if (!learns(t, quark, 'udpFlows')) return quark.close()
  const { createSocket } = await import('node:dgram')
  const socket = createSocket('udp4')
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve))
  const { port } = socket.address()
  await new Promise((resolve) => socket.send('123', port, '127.0.0.1', resolve))
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
  if (!learns(t, quark, 'udpFlows')) return quark.close()
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
  const quark = await openQuark()
  if (!learns(t, quark, 'rawSockets') || !learns(t, quark, 'rawSocketCloses')) return quark.close()
  const [events, facts] = await during(quark, 'raw')
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
  const quark = await openQuark({ packetSockets: true })
  if (!learns(t, quark, 'packetSockets')) return quark.close()
  const seesClose = has(quark, 'packetSocketCloses')
  const [events, facts] = await during(quark, 'packet')
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
  const [events, facts] = await during(await openQuark({ sockets: false, unixSockets: true }), 'unix')
  const { pid, path } = facts as Facts & { readonly path: string }
  const [first, second] = facts['children'] as [number, number]
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
