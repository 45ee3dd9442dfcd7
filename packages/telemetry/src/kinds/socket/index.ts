import type { Kind, RecordType } from '../kind.js'
import { applyConnection, applyConnectionFailed, applyListener } from './apply.js'
import { applyCounts } from './apply-counts.js'
import { CountedTable } from './counted-table.js'
import { socketEvents } from './event-specs.js'
import { socketFacts } from './facts.js'
import { socketOptions } from './options.js'
import {
  acceptLayout,
  closeLayout,
  connectFailedLayout,
  connectLayout,
  listenLayout,
  SOCKET_KIND,
  tcpCountsLayout,
} from './records.js'
import { scanSockets } from './scan.js'

/** Records of one socket are chained. */
const key = 'cookie'

const records = [
  { name: 'connect', layout: connectLayout, key, apply: applyConnection, colour: 'palegreen' },
  { name: 'connectFailed', layout: connectFailedLayout, key, apply: applyConnectionFailed, colour: 'salmon' },
  { name: 'accept', layout: acceptLayout, key, apply: applyConnection, colour: 'khaki' },
  { name: 'listen', layout: listenLayout, key, apply: applyListener, colour: 'lightblue' },
  { name: 'socketClose', layout: closeLayout, key, apply: applyConnection, isLast: true, colour: 'plum' },
  { name: 'tcpCounts', layout: tcpCountsLayout, apply: applyCounts },
] satisfies RecordType[]

/** TCP connections from their opening to their end, and who listens for them. */
export const socketKind: Kind<typeof socketOptions, typeof socketEvents> = {
  name: 'socket',
  number: SOCKET_KIND,
  ringShare: 0.5,
  options: socketOptions,
  facts: socketFacts,
  scan: scanSockets,
  table: () => new CountedTable(),
  records,
  joins: {
    default: [
      ['connect', 'socketClose', 'once'],
      ['accept', 'socketClose', 'once'],
      ['listen', 'socketClose', 'once'],
    ],
    minimal: [],
  },
  factLabels: {
    socketUnreachable: 'connections to addresses that cannot be reached',
    socketCloses: 'connections that are closed',
    socketAccepts: 'connections that are accepted',
    socketListeners: 'who listens for connections',
    socketConnections: 'connections that are opened',
    socketsPending: 'connections that are under way',
    socketCounts: 'whether all connections were seen',
    openSockets: 'who has the sockets that are open at the start',
  },
  events: socketEvents,
}
