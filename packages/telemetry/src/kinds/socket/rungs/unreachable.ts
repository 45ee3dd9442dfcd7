/** Connections to addresses to which the kernel finds no way: their sockets change no state. */

import {
  and,
  at,
  bootNs,
  cast,
  cgroupSock,
  cgroupSockAddr,
  currentPidTgid,
  type Elements,
  eq,
  fexit,
  has,
  int,
  inTask,
  kprobe,
  kretprobe,
  lookup,
  ne,
  not,
  type Operand,
  pair,
  pointer,
  type Probe,
  probe,
  remove,
  type Scalar,
  socketCookie,
  struct,
  sub,
  u32,
  u64,
} from 'quark-ebpf/probe'
import type { Sock } from '../kernel-types.js'
import type { SocketMaps } from '../maps.js'
import { AF_INET, AF_INET6, connectErrorLayout, connectFailedLayout, PHASE_TRIED } from '../records.js'
import { currentProcess, IPPROTO_TCP, isOwned, isTcp, stateHook, TCP_CLOSE, TCP_SYN_SENT } from './common.js'

/** A socket to which there was no way has no address of its own. */
const NO_LOCAL = { localPort: 0, local0: 0, local1: 0, local2: 0, local3: 0 }

/**
 * A connection was tried to which the kernel found no way. Unless its function can be hooked, nothing says so but the
 * next thing that happens to the socket, which is in no state of a connection then.
 */
function unreachableBody({ sockets, keys }: SocketMaps, key: Scalar, isUnconnected: Scalar, errno: Operand) {
  const { phase, family, netNs, pid, startBootNs, sinceNs, ...tried } = lookup(sockets, key)
  return {
    given: and(isUnconnected, eq(phase, PHASE_TRIED)),
    finally: [remove(sockets, key)],
    fill: {
      pid,
      startBootNs,
      sinceNs,
      netNs,
      family,
      cookie: keys.idOf(key),
      phase,
      ...NO_LOCAL,
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
      return unreachableBody(maps, maps.keys.of(sk), hasFailed, sub(0, result))
    },
  )
}

/** It returns an error although a packet was about to be sent: no local port is free, or there is no memory. */
export function connectErrorProbe({ sockets, keys }: SocketMaps, version: 4 | 6) {
  return probe(
    {
      name: `quark_c_error${version}`,
      hook: inTask(fexit(`tcp_v${version}_connect`, [struct<Sock>('sock', 'sk')], int('result', 4))),
      record: connectErrorLayout,
    },
    (sk, result) => ({
      given: and(
        ne(result, 0),
        eq(sk.__sk_common.skc_state, TCP_CLOSE),
        // The function of IPv6 calls that of IPv4 for an address of that.
        eq(sk.__sk_common.skc_family, version === 4 ? AF_INET : AF_INET6),
        // The change of state was recorded, and what was kept of the attempt removed.
        not(has(sockets, keys.of(sk))),
      ),
      fill: { cookie: keys.idOf(keys.of(sk)), errno: sub(0, result) },
    }),
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
    ({ protocol, state, dst_port }) => {
      // What had a connection keeps the port of the peer, also when programs missed it.
      const isUnconnected = and(eq(protocol, IPPROTO_TCP), eq(state, TCP_CLOSE), eq(dst_port, 0))
      return unreachableBody(maps, socketCookie(), isUnconnected, 0)
    },
  )
}

/** `struct sockaddr_in`. */
interface Address4 {
  readonly sin_port: Scalar
  readonly sin_addr: { readonly s_addr: Scalar }
}

/** `struct sockaddr_in6`. */
interface Address6 {
  readonly sin6_port: Scalar
  readonly sin6_addr: { readonly in6_u: { readonly u6_addr32: Elements<Scalar> } }
}

/** What a call to connect was given, as long as it is not known what becomes of it. */
const CALL = {
  sinceNs: u64,
  remote0: u32,
  remote1: u32,
  remote2: u32,
  remote3: u32,
  remotePort: u32,
  family: u32,
  netNs: u32,
} as const

/** The address that a function was given. */
function givenAddress(version: 4 | 6, address: Scalar) {
  if (version === 4) {
    const { sin_port: remotePort, sin_addr } = cast<Address4>('sockaddr_in', address)
    return { family: AF_INET, remotePort, remote0: sin_addr.s_addr, remote1: 0, remote2: 0, remote3: 0 }
  }
  const { sin6_port: remotePort, sin6_addr } = cast<Address6>('sockaddr_in6', address)
  const word = (index: number): Scalar => at(sin6_addr.in6_u.u6_addr32, index)
  return {
    family: AF_INET6,
    remotePort,
    remote0: word(0),
    remote1: word(1),
    remote2: word(2),
    remote3: word(3),
  }
}

/** The function that connects, where only kprobes can hook it, from its entry to its error. */
function failedCall({ keys }: SocketMaps, version: 4 | 6) {
  const name = `tcp_v${version}_connect`
  return pair(
    {
      name: `quark_c${version}`,
      entry: inTask(kprobe(name, [struct<Sock>('sock', 'sk'), pointer('uaddr')])),
      exit: inTask(kretprobe(name, int('result', 4))),
      kept: { ...CALL, cookie: u64 },
      record: connectFailedLayout,
    },
    (sk, address) => ({
      // The function of IPv6 calls that of IPv4 for an address of that.
      when: and(isTcp(sk), eq(sk.__sk_common.skc_family, version === 4 ? AF_INET : AF_INET6)),
      keep: {
        ...givenAddress(version, address),
        sinceNs: bootNs(),
        netNs: sk.__sk_common.skc_net.net.ns.inum,
        cookie: keys.idOf(keys.ofUntyped(sk)),
      },
    }),
    ({ cookie, sinceNs, family, netNs, ...kept }, result) => ({
      given: ne(result, 0),
      fill: {
        ...currentProcess(),
        sinceNs,
        netNs,
        family,
        cookie,
        phase: PHASE_TRIED,
        ...NO_LOCAL,
        remotePort: kept.remotePort,
        remote0: kept.remote0,
        remote1: kept.remote1,
        remote2: kept.remote2,
        remote3: kept.remote3,
        errno: sub(0, result),
        shutdown: 0,
      },
    }),
  )
}

/** All calls to connect that fail before a packet is sent: from then on the state of the socket says what happens. */
export function failedCalls(maps: SocketMaps): readonly Probe[] {
  const pairs = [failedCall(maps, 4), failedCall(maps, 6)]
  const thread = currentPidTgid()
  const sent = probe({ name: 'quark_sent', hook: stateHook(TCP_SYN_SENT) }, (sk) => ({
    given: isOwned(sk),
    finally: pairs.map(({ calls }) => remove(calls, thread)),
  }))
  // A call that is seen to begin is seen to end.
  return [sent, ...pairs.flatMap(({ exit, entry }) => [exit, entry])] as readonly Probe[]
}
