/** Declarations of the events of the DNS. */

import { dnsActivities } from './activities.js'
import type { EventSpec, FieldSpec, ObjectSpec } from '../../event/spec.js'
import { endpointText, isIpv4 } from '../../names/address.js'
import { processObject } from '../../process/spec.js'
import { dnsText } from './event-texts.js'
import type { DnsAction, DnsAnswer, DnsEvent } from './events.js'
import { dnsSummary, type DnsSummary } from './summary.js'

const ACTIONS: readonly DnsAction[] = ['query', 'answer']

/** The fields in the order of JSON: `actions` first. */
const about: Pick<EventSpec<DnsEvent>['fields'], 'actions' | 'protocol' | 'direction' | 'transport' | 'pid'> =
  {
    actions: {
      type: 'words',
      words: ACTIONS,
      doc: 'what was seen: the question, the answer, or both if they are within the hold time',
      isAlwaysKnown: true,
      ecs: [
        'quark.actions',
        {
          path: 'dns.type',
          as: 'string',
          value: ({ actions }) => (actions.includes('answer') ? 'answer' : 'query'),
          doc: '`answer` if there is one',
        },
      ],
    },
    protocol: {
      type: 'word',
      words: ['dns', 'mdns', 'llmnr'],
      doc: 'by the port of the server: 5353 is mDNS, 5355 is LLMNR',
      isAlwaysKnown: true,
      dump: 'PKT origin',
      ecs: 'network.protocol',
    },
    direction: {
      type: 'word',
      words: ['outbound', 'inbound'],
      doc: 'who asks: `outbound` is a process of this machine, whose server may be on it as well; `inbound` somebody else',
      isAlwaysKnown: true,
      dump: 'PKT.id direction',
      ecs: {
        path: 'network.direction',
        value: ({ direction }) => (direction === 'inbound' ? 'ingress' : 'egress'),
      },
    },
    transport: {
      type: 'word',
      words: ['udp', 'tcp'],
      doc: 'the protocol below',
      isAlwaysKnown: true,
      dump: 'PKT.id transport',
      ecs: [
        'network.transport',
        {
          path: 'network.type',
          as: 'string',
          value: ({ serverIp }) => (isIpv4(serverIp) ? 'ipv4' : 'ipv6'),
          doc: 'of the packets: `ipv4` or `ipv6`',
        },
      ],
    },
    pid: {
      type: 'pid',
      doc: 'of the process that asked, or of the server that somebody else asked; absent when that is not known',
      ecs: { path: 'process.pid', value: ({ pid, process }) => (process === undefined ? pid : undefined) },
    },
  }

const question: Pick<
  EventSpec<DnsEvent>['fields'],
  'name' | 'type' | 'class' | 'questionCount' | 'opcode' | 'dnsId' | 'flags'
> = {
  name: {
    type: 'string',
    roles: ['dnsName'],
    doc: 'name that is asked for, the first if there are several, in lower case and without its last dot; `\\.` is a dot within a label, `\\DDD` what is no printable character of ASCII, `.` the root',
    dump: 'PKT.question name',
    ecs: [
      'dns.question.name',
      {
        path: 'related.hosts',
        as: 'strings',
        value: ({ name }) => (name === undefined ? undefined : [name]),
      },
    ],
  },
  type: {
    type: 'string',
    doc: 'type of the records that are asked for: `A`, `AAAA`, `TYPE65280`',
    dump: 'PKT.question type',
    ecs: 'dns.question.type',
  },
  class: { type: 'string', doc: 'their class: `IN`', dump: 'PKT.question class', ecs: 'dns.question.class' },
  questionCount: {
    type: 'number',
    max: 65_535,
    doc: 'questions in the message',
    isAlwaysKnown: true,
    dump: 'PKT.question questions',
    ecs: 'quark.dns.question_count',
  },
  opcode: {
    type: 'string',
    doc: 'what is wanted: `QUERY`, `UPDATE`, `NOTIFY`',
    isAlwaysKnown: true,
    dump: 'PKT.id opcode',
    ecs: 'dns.op_code',
  },
  dnsId: {
    type: 'number',
    max: 65_535,
    doc: 'number that the answer repeats',
    isAlwaysKnown: true,
    dump: 'PKT.id id',
    ecs: { path: 'dns.id', as: 'string', value: ({ dnsId }) => String(dnsId) },
  },
  flags: {
    type: 'strings',
    doc: 'flags of the answer, or of the question if there is none: `AA`, `TC`, `RD`, `RA`, `AD`, `CD`, and `DO` of EDNS',
    isAlwaysKnown: true,
    dump: 'PKT.id flags',
    ecs: 'dns.header_flags',
  },
}

