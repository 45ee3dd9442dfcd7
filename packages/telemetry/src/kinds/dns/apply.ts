/** Events out of packets of the DNS. */

import type { Made } from '../../event/forms.js'
import type { RecordGroup } from '../../event/raw.js'
import { ticksOf } from '../../event/time-base.js'
import { processAt } from '../../process/at.js'
import type { Tables } from '../kind.js'
import type { DnsEvent } from './events.js'
import type { SeenMessage } from './exchange.js'
import { type DnsMessage, messageOf, TYPE_A_AND_AAAA } from './message.js'
import { MDNS_PORT } from './options.js'
import {
  type Packet,
  type PacketOwner,
  packetOwner,
  packetPlaces,
  recordedPacket,
} from '../../names/packet.js'
import { packetLayout } from './records.js'
import { type DnsTable, isGroup } from './table.js'

const PLACES = packetPlaces(packetLayout)
const PLACE = packetLayout.at.place >> 2

function tableIn(tables: Tables): DnsTable {
  return tables.table('dns')
}

/** Packets of one exchange, or of one connection. */
export function applyPackets(group: RecordGroup, tables: Tables): Made<DnsEvent> | undefined {
  const table = tableIn(tables)
  while (group.next()) {
    const packet = recordedPacket(group, PLACES)
    if (packet === undefined) {
      table.undecoded += 1
      continue
    }
    if (packet.isFragment) table.fragments += 1
    const owner = packetOwner(group, PLACES)
    const place = group.words[(group.offsetBytes >> 2) + PLACE] as number
    const end: PacketEnd = { ...owner, place }
    const take = (bytes: Buffer, wholeBytes: number): void =>
      takeMessage(bytes, wholeBytes, packet, end, group, tables)
    // What is kept of a message must not change with the memory of the record.
    if (packet.transport === 'udp') take(Buffer.from(packet.payload), packet.payloadBytes)
    else table.streams.take(packet, end, take)
  }
  return moreOfPackets(tables)
}

/** The next event of packets that were applied. */
export function moreOfPackets(tables: Tables): Made<DnsEvent> | undefined {
  const keepsMessages = tables.settings['dnsPackets'] === true
  return tableIn(tables).next({ bootEpochNs: tables.timeBase.bootEpochNs, keepsMessages })
}

/** Where and whose a packet was. */
interface PacketEnd extends PacketOwner {
  readonly place: number
}

function takeMessage(
  bytes: Buffer,
  wholeBytes: number,
  packet: Packet,
  end: PacketEnd,
  { words, offsetBytes }: RecordGroup,
  tables: Tables,
): void {
  const { sourceIp, sourcePort, targetIp, targetPort, transport } = packet
  const isMdns = sourcePort === MDNS_PORT || targetPort === MDNS_PORT
  const message = messageOf(bytes, wholeBytes, isMdns)
  const table = tableIn(tables)
  if (message === undefined) {
    table.undecoded += 1
    return
  }
  const w = offsetBytes >> 2
  const { isAnswer } = message
  const process = processAt(words, w, end.pid, w + PLACES.start, tables)
  const seen: SeenMessage = {
    ...end,
    message,
    bytes,
    wholeBytes,
    startTicks: ticksAt(words, w + PLACES.start),
    uid: process?.uid,
    process,
    transport,
    clientIp: isAnswer ? targetIp : sourceIp,
    clientPort: isAnswer ? targetPort : sourcePort,
    serverIp: isAnswer ? sourceIp : targetIp,
    serverPort: isAnswer ? sourcePort : targetPort,
  }
  const query = table.take(seen)?.query
  if (query !== undefined) nameAddresses(query, message, tables)
}

/**
 * Later connections of who asked are to the name that was asked for, whatever names lie between. Only answers that were
 * asked for count; anybody may answer what a group is asked, so that is a name for who asked alone.
 */
function nameAddresses(query: SeenMessage, { answers }: DnsMessage, { names }: Tables): void {
  const { netNs, pid, startTicks, timeNs, uid, serverIp } = query
  const asked = query.message.question
  if (pid === undefined || asked === undefined) return
  const asker = { pid, startTicks, uid: isGroup(serverIp) ? undefined : uid }
  for (const { type, ttlS, data: ip } of answers) {
    if (TYPE_A_AND_AAAA.has(type))
      names.setAddress({ ip, name: asked.name, ttlS, netNs, asker }, Number(timeNs))
  }
}

function ticksAt(words: Uint32Array, at: number): number | undefined {
  const [lo, hi] = [words[at] as number, words[at + 1] as number]
  return lo === 0 && hi === 0 ? undefined : ticksOf(lo, hi)
}
