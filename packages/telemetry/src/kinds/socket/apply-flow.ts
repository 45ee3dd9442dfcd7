/** Events out of records of flows. */

import type { Made } from '../../event/forms.js'
import type { RecordGroup } from '../../event/raw.js'
import { processAt } from '../../process/at.js'
import type { Tables } from '../kind.js'
import { socketTable } from './apply-found.js'
import { bytesAt, directionOf, known, nsBetween, phaseOf, PID, endsAt, SINCE, START, u64 } from './decode.js'
import type { UdpFlowEvent } from './events.js'
import { FLOW_CLOSED, FLOW_IDLE, flowLayout } from './records.js'
import { mayBeEqual } from './socket.js'
import { remoteNameOf } from './remote-name.js'

const { at } = flowLayout
const OPENER = at.openerPid >> 2
const CLOSER = at.closerPid >> 2
const LAST = at.lastNs >> 2
const SENT_DATAGRAMS = at.sentDatagrams >> 2
const RECEIVED_DATAGRAMS = at.receivedDatagrams >> 2
const SENT = at.sentBytes >> 2
const RECEIVED = at.receivedBytes >> 2
const ENDED = at.ended >> 2

const ENDINGS = { [FLOW_CLOSED]: 'closed', [FLOW_IDLE]: 'idle' } as const

/** No more datagrams are expected between a socket and another end. */
export function applyFlow(group: RecordGroup, tables: Tables): Made<UdpFlowEvent> | undefined {
  if (!group.next()) return undefined
  const { words } = group
  const w = group.offsetBytes >> 2
  const pid = known(words[w + PID] as number)
  const { bootEpochNs } = tables.timeBase
  const sinceNs = u64(words, w + SINCE)
  const ended = ENDINGS[words[w + ENDED] as keyof typeof ENDINGS] as UdpFlowEvent['ended']
  const ends = endsAt(words, w, tables)
  const direction = directionOf(phaseOf(words, w))
  const event: Made<UdpFlowEvent> = {
    kind: 'udpFlow',
    ...ends,
    transport: 'udp',
    ...remoteNameOf(ends, pid, direction === 'outbound', tables),
    direction,
    ended,
    beganNs: sinceNs === 0n ? undefined : sinceNs + bootEpochNs,
    lastNs: u64(words, w + LAST) + bootEpochNs,
    durationNs: nsBetween(words, w + SINCE, w + LAST),
    sentDatagrams: bytesAt(words, w + SENT_DATAGRAMS),
    receivedDatagrams: bytesAt(words, w + RECEIVED_DATAGRAMS),
    sentBytes: bytesAt(words, w + SENT),
    receivedBytes: bytesAt(words, w + RECEIVED),
    pid,
    openerPid: known(words[w + OPENER] as number),
    closerPid: known(words[w + CLOSER] as number),
    process: processAt(words, w, pid, w + START, tables),
  }
  noteFlow(event, tables)
  return event
}

/** The table has one entry for a socket, whatever flows it has. */
function noteFlow(event: Made<UdpFlowEvent>, tables: Tables): void {
  const { socketId, family, localIp, localPort, netNs, pid, openerPid, closerPid, timeNs } = event
  const table = socketTable(tables)
  const former = table?.get(socketId)
  // Where numbers are addresses, the former socket may be another one.
  const before = former?.transport === 'udp' && mayBeEqual(former.localPort, localPort) ? former : undefined
  if (table === undefined || (before !== undefined && event.ended !== 'closed')) return
  const isClosed = event.ended === 'closed'
  const socket = {
    socketId,
    transport: 'udp',
    family,
    state: isClosed ? 'closed' : 'open',
    localIp: before?.localIp ?? localIp,
    localPort,
    remoteIp: before?.remoteIp,
    remotePort: before?.remotePort,
    netNs,
    pid: before?.pid ?? openerPid ?? pid,
    fd: before?.fd,
    closerPid,
    openedNs: before?.openedNs,
    closedNs: isClosed ? timeNs : undefined,
    sentBytes: undefined,
    receivedBytes: undefined,
  } as const
  if (isClosed) table.end(socket, Number(timeNs - tables.timeBase.bootEpochNs))
  else table.put(socket)
}
