import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { encodeRecord } from 'quark-ebpf/probe'
import { wirePacket, words } from '../../names/testing/packets.js'
import type { Pipeline } from '../../pipeline/pipeline.js'
import { insert, record, testPipeline } from '../../testing/process-records.js'
import { noAggregation } from '../index.js'
import type { DnsEvent } from './events.js'
import { packetLayout, PLACE_RECEIVED, PLACE_SENT } from './records.js'
import { MAX_STREAMS } from './streams.js'
import { MAX_EVENTS, MAX_EXCHANGES } from './table.js'
import { ANSWER_FLAGS, question, wireMessage, wireName, wireRecord } from './testing/messages.js'
import {
  START,
  CLIENT,
  SERVER,
  QUERY,
  ANSWER,
  sent,
  got,
  packet,
  client,
  dnsOf,
  tableIn,
  nameIn,
  framed,
  TO_SERVER,
  TO_CLIENT,
} from './testing/records.js'

function brief({ actions, direction, pid, name, type, rcode, latencyNs, attempts, serverPid }: DnsEvent) {
  return [actions.join('+'), direction, pid, name, type, rcode, latencyNs, attempts, serverPid]
}

test('a question with its answer is one event of the process that asked, and its addresses have the name', () => {
  const pipeline = testPipeline()
  const [event, ...more] = dnsOf(pipeline, [
    client(7),
    packet(100, { ...TO_SERVER, payload: QUERY }, sent),
    // Whoever reads it, the last to send was the one who asked.
    packet(350, { ...TO_CLIENT, payload: ANSWER }, got),
  ])
  assert.deepEqual(more, [])
  assert.ok(event)
  const { process, relatives: _relatives, ...rest } = event
  assert.equal(process?.comm, 'client7')
  const answers = [
    { name: 'www.example.org', type: 'CNAME', class: 'IN', ttlS: 60, data: 'cdn.example.net' },
    { name: 'cdn.example.net', type: 'A', class: 'IN', ttlS: 60, data: '198.51.100.9' },
  ]
  assert.deepEqual(rest, {
    kind: 'dns',
    actions: ['query', 'answer'],
    timeNs: 100n,
    protocol: 'dns',
    direction: 'outbound',
    transport: 'udp',
    pid: 7,
    name: 'www.example.org',
    type: 'A',
    class: 'IN',
    questionCount: 1,
    opcode: 'QUERY',
    dnsId: 0x1234,
    flags: ['RD', 'RA'],
    rcode: 'NOERROR',
    answers,
    answerCount: 2,
    addresses: ['198.51.100.9'],
    clientSubnet: undefined,
    clientIp: '192.0.2.7',
    clientPort: 50_250,
    serverIp: '192.0.2.53',
    serverPort: 53,
    latencyNs: 250n,
    attempts: undefined,
    queryBytes: QUERY.length,
    answerBytes: ANSWER.length,
    isCut: false,
    isMalformed: false,
    serverPid: undefined,
    netNs: 5,
    socketId: 77n,
    queryMessage: undefined,
    answerMessage: undefined,
  })
  assert.deepEqual(nameIn(pipeline), { name: 'www.example.org', source: 'dns' })
})

test('over loopback both ends see both messages: one event, with the pid of the server', () => {
  const server = { pid: 9, startBootNs: START, cookie: 78n, netNs: 5 }
  const records = [
    packet(100, { ...TO_SERVER, payload: QUERY }, sent),
    packet(110, { ...TO_SERVER, payload: QUERY }, { ...server, place: PLACE_RECEIVED }),
    packet(200, { ...TO_CLIENT, payload: ANSWER }, { ...server, place: PLACE_SENT }),
    packet(210, { ...TO_CLIENT, payload: ANSWER }, got),
  ]
  const expected = ['outbound', 7, 'www.example.org', 'A']
  assert.deepEqual(dnsOf(testPipeline(), records).map(brief), [
    ['query+answer', ...expected, 'NOERROR', 100n, undefined, 9],
  ])
  // When nothing joins, the answer is an event of its own, and still of the one who asked.
  assert.deepEqual(dnsOf(testPipeline({ aggregation: noAggregation() }), records).map(brief), [
    ['query', ...expected, undefined, undefined, undefined, undefined],
    ['answer', ...expected, 'NOERROR', 100n, undefined, 9],
  ])
})

