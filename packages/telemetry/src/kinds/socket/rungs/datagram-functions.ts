/**
 * Programs that count datagrams in functions of the kernel: what processes read, and what they send where programs of
 * cgroups cannot say who does. At `ip_send_skb` and `ip6_send_skb` all headers are written, and what UDP sends is sent by
 * a task.
 */

import {
  add,
  and,
  at,
  bootNs,
  cast,
  constant,
  eq,
  fentry,
  firstNonZero,
  ge,
  ifThen,
  inTask,
  int,
  ne,
  oneOf,
  or,
  probe,
  type Scalar,
  store,
  struct,
  sub,
} from 'quark-ebpf/probe'
import { current, currentProcess, isUserTask } from './common.js'
import type {
  InetSock,
  IpHeader,
  Ipv6Header,
  SharedInfo,
  SkBuff,
  Sock,
  SocketOfFile,
  UdpHeader,
} from '../kernel-types.js'
import type { FlowMaps } from '../flow-maps.js'
import type { SocketKeys } from '../keys.js'
import type { SocketMaps } from '../maps.js'
import { AF_INET, AF_INET6, IPPROTO_UDP, SOCK_RAW } from '../records.js'
import {
  type Datagram,
  MAPPED,
  receivedEffects,
  sentEffects,
  UDP_HEADER_BYTES,
  type Words,
  words,
} from './datagrams.js'

/** ETH_P_IP in network order. */
const ETH_P_IP = 0x0008

const SKB = struct<SkBuff>('sk_buff', 'skb')
const SOCKET = struct<SocketOfFile>('socket', 'sock')

/** How a function can be hooked at its entry. */
export type FunctionEntryHook = typeof fentry

function headersOf(skb: SkBuff) {
  const network = add(skb.head, skb.network_header)
  return {
    ipv4: cast<IpHeader>('iphdr', network),
    ipv6: cast<Ipv6Header>('ipv6hdr', network),
    udp: cast<UdpHeader>('udphdr', add(skb.head, skb.transport_header)),
    /** Without the one of UDP, and with extensions. */
    headerBytes: sub(skb.transport_header, skb.network_header),
    gsoSegments: cast<SharedInfo>('skb_shared_info', add(skb.head, skb.end)).gso_segs,
  }
}

const sixOf = (address: Ipv6Header['saddr']): Words => {
  const word = (index: number): Scalar => at(address.in6_u.u6_addr32, index)
  return { 0: word(0), 1: word(1), 2: word(2), 3: word(3) }
}

/** The form that the socket has: one of IPv6 has IPv4 addresses mapped. */
function fourOf(address: Scalar, isMapped: Scalar): Words {
  return {
    0: ifThen(eq(isMapped, 0), address),
    1: constant(0),
    2: ifThen(isMapped, MAPPED),
    3: ifThen(isMapped, address),
  }
}

/** A packet of UDP is handed to the protocol below. */
function sentOf(maps: FlowMaps, keys: SocketKeys, skb: SkBuff, version: 4 | 6) {
  const { sk } = skb
  const { ipv4, ipv6, udp, headerBytes, gsoSegments } = headersOf(skb)
  const { skc_family: family, skc_net } = sk.__sk_common
  const isMapped = eq(family, AF_INET6)
  const addressOf = (end: 'saddr' | 'daddr'): Words =>
    version === 4 ? fourOf(ipv4[end], isMapped) : sixOf(ipv6[end])
  const datagram: Datagram = {
    cookie: keys.ofUser(sk),
    remote: addressOf('daddr'),
    local: addressOf('saddr'),
    remotePort: udp.dest,
    localPort: udp.source,
    family,
    bytes: sub(skb.len, add(headerBytes, UDP_HEADER_BYTES)),
    count: firstNonZero(gsoSegments, constant(1)),
    netNs: skc_net.net.ns.inum,
  }
  return {
    given: and(eq(sk.sk_protocol, IPPROTO_UDP), eq(sk.sk_kern_sock, 0)),
    effects: sentEffects(maps, datagram, isUserTask()),
  }
}

