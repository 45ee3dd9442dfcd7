import type { Settings } from '../../options/declare.js'
import type { Kind, RecordType } from '../kind.js'
import { applyConnection, applyConnectionFailed, applyListener, applyNothing } from './apply.js'
import { applyCounts } from './apply-counts.js'
import { applyFlow } from './apply-flow.js'
import { applyRaw, applyUnix } from './apply-raw.js'
import { applyFound } from './apply-found.js'
import { socketEvents } from './event-specs.js'
import { socketFacts } from './facts.js'
import { type SocketSettings, socketOptions } from './options.js'
import { processSockets } from './process-sockets.js'
import {
  acceptLayout,
  closeLayout,
  connectErrorLayout,
  connectFailedLayout,
  connectLayout,
  flowLayout,
  foundLayout,
  listenLayout,
  listenPortLayout,
  rawCloseLayout,
  rawLayout,
  SOCKET_KIND,
  tcpCountsLayout,
  unixLayout,
} from './records.js'
import { scanSockets } from './scan.js'
import { SocketTable } from './table.js'

/** Records of one socket are chained. */
const key = 'cookie'
/** Where somebody listens there is no other end. */
const ended = 'connection'

const records = [
  { name: 'connect', layout: connectLayout, key, ended, apply: applyConnection, colour: 'palegreen' },
  {
    name: 'connectFailed',
    layout: connectFailedLayout,
    key,
    ended: 'connectionFailed',
    apply: applyConnectionFailed,
    colour: 'salmon',
  },
  { name: 'accept', layout: acceptLayout, key, ended, apply: applyConnection, colour: 'khaki' },
  { name: 'listen', layout: listenLayout, key, apply: applyListener, colour: 'lightblue' },
  {
    name: 'socketClose',
    layout: closeLayout,
    key,
    ended,
    apply: applyConnection,
    isLast: true,
    colour: 'plum',
  },
  { name: 'connectError', layout: connectErrorLayout, key, apply: applyNothing, colour: 'salmon' },
  { name: 'listenPort', layout: listenPortLayout, key, apply: applyNothing, colour: 'lightblue' },
  { name: 'tcpCounts', layout: tcpCountsLayout, apply: applyCounts },
  {
    name: 'udpFlow',
    layout: flowLayout,
    key,
    apply: applyFlow,
    queue: { text: 'a full map', option: 'maxFlows' },
    colour: 'lightcyan',
  },
  { name: 'rawSocket', layout: rawLayout, key, apply: applyRaw, colour: 'orange' },
  { name: 'rawSocketClose', layout: rawCloseLayout, key, apply: applyRaw, isLast: true, colour: 'orange' },
  { name: 'unixSocket', layout: unixLayout, key, apply: applyUnix, colour: 'wheat' },
  { name: 'socketFound', layout: foundLayout, key, apply: applyFound, isOwn: true, colour: 'lightgrey' },
] satisfies RecordType[]

/** TCP connections from their opening to their end, and who listens for them. */
export const socketKind: Kind<
  typeof socketOptions,
  typeof socketEvents,
  Settings & SocketSettings,
  readonly [typeof processSockets]
> = {
  name: 'socket',
  number: SOCKET_KIND,
  ringShare: 0.5,
  options: socketOptions,
  facts: socketFacts,
  scan: scanSockets,
  table: ({ settings }) => new SocketTable(settings),
  records,
  joins: {
    default: [
      ['connect', 'socketClose', 'once'],
      ['accept', 'socketClose', 'once'],
      ['connectFailed', 'connectError', 'once'],
      ['listen', 'listenPort', 'once'],
      ['listen', 'socketClose', 'once'],
      ['rawSocket', 'rawSocketClose', 'once'],
    ],
    minimal: [],
  },
  factLabels: {
    socketUnreachable: 'connections to addresses that cannot be reached',
    socketCloses: 'connections that are closed',
    socketAccepts: 'connections that are accepted',
    socketListeners: 'who listens for connections',
    socketConnections: 'connections that are opened',
    mptcpOwners: 'who accepts and closes connections of MPTCP',
    listenPorts: 'ports that listen(2) chooses',
    connectErrors: 'errors of connect(2) before a packet is sent',
    socketsPending: 'connections that are under way',
    socketCounts: 'whether all connections were seen',
    rawSockets: 'raw sockets',
    rawSocketCloses: 'raw sockets that are closed',
    packetSockets: 'sockets of packets',
    packetSocketCloses: 'sockets of packets that are closed',
    unixSockets: 'connections through Unix sockets',
    udpOpeners: 'who opens sockets of UDP',
    udpReceived: 'datagrams that are received',
    udpFlows: 'datagrams that are sent, and flows of UDP',
    openSockets: 'who has the sockets that are open at the start',
  },
  limits: [
    {
      counter: 'evicted',
      text: 'open sockets were forgotten too early',
      option: 'maxSockets',
    },
  ],
  events: socketEvents,
  processLists: [processSockets],
}