test('an answer that another socket got is not that of who asked, where it may be in another network namespace', () => {
  const elsewhere = { pid: 0, startBootNs: 0n, cookie: 99n, netNs: 0, place: PLACE_RECEIVED }
  const asked = packet(100, { ...TO_SERVER, payload: QUERY }, sent)
  const forged = packet(150, { ...TO_CLIENT, payload: ANSWER }, elsewhere)
  const [query] = dnsOf(testPipeline(), [client(7), asked, forged]).filter(({ pid }) => pid === 7)
  assert.deepEqual([query?.actions, query?.addresses], [['query'], undefined])
})

test('a question without an answer is an event after the hold time; what comes later is another one', () => {
  const pipeline = testPipeline({ holdMs: 1000 })
  const events: DnsEvent[] = []
  const pump = (nowNs: number) => pipeline.pump(nowNs, events as never[])
  insert(pipeline, packet(100, { ...TO_SERVER, payload: QUERY }, sent))
  pump(0.9e9)
  assert.equal(events.length, 0)
  pump(1.1e9)
  insert(pipeline, packet(2e9, { ...TO_SERVER, payload: QUERY }, sent))
  insert(pipeline, packet(2.1e9, { ...TO_SERVER, payload: QUERY }, sent))
  pump(4e9)
  insert(pipeline, packet(5e9, { ...TO_CLIENT, payload: ANSWER }, got))
  pump(7e9)
  const asked = ['outbound', 7, 'www.example.org', 'A']
  assert.deepEqual(events.map(brief), [
    ['query', ...asked, undefined, undefined, undefined, undefined],
    ['query', ...asked, undefined, undefined, 3, undefined],
    ['answer', ...asked, 'NOERROR', 3_000_000_000n, 3, undefined],
  ])
  assert.deepEqual(
    events.map(({ timeNs }) => timeNs),
    [100n, 2_000_000_000n, 5_000_000_000n],
  )
})

test('an event that is held for longer than the grace time has its process, although that ended meanwhile', () => {
  const pipeline = testPipeline({ holdMs: 15_000, graceMs: 4000 })
  const events: DnsEvent[] = []
  for (const one of [
    record('fork', 1, { pid: 7, tid: 7, startBootNs: START, comm: 'asker' }),
    record('exec', 2, { pid: 7, tid: 7, startBootNs: START, comm: 'asker' }),
    packet(100, { ...TO_SERVER, payload: QUERY }, sent),
    record('exit', 200, { pid: 7, tid: 7, startBootNs: START, comm: 'asker' }),
  ])
    insert(pipeline, one)
  for (let seconds = 0; seconds <= 20; seconds++) pipeline.pump(seconds * 1e9 + 300, events as never[])
  const found = events.filter(({ kind }) => kind === 'dns')
  assert.deepEqual(
    found.map(({ pid, process }) => [pid, process?.comm]),
    [[7, 'asker']],
  )
})

test('a server that is asked from elsewhere has the event', () => {
  const unknown = { place: PLACE_RECEIVED, pid: 0, cookie: 78n }
  const server = { place: PLACE_SENT, pid: 9, startBootNs: START, cookie: 78n }
  const [event] = dnsOf(testPipeline(), [
    client(9),
    packet(100, { ...TO_SERVER, payload: QUERY }, unknown),
    packet(200, { ...TO_CLIENT, payload: ANSWER }, server),
  ])
  assert.ok(event)
  assert.deepEqual(brief(event), [
    'query+answer',
    'inbound',
    9,
    'www.example.org',
    'A',
    'NOERROR',
    100n,
    undefined,
    undefined,
  ])
  assert.equal(event.process?.comm, 'client9')
})

test('an answer from elsewhere, to another question, or a second one, is not the answer', () => {
  const forged = wireMessage({
    flags: ANSWER_FLAGS,
    questions: [question(wireName('evil'))],
    answers: [wireRecord(1, Buffer.from([203, 0, 113, 1]))],
  })
  const pipeline = testPipeline()
  const events = dnsOf(pipeline, [
    packet(100, { ...TO_SERVER, payload: QUERY }, sent),
    packet(110, { ...TO_CLIENT, payload: forged }, got),
    packet(120, { ...TO_CLIENT, from: [[203, 0, 113, 9], 53], payload: ANSWER }, got),
    packet(130, { ...TO_CLIENT, payload: ANSWER }, got),
    packet(140, { ...TO_CLIENT, payload: wireMessage({ flags: ANSWER_FLAGS | 3 }) }, got),
  ])
  assert.deepEqual(
    events.map(({ actions, name, serverIp, rcode }) => [actions.join('+'), name, serverIp, rcode]),
    [
      ['query+answer', 'www.example.org', '192.0.2.53', 'NOERROR'],
      ['answer', 'evil', '192.0.2.53', 'NOERROR'],
      ['answer', 'www.example.org', '203.0.113.9', 'NOERROR'],
      ['answer', 'www.example.org', '192.0.2.53', 'NXDOMAIN'],
    ],
  )
})

