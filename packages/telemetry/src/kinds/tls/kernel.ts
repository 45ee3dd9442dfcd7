/** Probes that fill the records of TLS: the first packets that the client of a connection sends, or that come to a server. */

import {
  add,
  and,
  cgroupSkb,
  constant,
  eq,
  firstNonZero,
  firstOf,
  ge,
  gt,
  ifThen,
  increase,
  lookup,
  lt,
  map,
  ne,
  not,
  oneOf,
  or,
  packetBytes,
  type Probe,
  probe,
  type Scalar,
  shiftLeft,
  shiftRight,
  socketCookie,
  store,
  struct,
  u32,
  u64,
} from 'quark-ebpf/probe'
import {
  connectProbe,
  current,
  inNetworkOrder,
  IPPROTO_TCP,
  packetAddresses,
  packetView,
  type Skb,
} from '../../names/probes.js'
import { PLACE_ANSWERED, PLACE_RECEIVED, receivedLayout, segmentLayout } from './records.js'

/** The length of a header of TCP without options, and with the time: what nearly all packets have. */
const NO_OPTIONS = 0x50
const TIMES = 0x80
/** The type of records of TLS with which a connection begins, and their header. */
const HANDSHAKE = 0x16
const RECORD_BYTES = 5
/** A greeting in more packets is not read. */
const MAX_SEGMENTS = 8
/** include/net/tcp_states.h: what opens a connection with its first data is still seen at the socket that listens. */
const TCP_LISTEN = 10
/** Of an answer, enough to see that it is one. */
const ANSWER_BYTES = 64
/** Most connections whose first packets are waited for. */
const MAX_CONNECTIONS = 16_384

/** What is known of a connection whose first packets were not all sent. */
function connectionsMap() {
  return map({
    name: 'quark_tls',
    type: 'lruHash',
    key: u64,
    value: { pid: u32, netNs: u32, startBootNs: u64, segments: u32 },
    maxEntries: MAX_CONNECTIONS,
  })
}

type Connections = ReturnType<typeof connectionsMap>

/** What is read of a packet, in network order. */
function helloView() {
  const view = packetView()
  const { either, tcpHeader, networkBytes, tcpBytes } = view
  const hasTimes = eq(tcpHeader, TIMES)
  /** Bytes of what the packet carries, where that begins at the usual places. */
  const carried = (at: number, size: 1 | 2): Scalar =>
    firstNonZero(
      ifThen(hasTimes, either(52 + at, 72 + at, size)),
      ifThen(eq(tcpHeader, NO_OPTIONS), either(40 + at, 60 + at, size)),
    )
  const lengthBytes = carried(3, 2)
  const recordBytes = or(shiftLeft(and(lengthBytes, 0xff), 8), shiftRight(lengthBytes, 8))
  const headerBytes = add(networkBytes, tcpBytes)
  return {
    ...view,
    headerBytes,
    /** Nothing that follows is wanted, if it is the first packet: it is no TLS, or all of the first record is there. */
    isAll: (length: Scalar): Scalar =>
      and(
        oneOf(tcpHeader, [NO_OPTIONS, TIMES]),
        or(ne(carried(0, 1), HANDSHAKE), ge(length, add(headerBytes, add(recordBytes, RECORD_BYTES)))),
      ),
  }
}

function segmentProbe(connections: Connections, ports: readonly number[]): Probe {
  const hook = cgroupSkb('egress', struct<Skb>('sk_buff', 'skb'))
  return probe({ name: 'quark_tls_hello', hook, record: segmentLayout }, (context, { sk }) => {
    const { protocol, target, headerBytes, isAll } = helloView()
    const cookie = socketCookie()
    const { pid, startBootNs, netNs, segments } = lookup(connections, cookie)
    const isOwned = ne(firstOf(sk.sk_lock.owned, constant(0)), 0)
    const isDone = and(eq(segments, 0), isAll(context.len))
    return {
      when: and(
        eq(protocol, IPPROTO_TCP),
        oneOf(target, inNetworkOrder(ports)),
        gt(context.len, headerBytes),
        lt(segments, MAX_SEGMENTS),
      ),
      effects: [
        increase(connections, cookie, { segments: firstNonZero(ifThen(isDone, MAX_SEGMENTS), constant(1)) }),
      ],
      fill: {
        pid: firstNonZero(pid, ifThen(isOwned, current().tgid)),
        startBootNs: firstNonZero(startBootNs, ifThen(isOwned, current().group_leader.start_boottime)),
        netNs: firstNonZero(firstOf(sk.__sk_common.skc_net.net.ns.inum, constant(0)), netNs),
        cookie,
        packet: packetBytes(0),
      },
    }
  })
}

