/** Connections that processes of this machine began: how their handshake ended. */

import { and, eq, has, lookup, or, probe, remove, socketCookie, store } from 'quark-ebpf/probe'
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
export function connectProbe({ sockets }: SocketMaps) {
  return probe(
    { name: 'quark_connect', hook: stateHook, record: connectLayout },
    (sk, oldState, newState) => {
      const cookie = socketCookie(sk)
      const { pid, startBootNs, sinceNs } = lookup(sockets, cookie)
      const phase = PHASE_CONNECTED
      return {
        when: and(
          eq(newState, TCP_ESTABLISHED),
          isTcp(sk),
          // Both sides may begin at once.
          or(eq(oldState, TCP_SYN_SENT), and(eq(oldState, TCP_SYN_RECV), has(sockets, cookie))),
        ),
        effects: [store(sockets, cookie, { pid, startBootNs, sinceNs, phase })],
        fill: { pid, startBootNs, sinceNs, phase, cookie, ...placeOf(sk) },
      }
    },
  )
}

/** A handshake that this side began has failed, or was given up. */
export function connectFailedProbe({ sockets }: SocketMaps) {
  return probe(
    { name: 'quark_refused', hook: stateHook, record: connectFailedLayout },
    (sk, oldState, newState) => {
      const cookie = socketCookie(sk)
      const { pid, startBootNs, sinceNs, phase } = lookup(sockets, cookie)
      return {
        given: and(
          eq(newState, TCP_CLOSE),
          isTcp(sk),
          or(eq(oldState, TCP_SYN_SENT), and(eq(oldState, TCP_SYN_RECV), has(sockets, cookie))),
        ),
        finally: [remove(sockets, cookie)],
        fill: {
          pid,
          startBootNs,
          sinceNs,
          phase,
          cookie,
          ...placeOf(sk),
          errno: sk.sk_err,
          shutdown: and(sk.sk_shutdown, BOTH_SHUTDOWN),
        },
      }
    },
  )
}
