/** The headers of a packet: IPv4 or IPv6, then UDP or TCP. Never throws, whatever the bytes are. */

import { TAIL_LENGTH_MASK } from 'quark-ebpf/probe'
import type { RecordPlace } from '../event/raw.js'
import { u64Of } from '../event/time-base.js'
import { ipv4Text, ipv6Text } from './address.js'

const IPPROTO_TCP = 6
const IPPROTO_UDP = 17
const UDP_BYTES = 8
const IPV4_BYTES = 20
const IPV6_BYTES = 40
/** Headers of IPv6 that may lie between, of which the second byte is a length: of hops, routes and destinations. */
const EXTENSIONS: ReadonlySet<number> = new Set([0, 43, 60])
const FRAGMENT = 44
/** More of them are no packet that anybody sends. */
const MAX_EXTENSIONS = 8
const FIN_OR_RST = 5
const SYN = 2

/** What the headers of a packet say, and where what it carries is. */
export interface Packet {
  readonly transport: 'udp' | 'tcp'
  readonly family: 'ipv4' | 'ipv6'
  readonly sourceIp: string
  readonly sourcePort: number
  readonly targetIp: string
  readonly targetPort: number
  /** Number of the first byte that it carries in a stream of TCP. */
  readonly sequence: number
  /** The stream ends here. */
  readonly isLast: boolean
  /** The rest of a datagram is in other packets. */
  readonly isFragment: boolean
  /** What it carries, as far as it was kept; the memory of the record. */
  readonly payload: Buffer
  /** How much it carries. */
  readonly payloadBytes: number
}

/** Words of the header in which the time of a record is. */
const TIME_LO = 2
const TIME_HI = 3

/** Where records of packets of a layout have what they have in common, in words. */
export interface PacketPlaces {
  readonly pid: number
  readonly netNs: number
  readonly cookie: number
  readonly start: number
  readonly packet: number
  readonly fixedSizeBytes: number
}

/** Fields that records of packets have, whatever their kind. */
type PacketField = 'pid' | 'netNs' | 'cookie' | 'startBootNs' | 'packet'

export function packetPlaces({
  at,
  fixedSizeBytes,
}: {
  readonly at: Readonly<Record<PacketField, number>>
  readonly fixedSizeBytes: number
}): PacketPlaces {
  return {
    pid: at.pid >> 2,
    netNs: at.netNs >> 2,
    cookie: at.cookie >> 2,
    start: at.startBootNs >> 2,
    packet: at.packet >> 2,
    fixedSizeBytes,
  }
}

/** When and where a packet was seen, and whose it is. */
export interface PacketOwner {
  /** ns of CLOCK_BOOTTIME. */
  readonly timeNs: bigint
  readonly pid: number | undefined
  readonly netNs: number | undefined
  readonly cookie: bigint
}

export function packetOwner({ words, offsetBytes }: RecordPlace, places: PacketPlaces): PacketOwner {
  const w = offsetBytes >> 2
  return {
    timeNs: u64Of(words[w + TIME_LO] as number, words[w + TIME_HI] as number),
    pid: known(words[w + places.pid] as number),
    netNs: known(words[w + places.netNs] as number),
    cookie: u64Of(words[w + places.cookie] as number, words[w + places.cookie + 1] as number),
  }
}

function known(value: number): number | undefined {
  return value === 0 ? undefined : value
}

/** The packet of a record; undefined when it is none. */
export function recordedPacket(place: RecordPlace, places: PacketPlaces): Packet | undefined {
  const keptBytes = (place.words[(place.offsetBytes >> 2) + places.packet] as number) & TAIL_LENGTH_MASK
  return packetAt(place, place.offsetBytes + places.fixedSizeBytes, keptBytes)
}

/** Where the transport begins, what it is, and what is behind it. */
interface Network {
  readonly protocol: number
  readonly at: number
  readonly endBytes: number
  readonly isFragment: boolean
}

/** The packet that begins at `start` of a record, of which `keptBytes` were kept; undefined when it is none. */
function packetAt({ bytes, words }: RecordPlace, start: number, keptBytes: number): Packet | undefined {
  const all = bytes.subarray(start, start + keptBytes)
  const isV4 = (all[0] ?? 0) >> 4 === 4
  const network = isV4 ? ipv4Of(all) : ipv6Of(all)
  if (network === undefined) return undefined
  const { protocol, at, isFragment } = network
  const isTcp = protocol === IPPROTO_TCP
  if (!isTcp && protocol !== IPPROTO_UDP) return undefined
  if (all.length < at + (isTcp ? 20 : UDP_BYTES)) return undefined
  const from = at + (isTcp ? ((all[at + 12] as number) >> 4) * 4 : UDP_BYTES)
  const to = isTcp ? network.endBytes : Math.min(network.endBytes, at + all.readUInt16BE(at + 4))
  // The length of a datagram counts its fragments, too.
  const payloadBytes = isFragment ? all.readUInt16BE(at + 4) - UDP_BYTES : to - from
  if ((isTcp && from < at + 20) || payloadBytes <= 0) return undefined
  const flags = isTcp ? (all[at + 13] as number) : 0
  const w = start >> 2
  return {
    transport: isTcp ? 'tcp' : 'udp',
    family: isV4 ? 'ipv4' : 'ipv6',
    sourceIp: isV4 ? ipv4Text(words[w + 3] as number) : ipv6Text(words, w + 2),
    targetIp: isV4 ? ipv4Text(words[w + 4] as number) : ipv6Text(words, w + 6),
    sourcePort: all.readUInt16BE(at),
    targetPort: all.readUInt16BE(at + 2),
    sequence: isTcp ? (all.readUInt32BE(at + 4) + ((flags & SYN) === 0 ? 0 : 1)) >>> 0 : 0,
    isLast: (flags & FIN_OR_RST) !== 0,
    isFragment,
    payload: all.subarray(Math.min(from, all.length), Math.min(to, all.length)),
    payloadBytes,
  }
}

function ipv4Of(all: Buffer): Network | undefined {
  if (all.length < IPV4_BYTES) return undefined
  const at = ((all[0] as number) & 15) * 4
  const fragment = all.readUInt16BE(6)
  if (at < IPV4_BYTES || (fragment & 0x1fff) !== 0) return undefined
  // A packet that the device cuts into pieces may say that it has no length.
  const endBytes = all.readUInt16BE(2) || Number.MAX_SAFE_INTEGER
  return { protocol: all[9] as number, at, endBytes, isFragment: (fragment & 0x2000) !== 0 }
}

function ipv6Of(all: Buffer): Network | undefined {
  if (all.length < IPV6_BYTES || (all[0] as number) >> 4 !== 6) return undefined
  const length = all.readUInt16BE(4)
  const endBytes = length === 0 ? Number.MAX_SAFE_INTEGER : IPV6_BYTES + length
  let protocol = all[6] as number
  let at = IPV6_BYTES
  let isFragment = false
  for (let count = 0; EXTENSIONS.has(protocol) || protocol === FRAGMENT; count++) {
    if (count === MAX_EXTENSIONS || all.length < at + 8) return undefined
    if (protocol === FRAGMENT) {
      const place = all.readUInt16BE(at + 2)
      if (place >> 3 !== 0) return undefined
      isFragment = (place & 1) !== 0
    }
    const size = protocol === FRAGMENT ? 8 : ((all[at + 1] as number) + 1) * 8
    protocol = all[at] as number
    at += size
  }
  return { protocol, at, endBytes, isFragment }
}
