import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { type WirePacket } from '../../names/testing/packets.js'
import { insert, testPipeline } from '../../testing/process-records.js'
import { PLACE_RECEIVED } from './records.js'
import { ANSWER_FLAGS, question, wireMessage, wireName, wireRecord } from './testing/messages.js'
import {
  START,
  FIN,
  QUERY,
  ANSWER,
  sent,
  got,
  packet,
  dnsOf,
  tableIn,
  framed,
  TO_SERVER,
  TO_CLIENT,
} from './testing/records.js'

test('over TCP: several messages in a segment, and one in many, seen from both ends, are one event each', () => {
  const second = wireMessage({ id: 2, questions: [question(wireName('two'), 28)] })
  const queries = framed(QUERY, second)
  const answers = framed(
    wireMessage({ id: 2, flags: ANSWER_FLAGS, questions: [question(wireName('two'), 28)] }),
    ANSWER,
  )
  const server = { pid: 9, startBootNs: START, cookie: 78n, place: PLACE_RECEIVED }
  const segments = [...answers].map((_, at) =>
    packet(
      300 + at,
      { ...TO_CLIENT, payload: answers.subarray(at, at + 1), sequence: (0xffff_fff0 + at) >>> 0 },
      got,
    ),
  )
  const events = dnsOf(testPipeline(), [
    packet(100, { ...TO_SERVER, payload: queries.subarray(0, 1), sequence: 5 }, sent),
    packet(101, { ...TO_SERVER, payload: queries.subarray(0, 1), sequence: 5 }, server),
    packet(102, { ...TO_SERVER, payload: queries.subarray(1), sequence: 6 }, sent),
    // Sent once more.
    packet(103, { ...TO_SERVER, payload: queries, sequence: 5 }, sent),
    ...segments,
  ])
  assert.deepEqual(
    events.map(({ actions, transport, name, dnsId, rcode }) => [
      actions.join('+'),
      transport,
      name,
      dnsId,
      rcode,
    ]),
    [
      ['query+answer', 'tcp', 'www.example.org', 0x1234, 'NOERROR'],
      ['query+answer', 'tcp', 'two', 2, 'NOERROR'],
    ],
  )
})

test('segments that come out of order are put in order; what is lost is counted, and later messages are found', () => {
  const pipeline = testPipeline()
  const whole = framed(ANSWER)
  const part = (timeNs: number, from: number, to: number, base = 1000) =>
    packet(timeNs, { ...TO_CLIENT, payload: whole.subarray(from, to), sequence: base + from }, got)
  const names = (records: Uint8Array[]) => dnsOf(pipeline, records).map(({ name }) => name)
  assert.deepEqual(names([part(1, 0, 10), part(2, 20, 30), part(3, 30, whole.length), part(4, 10, 20)]), [
    'www.example.org',
  ])
  // A hole of ten bytes, and nine segments behind it.
  const holes = Array.from({ length: 9 }, (_, at) => part(30 + at, 20 + at, 21 + at, 5000))
  assert.deepEqual(names([part(20, 0, 10, 5000), ...holes]), [])
  assert.equal(tableIn(pipeline).streams.lost, 1)
  assert.deepEqual(names([part(50, 0, whole.length, 5029)]), ['www.example.org'])
})

