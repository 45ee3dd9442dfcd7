/** Facts about sockets, and their rungs. */

import { kernelAtLeast } from 'quark-ebpf'
import { fentry, kprobe } from 'quark-ebpf/probe'
import type { Fact } from '../../facts/fact.js'
import type { EbpfRung, Lack, SourceRung } from '../../facts/rungs.js'
import type { Surroundings } from '../kind.js'
import { findingRungs } from './found-files.js'
import { flowMaps } from './flow-maps.js'
import { flowProbes } from './rungs/datagrams.js'
import { flowFunctions } from './rungs/datagram-functions.js'
import { flowReader } from './flow-reader.js'
import { socketProbes } from './kernel.js'
import { mptcpProbes } from './rungs/mptcp.js'
import { rawProbes } from './rungs/raw.js'
import { unixProbes } from './rungs/unix.js'
import { openSocketProbes } from './rungs/open.js'
import { ADDRESSES, COOKIES } from './keys.js'
import { type SocketMaps, socketMaps } from './maps.js'
import type { SocketSettings } from './options.js'
import { PENDING, tcpCounters } from './tcp-counters.js'

/** The fact of sockets that are older than the queue. */
export const OPEN_SOCKETS = 'openSockets'

/** What accept(2) itself does is not seen. */
const LATE_ACCEPTS: Lack = {
  what: 'socketAccepts.at once',
  reason:
    'accept(2) without an address is seen when the process first reads, sends or closes; of a connection that is reset before, it is never known',
}

const BY_READING: Lack = {
  what: 'socketAccepts.at once',
  reason:
    'accept(2) is seen when the process first reads or closes; of a connection that is reset before, it is never known',
}

const LATE_FAILURES: Lack = {
  what: 'socketUnreachable.errno',
  reason:
    'connect(2) to an address that cannot be reached is seen when the socket is used again or closed, without the error',
}

const OTHER_NAMESPACES: Lack = {
  what: 'openSockets.other namespaces',
  reason:
    'in other network namespaces only sockets are found whose cookie somebody has asked for (all of them: Linux 5.12)',
}

/**
 * The order is that of attaching: a socket whose opening was seen must not be closed unseen, and what failed is recorded
 * before the next attempt takes its place.
 */
export function socketFacts({ settings, isTracked = false }: Surroundings<SocketSettings>): Fact[] {
  const unix = settings.unixSockets ? unixFacts() : []
  if (!settings.sockets) return unix
  const keys = kernelAtLeast('5.12') ? COOKIES : ADDRESSES
  const maps = socketMaps(settings.maxSockets, keys)
  const { unreachable, closes, accepts, listeners, connections, pending, ...functions } = socketProbes(maps)
  const mptcp = mptcpProbes(maps)
  const fact = (name: string, ...rungs: (EbpfRung | SourceRung)[]): Fact =>
    factOf(name, ...(keys.isForAll ? rungs : rungs.filter(canUseAddresses)))
  const auxiliary: typeof fact = (...args) => ({ ...fact(...args), isAuxiliary: true })
  return [
    fact(
      'socketUnreachable',
      ebpf(unreachable.functions),
      ebpf(unreachable.kprobes),
      ebpf(unreachable.cgroup, LATE_FAILURES),
    ),
    fact(
      'socketCloses',
      ebpf(closes.cgroup),
      ebpf(closes.functions),
      ebpf(closes.kprobes),
      ebpf(closes.states),
    ),
    fact(
      'socketAccepts',
      ebpf(accepts.functions),
      ebpf(accepts.kprobes),
      ebpf(accepts.sending, LATE_ACCEPTS),
      ebpf(accepts.cgroup, LATE_ACCEPTS),
      ebpf(accepts.reading, BY_READING),
    ),
    fact('socketListeners', ebpf(listeners)),
    fact('mptcpOwners', ebpf(mptcp.cgroup), ebpf(mptcp.functions), ebpf(mptcp.kprobes)),
    fact('listenPorts', ebpf(functions.listenPorts)),
    fact('connectErrors', ebpf(functions.connectErrors)),
    auxiliary(OPEN_SOCKETS, ...openRungs(maps), ...findingRungs(settings)),
    ...rawFacts(settings, maps, fact),
    ...unix,
    ...(settings.udpFlows ? flowFacts(settings, maps, fact) : []),
    fact('socketConnections', ebpf(connections.cgroup), ebpf(connections.states)),
    // What programs leave out is not missing.
    ...(isTracked ? [] : [auxiliary(PENDING, ebpf(pending)), auxiliary('socketCounts', tcpCounters)]),
  ]
}

