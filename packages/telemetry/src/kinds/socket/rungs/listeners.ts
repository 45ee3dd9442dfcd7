/** Who listens. */

import { and, bootNs, eq, fexit, inTask, int, probe, socketCookie, store, struct } from 'quark-ebpf/probe'
import type { SocketOfFile } from '../kernel-types.js'
import type { SocketMaps } from '../maps.js'
import { listenLayout, listenPortLayout, PHASE_LISTENING } from '../records.js'
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

/** listen(2) has returned: by now the kernel has chosen a port, if there was none. */
export function listenPortProbe() {
  const hook = inTask(
    fexit('inet_listen', [struct<SocketOfFile>('socket', 'sock'), int('backlog', 4)], int('result', 4)),
  )
  return probe({ name: 'quark_lstn_port', hook, record: listenPortLayout }, (sock, _backlog, result) => ({
    given: and(eq(result, 0), isTcp(sock.sk)),
    fill: {
      ...currentProcess(),
      cookie: socketCookie(sock),
      phase: PHASE_LISTENING,
      sinceNs: bootNs(),
      ...placeOf(sock.sk),
    },
  }))
}
