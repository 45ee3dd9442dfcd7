/** The members of kernel structures that the probes of the DNS touch. */

import type { Scalar } from 'quark-ebpf/probe'

interface Net {
  readonly net: { readonly ns: { readonly inum: Scalar } }
}

export interface Sock {
  readonly __sk_common: {
    readonly skc_cookie: { readonly counter: Scalar }
    readonly skc_net: Net
  }
  readonly sk_lock: { readonly owned: Scalar }
}

export interface Skb {
  readonly sk: Sock
  readonly head: Scalar
  readonly data: Scalar
  readonly len: Scalar
  readonly data_len: Scalar
  readonly network_header: Scalar
  readonly transport_header: Scalar
  readonly protocol: Scalar
}

export interface DnsTask {
  readonly tgid: Scalar
  readonly group_leader: { readonly start_boottime: Scalar }
  readonly nsproxy: { readonly net_ns: { readonly ns: { readonly inum: Scalar } } }
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
