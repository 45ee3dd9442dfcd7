/** What probes of packets have in common, whatever kind they are of. */

import {
  add,
  and,
  cgroupSockAddr,
  constant,
  currentTask,
  eq,
  firstNonZero,
  ifThen,
  oneOf,
  packet,
  type Probe,
  probe,
  type Scalar,
  shiftRight,
  socketCookie,
  store,
} from 'quark-ebpf/probe'
import { swap16 } from './address.js'

export const IPPROTO_TCP = 6
export const IPPROTO_UDP = 17
/** The first byte of IPv4 without options. */
const PLAIN_IPV4 = 0x45

interface Net {
  readonly ns: { readonly inum: Scalar }
}

/** The members of `task_struct` that are touched. */
export interface Task {
  readonly tgid: Scalar
  readonly group_leader: { readonly start_boottime: Scalar }
  readonly nsproxy: { readonly net_ns: Net }
}

/** Of `sock`. */
export interface Sock {
  readonly __sk_common: {
    readonly skc_cookie: { readonly counter: Scalar }
    readonly skc_net: { readonly net: Net }
    readonly skc_state: Scalar
  }
  readonly sk_lock: { readonly owned: Scalar }
}

/** Of `sk_buff`. */
export interface Skb {
  readonly sk: Sock
}

/** The task that runs. */
export const current = (): Task => currentTask<Task>()

/** Ports as packets have them. */
export function inNetworkOrder(ports: readonly number[]): number[] {
  return ports.map(swap16)
}

/** A packet as programs of cgroups have it: from the header of the network on, in network order. */
export function packetView() {
  const first = packet(0, 1)
  const isV4 = eq(shiftRight(first, 4), 4)
  const isV6 = eq(shiftRight(first, 4), 6)
  const isPlainV4 = eq(first, PLAIN_IPV4)
  const either = (v4: number, v6: number, size: 1 | 2 | 4): Scalar =>
    firstNonZero(ifThen(isPlainV4, packet(v4, size)), ifThen(isV6, packet(v6, size)))
  /** TCP: the length of its header is in the high half. */
  const tcpHeader = either(32, 52, 1)
  return {
    isV4,
    isV6,
    isPlainV4,
    either,
    protocol: either(9, 6, 1),
    source: either(20, 40, 2),
    target: either(22, 42, 2),
    tcpHeader,
    networkBytes: firstNonZero(ifThen(isV4, 20), constant(40)),
    tcpBytes: shiftRight(and(tcpHeader, 0xf0), 2),
  }
}

/** Numbers made of the addresses of a packet. */
export function packetAddresses({ isPlainV4, isV6 }: ReturnType<typeof packetView>) {
  const word = (at: number): Scalar => packet(at, 4)
  const address = (v4: number, v6: number): Scalar =>
    firstNonZero(ifThen(isPlainV4, word(v4)), ifThen(isV6, sumAt(word, v6)))
  return { sourceAddress: address(12, 8), targetAddress: address(16, 24) }
}

/** The numbers of an address of IPv6, as one. */
export function sumAt(word: (at: number) => Scalar, at: number): Scalar {
  return add(add(word(at), word(at + 4)), add(word(at + 8), word(at + 12)))
}

/** A map by the cookies of sockets, whose values have who uses them. */
type Users = Parameters<typeof store>[0]

/** A process connects over TCP to one of some ports: it is kept as the user of its socket. */
export function connectProbe(name: string, users: Users, version: 4 | 6, ports: readonly number[]): Probe {
  const hook = cgroupSockAddr(`connect${version}`)
  return probe({ name: `${name}${version}`, hook }, (context) => ({
    when: and(eq(context.protocol, IPPROTO_TCP), oneOf(context.user_port, inNetworkOrder(ports))),
    effects: [
      store(users, socketCookie(), {
        pid: current().tgid,
        startBootNs: current().group_leader.start_boottime,
        netNs: current().nsproxy.net_ns.ns.inum,
      }),
    ],
  }))
}
