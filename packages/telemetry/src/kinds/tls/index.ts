import { join, type JoinRow } from '../../event/join.js'
import type { Kind, RecordType } from '../kind.js'
import { applyJoinedSegment, applyReceived, applySegments, moreReceived } from './apply.js'
import { tlsEvents } from './event-specs.js'
import { TLS_HELLOS, TLS_RECEIVED, tlsFacts } from './facts.js'
import { tlsOptions } from './options.js'
import { receivedLayout, segmentLayout, TLS_KIND } from './records.js'
import { HelloTable, MAX_SEGMENTS } from './table.js'

const segment = {
  name: 'tlsSegment',
  layout: segmentLayout,
  key: 'cookie',
  // What opened the connection has the name.
  chain: 'socket',
  apply: applySegments,
  applyJoined: applyJoinedSegment,
  colour: 'lavender',
} as const satisfies RecordType

const received = {
  name: 'tlsReceived',
  layout: receivedLayout,
  key: ['ports', 'client'],
  apply: applyReceived,
  more: moreReceived,
  colour: 'thistle',
} as const satisfies RecordType

const ofConnection: JoinRow = ['connect', segment.name, 'always']

/** The names that clients of TLS ask for. */
export const tlsKind: Kind<typeof tlsOptions, typeof tlsEvents> = {
  name: 'tls',
  number: TLS_KIND,
  ringShare: 0.125,
  options: tlsOptions,
  facts: tlsFacts,
  table: () => new HelloTable(),
  records: [segment, received],
  joins: {
    default: [
      ofConnection,
      join(segment, segment, ({ parent }) => parent.childCount < MAX_SEGMENTS),
      join(received, received, ({ parent }) => parent.childCount <= MAX_SEGMENTS),
    ],
    minimal: [],
  },
  factLabels: {
    [TLS_HELLOS]: 'names that TLS is spoken with',
    [TLS_RECEIVED]: 'names that others speak TLS with',
  },
  events: tlsEvents,
}