const SERVER_NS = 6
const server = { pid: 9, startBootNs: START, cookie: 78n, netNs: SERVER_NS }
const asked = packet(100, { ...TO_SERVER, payload: QUERY }, sent)
const reached = packet(110, { ...TO_SERVER, payload: QUERY }, { ...server, place: PLACE_RECEIVED })
const answered = packet(200, { ...TO_CLIENT, payload: ANSWER }, { ...server, place: PLACE_SENT })
const received = packet(210, { ...TO_CLIENT, payload: ANSWER }, got)
const NAMED = { name: 'www.example.org', source: 'dns' } as const
/** The same address and name, and another answer: of who wants it to be another one. */
const FORGED = wireMessage({ flags: ANSWER_FLAGS, answers: [wireRecord(1, Buffer.from([203, 0, 113, 1]))] })

test('a server in another namespace: one event with both pids, and the name only of what the process got', () => {
  for (const aggregation of [undefined, noAggregation()]) {
    const pipeline = testPipeline(aggregation && { aggregation })
    const events = dnsOf(pipeline, [asked, reached, answered])
    const seen = events.map(({ actions, pid, serverPid, netNs }) => [
      actions.join('+'),
      pid,
      serverPid,
      netNs,
    ])
    assert.deepEqual(
      seen,
      aggregation === undefined
        ? [['query+answer', 7, 9, 5]]
        : [
            ['query', 7, undefined, 5],
            ['answer', 7, 9, 5],
          ],
    )
    assert.equal(nameIn(pipeline), undefined)
    assert.deepEqual(dnsOf(pipeline, [received]), [])
    assert.deepEqual(nameIn(pipeline), NAMED)
  }
})

test('another namespace with the same addresses answers nothing that is asked in this one', () => {
  const forger = { pid: 66, startBootNs: START, netNs: 99, cookie: 99n }
  const forged = [
    packet(112, { ...TO_CLIENT, payload: FORGED }, { ...forger, place: PLACE_SENT }),
    packet(113, { ...TO_CLIENT, payload: FORGED }, { ...forger, place: PLACE_RECEIVED }),
  ]
  const inside = [
    packet(101, { ...TO_SERVER, payload: QUERY }, { ...forger, place: PLACE_SENT }),
    packet(101, { ...TO_SERVER, payload: QUERY }, { ...forger, place: PLACE_RECEIVED }),
  ]
  for (const before of [[], inside]) {
    const pipeline = testPipeline()
    const events = dnsOf(pipeline, [asked, reached, ...before, ...forged, answered, received])
    const own = events.filter(({ netNs }) => netNs === 5)
    assert.deepEqual(
      own.map(({ actions, addresses, serverPid }) => [actions.join('+'), addresses, serverPid]),
      [['query+answer', ['198.51.100.9'], 9]],
    )
    assert.deepEqual(nameIn(pipeline), NAMED)
    assert.equal(nameIn(pipeline, 7, '203.0.113.1'), undefined)
  }
})

test('an answer names addresses only if it was asked for: number, port, server, question, socket and namespace agree', () => {
  const forgeries: readonly Uint8Array[] = [
    packet(120, { ...TO_CLIENT, payload: wireMessage({ ...forgedWith(), id: 9 }) }, got),
    packet(120, { ...TO_CLIENT, to: [CLIENT[0], 50_251], payload: FORGED }, got),
    packet(120, { ...TO_CLIENT, from: [[203, 0, 113, 9], 53], payload: FORGED }, got),
    packet(120, { ...TO_CLIENT, from: [SERVER[0], 5353], payload: FORGED }, got),
    packet(120, { ...TO_CLIENT, payload: wireMessage(forgedWith(question(wireName('evil')))) }, got),
    packet(120, { ...TO_CLIENT, payload: wireMessage({ ...forgedWith(), questions: [] }) }, got),
    packet(120, { ...TO_CLIENT, payload: FORGED }, { ...got, cookie: 79n }),
    packet(120, { ...TO_CLIENT, payload: FORGED }, { ...got, netNs: 6 }),
    packet(120, { from: SERVER, to: [CLIENT[0], 53], payload: FORGED }, got),
  ]
  for (const forged of forgeries) {
    for (const records of [[forged], [asked, forged], [asked, received, forged], [forged, asked]]) {
      const pipeline = testPipeline()
      dnsOf(pipeline, records)
      assert.equal(nameIn(pipeline, 7, '203.0.113.1'), undefined)
      assert.deepEqual(nameIn(pipeline), records.includes(received) ? NAMED : undefined)
    }
  }
  const pipeline = testPipeline()
  dnsOf(pipeline, [asked, packet(120, { ...TO_CLIENT, payload: FORGED }, got)])
  assert.deepEqual(nameIn(pipeline, 7, '203.0.113.1'), NAMED)
})

