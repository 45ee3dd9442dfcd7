/** What a summary says of connections, and of who listens. */

import type { SummaryList, SummaryMember, SummaryRow, SummarySpec } from '../../event/summary-spec.js'
import { programMember } from '../../process/summary.js'
import { endpointText, plainIp } from '../../names/address.js'
import type {
  ConnectionAction,
  ConnectionEvent,
  ConnectionFailedEvent,
  ListenerEvent,
  RawSocketEvent,
  UdpFlowEvent,
} from './events.js'

/** Who talked to whom. */
export interface PeerRow {
  /** The program of the process, as in other lists. */
  readonly command: string
  readonly transport: 'tcp' | 'udp'
  /** Who began; absent when that was not seen. */
  readonly direction?: 'outbound' | 'inbound'
  /** Name of the other end, or its address if it has none. */
  readonly remote?: string
  /** The port of the server: the remote one, or that of the process for inbound connections. */
  readonly port?: number
  /** Bytes of connections that were closed. */
  readonly bytes?: number
  readonly sentBytes?: number
  readonly receivedBytes?: number
  readonly connections?: number
  /** Flows of UDP. */
  readonly flows?: number
  readonly failed?: number
  /** The number that rows are ordered by is too large by at most this; absent when it is exact. */
  readonly errorAtMost?: number
}

/** A process that listens. */
export interface ListenerRow {
  readonly command: string
  readonly address?: string
  readonly port?: number
  /** How often it began to. */
  readonly listened: number
  readonly errorAtMost?: number
}

/** What a report says of connections; absent as long as there were none. Lists have the largest value first. */
export interface ConnectionSummary {
  readonly connections?: {
    readonly opened: number
    readonly accepted: number
    readonly failed: number
    /** Those that no process ever got. */
    readonly unaccepted: number
    /** Of connections that were closed. */
    readonly sentBytes: number
    readonly receivedBytes: number
  }
  /** By bytes that were sent and received, once connections were closed. */
  readonly mostBytes?: readonly PeerRow[]
  /** By connections that were opened, accepted and failed. */
  readonly mostConnections?: readonly PeerRow[]
}

/** What a report says of who listens. */
export interface ListenerSummary {
  /** Who began to listen; absent if nobody did. */
  readonly listeners?: readonly ListenerRow[]
}

/** What a report says of flows of UDP that are over; absent as long as there were none. */
export interface FlowSummary {
  readonly flows?: {
    readonly ended: number
    readonly sentBytes: number
    readonly receivedBytes: number
  }
}

/** What a report says of raw and packet sockets; absent as long as none was opened or closed. */
export interface RawSocketSummary {
  readonly rawSockets?: number
}

type Talk = ConnectionEvent | ConnectionFailedEvent | UdpFlowEvent

function has(event: Talk, action: ConnectionAction): 0 | 1 {
  return event.kind === 'connection' && event.actions.includes(action) ? 1 : 0
}

/** Who tries to connect begins. */
function directionOf(event: Talk): ConnectionEvent['direction'] {
  return event.kind === 'connectionFailed' ? 'outbound' : event.direction
}

function failed({ kind }: Talk): 0 | 1 {
  return kind === 'connectionFailed' ? 1 : 0
}

function connections(event: Talk): 0 | 1 {
  return has(event, 'connect') === 1 || has(event, 'accept') === 1 ? 1 : 0
}

function sentBytes(event: Talk): number | undefined {
  return event.kind === 'connectionFailed' ? undefined : event.sentBytes
}

function receivedBytes(event: Talk): number | undefined {
  return event.kind === 'connectionFailed' ? undefined : event.receivedBytes
}

function bytes(event: Talk): number | undefined {
  const [sent, received] = [sentBytes(event), receivedBytes(event)]
  return sent === undefined || received === undefined ? undefined : sent + received
}

function endText(row: SummaryRow): string {
  return row['transport'] === 'udp' ? `${endsText(row)} udp` : endsText(row)
}

function endsText({ remote, port, direction }: SummaryRow): string {
  const whom = (remote as string | undefined) ?? '?'
  const at = port as number | undefined
  if (direction === 'inbound') return `${at === undefined ? '' : `:${at} `}<- ${whom}`
  const arrow = direction === 'outbound' ? '->' : '--'
  return `${arrow} ${endpointText(remote as string | undefined, at) ?? '?'}`
}

const peerMembers: readonly SummaryMember<Talk>[] = [
  programMember,
  { name: 'transport', doc: '`tcp` or `udp`', type: 'name', of: ({ transport }) => transport, text: null },
  {
    name: 'direction',
    doc: 'who began: `outbound`, `inbound`; absent when that was not seen',
    type: 'name',
    of: directionOf,
    text: null,
  },
  {
    name: 'remote',
    doc: 'name of the other end, or its address if it has none',
    type: 'name',
    of: ({ remoteName, remoteIp }) => remoteName ?? (remoteIp === undefined ? undefined : plainIp(remoteIp)),
    label: ' ',
    text: endText,
  },
  {
    name: 'port',
    doc: 'of the server: the remote one, or that of the process for inbound connections',
    type: 'number',
    of: (event) => (directionOf(event) === 'inbound' ? event.localPort : event.remotePort),
    text: null,
  },
]

