import * as fc from 'fast-check'
import type { BaseEvent } from '../../../event/event.js'
import type { Made } from '../../../event/forms.js'
import { hostileText, maybe, u32, u64 } from '../../../testing/hostile-text.js'
import type { Samples } from '../../../testing/samples.js'
import type { DnsEvent } from '../events.js'

/** 2026-01-02T03:04:05.000000006Z. */
const TIME_NS = 1_767_323_045_000_000_006n

const ANSWERED: Made<DnsEvent> = {
  kind: 'dns',
  actions: ['query', 'answer'],
  timeNs: TIME_NS,
  protocol: 'dns',
  direction: 'outbound',
  transport: 'udp',
  pid: 4242,
  name: 'www.example.org',
  type: 'A',
  class: 'IN',
  questionCount: 1,
  opcode: 'QUERY',
  dnsId: 4660,
  flags: ['RD', 'RA'],
  rcode: 'NOERROR',
  answers: [
    { name: 'www.example.org', type: 'CNAME', class: 'IN', ttlS: 300, data: 'cdn.example.net' },
    { name: 'cdn.example.net', type: 'A', class: 'IN', ttlS: 60, data: '198.51.100.9' },
  ],
  answerCount: 2,
  addresses: ['198.51.100.9'],
  clientSubnet: '203.0.113.0/24',
  clientIp: '192.0.2.7',
  clientPort: 50_250,
  serverIp: '192.0.2.53',
  serverPort: 53,
  latencyNs: 12_345_678n,
  attempts: 2,
  queryBytes: 33,
  answerBytes: 77,
  isCut: false,
  isMalformed: false,
  serverPid: 812,
  netNs: 4_026_531_840,
  socketId: 4107n,
  queryMessage: Buffer.from('1234', 'hex'),
  answerMessage: Buffer.from('12348180', 'hex'),
  process: undefined,
}

const UNKNOWN = {
  rcode: undefined,
  answers: undefined,
  answerCount: undefined,
  addresses: undefined,
  clientSubnet: undefined,
  latencyNs: undefined,
  attempts: undefined,
  answerBytes: undefined,
  serverPid: undefined,
  queryMessage: undefined,
  answerMessage: undefined,
} as const

/** Nobody answered, over IPv6. */
const UNANSWERED: Made<DnsEvent> = {
  ...ANSWERED,
  ...UNKNOWN,
  actions: ['query'],
  name: '_ipp._tcp.local',
  type: 'PTR',
  protocol: 'mdns',
  flags: [],
  questionCount: 3,
  dnsId: 0,
  clientIp: '2001:db8::7',
  clientPort: 5353,
  serverIp: 'ff02::fb',
  serverPort: 5353,
}

/** A server here is asked over TCP by somebody else, and says no. */
const REFUSED: Made<DnsEvent> = {
  ...ANSWERED,
  ...UNKNOWN,
  actions: ['query', 'answer'],
  direction: 'inbound',
  transport: 'tcp',
  name: 'a\\.b\\032\\255.example.org',
  rcode: 'NXDOMAIN',
  answerCount: 0,
  latencyNs: 1000n,
  answerBytes: 33,
}

/** Bytes that are no message, and of which not all are there. */
const BROKEN: Made<DnsEvent> = {
  ...ANSWERED,
  ...UNKNOWN,
  actions: ['answer'],
  pid: undefined,
  name: undefined,
  type: undefined,
  class: undefined,
  opcode: 'OPCODE_15',
  rcode: 'NOERROR',
  answerCount: 65_535,
  queryBytes: undefined,
  answerBytes: 9000,
  isCut: true,
  isMalformed: true,
  netNs: undefined,
  socketId: undefined,
}

const port = fc.nat({ max: 65_535 })
const ip = fc.oneof(fc.ipV4(), fc.ipV6())
const bytes = maybe(fc.uint8Array({ maxLength: 64 }))

const anyAnswer = fc.record({
  name: hostileText,
  type: hostileText,
  class: hostileText,
  ttlS: u32,
  data: hostileText,
})

const anyDnsEvent: fc.Arbitrary<BaseEvent> = fc.record({
  kind: fc.constant('dns' as const),
  actions: fc.subarray(['query' as const, 'answer' as const], { minLength: 1 }),
  timeNs: u64,
  protocol: fc.constantFrom('dns' as const, 'mdns' as const, 'llmnr' as const),
  direction: fc.constantFrom('outbound' as const, 'inbound' as const),
  transport: fc.constantFrom('udp' as const, 'tcp' as const),
  pid: maybe(u32),
  name: maybe(hostileText),
  type: maybe(hostileText),
  class: maybe(hostileText),
  questionCount: port,
  opcode: hostileText,
  dnsId: port,
  flags: fc.array(hostileText, { maxLength: 4 }),
  rcode: maybe(hostileText),
  answers: maybe(fc.array(anyAnswer, { maxLength: 4 })),
  answerCount: maybe(port),
  addresses: maybe(fc.array(ip, { maxLength: 4 })),
  clientSubnet: maybe(hostileText),
  clientIp: ip,
  clientPort: port,
  serverIp: ip,
  serverPort: port,
  latencyNs: maybe(u64),
  attempts: maybe(u32),
  queryBytes: maybe(port),
  answerBytes: maybe(port),
  isCut: fc.boolean(),
  isMalformed: fc.boolean(),
  serverPid: maybe(u32),
  netNs: maybe(u32),
  socketId: maybe(u64),
  queryMessage: bytes,
  answerMessage: bytes,
  process: fc.constant(undefined),
})

export const samples: Samples = {
  golden: [ANSWERED, UNANSWERED, REFUSED, BROKEN],
  any: anyDnsEvent,
}
