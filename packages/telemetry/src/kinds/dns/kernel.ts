/**
 * Probes that fill the records of packets of the DNS in the kernel. A packet is sent in the task of its sender, but for
 * those of TCP that a softirq sends: those belong to whoever connected, or sent last. A packet that is received
 * belongs to nobody's task: its record has the process that was the last to send from the socket.
 */

import {
  add,
  and,
  cast,
  cgroupSkb,
  constant,
  eq,
  firstNonZero,
  firstOf,
  ge,
  gt,
  ifThen,
  kernelBytes,
  lookup,
  map,
  ne,
  not,
  oneOf,
  or,
  packet,
  packetBytes,
  type Probe,
  probe,
  type Scalar,
  shiftLeft,
  type SkbContext,
  socketCookie,
  store,
  struct,
  sub,
  tracepoint,
  u32,
  u64,
} from 'quark-ebpf/probe'
import {
  connectProbe,
  current,
  inNetworkOrder,
  IPPROTO_TCP,
  IPPROTO_UDP,
  packetAddresses,
  packetView,
  type Skb,
  sumAt,
} from '../../names/probes.js'
import type { Ipv4Header, QueuedSkb, TwoNumbers } from './kernel-types.js'
import { packetLayout, PLACE_RECEIVED, PLACE_SENT } from './records.js'

const TRANSPORTS = [IPPROTO_TCP, IPPROTO_UDP]
/** Headers of IPv6 between that of the network and that of the transport: of hops, routes, fragments, destinations. */
const EXTENSIONS = [0, 43, 44, 60]
/** In network order, as all that is read of packets. */
const FRAGMENT_OFFSET = 0xff1f
/** Of the third byte of a message. */
const ANSWER_BIT = 0x80
const UDP_BYTES = 8
/** A message without a question. */
const MESSAGE_BYTES = 12
/** Most sockets whose sender is remembered. */
const MAX_SENDERS = 16_384

/** Who was the last to send from a socket, by its cookie. */
export function sendersMap() {
  return map({
    name: 'quark_dns_from',
    type: 'lruHash',
    key: u64,
    value: { pid: u32, netNs: u32, startBootNs: u64 },
    maxEntries: MAX_SENDERS,
  })
}

type Senders = ReturnType<typeof sendersMap>

/** What probes are made for. */
export interface DnsProbeOptions {
  readonly ports: readonly number[]
  readonly maxBytes: number
}

/** What is read of a packet, wherever it is, in network order. */
interface View {
  readonly isUdp: Scalar
  readonly source: Scalar
  readonly target: Scalar
  /** UDP: the id of the message, and the byte with the bit of answers. */
  readonly id: Scalar
  readonly flags: Scalar
  /** Numbers made of the addresses. */
  readonly sourceAddress: Scalar
  readonly targetAddress: Scalar
}

/** What a question and its answer have in common. */
function exchangeOf(view: View, ports: readonly number[]) {
  const { isUdp, source, target, id, flags } = view
  const isAnswer = or(
    and(isUdp, ne(and(flags, ANSWER_BIT), 0)),
    // A connection has no more than its ports.
    and(not(isUdp), not(oneOf(target, inNetworkOrder(ports)))),
  )
  const port = firstNonZero(ifThen(isAnswer, target), source)
  return {
    exchange: or(shiftLeft(port, 16), ifThen(isUdp, id)),
    client: firstNonZero(ifThen(isAnswer, view.targetAddress), view.sourceAddress),
  }
}

/** A packet as programs of cgroups have it, with what is read of a message. */
function messageView() {
  const view = packetView()
  const { either, protocol } = view
  return {
    ...view,
    ...packetAddresses(view),
    isUdp: eq(protocol, IPPROTO_UDP),
    id: either(28, 48, 2),
    flags: either(30, 50, 1),
  }
}

/** Whether a packet holds a message, or a part of one. */
function isWanted(context: SkbContext, view: ReturnType<typeof messageView>, ports: readonly number[]) {
  const { isV4, isV6, isPlainV4, protocol, source, target, networkBytes, tcpBytes } = view
  const isPlain = and(
    oneOf(protocol, TRANSPORTS),
    or(oneOf(target, inNetworkOrder(ports)), oneOf(source, inNetworkOrder(ports))),
    // Ports are in the first fragment.
    or(isV6, eq(and(packet(6, 2), FRAGMENT_OFFSET), 0)),
    or(
      and(eq(protocol, IPPROTO_UDP), ge(context.len, add(networkBytes, UDP_BYTES + MESSAGE_BYTES))),
      and(eq(protocol, IPPROTO_TCP), gt(context.len, add(networkBytes, tcpBytes))),
    ),
  )
  // With options in between, the ports of the socket have to do.
  const isOdd = or(and(isV4, not(isPlainV4)), and(isV6, oneOf(packet(6, 1), EXTENSIONS)))
  const remote = inNetworkOrder(ports).map((port) => (port << 16) >>> 0)
  const isOfSocket = or(oneOf(context.remote_port, remote), oneOf(context.local_port, ports))
  return or(isPlain, and(isOdd, isOfSocket))
}

