/**
 * What programs of several rungs share.
 *
 * A change of state may be the work of a task or of a softirq, whose current task has nothing to do with it. A process
 * is only taken from hooks that run in the task that makes the call, or while a task holds the lock of the socket
 * (`sk_lock.owned`): softirqs leave such a socket alone, and the task handles their packets when it unlocks it.
 */

import {
  among,
  and,
  at,
  cast,
  constant,
  currentTask,
  eq,
  firstNonZero,
  firstOf,
  ifThen,
  int,
  ne,
  not,
  or,
  type Scalar,
  shiftLeft,
  shiftRight,
  struct,
  tracepoint,
} from 'quark-ebpf/probe'
import type { ConnectionSock, InetSock, Sock, SocketTask, Subflow, TcpSock } from '../kernel-types.js'
import { AF_INET } from '../records.js'

/** include/net/tcp_states.h */
export const TCP_ESTABLISHED = 1
export const TCP_SYN_SENT = 2
export const TCP_SYN_RECV = 3
export const TCP_CLOSE = 7
export const TCP_LISTEN = 10
export const IPPROTO_TCP = 6
/** All bits of `sk_shutdown`. */
export const BOTH_SHUTDOWN = 3

/** Changes of the state of a socket to one of these. */
export function stateHook(...newStates: readonly number[]) {
  const args = [struct<Sock>('sock', 'sk'), int('oldstate', 4), int('newstate', 4)] as const
  const hook = { ...tracepoint('inet_sock_set_state', args), levels: ['task', 'softirq'] } as const
  return among(hook, 'newstate', newStates)
}

/** A socket of TCP, except those that join a connection of MPTCP, which has another one already. */
export const isTcp = (sk: Sock): Scalar => and(eq(sk.sk_protocol, IPPROTO_TCP), not(isJoined(sk)))

function isJoined(sk: Sock): Scalar {
  const subflow = cast<Subflow>(
    'mptcp_subflow_context',
    cast<ConnectionSock>('inet_connection_sock', sk).icsk_ulp_data,
  )
  const hasJoined = and(
    ne(cast<TcpSock>('tcp_sock', sk).is_mptcp, 0),
    or(ne(subflow.request_join, 0), ne(subflow.mp_join, 0)),
  )
  // A kernel without MPTCP has none.
  return firstOf(hasJoined, constant(0))
}

export const isOwned = (sk: Sock): Scalar => ne(sk.sk_lock.owned, 0)
export const current = (): SocketTask => currentTask<SocketTask>()
/** Of `task_struct.flags`. */
const PF_KTHREAD = 0x0020_0000
/** Not a thread of the kernel, which works for somebody. */
export const isUserTask = (): Scalar => eq(and(currentTask<{ flags: Scalar }>().flags, PF_KTHREAD), 0)
export const currentProcess = () => ({
  pid: current().tgid,
  startBootNs: current().group_leader.start_boottime,
})

/** A port in network order. */
function swapped(port: Scalar): Scalar {
  return or(shiftLeft(and(port, 0xff), 8), shiftRight(port, 8))
}

/** Where a socket and its peer are. */
export function placeOf(sk: Sock) {
  const { skc_family, skc_v6_rcv_saddr: own, skc_v6_daddr: peer, ...common } = membersOf(sk)
  const isV4 = eq(skc_family, AF_INET)
  const word = (words: typeof own, index: number): Scalar => at(words.in6_u.u6_addr32, index)
  return {
    netNs: common.skc_net.net.ns.inum,
    family: skc_family,
    // When a socket is closed the other form of the port is 0 already.
    localPort: firstOf(cast<InetSock>('inet_sock', sk).inet_sport, swapped(sk.__sk_common.skc_num)),
    remotePort: common.skc_dport,
    local0: firstNonZero(ifThen(isV4, common.skc_rcv_saddr), word(own, 0)),
    local1: word(own, 1),
    local2: word(own, 2),
    local3: word(own, 3),
    remote0: firstNonZero(ifThen(isV4, common.skc_daddr), word(peer, 0)),
    remote1: word(peer, 1),
    remote2: word(peer, 2),
    remote3: word(peer, 3),
  }
}

/** Members are values of their own: a path has none to enumerate. */
function membersOf({ __sk_common: common }: Sock) {
  return {
    skc_family: common.skc_family,
    skc_daddr: common.skc_daddr,
    skc_rcv_saddr: common.skc_rcv_saddr,
    skc_dport: common.skc_dport,
    skc_v6_daddr: common.skc_v6_daddr,
    skc_v6_rcv_saddr: common.skc_v6_rcv_saddr,
    skc_net: common.skc_net,
  }
}