function forgedWith(one = question()) {
  const answers = [wireRecord(1, Buffer.from([203, 0, 113, 1]))]
  return { flags: ANSWER_FLAGS, questions: [one], answers }
}

test('names are of the user who asked; of what a group is asked, of who asked alone', () => {
  const { tables } = ((): Pipeline => {
    const pipeline = testPipeline()
    const llmnr = { from: CLIENT, to: [[224, 0, 0, 252], 5355] } as const
    const id = 2
    const answer = wireMessage({ ...forgedWith(), id })
    dnsOf(pipeline, [
      record('exec', 7, { pid: 7, tid: 7, startBootNs: START, uid: 1000, euid: 1000, comm: 'client' }),
      asked,
      received,
      packet(300, { ...llmnr, payload: wireMessage({ id }) }, { ...sent, exchange: 2 }),
      packet(310, { from: [[192, 0, 2, 99], 5355], to: CLIENT, payload: answer }, { ...got, exchange: 2 }),
    ])
    return pipeline
  })()
  const sourceOf = (pid: number, uid: number, remoteIp: string) =>
    tables.names.find({ socketId: 1n, netNs: 5, opener: { pid, uid, startTicks: undefined }, remoteIp }, 400)
      ?.source
  assert.deepEqual(
    [sourceOf(7, 1000, '198.51.100.9'), sourceOf(8, 1000, '198.51.100.9'), sourceOf(8, 1001, '198.51.100.9')],
    ['dns', 'dnsOfOther', undefined],
  )
  assert.deepEqual([sourceOf(7, 1000, '203.0.113.1'), sourceOf(8, 1000, '203.0.113.1')], ['dns', undefined])
})

test('mDNS: one event of a question, however many listen; LLMNR: who answers is not who was asked', () => {
  const group = { from: [CLIENT[0], 5353], to: [[224, 0, 0, 251], 5353] } as const
  const listener = { place: PLACE_RECEIVED, pid: 0, netNs: 5 }
  const llmnr = { from: CLIENT, to: [[224, 0, 0, 252], 5355] } as const
  const answered = { from: [[192, 0, 2, 99], 5355], to: CLIENT } as const
  const events = dnsOf(testPipeline(), [
    packet(100, { ...group, payload: QUERY }, sent),
    packet(101, { ...group, payload: QUERY }, { ...listener, cookie: 80n }),
    packet(102, { ...group, payload: QUERY }, { ...listener, cookie: 81n }),
    packet(200, { ...llmnr, payload: QUERY }, { ...sent, exchange: 2 }),
    packet(300, { ...answered, payload: ANSWER }, { ...got, exchange: 2 }),
    packet(
      400,
      { ...group, from: [[192, 0, 2, 98], 5353], payload: ANSWER },
      { ...listener, cookie: 80n, exchange: 3 },
    ),
    packet(
      401,
      { ...group, from: [[192, 0, 2, 98], 5353], payload: ANSWER },
      { ...listener, cookie: 81n, exchange: 3 },
    ),
  ])
  assert.deepEqual(
    events.map(({ protocol, actions, direction, serverIp }) => [
      protocol,
      actions.join('+'),
      direction,
      serverIp,
    ]),
    [
      ['mdns', 'query', 'outbound', '224.0.0.251'],
      ['llmnr', 'query+answer', 'outbound', '192.0.2.99'],
      ['mdns', 'answer', 'outbound', '192.0.2.98'],
    ],
  )
})

