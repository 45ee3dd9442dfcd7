import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { encodeRecord } from 'quark-ebpf/probe'
import { wirePacket, words } from '../../names/testing/packets.js'
import type { QuarkEvent } from '../index.js'
import { eventsOf, insert, record, testPipeline } from '../../testing/process-records.js'
import type { TlsEvent } from './events.js'
import { helloOf } from './hello.js'
import { PLACE_ANSWERED, PLACE_RECEIVED, receivedLayout, segmentLayout } from './records.js'
import { type HelloTable, MAX_CONNECTIONS } from './table.js'
import { clientHello, GREASE, helloWith, listed, serverName } from './testing/client-hello.js'

const START = 1_000_000_000n
const REAL = await clientHello({ servername: 'WWW.Example.org', ALPNProtocols: ['h2', 'http/1.1'] })
const NAMELESS = await clientHello({ minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2' })
const FOUND = {
  serverName: 'www.example.org',
  protocols: ['h2', 'http/1.1'],
  version: 'TLSv1.3',
  isEncrypted: false,
}

test('what a client says, with a name and without', () => {
  assert.deepEqual(helloOf(REAL), FOUND)
  assert.deepEqual(helloOf(NAMELESS), { ...FOUND, serverName: undefined, protocols: [], version: 'TLSv1.2' })
})

test('a message in several records; behind what follows it, it is the same', () => {
  const body = REAL.subarray(5)
  const records = [body.subarray(0, 3), body.subarray(3, 100), body.subarray(100)].map((part) =>
    Buffer.concat([Buffer.from([22, 3, 1]), words(part.length), part]),
  )
  assert.deepEqual(helloOf(Buffer.concat(records)), FOUND)
  assert.deepEqual(helloOf(Buffer.concat([REAL, Buffer.from([20, 3, 3, 0, 1, 1])])), FOUND)
})

test('as long as it is cut there is more to come; what is another thing is none', () => {
  for (let length = 0; length < REAL.length; length++) {
    assert.equal(helloOf(REAL.subarray(0, length)), 'more', `${length}`)
  }
  for (const other of [
    'GET / HTTP/1.1\r\n',
    '\x16\x02\x00',
    '\x16\x03\x01\x00\x04\x02\x00\x00\x00',
    '\x16\x03\x01\x00\x04\x01\xff\xff\xff',
  ]) {
    assert.equal(helloOf(Buffer.from(other, 'latin1')), 'none')
  }
})

const ENCRYPTED = 0xfe0d
const VERSIONS = 43
const ALPN = 16

test('what only looks like something to servers is left out, and an encrypted message is said to be there', () => {
  const hello = helloWith([
    [GREASE, Buffer.alloc(0)],
    [VERSIONS, listed(1, words(GREASE, 0x7f1c, 0x0304, 0x0303))],
    [ALPN, listed(2, listed(1, words(GREASE)), listed(1, Buffer.from('h2')))],
    serverName('front.example'),
    [ENCRYPTED, Buffer.alloc(200, 1)],
    [0x1a1a, Buffer.from([0])],
  ])
  assert.deepEqual(helloOf(hello), {
    serverName: 'front.example',
    protocols: ['\\010\\010', 'h2'],
    version: 'TLSv1.3',
    isEncrypted: true,
  })
})

test('lengths that lie beyond the message end what is read of it', () => {
  const long = Buffer.concat([words(0xffff), Buffer.from('\0\xff\xffevil', 'latin1')])
  const other = helloWith([[0, long], serverName('second.example')])
  assert.deepEqual(helloOf(other), {
    ...FOUND,
    serverName: 'second.example',
    protocols: [],
    version: 'TLSv1.2',
  })
  assert.equal(
    (helloOf(helloWith([serverName('x'.repeat(256))])) as { serverName?: string }).serverName,
    undefined,
  )
  const cut = helloWith([serverName('name.example')])
  // Of the session, of ciphers, and of all extensions.
  for (const at of [9 + 34, 9 + 34 + 33, cut.indexOf(words(0, 17)) - 2]) {
    const evil = Buffer.from(cut)
    evil[at] = 0xff
    const hello = helloOf(evil)
    assert.ok(hello === 'none' || (typeof hello === 'object' && hello.serverName === undefined), `${at}`)
  }
})

/** What is cut at some places. */
function cutAt(bytes: Buffer, places: readonly number[]): Buffer[] {
  const sorted = [0, ...places.map((place) => place % bytes.length).toSorted((a, b) => a - b), bytes.length]
  return sorted.slice(1).map((end, at) => bytes.subarray(sorted[at], end))
}

test('however a message is cut into records, and those into segments, it is the same', () => {
  const body = REAL.subarray(5)
  const places = (maxLength: number) => fc.array(fc.nat(), { maxLength })
  fc.assert(
    fc.property(places(20), places(7), (ofRecords, ofSegments) => {
      const records = cutAt(body, ofRecords).map((part) =>
        Buffer.concat([Buffer.from([22, 3, 1]), listed(2, part)]),
      )
      let sequence = 1
      const segments = cutAt(Buffer.concat(records), ofSegments).filter(({ length }) => length > 0)
      const events = eventsOf(
        testPipeline(),
        segments.map((payload, at) => {
          sequence += payload.length
          return segment(at, payload, sequence - payload.length)
        }),
      )
      assert.deepEqual(
        tlsOf(events).map(({ serverName: name, protocols }) => [name, protocols]),
        [[FOUND.serverName, FOUND.protocols]],
      )
    }),
    { numRuns: 300 },
  )
})

test('names with bytes that are no characters are printable; whatever the bytes are, nothing is thrown', () => {
  const at = REAL.indexOf('WWW.Example.org')
  const evil = Buffer.from(REAL)
  evil.set([0x1b, 0x5b, 0xff], at)
  const found = helloOf(evil)
  assert.equal(typeof found === 'object' && found.serverName, '\\027[\\255.example.org')
  const changes = fc.array(fc.tuple(fc.nat({ max: REAL.length - 1 }), fc.nat({ max: 255 })), { maxLength: 8 })
  fc.assert(
    fc.property(changes, fc.uint8Array({ maxLength: 80 }), (changes, noise) => {
      const bytes = Buffer.from(REAL)
      for (const [place, value] of changes) bytes[place] = value
      for (const one of [bytes, Buffer.from(noise), Buffer.concat([REAL.subarray(0, 60), noise])]) {
        const hello = helloOf(one)
        if (typeof hello === 'string') continue
        assert.match([hello.serverName, ...hello.protocols].join(''), /^[\x21-\x7e]*$/)
      }
    }),
    { numRuns: 3000 },
  )
})

function segment(
  timeNs: number,
  payload: Buffer,
  sequence: number,
  values: object = {},
  maxBytes = 8192,
): Uint8Array {
  const packet = wirePacket({ to: [[198, 51, 100, 9], 443], payload, sequence })
  const fields = { pid: 7, startBootNs: START, netNs: 5, cookie: 77n, packet, ...values }
  return encodeRecord(segmentLayout, { cpu: 0, seq: 0, timeNs: BigInt(timeNs) }, fields, { packet: maxBytes })
}

function tlsOf(events: readonly QuarkEvent[]): TlsEvent[] {
  return events.filter(({ kind }) => kind === 'tls') as TlsEvent[]
}

test('the first message of a connection is an event, in one segment or several; later events have its name', () => {
  const pipeline = testPipeline()
  const [event, ...more] = tlsOf(
    eventsOf(pipeline, [
      record('exec', 1, { pid: 7, tid: 7, startBootNs: START, comm: 'curl' }),
      segment(100, REAL.subarray(0, 3), 5),
      segment(110, REAL.subarray(0, 3), 5),
      segment(120, REAL.subarray(3), 8),
      segment(130, Buffer.from([23, 3, 3]), 8 + REAL.length),
    ]),
  )
  assert.ok(event)
  assert.deepEqual(more, [])
  const { process, relatives: _relatives, ...rest } = event
  assert.equal(process?.comm, 'curl')
  assert.deepEqual(rest, {
    kind: 'tls',
    timeNs: 120n,
    direction: 'outbound',
    ...FOUND,
    pid: 7,
    clientIp: '192.0.2.7',
    clientPort: 50_250,
    serverIp: '198.51.100.9',
    serverPort: 443,
    netNs: 5,
    socketId: 77n,
  })
  const ends = { socketId: 77n, netNs: 5, opener: undefined, remoteIp: undefined }
  assert.deepEqual(pipeline.tables.names.find(ends, 200), { name: 'www.example.org', source: 'tls' })
})

test('what cannot be read is counted: a missing segment, too many, one that was cut', () => {
  const unreadOf = (records: Uint8Array[]): unknown => {
    const pipeline = testPipeline()
    assert.deepEqual(tlsOf(eventsOf(pipeline, records)), [])
    return pipeline.tables.table<HelloTable>('tls').unread
  }
  assert.equal(unreadOf([segment(1, REAL.subarray(0, 3), 0), segment(2, REAL.subarray(9), 9)]), 1)
  const bytes = Array.from({ length: 20 }, (_, at) => segment(at, REAL.subarray(at, at + 1), at))
  assert.equal(unreadOf(bytes), 1)
  assert.equal(unreadOf([segment(1, REAL, 0, {}, 100)]), 1)
  assert.equal(unreadOf([segment(1, Buffer.from('GET /'), 0), segment(2, REAL, 5)]), 0)
  assert.equal(unreadOf([encodeRecord(segmentLayout, { cpu: 0, seq: 0, timeNs: 3n }, {})]), 0)
  const many = testPipeline()
  for (let cookie = 1; cookie <= MAX_CONNECTIONS + 5; cookie++) {
    insert(many, segment(cookie, REAL.subarray(0, 3), 0, { cookie: BigInt(cookie) }))
  }
  many.flush([])
  const { connections, unread } = many.tables.table<HelloTable>('tls').stats()
  assert.deepEqual([connections, unread], [MAX_CONNECTIONS, 5])
})

const FROM = [[192, 0, 2, 7], 50_250] as const

function received(timeNs: number, payload: Buffer, sequence: number, values: object = {}): Uint8Array {
  const packet = wirePacket({ from: FROM, to: [[198, 51, 100, 9], 443], payload, sequence })
  const fields = { netNs: 6, cookie: 99n, ports: 1, client: 2, place: PLACE_RECEIVED, packet, ...values }
  return encodeRecord(receivedLayout, { cpu: 0, seq: 0, timeNs: BigInt(timeNs) }, fields, { packet: 8192 })
}

function answer(timeNs: number, values: object = {}): Uint8Array {
  return received(timeNs, Buffer.from('x'), 1, {
    place: PLACE_ANSWERED,
    pid: 8,
    startBootNs: START,
    ...values,
  })
}

test('what comes to a server of this machine is an event of who answers, wherever its parts were seen', () => {
  const pipeline = testPipeline()
  const [event, ...more] = tlsOf(
    eventsOf(pipeline, [
      record('exec', 1, { pid: 8, tid: 8, startBootNs: START, comm: 'nginx' }),
      // At the socket that listens, and then at that of the connection.
      received(100, REAL.subarray(0, 40), 5, { cookie: 98n }),
      received(110, REAL.subarray(40), 45),
      received(115, REAL.subarray(40), 45),
      answer(120),
    ]),
  )
  assert.ok(event)
  assert.deepEqual(more, [])
  const { process, relatives: _relatives, ...rest } = event
  assert.equal(process?.comm, 'nginx')
  assert.deepEqual(rest, {
    kind: 'tls',
    timeNs: 110n,
    direction: 'inbound',
    ...FOUND,
    pid: 8,
    clientIp: '192.0.2.7',
    clientPort: 50_250,
    serverIp: '198.51.100.9',
    serverPort: 443,
    netNs: 6,
    socketId: 99n,
  })
  // It names nobody that is connected to.
  const ends = { socketId: 99n, netNs: 6, opener: undefined, remoteIp: undefined }
  assert.equal(pipeline.tables.names.find(ends, 200), undefined)
})

test('what was sent here is one event, also where it is received; an answer alone is none', () => {
  const events = tlsOf(eventsOf(testPipeline(), [segment(100, REAL, 5), received(101, REAL, 5), answer(102)]))
  assert.deepEqual(
    events.map(({ direction }) => direction),
    ['outbound'],
  )
  assert.deepEqual(tlsOf(eventsOf(testPipeline(), [answer(1)])), [])
})

test('ports that are used again are another connection', () => {
  const far = 5 + (1 << 24)
  const pipeline = testPipeline()
  const events = tlsOf(
    eventsOf(pipeline, [received(100, REAL, 5), answer(101), received(5e9, NAMELESS, far)]),
  )
  assert.deepEqual(
    events.map(({ serverName: name, pid }) => [name, pid]),
    [
      ['www.example.org', 8],
      [undefined, undefined],
    ],
  )
})

test('no record, whatever is in it, makes an exception or a name that is not printable', () => {
  const at = (payload: Buffer, sequence: number) => wirePacket({ from: FROM, payload, sequence })
  const whole = at(REAL, 1)
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 120 }).map((noise) => Buffer.from(noise)),
    // A packet with some bytes changed, and perhaps cut.
    fc
      .tuple(
        fc.constantFrom(whole, at(REAL.subarray(0, 60), 1), at(REAL.subarray(60), 61)),
        fc.array(fc.tuple(fc.nat(), fc.nat({ max: 255 })), { maxLength: 6 }),
        fc.nat({ max: 600 }),
      )
      .map(([packet, changes, length]) => {
        const copy = Buffer.from(packet)
        for (const [place, value] of changes) copy[place % copy.length] = value
        return copy.subarray(0, Math.max(1, length))
      }),
  )
  const one = fc.record({
    isReceived: fc.boolean(),
    packet: bytes,
    pid: fc.nat({ max: 3 }),
    cookie: fc.bigInt({ min: 0n, max: 3n }),
    ports: fc.nat({ max: 2 }),
    place: fc.nat({ max: 3 }),
    timeNs: fc.nat({ max: 1000 }),
  })
  fc.assert(
    fc.property(fc.array(one, { maxLength: 12 }), (list) => {
      const pipeline = testPipeline()
      const records = list.map(({ isReceived, timeNs, packet, pid, cookie, ports, place }, seq) => {
        const header = { cpu: 0, seq, timeNs: BigInt(timeNs) }
        const common = { pid, startBootNs: START, netNs: 5, cookie, packet }
        return isReceived
          ? encodeRecord(receivedLayout, header, { ...common, ports, client: 1, place }, { packet: 8192 })
          : encodeRecord(segmentLayout, header, common, { packet: 8192 })
      })
      for (const { serverName: name = '', protocols, clientPort } of tlsOf(eventsOf(pipeline, records))) {
        assert.match([name, ...protocols].join(''), /^[\x21-\x7e]*$/)
        assert.ok(clientPort >= 0 && clientPort <= 65_535)
      }
      const { connections = 0 } = pipeline.tables.table<HelloTable>('tls').stats()
      assert.ok(connections <= list.length)
    }),
    { numRuns: 1500 },
  )
})
