/** Who listens. */

import { and, bootNs, eq, probe, socketCookie, store } from 'quark-ebpf/probe'
import type { SocketMaps } from '../maps.js'
import { listenLayout, PHASE_LISTENING } from '../records.js'
import { TCP_CLOSE, TCP_LISTEN, stateHook, isTcp, isOwned, placeOf, currentProcess } from './common.js'

/** listen(2). */
export function listenProbe({ sockets }: SocketMaps) {
  return probe({ name: 'quark_listen', hook: stateHook, record: listenLayout }, (sk, oldState, newState) => {
    const cookie = socketCookie(sk)
    const entry = { ...currentProcess(), phase: PHASE_LISTENING, sinceNs: bootNs() }
    return {
      when: and(eq(newState, TCP_LISTEN), eq(oldState, TCP_CLOSE), isTcp(sk), isOwned(sk)),
      effects: [store(sockets, cookie, entry)],
      fill: { ...entry, cookie, backlog: sk.sk_max_ack_backlog, ...placeOf(sk) },
    }
  })
}