/** The ways to the sockets that are open at the start. */
function openRungs(maps: SocketMaps): EbpfRung[] {
  const { asked, withCookies, ofProcesses, byKeys } = openSocketProbes(maps)
  if (!maps.keys.isForAll) return [ebpf(byKeys, TCP_ONLY)]
  return [ebpf(asked), ebpf(withCookies, OTHER_NAMESPACES), ebpf(ofProcesses, OTHER_NAMESPACES)]
}

const TCP_ONLY: Lack = {
  what: 'openSockets.other protocols',
  reason: 'of sockets that are open at the start only those of TCP are found (others: Linux 5.12)',
}

const ARRIVED: Lack = {
  what: 'udpReceived.delivered',
  reason: 'datagrams count as received when they come, also those that a full buffer then drops',
}

const NO_READERS: Lack = {
  what: 'udpReceived.process',
  reason: 'who reads is not seen: a flow of which nothing is sent belongs to who opened the socket',
}

const ANYBODY: Lack = {
  what: 'udpFlows.process',
  reason: 'threads of the kernel that send or close for somebody are not told from processes',
}

/** The socket is behind its packet since Linux 6.2. */
const NO_NAMESPACE: Lack = {
  what: 'udpFlows.netNs',
  reason: 'the network namespace of a flow needs Linux 6.2',
  until: '6.2',
}

/** Sockets that see packets of others. */
function rawFacts({ packetSockets }: SocketSettings, maps: SocketMaps, fact: MakeFact): Fact[] {
  const { opened, closed, packets, packetsClosed } = rawProbes(maps)
  return [
    fact(
      'rawSocketCloses',
      ebpf(closed.byUsers),
      ebpf(closed.functions),
      ebpf(closed.kprobes),
      ebpf(closed.byAnybody),
    ),
    fact('rawSockets', ebpf(opened.cgroup), ebpf(opened.functions), ebpf(opened.kprobes)),
    fact('packetSocketCloses', ebpf(packetsClosed.functions), ebpf(packetsClosed.kprobes)),
    fact(
      'packetSockets',
      ebpf(packets.functions),
      ebpf(packets.kprobes),
      ...(packetSockets ? [ebpf(packets.calls)] : []),
    ),
  ]
}

function unixFacts(): Fact[] {
  const { functions, calls } = unixProbes()
  return [factOf('unixSockets', ebpf(functions), ebpf(calls, CALLS_ONLY))]
}

const CALLS_ONLY: Lack = {
  what: 'unixSockets.other calls',
  reason: 'what is done by io_uring and by 32-bit programs is not seen without fexit',
}

/** Datagrams that are sent, those that are received, and who opens the sockets. */
function flowFacts(settings: SocketSettings, sockets: SocketMaps, fact: MakeFact): Fact[] {
  const maps = flowMaps(settings.maxFlows)
  const { openers, sent, received } = flowProbes(maps, sockets)
  const functions = flowFunctions(maps, sockets, fentry)
  const kprobes = flowFunctions(maps, sockets, kprobe)
  const reader = flowReader(maps, sockets, settings)
  const byFunctions = [ebpf(functions.sent), ebpf(kprobes.sent)]
  const [byUsers, byAnybody] = [ebpf(sent.byUsers, NO_NAMESPACE), ebpf(sent.byAnybody, NO_NAMESPACE, ANYBODY)]
  // Programs of cgroups get the socket itself since then.
  const inOrder = kernelAtLeast('6.2')
    ? [byUsers, ...byFunctions, byAnybody]
    : [...byFunctions, byUsers, byAnybody]
  return [
    fact('udpOpeners', ebpf(openers), ebpf(functions.openers), ebpf(kprobes.openers)),
    fact(
      'udpReceived',
      ebpf(functions.received),
      ebpf(kprobes.received),
      ebpf(received.readers, ARRIVED),
      ebpf(received.arrived, ARRIVED, NO_READERS),
    ),
    fact('udpFlows', ...inOrder.map((rung) => ({ ...rung, reader }))),
  ]
}

function ebpf(probes: EbpfRung['probes'], ...lacks: readonly Lack[]): EbpfRung {
  return { by: 'ebpf', probes, lacks }
}

/** Programs of these hooks have a number of the socket, and not its address. */
function canUseAddresses(rung: EbpfRung | SourceRung): boolean {
  if (rung.by === 'source') return true
  return rung.probes.every(
    ({ hook: { kind } }) => !kind.startsWith('cgroup') && kind !== 'fentry' && kind !== 'fexit',
  )
}

type MakeFact = typeof factOf

function factOf(name: string, ...rungs: (EbpfRung | SourceRung)[]): Fact {
  return { name, required: false, rungs }
}
