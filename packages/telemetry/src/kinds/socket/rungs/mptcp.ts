/**
 * Connections of MPTCP. Their first subflow is a TCP socket of the kernel's own, and counts as the connection; programs of
 * TCP see all but the process, which has another socket in front of it. What is done to that one is taken for the first
 * subflow. Others that join it are left out: see `isTcp`.
 */

import {
  and,
  cast,
  cgroupSock,
  cgroupSockAddr,
  eq,
  fentry,
  inTask,
  int,
  kprobe,
  ne,
  probe,
  struct,
  tracepoint,
} from 'quark-ebpf/probe'
import type { MptcpSock, Sock, SockAddrKern, SocketOfFile } from '../kernel-types.js'
import type { SocketMaps } from '../maps.js'
import { acceptLayout, closeLayout, IPPROTO_MPTCP } from '../records.js'
import { acceptBody, acceptedKprobe, acceptedProbe } from './accepts.js'
import { closeBody } from './closes.js'

/** The first subflow of a socket; what is read of another socket is 0. */
const firstOfSocket = (sk: Sock): Sock => cast<MptcpSock>('mptcp_sock', sk).first

function acceptOf(maps: SocketMaps, sk: Sock) {
  const first = firstOfSocket(sk)
  const key = maps.keys.ofUntyped(first)
  return acceptBody(maps, key, first, and(eq(sk.sk_protocol, IPPROTO_MPTCP), ne(key, 0)))
}

function acceptProbe(maps: SocketMaps, version: 4 | 6) {
  const hook = cgroupSockAddr(`getpeername${version}`, struct<SockAddrKern>('bpf_sock_addr_kern'))
  return probe({ name: `quark_mp_acc${version}`, hook, record: acceptLayout }, (_context, kern) =>
    acceptOf(maps, kern.sk),
  )
}

/** A process sends or reads. */
function sentProbe(maps: SocketMaps) {
  const hook = inTask(tracepoint('sock_send_length', [struct<Sock>('sock', 'sk'), int('ret', 4)]))
  return probe({ name: 'quark_mp_sent', hook, record: acceptLayout }, (sk) => acceptOf(maps, sk))
}

function readProbe(maps: SocketMaps) {
  const hook = inTask(
    tracepoint('sock_recv_length', [struct<Sock>('sock', 'sk'), int('ret', 4), int('flags', 4)]),
  )
  return probe({ name: 'quark_mp_read', hook, record: acceptLayout }, (sk) => acceptOf(maps, sk))
}

function releaseProbe(maps: SocketMaps) {
  const hook = cgroupSock('release', struct<Sock>('sock', 'sk'))
  return probe({ name: 'quark_mp_close', hook, record: closeLayout }, ({ protocol }, sk) => {
    const first = firstOfSocket(sk)
    const key = maps.keys.ofUntyped(first)
    const { given, ...body } = closeBody(maps, key, first)
    return { ...body, given: and(eq(protocol, IPPROTO_MPTCP), ne(key, 0), given) }
  })
}

/** The function that closes sockets of the internet. */
function releasedProbe(maps: SocketMaps, entry: typeof fentry) {
  const hook = inTask(entry('inet_release', [struct<SocketOfFile>('socket', 'sock')]))
  return probe({ name: 'quark_mp_close', hook, record: closeLayout }, ({ sk }) => {
    const first = firstOfSocket(sk)
    const key = maps.keys.ofUntyped(first)
    const { given, ...body } = closeBody(maps, key, first)
    return { ...body, given: and(eq(sk.sk_protocol, IPPROTO_MPTCP), ne(key, 0), given) }
  })
}

/** The probes of each rung. */
export function mptcpProbes(maps: SocketMaps) {
  return {
    /** Linux 6.3. */
    cgroup: [
      releaseProbe(maps),
      acceptProbe(maps, 4),
      acceptProbe(maps, 6),
      sentProbe(maps),
      readProbe(maps),
    ],
    /** The first subflow itself is accepted; that of a connection which another program has recorded is not once more. */
    functions: [releasedProbe(maps, fentry), acceptedProbe(maps, 'quark_mp_accept')],
    kprobes: [releasedProbe(maps, kprobe), acceptedKprobe(maps, 'quark_mp_accept')],
  }
}
