/** Events out of the first packets of connections, and names of connections. */

import { TAIL_LENGTH_MASK } from 'quark-ebpf/probe'
import type { BaseEvent } from '../../event/event.js'
import type { Made } from '../../event/forms.js'
import type { RecordGroup, RecordPlace } from '../../event/raw.js'
import { u64Of } from '../../event/time-base.js'
import { type Packet, packetAt } from '../../names/packet.js'
import { processAt } from '../../process/at.js'
import type { Tables } from '../kind.js'
import type { TlsEvent } from './events.js'
import type { Hello } from './hello.js'
import { segmentLayout } from './records.js'
import type { HelloTable } from './table.js'

/** Words of the header in which the time of a record is. */
const TIME_LO = 2
const TIME_HI = 3

const { at, fixedSizeBytes } = segmentLayout
const PID = at.pid >> 2
const NET_NS = at.netNs >> 2
const COOKIE = at.cookie >> 2
const START = at.startBootNs >> 2
const PACKET = at.packet >> 2

interface Found {
  readonly hello: Hello
  readonly packet: Packet
}

/** The first packets of a connection of which no event says more. */
export function applySegments(group: RecordGroup, tables: Tables): Made<TlsEvent> | undefined {
  let event: Made<TlsEvent> | undefined
  while (group.next()) {
    const found = helloAt(group, tables)
    if (found === undefined) continue
    const { words } = group
    const w = group.offsetBytes >> 2
    const pid = known(words[w + PID] as number)
    event ??= {
      kind: 'tls',
      timeNs: u64Of(words[w + TIME_LO] as number, words[w + TIME_HI] as number) + tables.timeBase.bootEpochNs,
      pid,
      ...found.hello,
      clientIp: found.packet.sourceIp,
      clientPort: found.packet.sourcePort,
      serverIp: found.packet.targetIp,
      serverPort: found.packet.targetPort,
      netNs: known(words[w + NET_NS] as number),
      socketId: cookieAt(words, w),
      process: processAt(words, w, pid, w + START, tables),
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
  const { words } = place
  const w = place.offsetBytes >> 2
  const keptBytes = (words[w + PACKET] as number) & TAIL_LENGTH_MASK
  const packet = packetAt(place, place.offsetBytes + fixedSizeBytes, keptBytes)
  if (packet?.transport !== 'tcp') return undefined
  const cookie = cookieAt(words, w)
  const hello = tables.table<HelloTable>('tls').take(cookie, packet)
  if (hello === undefined) return undefined
  if (hello.serverName !== undefined) tables.names.setSocket(cookie, hello.serverName)
  return { hello, packet }
}

function known(value: number): number | undefined {
  return value === 0 ? undefined : value
}

function cookieAt(words: Uint32Array, w: number): bigint {
  return u64Of(words[w + COOKIE] as number, words[w + COOKIE + 1] as number)
}
