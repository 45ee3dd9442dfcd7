/** Events out of the first packets of connections, and names of connections. */

import type { BaseEvent } from '../../event/event.js'
import type { Made } from '../../event/forms.js'
import type { RecordGroup, RecordPlace } from '../../event/raw.js'
import {
  type Packet,
  type PacketOwner,
  packetOwner,
  packetPlaces,
  recordedPacket,
} from '../../names/packet.js'
import { processAt } from '../../process/at.js'
import type { ProcessRecord } from '../../process/entry.js'
import type { Tables } from '../kind.js'
import type { TlsEvent } from './events.js'
import type { Hello } from './hello.js'
import { PLACE_ANSWERED, receivedLayout, segmentLayout } from './records.js'
import type { HelloTable } from './table.js'

const SENT = packetPlaces(segmentLayout)
const RECEIVED = packetPlaces(receivedLayout)
const PLACE = receivedLayout.at.place >> 2

interface Found {
  readonly hello: Hello
  readonly packet: Packet
  readonly owner: PacketOwner
}

/** The first packets of a connection of which no event says more. */
export function applySegments(group: RecordGroup, tables: Tables): Made<TlsEvent> | undefined {
  let event: Made<TlsEvent> | undefined
  while (group.next()) {
    const found = helloAt(group, tables)
    if (found === undefined) continue
    if (event !== undefined) continue
    const w = group.offsetBytes >> 2
    const process = processAt(group.words, w, found.owner.pid, w + SENT.start, tables)
    event = eventOf('outbound', found, process, tables)
  }
  return event
}

/** What comes to a server of this machine, and that it answers. Ports may have been used again meanwhile. */
export function applyReceived(group: RecordGroup, tables: Tables): Made<TlsEvent> | undefined {
  const table = tables.table<HelloTable>('tls')
  let asked: Found | undefined
  while (group.next()) {
    const w = group.offsetBytes >> 2
    const owner = packetOwner(group, RECEIVED)
    if (group.words[w + PLACE] === PLACE_ANSWERED) {
      if (asked === undefined) continue
      // The socket that listens may have got the packet.
      const { pid, cookie } = owner
      const process = processAt(group.words, w, pid, w + RECEIVED.start, tables)
      table.ready.push(
        eventOf('inbound', { ...asked, owner: { ...asked.owner, pid, cookie } }, process, tables),
      )
      asked = undefined
      continue
    }
    const packet = recordedPacket(group, RECEIVED)
    if (packet?.transport !== 'tcp') continue
    const hello = table.takeReceived(packet)
    if (hello === undefined) continue
    if (asked !== undefined) table.ready.push(eventOf('inbound', asked, undefined, tables))
    asked = { hello, packet, owner }
  }
  if (asked !== undefined) table.ready.push(eventOf('inbound', asked, undefined, tables))
  return moreReceived(tables)
}

/** The next event of packets that were applied. */
export function moreReceived(tables: Tables): Made<TlsEvent> | undefined {
  return tables.table<HelloTable>('tls').ready.shift()
}

function eventOf(
  direction: TlsEvent['direction'],
  { hello, packet, owner }: Found,
  process: ProcessRecord | undefined,
  { timeBase }: Tables,
): Made<TlsEvent> {
  return {
    kind: 'tls',
    timeNs: owner.timeNs + timeBase.bootEpochNs,
    direction,
    pid: owner.pid,
    ...hello,
    clientIp: packet.sourceIp,
    clientPort: packet.sourcePort,
    serverIp: packet.targetIp,
    serverPort: packet.targetPort,
    netNs: owner.netNs,
    socketId: owner.cookie,
    process,
  }
}

/** The same of a connection whose opening is an event: that gets the name. */
export function applyJoinedSegment(place: RecordPlace, event: BaseEvent | undefined, tables: Tables): void {
  const name = helloAt(place, tables)?.hello.serverName
  if (name === undefined || event === undefined) return
  const named = event as { remoteName?: string; remoteNameSource?: string }
  named.remoteName = name
  named.remoteNameSource = 'tls'
}

/** The message that ends with a record. Later events of its connection have the name. */
function helloAt(place: RecordPlace, tables: Tables): Found | undefined {
  const packet = recordedPacket(place, SENT)
  if (packet?.transport !== 'tcp') return undefined
  const owner = packetOwner(place, SENT)
  const hello = tables.table<HelloTable>('tls').takeSent(owner.cookie, packet)
  if (hello === undefined) return undefined
  if (hello.serverName !== undefined) tables.names.setSocket(owner.cookie, hello.serverName)
  return { hello, packet, owner }
}