const answerObject: ObjectSpec<DnsAnswer> = {
  name: 'dnsAnswer',
  doc: 'A record of an answer',
  fields: {
    name: { type: 'string', doc: 'whose it is', isAlwaysKnown: true, ecs: 'name' },
    type: { type: 'string', doc: 'its type', isAlwaysKnown: true, ecs: 'type' },
    class: { type: 'string', doc: 'its class', isAlwaysKnown: true, ecs: 'class' },
    ttlS: { type: 'number', doc: 'seconds for which it counts', isAlwaysKnown: true, ecs: 'ttl' },
    data: {
      type: 'string',
      doc: 'what it says, as files of zones have it: an address, a name, text in quotes; `\\# 4 00010203` of types without a form',
      isAlwaysKnown: true,
      ecs: 'data',
    },
  },
}

const answer: Pick<
  EventSpec<DnsEvent>['fields'],
  'rcode' | 'answers' | 'answerCount' | 'addresses' | 'clientSubnet'
> = {
  rcode: {
    type: 'string',
    doc: 'result: `NOERROR`, `NXDOMAIN`, `SERVFAIL`; absent without an answer',
    dump: 'PKT.answer rcode',
    ecs: 'dns.response_code',
  },
  answers: {
    type: 'objects',
    object: answerObject,
    doc: 'the first 32 records of the answer',
    ecs: 'dns.answers',
  },
  answerCount: {
    type: 'number',
    max: 65_535,
    doc: 'records that the answer has, as it says itself',
    dump: 'PKT.answer answers',
    ecs: 'quark.dns.answer_count',
  },
  addresses: {
    type: 'strings',
    roles: ['host'],
    doc: 'the addresses among them',
    dump: 'PKT.answer addresses',
    ecs: 'dns.resolved_ip',
  },
  clientSubnet: {
    type: 'string',
    doc: 'network of those for whom a resolver asks (EDNS client subnet), with the length of its prefix',
    dump: 'PKT.answer client_subnet',
    ecs: 'quark.dns.client_subnet',
  },
}

const ends: Pick<
  EventSpec<DnsEvent>['fields'],
  'clientIp' | 'clientPort' | 'serverIp' | 'serverPort' | 'netNs' | 'socketId'
> = {
  clientIp: {
    type: 'string',
    doc: 'address of who asks; of an answer by mDNS that nobody was seen to ask for, the group that it goes to',
    isAlwaysKnown: true,
    dump: {
      at: 'PKT.ends client',
      value: ({ clientIp, clientPort }) => endpointText(clientIp, clientPort),
    },
    ecs: [
      'source.ip',
      'client.ip',
      {
        path: 'related.ip',
        as: 'strings',
        value: ({ clientIp, serverIp, addresses = [] }) => [...new Set([clientIp, serverIp, ...addresses])],
      },
    ],
  },
  clientPort: {
    type: 'number',
    roles: ['port'],
    max: 65_535,
    doc: 'its port',
    isAlwaysKnown: true,
    ecs: ['source.port', 'client.port'],
  },
  serverIp: {
    type: 'string',
    roles: ['host'],
    doc: 'address that was asked, or that answered',
    isAlwaysKnown: true,
    dump: {
      at: 'PKT.ends server',
      value: ({ serverIp, serverPort }) => endpointText(serverIp, serverPort),
    },
    ecs: ['destination.ip', 'server.ip'],
  },
  serverPort: {
    type: 'number',
    roles: ['port'],
    max: 65_535,
    doc: 'its port',
    isAlwaysKnown: true,
    ecs: ['destination.port', 'server.port'],
  },
  netNs: {
    type: 'number',
    doc: 'inode number of the network namespace of the socket of `pid`',
    dump: 'PKT.ends net_inonum',
    ecs: 'quark.dns.net_ns',
  },
  socketId: {
    type: 'digits',
    doc: 'cookie of that socket, as in events of connections and in `ss -e`',
    dump: 'PKT.ends cookie',
    ecs: 'quark.dns.socket_id',
  },
}

