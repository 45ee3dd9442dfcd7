/** Layouts of records of DNS packets, whatever fills them. */

import { bytesTail, record, u32, u64 } from 'quark-ebpf/probe'

/** High byte of the types of records: unique among kinds, and part of the recording format. */
export const DNS_KIND = 5

export const RECORD_PACKET = (DNS_KIND << 8) | 1

/** A packet is never longer. */
export const MAX_PACKET_BYTES = 65_536

/** The packet was sent by a socket of this machine. */
export const PLACE_SENT = 1
/** The packet is about to be received by a socket of this machine. */
export const PLACE_RECEIVED = 2

/** A packet with a message, or with a part of one over TCP. */
export const packetLayout = record(RECORD_PACKET, 'dnsPacket', {
  /** Who sent it, or was the last to send from the socket that receives it; 0 when that is not known. */
  pid: u32,
  netNs: u32,
  /** The number that the kernel gives a socket for its lifetime; 0 when it has none. */
  cookie: u64,
  /** Start of that process, which distinguishes it from others that get its pid; 0 when it is not known. */
  startBootNs: u64,
  /** Port of who asks, and over UDP the id of the message: what a question and its answer have in common. */
  exchange: u32,
  /** A number made of the address of who asks. */
  client: u32,
  /** `PLACE_` */
  place: u32,
  /** Of the whole packet, from the header of IP on. */
  lengthBytes: u32,
  packet: bytesTail(MAX_PACKET_BYTES),
})
