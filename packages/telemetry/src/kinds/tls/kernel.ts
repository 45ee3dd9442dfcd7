/** Probes that fill the records of TLS: the first packets that the client of a connection sends. */

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
  oneOf,
  or,
  packetBytes,
  type Probe,
  probe,
  type Scalar,
  shiftLeft,
  shiftRight,
  socketCookie,
  struct,
  u32,
  u64,
} from 'quark-ebpf/probe'
import {
  connectProbe,
  current,
  inNetworkOrder,
  IPPROTO_TCP,
  packetView,
  type Skb,
} from '../../names/probes.js'
import { segmentLayout } from './records.js'

/** The length of a header of TCP without options, and with the time: what nearly all packets have. */
const NO_OPTIONS = 0x50
const TIMES = 0x80
/** The type of records of TLS with which a connection begins, and their header. */
const HANDSHAKE = 0x16
const RECORD_BYTES = 5
/** A greeting in more packets is not read. */
const MAX_SEGMENTS = 8
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
  const recordBytes = carried(3, 2)
  return {
    ...view,
    headerBytes: add(networkBytes, tcpBytes),
    isUsual: oneOf(tcpHeader, [NO_OPTIONS, TIMES]),
    firstByte: carried(0, 1),
    recordBytes: or(shiftLeft(and(recordBytes, 0xff), 8), shiftRight(recordBytes, 8)),
  }
}

function segmentProbe(connections: Connections, ports: readonly number[]): Probe {
  const hook = cgroupSkb('egress', struct<Skb>('sk_buff', 'skb'))
  return probe({ name: 'quark_tls_hello', hook, record: segmentLayout }, (context, { sk }) => {
    const { protocol, target, headerBytes, isUsual, firstByte, recordBytes } = helloView()
    const cookie = socketCookie()
    const { pid, startBootNs, netNs, segments } = lookup(connections, cookie)
    const isOwned = ne(firstOf(sk.sk_lock.owned, constant(0)), 0)
    // Nothing that follows is wanted: it is no TLS, or all of the first record is there.
    const isWhole = ge(context.len, add(headerBytes, add(recordBytes, RECORD_BYTES)))
    const isDone = and(isUsual, eq(segments, 0), or(ne(firstByte, HANDSHAKE), isWhole))
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

/** The probes of the only rung that there is. */
export function tlsProbes(ports: readonly number[]): readonly Probe[] {
  const connections = connectionsMap()
  return [
    connectProbe('quark_tls_conn', connections, 4, ports),
    connectProbe('quark_tls_conn', connections, 6, ports),
    segmentProbe(connections, ports),
  ]
}