const bytesNumbers = [
  { name: 'sentBytes', doc: 'that were sent', unit: 'bytes', of: sentBytes, label: ', sent ' },
  {
    name: 'receivedBytes',
    doc: 'that were received',
    unit: 'bytes',
    of: receivedBytes,
    label: ', received ',
  },
] as const

const failedNumber = {
  name: 'failed',
  doc: 'connections that were not established',
  unit: 'count',
  of: (event: Talk) => failed(event) || undefined,
  end: ' failed',
} as const

/** Connections that were closed, and flows. */
const bytesList: SummaryList<Talk> = {
  type: 'sums',
  at: 'mostBytes',
  title: 'Transferred most',
  doc: 'who talked to whom, by the bytes of connections and flows that are over',
  members: peerMembers,
  numbers: [
    { name: 'bytes', doc: 'that were sent and received', unit: 'bytes', of: bytes },
    ...bytesNumbers,
    {
      name: 'connections',
      doc: 'that were opened or accepted',
      unit: 'count',
      of: (event) => connections(event) || undefined,
      end: [' connection', ' connections'],
    },
    {
      name: 'flows',
      doc: 'of UDP that are over',
      unit: 'count',
      of: ({ kind }) => (kind === 'udpFlow' ? 1 : undefined),
      end: [' flow', ' flows'],
    },
    failedNumber,
  ],
}

/** Lists of connections that were established and of those that failed. */
const peerLists: readonly SummaryList<Talk>[] = [
  bytesList,
  {
    type: 'sums',
    at: 'mostConnections',
    title: 'Connected most',
    doc: 'who talked to whom, by connections that were opened, accepted and failed',
    members: peerMembers,
    numbers: [
      {
        name: 'connections',
        doc: 'that were opened, accepted or tried',
        unit: 'count',
        of: (event) => connections(event) + failed(event),
      },
      failedNumber,
      ...bytesNumbers,
    ],
  },
]

/** Counts that are one line of the table. */
const line = 'connection'

export const connectionSummary: SummarySpec<ConnectionEvent, ConnectionSummary> = {
  counts: [
    {
      at: 'connections.opened',
      doc: 'that processes opened',
      of: (event) => has(event, 'connect'),
      text: ['connection opened', 'connections opened'],
      line,
    },
    {
      at: 'connections.accepted',
      doc: 'that processes accepted',
      of: (event) => has(event, 'accept'),
      text: 'accepted',
      line,
    },
    {
      at: 'connections.unaccepted',
      doc: 'that no process ever got',
      of: ({ unaccepted }) => (unaccepted ? 1 : 0),
      text: 'not accepted',
      none: '',
      line,
    },
    {
      at: 'connections.sentBytes',
      doc: 'bytes that were sent by connections that were closed',
      of: (event) => sentBytes(event) ?? 0,
      unit: 'bytes',
      text: 'sent',
      line,
    },
    {
      at: 'connections.receivedBytes',
      doc: 'bytes that were received by them',
      of: (event) => receivedBytes(event) ?? 0,
      unit: 'bytes',
      text: 'received',
      line,
    },
  ],
  lists: peerLists,
}

export const connectionFailedSummary: SummarySpec<ConnectionFailedEvent> = {
  counts: [
    {
      at: 'connections.failed',
      doc: 'that were not established',
      of: () => 1,
      text: 'failed',
      line,
    },
  ],
  lists: peerLists,
}

export const flowSummary: SummarySpec<UdpFlowEvent, FlowSummary> = {
  counts: [
    {
      at: 'flows.ended',
      doc: 'flows of UDP that are over',
      of: () => 1,
      text: ['flow of UDP', 'flows of UDP'],
    },
    {
      at: 'flows.sentBytes',
      doc: 'bytes that were sent in them',
      of: (event) => sentBytes(event) ?? 0,
      unit: 'bytes',
      text: 'sent',
    },
    {
      at: 'flows.receivedBytes',
      doc: 'bytes that were received in them',
      of: (event) => receivedBytes(event) ?? 0,
      unit: 'bytes',
      text: 'received',
    },
  ],
  lists: [bytesList],
}

export const rawSocketSummary: SummarySpec<RawSocketEvent, RawSocketSummary> = {
  counts: [
    {
      at: 'rawSockets',
      doc: 'sockets that were opened to read packets of others',
      of: ({ actions }) => (actions.includes('open') ? 1 : 0),
      text: ['raw socket opened', 'raw sockets opened'],
    },
  ],
}

export const listenerSummary: SummarySpec<ListenerEvent, ListenerSummary> = {
  lists: [
    {
      type: 'sums',
      at: 'listeners',
      title: 'Began to listen',
      doc: 'who began to listen; absent if nobody did',
      members: [
        programMember,
        {
          name: 'address',
          doc: 'at which it listens; `0.0.0.0` or `::` is any',
          type: 'name',
          of: ({ localIp }) => localIp,
          label: ' ',
          text: ({ address, port }) =>
            endpointText(address as string | undefined, port as number | undefined),
        },
        {
          name: 'port',
          doc: 'at which it listens',
          type: 'number',
          of: ({ localPort }) => localPort,
          text: null,
        },
      ],
      numbers: [
        {
          name: 'listened',
          doc: 'how often',
          unit: 'count',
          of: ({ actions }) => (actions.includes('listen') ? 1 : undefined),
        },
      ],
    },
  ],
}
