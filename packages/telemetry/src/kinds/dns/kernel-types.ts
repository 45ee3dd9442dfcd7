/** The members of kernel structures that the probes of the DNS touch. */

import type { Scalar } from 'quark-ebpf/probe'
import type { Skb } from '../../names/probes.js'

/** Of `sk_buff`, with what leads to its bytes. */
export interface QueuedSkb extends Skb {
  readonly head: Scalar
  readonly data: Scalar
  readonly len: Scalar
  readonly data_len: Scalar
  readonly network_header: Scalar
  readonly transport_header: Scalar
  readonly protocol: Scalar
}

/** `struct iphdr`. */
export interface Ipv4Header {
  readonly protocol: Scalar
  readonly frag_off: Scalar
  readonly saddr: Scalar
  readonly daddr: Scalar
}

/** Any two numbers of two bytes, in network order: `struct udphdr`. */
export interface TwoNumbers {
  readonly source: Scalar
  readonly dest: Scalar
}
