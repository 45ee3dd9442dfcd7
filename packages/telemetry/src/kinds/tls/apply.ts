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
import type { Tables } from '../kind.js'
import type { TlsEvent } from './events.js'
import type { Hello } from './hello.js'
import { segmentLayout } from './records.js'
import type { HelloTable } from './table.js'

const PLACES = packetPlaces(segmentLayout)

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
    const { hello, packet, owner } = found
    const w = group.offsetBytes >> 2
    event = {
      kind: 'tls',
      timeNs: owner.timeNs + tables.timeBase.bootEpochNs,
      pid: owner.pid,
      ...hello,
      clientIp: packet.sourceIp,
      clientPort: packet.sourcePort,
      serverIp: packet.targetIp,
      serverPort: packet.targetPort,
      netNs: owner.netNs,
      socketId: owner.cookie,
      process: processAt(group.words, w, owner.pid, w + PLACES.start, tables),
    }
  }
  return event
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
  const packet = recordedPacket(place, PLACES)
  if (packet?.transport !== 'tcp') return undefined
  const owner = packetOwner(place, PLACES)
  const hello = tables.table<HelloTable>('tls').take(owner.cookie, packet)
  if (hello === undefined) return undefined
  if (hello.serverName !== undefined) tables.names.setSocket(owner.cookie, hello.serverName)
  return { hello, packet, owner }
}
