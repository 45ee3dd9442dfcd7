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
  kretprobe,
  lookup,
  ne,
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
export function takenProbe({ sockets, waiting, keys }: SocketMaps) {
  return probe({ name: 'quark_taken', hook: stateHook(TCP_ESTABLISHED) }, (sk, oldState) => ({
    when: and(eq(oldState, TCP_SYN_RECV), isTcp(sk), not(has(sockets, keys.of(sk)))),
    effects: [store(waiting, keys.of(sk), bootNs())],
  }))
}

/** What the first process that is seen with a connection does. */
export function acceptBody(
  { sockets, waiting, keys }: SocketMaps,
  key: Scalar,
  sk: Sock,
  isCandidate: Scalar,
) {
  const accepted = { ...currentProcess(), phase: PHASE_ACCEPTED }
  return {
    given: and(isCandidate, has(waiting, key)),
    effects: [claim(sockets, key, 0, { ...accepted, sinceNs: lookup(waiting, key) })],
    finally: [remove(waiting, key)],
    fill: { ...accepted, cookie: keys.idOf(key), sinceNs: lookup(sockets, key).sinceNs, ...placeOf(sk) },
  }
}

/** The function that accepts returns a socket. */
function acceptedBody({ sockets, waiting, keys }: SocketMaps, key: Scalar, sk: Sock) {
  const accepted = { ...currentProcess(), phase: PHASE_ACCEPTED }
  return {
    // What is read of no socket is 0.
    given: and(isTcp(sk), ne(key, 0)),
    effects: [claim(sockets, key, 0, { ...accepted, sinceNs: lookup(waiting, key) })],
    finally: [remove(waiting, key)],
    fill: { ...accepted, cookie: keys.idOf(key), sinceNs: lookup(sockets, key).sinceNs, ...placeOf(sk) },
  }
}

export function acceptedProbe(maps: SocketMaps, name = 'quark_accept') {
  const hook = inTask(fexit('inet_csk_accept', [], struct<Sock>('sock', 'accepted')))
  return probe({ name, hook, record: acceptLayout }, (sk) => acceptedBody(maps, maps.keys.of(sk), sk))
}

/** The same where only kprobes can hook it. */
export function acceptedKprobe(maps: SocketMaps, name = 'quark_accept') {
  const hook = inTask(kretprobe('inet_csk_accept', struct<Sock>('sock', 'accepted')))
  return probe({ name, hook, record: acceptLayout }, (sk) => acceptedBody(maps, maps.keys.ofUntyped(sk), sk))
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
    (sk) => acceptBody(maps, maps.keys.of(sk), sk, isOwned(sk)),
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
    (sk) => acceptBody(maps, maps.keys.of(sk), sk, isTcp(sk)),
  )
}
