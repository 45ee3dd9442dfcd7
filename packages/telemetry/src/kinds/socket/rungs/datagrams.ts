/**
 * Programs that count datagrams. They see packets of all protocols, and leave at the second look. What is sent runs in the
 * task that sends; what comes in interrupts anybody, so who reads is taken from elsewhere.
 */

import {
  add,
  and,
  bootNs,
  cgroupSkb,
  cgroupSock,
  claim,
  constant,
  eq,
  firstNonZero,
  firstOf,
  has,
  ifThen,
  increase,
  inTask,
  int,
  lookup,
  ne,
  not,
  or,
  packet,
  probe,
  type Scalar,
  shiftLeft,
  type SkbContext,
  socketCookie,
  store,
  struct,
  sub,
  tracepoint,
} from 'quark-ebpf/probe'
import { current, currentProcess, isUserTask } from './common.js'
import type { Sock, SkBuff } from '../kernel-types.js'
import type { FlowMaps } from '../flow-maps.js'
import type { SocketMaps } from '../maps.js'
import { AF_INET6, IPPROTO_UDP, PHASE_ACCEPTED, PHASE_CONNECTED, SOCK_RAW } from '../records.js'

/** include/uapi/linux/ip.h: version 4, and a header of five words. */
const IPV4_PLAIN = 0x45
const IPV4_HEADER_BYTES = 20
const IPV6_HEADER_BYTES = 40
export const UDP_HEADER_BYTES = 8
/** `::ffff:0:0/96` in network order. */
export const MAPPED = 0xffff_0000

export type Words = Readonly<Record<0 | 1 | 2 | 3, Scalar>>

/** A datagram seen from a socket. */
export interface Datagram {
  readonly cookie: Scalar
  readonly remote: Words
  readonly local: Words
  readonly remotePort: Scalar
  readonly localPort: Scalar
  readonly family: Scalar
  readonly bytes: Scalar
  /** More than one, where the kernel has not cut them apart yet. */
  readonly count: Scalar
  readonly netNs: Scalar
}

/** An address in the form of the socket: one of IPv6 has IPv4 addresses mapped. */
export function words(isV4: Scalar, isMapped: Scalar, v4: Scalar, v6: (index: number) => Scalar): Words {
  const isPlain = and(isV4, not(isMapped))
  const isV6 = not(isV4)
  return {
    0: firstNonZero(ifThen(isPlain, v4), ifThen(isV6, v6(0))),
    1: ifThen(isV6, v6(1)),
    2: firstNonZero(ifThen(isMapped, MAPPED), ifThen(isV6, v6(2))),
    3: firstNonZero(ifThen(isMapped, v4), ifThen(isV6, v6(3))),
  }
}

/** Of the packet that a program of a cgroup runs on. */
function datagramOf(context: SkbContext, skb: SkBuff, place: 'egress' | 'ingress'): Datagram {
  const isV4 = isIpv4()
  const isMapped = and(isV4, eq(context.family, AF_INET6))
  // Behind options of IPv4 the ports are not looked for.
  const hasPorts = or(not(isV4), eq(packet(0, 1), IPV4_PLAIN))
  const port = (offset: number): Scalar =>
    ifThen(
      hasPorts,
      firstNonZero(
        ifThen(isV4, packet(IPV4_HEADER_BYTES + offset, 2)),
        ifThen(not(isV4), packet(IPV6_HEADER_BYTES + offset, 2)),
      ),
    )
  const source = words(isV4, isMapped, packet(12, 4), (index) => packet(8 + 4 * index, 4))
  const target = words(isV4, isMapped, packet(16, 4), (index) => packet(24 + 4 * index, 4))
  const header = firstNonZero(ifThen(isV4, shiftLeft(and(packet(0, 1), 0xf), 2)), constant(IPV6_HEADER_BYTES))
  const isOut = place === 'egress'
  return {
    cookie: socketCookie(),
    remote: isOut ? target : source,
    local: isOut ? source : target,
    remotePort: port(isOut ? 2 : 0),
    localPort: port(isOut ? 0 : 2),
    family: context.family,
    bytes: sub(context.len, add(header, UDP_HEADER_BYTES)),
    count: firstNonZero(context.gso_segs, constant(1)),
    netNs: firstOf(skb.sk.__sk_common.skc_net.net.ns.inum, constant(0)),
  }
}

function isIpv4(): Scalar {
  return eq(and(packet(0, 1), 0xf0), 0x40)
}

/** A packet of UDP, without further headers. */
function isUdp(): Scalar {
  return or(and(isIpv4(), eq(packet(9, 1), IPPROTO_UDP)), and(not(isIpv4()), eq(packet(6, 1), IPPROTO_UDP)))
}

/** What its socket says, which is there without a look at the packet: most packets are none of UDP. Linux 6.2. */
function mayBeUdp(skb: SkBuff): Scalar {
  return eq(firstOf(skb.sk.sk_protocol, constant(IPPROTO_UDP)), IPPROTO_UDP)
}

