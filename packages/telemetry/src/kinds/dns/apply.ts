/** Events out of packets of the DNS. */

import { TAIL_LENGTH_MASK } from 'quark-ebpf/probe'
import type { Made } from '../../event/forms.js'
import type { RecordGroup } from '../../event/raw.js'
import { ticksOf, u64Of } from '../../event/time-base.js'
import { processAt } from '../../process/at.js'
import type { Tables } from '../kind.js'
import type { DnsEvent } from './events.js'
import type { SeenMessage } from './exchange.js'
import { type DnsMessage, messageOf, TYPE_A_AND_AAAA } from './message.js'
import { MDNS_PORT } from './options.js'
import { type Packet, packetAt } from '../../names/packet.js'
import { packetLayout } from './records.js'
import { type DnsTable, isGroup } from './table.js'

/** Words of the header in which the time of a record is. */
const TIME_LO = 2
const TIME_HI = 3

const { at, fixedSizeBytes } = packetLayout
const PID = at.pid >> 2
const NET_NS = at.netNs >> 2
const COOKIE = at.cookie >> 2
const START = at.startBootNs >> 2
const PLACE = at.place >> 2
const PACKET = at.packet >> 2

function tableIn(tables: Tables): DnsTable {
  return tables.table('dns')
}

/** Packets of one exchange, or of one connection. */
export function applyPackets(group: RecordGroup, tables: Tables): Made<DnsEvent> | undefined {
  const table = tableIn(tables)
  while (group.next()) {
    const { words } = group
    const w = group.offsetBytes >> 2
    const keptBytes = (words[w + PACKET] as number) & TAIL_LENGTH_MASK
    const packet = packetAt(group, group.offsetBytes + fixedSizeBytes, keptBytes)
    if (packet === undefined) {
      table.undecoded += 1
      continue
    }
    if (packet.isFragment) table.fragments += 1
    const take = (bytes: Buffer, wholeBytes: number): void =>
      takeMessage(bytes, wholeBytes, packet, group, tables)
    // What is kept of a message must not change with the memory of the record.
    if (packet.transport === 'udp') take(Buffer.from(packet.payload), packet.payloadBytes)
    else {
      const end = {
        place: words[w + PLACE] as number,
        cookie: cookieAt(words, w),
        netNs: known(words[w + NET_NS] as number),
      }
      table.streams.take(packet, end, take)
    }
  }
  return moreOfPackets(tables)
}

/** The next event of packets that were applied. */
export function moreOfPackets(tables: Tables): Made<DnsEvent> | undefined {
  const keepsMessages = tables.settings['dnsPackets'] === true
  return tableIn(tables).next({ bootEpochNs: tables.timeBase.bootEpochNs, keepsMessages })
}

function takeMessage(
  bytes: Buffer,
  wholeBytes: number,
  packet: Packet,
  group: RecordGroup,
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
  const { words } = group
  const w = group.offsetBytes >> 2
  const pid = known(words[w + PID] as number)
  const { isAnswer } = message
  const process = processAt(words, w, pid, w + START, tables)
  const seen: SeenMessage = {
    message,
    bytes,
    wholeBytes,
    timeNs: u64Of(words[w + TIME_LO] as number, words[w + TIME_HI] as number),
    place: words[w + PLACE] as number,
    cookie: cookieAt(words, w),
    netNs: known(words[w + NET_NS] as number),
    pid,
    uid: process?.uid,
    process,
    transport,
    clientIp: isAnswer ? targetIp : sourceIp,
    clientPort: isAnswer ? targetPort : sourcePort,
    serverIp: isAnswer ? sourceIp : targetIp,
    serverPort: isAnswer ? sourcePort : targetPort,
    startTicks: ticksAt(words, w + START),
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

function known(value: number): number | undefined {
  return value === 0 ? undefined : value
}

function cookieAt(words: Uint32Array, w: number): bigint {
  return u64Of(words[w + COOKIE] as number, words[w + COOKIE + 1] as number)
}
