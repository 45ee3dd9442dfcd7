import { join } from '../../event/join.js'
import type { Kind, RecordType } from '../kind.js'
import { applyPackets, moreOfPackets } from './apply.js'
import { dnsEvents } from './event-specs.js'
import { DNS_MESSAGES, dnsFacts } from './facts.js'
import { library } from './library.js'
import { dnsOptions } from './options.js'
import { DNS_KIND, packetLayout } from './records.js'
import { DnsTable } from './table.js'

/** More packets of a connection are an event of their own. */
const MOST_JOINED = 256

const packet = {
  name: 'dnsPacket',
  layout: packetLayout,
  key: ['exchange', 'client'],
  apply: applyPackets,
  more: moreOfPackets,
  colour: 'lightcyan',
} as const satisfies RecordType

/** Names that are looked up, with the answers. */
export const dnsKind: Kind<typeof dnsOptions, typeof dnsEvents> = {
  name: 'dns',
  number: DNS_KIND,
  ringShare: 0.25,
  options: dnsOptions,
  prepare: ({ dns }) => {
    if (dns) library()
  },
  facts: dnsFacts,
  table: ({ settings }) => new DnsTable(settings.maxDnsBytes),
  records: [packet],
  joins: {
    // A question, its answer, and what the other end sees of both.
    default: [join(packet, packet, ({ parent }) => parent.childCount < MOST_JOINED)],
    minimal: [],
  },
  factLabels: { [DNS_MESSAGES]: 'names that are looked up' },
  limits: [
    {
      counter: 'evicted',
      text: 'messages of the DNS found no room',
      reason: 'more than 256 were in packets that came together',
    },
  ],
  events: dnsEvents,
}