function sentProbe(senders: Senders, { ports, maxBytes }: DnsProbeOptions): Probe {
  const hook = cgroupSkb('egress', struct<Skb>('sk_buff', 'skb'))
  return probe({ name: 'quark_dns_sent', hook, record: packetLayout }, (context, { sk }) => {
    const view = messageView()
    const cookie = socketCookie()
    const before = lookup(senders, cookie)
    const isSender = or(not(eq(view.protocol, IPPROTO_TCP)), ne(firstOf(sk.sk_lock.owned, constant(0)), 0))
    const sender = {
      pid: firstNonZero(ifThen(isSender, current().tgid), before.pid),
      startBootNs: firstNonZero(ifThen(isSender, current().group_leader.start_boottime), before.startBootNs),
      netNs: firstNonZero(
        firstOf(sk.__sk_common.skc_net.net.ns.inum, constant(0)),
        ifThen(isSender, current().nsproxy.net_ns.ns.inum),
        before.netNs,
      ),
    }
    return {
      when: isWanted(context, view, ports),
      effects: [store(senders, cookie, sender)],
      fill: {
        ...sender,
        cookie,
        ...exchangeOf(view, ports),
        place: PLACE_SENT,
        lengthBytes: context.len,
        packet: packetBytes(0, maxBytes),
      },
    }
  })
}

function receivedProbe(senders: Senders, { ports, maxBytes }: DnsProbeOptions): Probe {
  const hook = cgroupSkb('ingress', struct<Skb>('sk_buff', 'skb'))
  return probe({ name: 'quark_dns_got', hook, record: packetLayout }, (context, { sk }) => {
    const view = messageView()
    const cookie = socketCookie()
    const { pid, startBootNs, netNs } = lookup(senders, cookie)
    return {
      when: isWanted(context, view, ports),
      fill: {
        pid,
        startBootNs,
        netNs: firstNonZero(firstOf(sk.__sk_common.skc_net.net.ns.inum, constant(0)), netNs),
        cookie,
        ...exchangeOf(view, ports),
        place: PLACE_RECEIVED,
        lengthBytes: context.len,
        packet: packetBytes(0, maxBytes),
      },
    }
  })
}

/** include/uapi/linux/if_ether.h, in network order. */
const ETH_P_IP = 0x0008

/** A packet of IPv4 or IPv6 that is on its way to a device. */
function queuedView(skb: QueuedSkb) {
  const network = add(skb.head, skb.network_header)
  const transport = add(skb.head, skb.transport_header)
  const isV4 = eq(skb.protocol, ETH_P_IP)
  const header = cast<Ipv4Header>('iphdr', network as unknown as object)
  const numbersAt = (bytes: number): TwoNumbers =>
    cast<TwoNumbers>('udphdr', add(transport, bytes) as unknown as object)
  const wordAt = (bytes: number): Scalar =>
    cast<Ipv4Header>('iphdr', add(network, bytes - 12) as unknown as object).saddr
  // Of IPv6 it is in the same word as the length.
  const nextHeader = and(cast<TwoNumbers>('udphdr', add(network, 6) as unknown as object).source, 0xff)
  return {
    network,
    isV4,
    protocol: firstNonZero(ifThen(isV4, header.protocol), nextHeader),
    isLaterFragment: and(isV4, ne(and(header.frag_off, FRAGMENT_OFFSET), 0)),
    source: numbersAt(0).source,
    target: numbersAt(0).dest,
    id: numbersAt(UDP_BYTES).source,
    flags: and(numbersAt(UDP_BYTES).dest, 0xff),
    sourceAddress: firstNonZero(ifThen(isV4, header.saddr), sumAt(wordAt, 8)),
    targetAddress: firstNonZero(ifThen(isV4, header.daddr), sumAt(wordAt, 24)),
    /** Bytes from the header of the transport on. */
    transportBytes: sub(skb.len, sub(transport, skb.data)),
    /** What is behind the part of the packet that is in one piece. */
    end: add(skb.data, sub(skb.len, skb.data_len)),
    lengthBytes: sub(skb.len, sub(network, skb.data)),
  }
}

/**
 * The same of datagrams that are handed to a device: only those that are sent. What TCP sends lies in pages elsewhere.
 */
function queuedProbe({ ports, maxBytes }: DnsProbeOptions): Probe {
  const hook = {
    ...tracepoint('net_dev_queue', [struct<QueuedSkb>('sk_buff', 'skb')]),
    levels: ['task', 'softirq'],
  } as const
  return probe({ name: 'quark_dns_queue', hook, record: packetLayout }, (skb) => {
    const view = queuedView(skb)
    const isUdp = eq(view.protocol, IPPROTO_UDP)
    return {
      when: and(
        ne(skb.sk as unknown as Scalar, 0),
        isUdp,
        or(oneOf(view.target, inNetworkOrder(ports)), oneOf(view.source, inNetworkOrder(ports))),
        not(view.isLaterFragment),
        ge(view.transportBytes, UDP_BYTES + MESSAGE_BYTES),
      ),
      fill: {
        pid: current().tgid,
        startBootNs: current().group_leader.start_boottime,
        netNs: skb.sk.__sk_common.skc_net.net.ns.inum,
        cookie: skb.sk.__sk_common.skc_cookie.counter,
        ...exchangeOf({ ...view, isUdp }, ports),
        place: PLACE_SENT,
        lengthBytes: view.lengthBytes,
        packet: kernelBytes(view.network, view.end, maxBytes),
      },
    }
  })
}

/** The probes of each rung. */
export function dnsProbes(options: DnsProbeOptions) {
  const senders = sendersMap()
  return {
    cgroup: [
      connectProbe('quark_dns_tcp', senders, 4, options.ports),
      connectProbe('quark_dns_tcp', senders, 6, options.ports),
      receivedProbe(senders, options),
      sentProbe(senders, options),
    ],
    queue: [queuedProbe(options)],
  }
}