test('packets that hold no message, or only the first part of one, are counted', () => {
  const pipeline = testPipeline()
  const [cut, more] = dnsOf(pipeline, [
    packet(1, { payload: ANSWER.subarray(0, 11) }, sent),
    packet(2, { payload: ANSWER, fragment: 0x2001 }, sent),
    encodeRecord(packetLayout, { cpu: 0, seq: 0, timeNs: 3n }, {}),
    packet(4, { ...TO_CLIENT, payload: ANSWER, fragment: 0x2000 }, got, 80),
    packet(
      5,
      {
        ...TO_CLIENT,
        payload: wireMessage({ id: 9, flags: ANSWER_FLAGS }),
        options: Buffer.from([1, 1, 1, 0]),
      },
      got,
    ),
  ])
  const { undecoded, fragments } = tableIn(pipeline)
  assert.deepEqual([undecoded, fragments], [3, 1])
  assert.deepEqual(
    [cut?.name, cut?.isCut, cut?.isMalformed, cut?.answerBytes],
    ['www.example.org', true, false, ANSWER.length],
  )
  assert.deepEqual([more?.dnsId, more?.isCut], [9, false])
})

test('over IPv6, also with headers in between', () => {
  const from = [[...Buffer.from('20010db8000000000000000000000007', 'hex')], 5000] as const
  const to = [[...Buffer.from('20010db8000000000000000000000053', 'hex')], 53] as const
  for (const [options, firstHeader] of [
    [Buffer.alloc(0), undefined],
    [Buffer.from('1100000000000000', 'hex'), 60],
    [Buffer.from('2c000000000000001100000000000001', 'hex'), 0],
  ] as const) {
    const wire = { from, to, payload: QUERY, options, ...(firstHeader === undefined ? {} : { firstHeader }) }
    const [event] = dnsOf(testPipeline(), [packet(1, wire, sent)])
    assert.deepEqual(
      [event?.clientIp, event?.serverIp, event?.name],
      ['2001:db8::7', '2001:db8::53', 'www.example.org'],
    )
  }
})

test('tables are bounded, and what finds no room is counted or forgotten', () => {
  const pipeline = testPipeline({ maxLength: 100_000 })
  const one = wireMessage({ questions: [], counts: [0, 0, 0, 0] })
  const crowd = framed(
    ...Array.from({ length: MAX_EVENTS + 5 }, (_, id) => Buffer.concat([words(id), one.subarray(2)])),
  )
  assert.equal(dnsOf(pipeline, [packet(1, { payload: crowd, sequence: 1 }, sent, 65_535)]).length, MAX_EVENTS)
  assert.equal(tableIn(pipeline).evicted, 5)
  for (let id = 0; id < MAX_EXCHANGES + 7; id++) {
    insert(pipeline, packet(10 + id, { payload: wireMessage({ id }) }, { ...sent, exchange: id + 1 }))
    const from = [[10, 0, id >> 8, id & 255], 9] as const
    insert(
      pipeline,
      packet(
        10 + id,
        { from, payload: framed(QUERY).subarray(0, 9), sequence: 1 },
        { ...sent, client: id + 1 },
      ),
    )
  }
  dnsOf(pipeline, [])
  const { exchanges, streams, lostStreams } = tableIn(pipeline).stats()
  assert.deepEqual([exchanges, streams], [MAX_EXCHANGES, MAX_STREAMS])
  assert.ok((lostStreams as number) > 3000)
})

test('no record, whatever is in it, makes an exception or a number that is wrong', () => {
  const real = wirePacket({ payload: ANSWER })
  const segment = wirePacket({ payload: framed(ANSWER), sequence: 1 })
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 200 }),
    fc
      .tuple(fc.constantFrom(real, segment), fc.array(fc.tuple(fc.nat({ max: 150 }), fc.nat({ max: 255 }))))
      .map(([from, changes]) => {
        const packet = Buffer.from(from)
        for (const [at, value] of changes) packet[at] = value
        return packet as Uint8Array
      }),
  )
  fc.assert(
    fc.property(
      fc.array(bytes, { maxLength: 4 }),
      fc.constantFrom(sent, got, { place: 0 }),
      (packets, values) => {
        const pipeline = testPipeline()
        const records = packets.map((packet, at) =>
          encodeRecord(
            packetLayout,
            { cpu: 0, seq: 0, timeNs: BigInt(9 + at) },
            { ...values, exchange: 1, client: 1, packet },
          ),
        )
        for (const event of dnsOf(pipeline, records)) {
          for (const value of Object.values(event)) {
            if (typeof value === 'number') assert.ok(Number.isSafeInteger(value) && value >= 0)
            if (typeof value === 'bigint') assert.ok(value >= 0n)
          }
        }
      },
    ),
    { numRuns: 1000 },
  )
})