test('the end of a stream is not taken for the beginning of another one where the other end sees it', () => {
  const second = wireMessage({ id: 2, questions: [question(wireName('two'))] })
  const whole = framed(QUERY, second)
  const wire = { ...TO_SERVER, sequence: 1, payload: whole.subarray(0, 20) }
  const end = { ...TO_SERVER, sequence: 21, payload: whole.subarray(20), flags: FIN }
  const server = { place: PLACE_RECEIVED, pid: 9, startBootNs: START, cookie: 78n, netNs: 5 }
  const pipeline = testPipeline()
  const events = dnsOf(pipeline, [
    packet(1, wire, sent),
    packet(2, wire, server),
    packet(3, end, sent),
    packet(4, end, server),
  ])
  assert.deepEqual(
    events.map(({ name, isMalformed }) => [name, isMalformed]),
    [
      ['www.example.org', false],
      ['two', false],
    ],
  )
  const { lostStreams, undecoded } = tableIn(pipeline).stats()
  assert.deepEqual([lostStreams, undecoded], [0, 0])
  // One that ends within a message is counted.
  dnsOf(pipeline, [
    packet(9, { ...end, payload: whole.subarray(0, 20), sequence: 1 }, { ...sent, cookie: 80n }),
  ])
  assert.equal(tableIn(pipeline).stats()['lostStreams'], 1)
})

test('64 KiB over TCP, in segments of one byte: bounded, and right', () => {
  const records = Array.from({ length: 2000 }, () => wireRecord(16, Buffer.from('\x13xxxxxxxxxxxxxxxxxxx')))
  const big = framed(wireMessage({ flags: ANSWER_FLAGS, answers: records }))
  assert.ok(big.length > 64_000)
  const pipeline = testPipeline({ maxLength: 1_000_000 })
  for (let at = 0; at < big.length; at++)
    insert(
      pipeline,
      packet(1000 + at, { ...TO_CLIENT, payload: big.subarray(at, at + 1), sequence: at }, got),
    )
  const [event, ...more] = dnsOf(pipeline, [])
  assert.deepEqual(
    [more, event?.answerBytes, event?.isCut, event?.answers?.length],
    [[], big.length - 2, true, 32],
  )
})

test('however messages are cut into segments, sent again, overtaken, and seen from both ends, each is one event', () => {
  const server = { place: PLACE_RECEIVED, pid: 9, startBootNs: START, cookie: 78n, netNs: 5 }
  const step = fc.record({ isAgain: fc.boolean(), isOvertaken: fc.boolean(), isSeenTwice: fc.boolean() })
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 4 }),
      fc.array(fc.nat(), { maxLength: 40 }),
      fc.array(step, { minLength: 41, maxLength: 41 }),
      fc.nat({ max: 0xffff_ffff }),
      (count, places, steps, base) => {
        const names = Array.from({ length: count }, (_, at) => `n${at}`)
        const whole = framed(
          ...names.map((name, id) => wireMessage({ id, questions: [question(wireName(name))] })),
        )
        const cuts = [...new Set([0, whole.length, ...places.map((place) => place % whole.length)])]
        cuts.sort((x, y) => x - y)
        const parts = cuts.slice(1).map((end, at): WirePacket => {
          const start = cuts[at] as number
          return {
            ...TO_SERVER,
            payload: whole.subarray(start, end),
            sequence: (base + start) >>> 0,
            flags: end === whole.length ? FIN : 0x18,
          }
        })
        // The first one is not overtaken: where a stream begins is not known otherwise.
        for (let at = 1; at + 1 < parts.length; at += 2) {
          const [one, other] = [parts[at] as WirePacket, parts[at + 1] as WirePacket]
          if (steps[at]?.isOvertaken === true) [parts[at], parts[at + 1]] = [other, one]
        }
        let timeNs = 1
        const records = parts.flatMap((part, at) => {
          const { isAgain = false, isSeenTwice = false } = steps[at] ?? {}
          const ends = [sent, ...(isAgain ? [sent] : []), ...(isSeenTwice ? [server] : [])]
          return ends.map((end) => packet(timeNs++, part, end))
        })
        const pipeline = testPipeline()
        const events = dnsOf(pipeline, records)
        assert.deepEqual(
          events.map(({ name, pid, isMalformed }) => [name, pid, isMalformed]),
          names.map((name) => [name, 7, false]),
        )
        const { lostStreams, undecoded } = tableIn(pipeline).stats()
        assert.deepEqual([lostStreams, undecoded], [0, 0])
      },
    ),
    { numRuns: 500 },
  )
})