/** Not one of the kernel's own, whose user nobody is. */
function isOfProcess(skb: SkBuff): Scalar {
  return eq(firstOf(skb.sk.sk_kern_sock, constant(0)), 0)
}

function keyOf({ cookie, remote, remotePort, family }: Datagram) {
  return {
    cookie,
    remote0: remote[0],
    remote1: remote[1],
    remote2: remote[2],
    remote3: remote[3],
    remotePort,
    family,
  }
}

function placeOf({ local, localPort, netNs }: Datagram) {
  return { local0: local[0], local1: local[1], local2: local[2], local3: local[3], localPort, netNs }
}

type Key = ReturnType<typeof keyOf>

/** The time of the last one: should two CPUs add at once, the next datagram mends it. */
function later({ counts }: FlowMaps, key: Key): Scalar {
  return sub(bootNs(), lookup(counts, key).lastNs)
}

/** A process sends. */
export function sentEffects(maps: FlowMaps, datagram: Datagram, isUser: Scalar) {
  const { counts, about, begun } = maps
  const key = keyOf(datagram)
  const { firstNs, phase } = lookup(about, key)
  const { bytes, count } = datagram
  return [
    increase(begun, 0, not(has(about, key))),
    increase(counts, key, { lastNs: later(maps, key), sentDatagrams: count, sentBytes: bytes }),
    store(about, key, {
      ...placeOf(datagram),
      firstNs: firstNonZero(firstNs, bootNs()),
      phase: firstNonZero(phase, constant(PHASE_CONNECTED)),
      pid: ifThen(isUser, current().tgid),
      startBootNs: ifThen(isUser, current().group_leader.start_boottime),
    }),
  ]
}

function sentProbe(maps: FlowMaps, isUser: Scalar) {
  const hook = cgroupSkb('egress', struct<SkBuff>('sk_buff'))
  return probe({ name: 'quark_udp_sent', hook }, (context, skb) => ({
    given: and(mayBeUdp(skb), isUdp(), isOfProcess(skb)),
    effects: sentEffects(maps, datagramOf(context, skb, 'egress'), isUser),
  }))
}

export function receivedEffects(maps: FlowMaps, datagram: Datagram) {
  const { counts, about, begun } = maps
  const key = keyOf(datagram)
  const { bytes, count } = datagram
  return [
    increase(counts, key, { lastNs: later(maps, key), receivedDatagrams: count, receivedBytes: bytes }),
    // Ends the program unless it is new.
    claim(about, key, 0, { ...placeOf(datagram), firstNs: bootNs(), phase: PHASE_ACCEPTED }),
    increase(begun, 0, 1),
  ]
}

/** A datagram has come to a socket, whose buffer may still be full. */
function arrivedProbe(maps: FlowMaps) {
  const hook = cgroupSkb('ingress', struct<SkBuff>('sk_buff'))
  return probe({ name: 'quark_udp_came', hook }, (context, skb) => ({
    given: and(mayBeUdp(skb), isUdp(), isOfProcess(skb)),
    effects: receivedEffects(maps, datagramOf(context, skb, 'ingress')),
  }))
}

/** A process reads from any socket. */
function readerProbe({ readers }: FlowMaps) {
  const hook = inTask(
    tracepoint('sock_recv_length', [struct<Sock>('sock', 'sk'), int('ret', 4), int('flags', 4)]),
  )
  return probe({ name: 'quark_udp_user', hook }, (sk) => ({
    given: eq(sk.sk_protocol, IPPROTO_UDP),
    effects: [store(readers, socketCookie(sk), currentProcess())],
  }))
}

/** A socket is made that has no connection. */
function openedProbe({ openers }: SocketMaps) {
  return probe({ name: 'quark_udp_open', hook: cgroupSock('create') }, ({ protocol, type }) => ({
    given: or(eq(protocol, IPPROTO_UDP), eq(type, SOCK_RAW)),
    effects: [store(openers, socketCookie(), { ...currentProcess(), sinceNs: bootNs() })],
  }))
}

/** The last one who has it closes it. */
function closedProbe({ closed }: FlowMaps, isUser: Scalar) {
  return probe({ name: 'quark_udp_close', hook: cgroupSock('release') }, ({ protocol, type }) => ({
    given: and(eq(protocol, IPPROTO_UDP), ne(type, SOCK_RAW)),
    effects: [
      store(closed, socketCookie(), {
        closedNs: bootNs(),
        closerPid: ifThen(isUser, current().tgid),
      }),
    ],
  }))
}

/** The probes of each rung. */
export function flowProbes(maps: FlowMaps, sockets: SocketMaps) {
  return {
    openers: [openedProbe(sockets)],
    sent: {
      byUsers: [sentProbe(maps, isUserTask()), closedProbe(maps, isUserTask())],
      byAnybody: [sentProbe(maps, constant(1)), closedProbe(maps, constant(1))],
    },
    received: {
      /** Linux 6.3. */
      readers: [arrivedProbe(maps), readerProbe(maps)],
      arrived: [arrivedProbe(maps)],
    },
  }
}