/** What is known of a connection to a server of this machine, by the cookie of the end of the server. */
function servedMap() {
  return map({
    name: 'quark_tls_of',
    type: 'lruHash',
    key: u64,
    value: { segments: u32, isAnswered: u32 },
    maxEntries: MAX_CONNECTIONS,
  })
}

type Served = ReturnType<typeof servedMap>

/** A packet of a client comes to a server. No process has to do with that. */
function receivedProbe(served: Served, ports: readonly number[]): Probe {
  const hook = cgroupSkb('ingress', struct<Skb>('sk_buff', 'skb'))
  return probe({ name: 'quark_tls_got', hook, record: receivedLayout }, (context, { sk }) => {
    const view = helloView()
    const { protocol, source, target, headerBytes, isAll } = view
    const cookie = socketCookie()
    const { segments } = lookup(served, cookie)
    const isListening = eq(firstOf(sk.__sk_common.skc_state, constant(0)), TCP_LISTEN)
    const isDone = and(eq(segments, 0), isAll(context.len))
    const count = firstNonZero(ifThen(isDone, MAX_SEGMENTS), constant(1))
    return {
      when: and(
        eq(protocol, IPPROTO_TCP),
        oneOf(target, inNetworkOrder(ports)),
        gt(context.len, headerBytes),
        lt(segments, MAX_SEGMENTS),
      ),
      effects: [increase(served, cookie, { segments: ifThen(not(isListening), count) })],
      fill: {
        pid: 0,
        startBootNs: 0,
        netNs: firstOf(sk.__sk_common.skc_net.net.ns.inum, constant(0)),
        cookie,
        ports: or(shiftLeft(source, 16), target),
        client: packetAddresses(view).sourceAddress,
        place: PLACE_RECEIVED,
        packet: packetBytes(0),
      },
    }
  })
}

/** The server answers, in a task of its own. */
function answeredProbe(served: Served, ports: readonly number[]): Probe {
  const hook = cgroupSkb('egress', struct<Skb>('sk_buff', 'skb'))
  return probe({ name: 'quark_tls_srv', hook, record: receivedLayout }, (context, { sk }) => {
    const view = helloView()
    const { protocol, source, target, headerBytes } = view
    const cookie = socketCookie()
    const { isAnswered } = lookup(served, cookie)
    return {
      when: and(
        eq(protocol, IPPROTO_TCP),
        oneOf(source, inNetworkOrder(ports)),
        gt(context.len, headerBytes),
        eq(isAnswered, 0),
        ne(firstOf(sk.sk_lock.owned, constant(0)), 0),
      ),
      effects: [store(served, cookie, { segments: MAX_SEGMENTS, isAnswered: 1 })],
      fill: {
        pid: current().tgid,
        startBootNs: current().group_leader.start_boottime,
        netNs: firstOf(sk.__sk_common.skc_net.net.ns.inum, constant(0)),
        cookie,
        ports: or(shiftLeft(target, 16), source),
        client: packetAddresses(view).targetAddress,
        place: PLACE_ANSWERED,
        packet: packetBytes(0, ANSWER_BYTES),
      },
    }
  })
}

/** What clients of this machine send: the only rung that there is. */
export function sentProbes(ports: readonly number[]): readonly Probe[] {
  const connections = connectionsMap()
  return [
    connectProbe('quark_tls_conn', connections, 4, ports),
    connectProbe('quark_tls_conn', connections, 6, ports),
    segmentProbe(connections, ports),
  ]
}

/** What comes to servers of this machine, and who answers: the only rung that there is. */
export function receivedProbes(ports: readonly number[]): readonly Probe[] {
  const served = servedMap()
  return [receivedProbe(served, ports), answeredProbe(served, ports)]
}
