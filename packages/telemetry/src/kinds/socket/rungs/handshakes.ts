/** Connections that processes of this machine began: how their handshake ended. */

import { and, eq, has, lookup, or, probe, remove, store } from 'quark-ebpf/probe'
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
      const { pid, startBootNs, sinceNs } = lookup(sockets, key)
      const phase = PHASE_CONNECTED
      return {
        when: and(
          isTcp(sk),
          // Both sides may begin at once.
          or(eq(oldState, TCP_SYN_SENT), and(eq(oldState, TCP_SYN_RECV), has(sockets, key))),
        ),
        effects: [store(sockets, key, { pid, startBootNs, sinceNs, phase })],
        fill: { pid, startBootNs, sinceNs, phase, cookie: keys.idOf(key), ...placeOf(sk) },
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
          isTcp(sk),
          or(eq(oldState, TCP_SYN_SENT), and(eq(oldState, TCP_SYN_RECV), has(sockets, key))),
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
