/** Connections that others began: who has them. */

import {
  and,
  bootNs,
  cgroupSockAddr,
  claim,
  eq,
  fexit,
  has,
  int,
  inTask,
  lookup,
  not,
  probe,
  remove,
  type Scalar,
  socketCookie,
  store,
  struct,
  tracepoint,
} from 'quark-ebpf/probe'
import type { Sock, SockAddrKern } from '../kernel-types.js'
import type { SocketMaps } from '../maps.js'
import { acceptLayout, PHASE_ACCEPTED } from '../records.js'
import {
  TCP_ESTABLISHED,
  TCP_SYN_RECV,
  stateHook,
  isTcp,
  isOwned,
  placeOf,
  currentProcess,
} from './common.js'

/** A handshake that the other side began has finished: who accepts the connection is to be seen. */
export function takenProbe({ sockets, waiting }: SocketMaps) {
  return probe({ name: 'quark_taken', hook: stateHook }, (sk, oldState, newState) => ({
    when: and(
      eq(newState, TCP_ESTABLISHED),
      eq(oldState, TCP_SYN_RECV),
      isTcp(sk),
      not(has(sockets, socketCookie(sk))),
    ),
    effects: [store(waiting, socketCookie(sk), bootNs())],
  }))
}

/** What the first process that is seen with a connection does. */
function acceptBody({ sockets, waiting }: SocketMaps, cookie: Scalar, sk: Sock, isCandidate: Scalar) {
  const accepted = { ...currentProcess(), phase: PHASE_ACCEPTED }
  return {
    given: and(isCandidate, has(waiting, cookie)),
    effects: [claim(sockets, cookie, 0, { ...accepted, sinceNs: lookup(waiting, cookie) })],
    finally: [remove(waiting, cookie)],
    fill: { ...accepted, cookie, sinceNs: lookup(sockets, cookie).sinceNs, ...placeOf(sk) },
  }
}

/** The function that accepts returns a socket. */
export function acceptedProbe(maps: SocketMaps) {
  const { sockets, waiting } = maps
  return probe(
    {
      name: 'quark_accept',
      hook: inTask(fexit('inet_csk_accept', [], struct<Sock>('sock', 'accepted'))),
      record: acceptLayout,
    },
    (sk) => {
      const cookie = socketCookie(sk)
      const accepted = { ...currentProcess(), phase: PHASE_ACCEPTED }
      return {
        // What is read of no socket is 0.
        given: isTcp(sk),
        effects: [claim(sockets, cookie, 0, { ...accepted, sinceNs: lookup(waiting, cookie) })],
        finally: [remove(waiting, cookie)],
        fill: { ...accepted, cookie, sinceNs: lookup(sockets, cookie).sinceNs, ...placeOf(sk) },
      }
    },
  )
}

/** An accept(2) that asks for the address of the peer. */
export function acceptProbe(maps: SocketMaps, version: 4 | 6) {
  return probe(
    {
      name: `quark_accept${version}`,
      hook: cgroupSockAddr(`getpeername${version}`, struct<SockAddrKern>('bpf_sock_addr_kern')),
      record: acceptLayout,
    },
    (_context, kern) => acceptBody(maps, socketCookie(), kern.sk, isTcp(kern.sk)),
  )
}

/** A process reads. */
export function firstReadProbe(maps: SocketMaps) {
  return probe(
    {
      name: 'quark_read',
      hook: {
        ...tracepoint('tcp_rcv_space_adjust', [struct<Sock>('sock', 'sk')]),
        levels: ['task', 'softirq'],
      },
      record: acceptLayout,
    },
    (sk) => acceptBody(maps, socketCookie(sk), sk, isOwned(sk)),
  )
}

/** A process sends. */
export function firstSendProbe(maps: SocketMaps) {
  return probe(
    {
      name: 'quark_send',
      hook: inTask(tracepoint('sock_send_length', [struct<Sock>('sock', 'sk'), int('ret', 4)])),
      record: acceptLayout,
    },
    (sk) => acceptBody(maps, socketCookie(sk), sk, isTcp(sk)),
  )
}
