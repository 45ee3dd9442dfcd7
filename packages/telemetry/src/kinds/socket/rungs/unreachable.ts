/** Connections to addresses to which the kernel finds no way: their sockets change no state. */

import {
  and,
  cgroupSock,
  cgroupSockAddr,
  eq,
  fexit,
  int,
  inTask,
  lookup,
  ne,
  type Operand,
  probe,
  remove,
  type Scalar,
  socketCookie,
  struct,
  sub,
} from 'quark-ebpf/probe'
import type { Sock } from '../kernel-types.js'
import type { SocketMaps } from '../maps.js'
import { connectFailedLayout, PHASE_TRIED } from '../records.js'
import { TCP_CLOSE, IPPROTO_TCP } from './common.js'

/**
 * A connection was tried to which the kernel found no way. Unless its function can be hooked, nothing says so but the
 * next thing that happens to the socket, which is in no state of a connection then.
 */
function unreachableBody({ sockets }: SocketMaps, cookie: Scalar, isUnconnected: Scalar, errno: Operand) {
  const { phase, family, netNs, pid, startBootNs, sinceNs, ...tried } = lookup(sockets, cookie)
  return {
    given: and(isUnconnected, eq(phase, PHASE_TRIED)),
    finally: [remove(sockets, cookie)],
    fill: {
      pid,
      startBootNs,
      sinceNs,
      netNs,
      family,
      cookie,
      phase,
      localPort: 0,
      local0: 0,
      local1: 0,
      local2: 0,
      local3: 0,
      remotePort: tried.remotePort,
      remote0: tried.remote0,
      remote1: tried.remote1,
      remote2: tried.remote2,
      remote3: tried.remote3,
      errno,
      shutdown: 0,
    },
  }
}

/** The function that connects returns an error. One of IPv6 calls that of IPv4 for an address of that. */
export function refusedProbe(maps: SocketMaps, version: 4 | 6) {
  return probe(
    {
      name: `quark_no_way${version}`,
      hook: inTask(fexit(`tcp_v${version}_connect`, [struct<Sock>('sock', 'sk')], int('result', 4))),
      record: connectFailedLayout,
    },
    (sk, result) => {
      const hasFailed = and(ne(result, 0), eq(sk.__sk_common.skc_state, TCP_CLOSE))
      return unreachableBody(maps, socketCookie(sk), hasFailed, sub(0, result))
    },
  )
}

/** The socket is connected once more: connect(2) gets as far only if it has no connection. */
export function retryProbe(maps: SocketMaps, version: 4 | 6) {
  return probe(
    {
      name: `quark_retry${version}`,
      hook: cgroupSockAddr(`connect${version}`),
      record: connectFailedLayout,
    },
    ({ protocol }) => unreachableBody(maps, socketCookie(), eq(protocol, IPPROTO_TCP), 0),
  )
}

/** The socket is closed. */
export function givenUpProbe(maps: SocketMaps) {
  return probe(
    { name: 'quark_given_up', hook: cgroupSock('release'), record: connectFailedLayout },
    ({ protocol, state }) => {
      const isUnconnected = and(eq(protocol, IPPROTO_TCP), eq(state, TCP_CLOSE))
      return unreachableBody(maps, socketCookie(), isUnconnected, 0)
    },
  )
}
