/** Connections that processes of this machine began: how their handshake ended. */

import { and, eq, has, increase, lookup, or, probe, remove, sub } from 'quark-ebpf/probe'
import type { SocketMaps } from '../maps.js'
import { connectFailedLayout, connectLayout, PHASE_CONNECTED } from '../records.js'
import {
  TCP_ESTABLISHED,
  TCP_SYN_SENT,
  TCP_SYN_RECV,
  TCP_CLOSE,
  BOTH_SHUTDOWN,
  stateHook,
  isTcp,
  placeOf,
} from './common.js'

/** A handshake that this side began has finished. */
export function connectProbe({ sockets, keys }: SocketMaps) {
  return probe(
    { name: 'quark_connect', hook: stateHook(TCP_ESTABLISHED), record: connectLayout },
    (sk, oldState) => {
      const key = keys.of(sk)
      const { pid, startBootNs, sinceNs, phase } = lookup(sockets, key)
      return {
        when: and(
          // Both sides may begin at once.
          or(eq(oldState, TCP_SYN_SENT), and(eq(oldState, TCP_SYN_RECV), has(sockets, key))),
          isTcp(sk),
        ),
        // In its place: to store an entry anew takes several times as long.
        effects: [increase(sockets, key, { phase: sub(PHASE_CONNECTED, phase) })],
        fill: { pid, startBootNs, sinceNs, phase: PHASE_CONNECTED, cookie: keys.idOf(key), ...placeOf(sk) },
      }
    },
  )
}

/** A handshake that this side began has failed, or was given up. */
export function connectFailedProbe({ sockets, keys }: SocketMaps) {
  return probe(
    { name: 'quark_refused', hook: stateHook(TCP_CLOSE), record: connectFailedLayout },
    (sk, oldState) => {
      const key = keys.of(sk)
      const { pid, startBootNs, sinceNs, phase } = lookup(sockets, key)
      return {
        given: and(
          or(eq(oldState, TCP_SYN_SENT), and(eq(oldState, TCP_SYN_RECV), has(sockets, key))),
          isTcp(sk),
        ),
        finally: [remove(sockets, key)],
        fill: {
          pid,
          startBootNs,
          sinceNs,
          phase,
          cookie: keys.idOf(key),
          ...placeOf(sk),
          errno: sk.sk_err,
          shutdown: and(sk.sk_shutdown, BOTH_SHUTDOWN),
        },
      }
    },
  )
}
