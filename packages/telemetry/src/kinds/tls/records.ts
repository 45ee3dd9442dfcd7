/** Layouts of records of TLS, whatever fills them. */

import { bytesTail, record, u32, u64 } from 'quark-ebpf/probe'

/** High byte of the types of records: unique among kinds, and part of the recording format. */
export const TLS_KIND = 6

/** So much of a packet is kept. */
export const MAX_SEGMENT_BYTES = 8192

/** A packet of the client, which comes to a server of this machine. */
export const PLACE_RECEIVED = 1
/** The first packet that the server sends then. */
export const PLACE_ANSWERED = 2

/** One of the first packets that the client of a connection sends. */
export const segmentLayout = record((TLS_KIND << 8) | 1, 'tlsSegment', {
  /** Who connected; 0 when that is not known. */
  pid: u32,
  netNs: u32,
  /** The number that the kernel gives a socket for its lifetime. */
  cookie: u64,
  /** Start of that process, which distinguishes it from others that get its pid; 0 when it is not known. */
  startBootNs: u64,
  packet: bytesTail(MAX_SEGMENT_BYTES),
})

/** One of the first packets that come to a server, or its first answer. */
export const receivedLayout = record((TLS_KIND << 8) | 2, 'tlsReceived', {
  /** Of an answer, who sends it; 0 when that is not known. */
  pid: u32,
  netNs: u32,
  /** The number that the kernel gives a socket for its lifetime. */
  cookie: u64,
  /** Start of that process. */
  startBootNs: u64,
  /** The port of the client, and that of the server. */
  ports: u32,
  /** A number made of the address of the client. */
  client: u32,
  /** `PLACE_` */
  place: u32,
  packet: bytesTail(MAX_SEGMENT_BYTES),
})
