/** Who listens. */

import { and, bootNs, eq, probe, store } from 'quark-ebpf/probe'
import type { SocketMaps } from '../maps.js'
import { listenLayout, PHASE_LISTENING } from '../records.js'
import { TCP_CLOSE, TCP_LISTEN, stateHook, isTcp, isOwned, placeOf, currentProcess } from './common.js'

/** listen(2). */
export function listenProbe({ sockets, keys }: SocketMaps) {
  return probe(
    { name: 'quark_listen', hook: stateHook(TCP_LISTEN), record: listenLayout },
    (sk, oldState) => {
      const key = keys.of(sk)
      const entry = { ...currentProcess(), phase: PHASE_LISTENING, sinceNs: bootNs() }
      return {
        when: and(eq(oldState, TCP_CLOSE), isTcp(sk), isOwned(sk)),
        effects: [store(sockets, key, entry)],
        fill: { ...entry, cookie: keys.idOf(key), backlog: sk.sk_max_ack_backlog, ...placeOf(sk) },
      }
    },
  )
}