const message: FieldSpec<DnsEvent> = { type: 'bytes', doc: '' }

const sizes: Pick<
  EventSpec<DnsEvent>['fields'],
  | 'latencyNs'
  | 'attempts'
  | 'queryBytes'
  | 'answerBytes'
  | 'isCut'
  | 'isMalformed'
  | 'serverPid'
  | 'queryMessage'
  | 'answerMessage'
> = {
  latencyNs: {
    type: 'duration',
    unit: 'ns',
    doc: 'from the question to the answer',
    dump: 'PKT.answer latency',
    ecs: 'quark.dns.latency',
  },
  attempts: {
    type: 'number',
    doc: 'how often it was asked until there was an answer, if more than once',
    dump: 'PKT.id attempts',
    ecs: 'quark.dns.attempts',
  },
  queryBytes: {
    type: 'number',
    unit: 'bytes',
    doc: 'length of the question, without the headers of packets',
    dump: 'PKT query_len',
    ecs: ['source.bytes', 'client.bytes'],
  },
  answerBytes: {
    type: 'number',
    unit: 'bytes',
    doc: 'length of the answer',
    dump: 'PKT answer_len',
    ecs: ['destination.bytes', 'server.bytes'],
  },
  isCut: {
    type: 'flag',
    doc: 'a message is longer than what was kept of it (`maxDnsBytes`), or came in fragments: some records are not there',
    dump: 'PKT truncated',
    ecs: 'quark.dns.is_cut',
  },
  isMalformed: {
    type: 'flag',
    doc: 'a message is broken: what comes before is there',
    dump: 'PKT malformed',
    ecs: 'quark.dns.is_malformed',
  },
  serverPid: {
    type: 'pid',
    doc: 'of the server that answered, if it is a process of this machine',
    dump: 'PKT.answer server_pid',
    ecs: 'quark.dns.server_pid',
  },
  queryMessage: {
    ...message,
    doc: 'the question as it was sent; only with `dnsPackets`',
    ecs: 'quark.dns.query_message',
  },
  answerMessage: {
    ...message,
    doc: 'the answer as it was sent; only with `dnsPackets`',
    ecs: 'quark.dns.answer_message',
  },
}

const dnsSpec: EventSpec<DnsEvent, DnsSummary> = {
  kind: 'dns',
  doc: 'A name was looked up in the DNS, or the answer came',
  subject: ({ pid, process }) => process?.pid ?? pid ?? 0,
  repeats: () => true,
  isFailure: ({ rcode }) => rcode !== undefined && rcode !== 'NOERROR',
  runNs: ({ latencyNs }) => latencyNs,
  madeWith: 'dns',
  summary: dnsSummary,
  activities: dnsActivities,
  fields: {
    ...about,
    ...question,
    ...answer,
    ...ends,
    ...sizes,
    process: { type: 'object', object: processObject, doc: 'the process of `pid`' },
  },
  text: dnsText,
  dump: {
    title: () => 'PACKET',
    lines: [
      'PKT origin query_len answer_len truncated malformed',
      'PKT.ends client server net_inonum cookie',
      'PKT.id direction transport id opcode flags attempts',
      'PKT.question name type class questions',
      'PKT.answer rcode answers addresses client_subnet latency server_pid',
    ],
  },
  ecs: {
    action: ({ actions }) => `dns-${actions.join('-')}`,
    category: ['network'],
    type: ['info', 'protocol'],
    dataset: 'quark.dns',
    paths: ['network', 'source', 'destination', 'client', 'server', 'dns', 'related'],
    duration: ({ latencyNs }) => latencyNs,
    rows: [
      {
        what: 'name that is looked up',
        action: '`dns-query`, `dns-answer`, or `dns-query-answer`',
        type: '`info`, `protocol`',
      },
    ],
  },
}

export const dnsEvents = [dnsSpec] as const
