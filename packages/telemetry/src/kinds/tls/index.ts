import { join, type JoinRow } from '../../event/join.js'
import type { Kind, RecordType } from '../kind.js'
import { applyJoinedSegment, applySegments } from './apply.js'
import { tlsEvents } from './event-specs.js'
import { TLS_HELLOS, tlsFacts } from './facts.js'
import { tlsOptions } from './options.js'
import { segmentLayout, TLS_KIND } from './records.js'
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

const ofConnection: JoinRow = ['connect', segment.name, 'always']

/** The names that clients of TLS ask for. */
export const tlsKind: Kind<typeof tlsOptions, typeof tlsEvents> = {
  name: 'tls',
  number: TLS_KIND,
  ringShare: 0.125,
  options: tlsOptions,
  facts: tlsFacts,
  table: () => new HelloTable(),
  records: [segment],
  joins: {
    default: [ofConnection, join(segment, segment, ({ parent }) => parent.childCount < MAX_SEGMENTS)],
    minimal: [],
  },
  factLabels: { [TLS_HELLOS]: 'names that TLS is spoken with' },
  events: tlsEvents,
}