function sentProbes(maps: FlowMaps, keys: SocketKeys, entry: FunctionEntryHook) {
  const net = struct<object>('net', 'net')
  return [
    probe({ name: 'quark_udp_sent4', hook: inTask(entry('ip_send_skb', [net, SKB])) }, (_net, skb) =>
      sentOf(maps, keys, skb, 4),
    ),
    probe({ name: 'quark_udp_sent6', hook: inTask(entry('ip6_send_skb', [SKB])) }, (skb) =>
      sentOf(maps, keys, skb, 6),
    ),
  ]
}

/** A process has read a datagram: `len` is negative where it only peeked. */
function deliveredProbe(maps: FlowMaps, entry: FunctionEntryHook, cookieOf: (sk: Sock) => Scalar) {
  const hook = inTask(entry('skb_consume_udp', [struct<Sock>('sock', 'sk'), SKB, int('len', 4)]))
  return probe({ name: 'quark_udp_read', hook }, (sk, skb, len) => {
    const { ipv4, ipv6, udp } = headersOf(skb)
    const isV4 = eq(skb.protocol, ETH_P_IP)
    const { skc_family: family, skc_net } = sk.__sk_common
    const isMapped = and(isV4, eq(family, AF_INET6))
    const addressOf = (end: 'saddr' | 'daddr'): Words =>
      words(isV4, isMapped, ipv4[end], (index) => at(ipv6[end].in6_u.u6_addr32, index))
    const datagram: Datagram = {
      cookie: cookieOf(sk),
      remote: addressOf('saddr'),
      local: addressOf('daddr'),
      remotePort: udp.source,
      localPort: cast<InetSock>('inet_sock', sk).inet_sport,
      family,
      bytes: skb.len,
      count: constant(1),
      netNs: skc_net.net.ns.inum,
    }
    return {
      given: and(ge(add(len, 0), 0), eq(sk.sk_kern_sock, 0)),
      effects: [store(maps.readers, datagram.cookie, currentProcess()), ...receivedEffects(maps, datagram)],
    }
  })
}

/** A socket gets a file: until then no process has it. */
function openedProbe({ openers, keys }: SocketMaps, entry: FunctionEntryHook) {
  const hook = inTask(entry('sock_alloc_file', [SOCKET]))
  return probe({ name: 'quark_udp_open', hook }, ({ sk }) => ({
    given: and(
      oneOf(sk.__sk_common.skc_family, [AF_INET, AF_INET6]),
      or(eq(sk.sk_protocol, IPPROTO_UDP), eq(sk.sk_type, SOCK_RAW)),
    ),
    effects: [store(openers, keys.ofUser(sk), { ...currentProcess(), sinceNs: bootNs() })],
  }))
}

/** The last one who has it closes it. Sockets of IPv6 are closed by the same function in the end. */
function closedProbe({ closed }: FlowMaps, keys: SocketKeys, entry: FunctionEntryHook) {
  const hook = inTask(entry('inet_release', [SOCKET]))
  return probe({ name: 'quark_udp_close', hook }, ({ sk }) => ({
    given: and(eq(sk.sk_protocol, IPPROTO_UDP), ne(sk.sk_type, SOCK_RAW), eq(sk.sk_kern_sock, 0)),
    effects: [
      store(closed, keys.ofUser(sk), {
        closedNs: bootNs(),
        closerPid: ifThen(isUserTask(), current().tgid),
      }),
    ],
  }))
}

/** The probes of each fact, by the hook that a kernel has. */
export function flowFunctions(maps: FlowMaps, sockets: SocketMaps, entry: FunctionEntryHook) {
  const { keys } = sockets
  return {
    openers: [openedProbe(sockets, entry)],
    sent: [...sentProbes(maps, keys, entry), closedProbe(maps, keys, entry)],
    received: [deliveredProbe(maps, entry, entry === fentry ? keys.of : keys.ofUser)],
  }
}
