/** The members of kernel structures that the probes of sockets touch. */

import type { Elements, Scalar } from 'quark-ebpf/probe'

interface Address6 {
  readonly in6_u: { readonly u6_addr32: Elements<Scalar> }
}

export interface Sock {
  readonly __sk_common: {
    readonly skc_family: Scalar
    readonly skc_state: Scalar
    readonly skc_daddr: Scalar
    readonly skc_rcv_saddr: Scalar
    readonly skc_dport: Scalar
    readonly skc_flags: Scalar
    readonly skc_num: Scalar
    readonly skc_cookie: { readonly counter: Scalar }
    readonly skc_v6_daddr: Address6
    readonly skc_v6_rcv_saddr: Address6
    readonly skc_net: { readonly net: { readonly ns: { readonly inum: Scalar } } }
  }
  readonly sk_protocol: Scalar
  readonly sk_type: Scalar
  readonly sk_err: Scalar
  readonly sk_shutdown: Scalar
  readonly sk_socket: Scalar
  readonly sk_kern_sock: Scalar
  readonly sk_peer_pid: { readonly numbers: Elements<{ readonly nr: Scalar }> }
  readonly sk_max_ack_backlog: Scalar
  readonly sk_lock: { readonly owned: Scalar }
}

export interface InetSock {
  readonly inet_sport: Scalar
}

/** `struct mptcp_sock`. */
export interface MptcpSock {
  readonly first: Sock
}

/** Of a socket that is part of an MPTCP connection. */
export interface Subflow {
  readonly request_join: Scalar
  readonly mp_join: Scalar
}

export interface ConnectionSock {
  readonly icsk_ulp_data: Scalar
}

export interface TcpSock {
  readonly is_mptcp: Scalar
  readonly bytes_sent: Scalar
  readonly bytes_retrans: Scalar
  readonly bytes_received: Scalar
  readonly write_seq: Scalar
  readonly snd_nxt: Scalar
}

export interface SocketTask {
  readonly nsproxy: { readonly net_ns: { readonly ns: { readonly inum: Scalar } } }
  readonly files: { readonly fdt: { readonly fd: Elements<File>; readonly max_fds: Scalar } }
  readonly tgid: Scalar
  readonly group_leader: { readonly start_boottime: Scalar }
}

interface UnixAddress {
  readonly len: Scalar
  readonly name: Elements<{ readonly sun_path: Elements<Scalar> }>
}

export interface UnixSock {
  readonly peer: Scalar
  readonly addr: UnixAddress
}

/** A packet: `struct sk_buff`. */
export interface SkBuff {
  readonly sk: Sock
  readonly head: Scalar
  /** Offset of what is behind its bytes: `struct skb_shared_info`. */
  readonly end: Scalar
  readonly len: Scalar
  readonly protocol: Scalar
  readonly network_header: Scalar
  readonly transport_header: Scalar
}

/** `struct skb_shared_info`. */
export interface SharedInfo {
  readonly gso_segs: Scalar
}

export interface UdpHeader {
  readonly source: Scalar
  readonly dest: Scalar
}

export interface IpHeader {
  readonly saddr: Scalar
  readonly daddr: Scalar
}

export interface Ipv6Header {
  readonly saddr: Address6
  readonly daddr: Address6
}

/** `struct bpf_sock_addr_kern`. */
export interface SockAddrKern {
  readonly sk: Sock
}

export interface File {
  readonly private_data: Scalar
  readonly f_inode: { readonly i_mode: Scalar }
}

/** `struct socket`. */
export interface SocketOfFile {
  readonly sk: Sock
}

/** `struct socket_alloc`: a socket, and the inode that it is. */
export interface SocketAlloc {
  readonly vfs_inode: { readonly i_ino: Scalar }
}

/** `struct packet_sock`. */
export interface PacketSock {
  readonly num: Scalar
}
