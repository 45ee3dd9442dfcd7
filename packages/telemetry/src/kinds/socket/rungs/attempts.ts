/** Who begins a connection, which is noted for what is seen of it later. */

import {
  and,
  at,
  bootNs,
  cgroupSockAddr,
  constant,
  eq,
  firstOf,
  probe,
  type Scalar,
  socketCookie,
  store,
  struct,
} from 'quark-ebpf/probe'
import type { SockAddrKern } from '../kernel-types.js'
import type { SocketMaps } from '../maps.js'
import { AF_INET, AF_INET6, PHASE_TRIED } from '../records.js'
import { TCP_SYN_SENT, IPPROTO_TCP, stateHook, isTcp, isOwned, currentProcess } from './common.js'

/** A system call begins a connection: whoever establishes it, this is the process. */
export function attemptProbe({ sockets }: SocketMaps, version: 4 | 6) {
  return probe(
    {
      name: `quark_try${version}`,
      hook: cgroupSockAddr(`connect${version}`, struct<SockAddrKern>('bpf_sock_addr_kern')),
    },
    (context, kern) => {
      const word = (index: number): Scalar => at(context.user_ip6, index)
      return {
        when: eq(context.protocol, IPPROTO_TCP),
        effects: [
          store(sockets, socketCookie(), {
            ...currentProcess(),
            phase: PHASE_TRIED,
            sinceNs: bootNs(),
            remotePort: context.user_port,
            family: version === 4 ? AF_INET : AF_INET6,
            netNs: firstOf(kern.sk.__sk_common.skc_net.net.ns.inum, constant(0)),
            ...(version === 4
              ? { remote0: context.user_ip4 }
              : { remote0: word(0), remote1: word(1), remote2: word(2), remote3: word(3) }),
          }),
        ],
      }
    },
  )
}

/** The first packet of a handshake is sent, in the task that connects. */
export function attemptByStateProbe({ sockets, keys }: SocketMaps) {
  return probe({ name: 'quark_syn', hook: stateHook(TCP_SYN_SENT) }, (sk) => ({
    when: and(isTcp(sk), isOwned(sk)),
    effects: [store(sockets, keys.of(sk), { ...currentProcess(), phase: PHASE_TRIED, sinceNs: bootNs() })],
  }))
}
