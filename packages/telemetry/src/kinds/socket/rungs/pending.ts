/** Connections of which no record can have told yet. */

import { eq, has, iterator, or, probe, type Scalar, struct } from 'quark-ebpf/probe'
import type { Sock } from '../kernel-types.js'
import type { SocketMaps } from '../maps.js'
import { tcpPendingLayout } from '../records.js'
import { TCP_SYN_SENT } from './common.js'

/** Walks through the TCP sockets of the network namespace of the caller. */
export function pendingProbe({ waiting, keys }: SocketMaps) {
  const hook = iterator('tcp', [struct<Sock['__sk_common']>('sock_common', 'sk_common')])
  return probe({ name: 'quark_pending', hook, record: tcpPendingLayout }, (common) => {
    const isOpening: Scalar = eq(common.skc_state, TCP_SYN_SENT)
    const isWaiting = has(waiting, keys.ofCommon(common))
    return { when: or(isOpening, isWaiting), fill: { isOpening, isWaiting } }
  })
}
