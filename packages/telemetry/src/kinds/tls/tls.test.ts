import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { encodeRecord } from 'quark-ebpf/probe'
import { wirePacket, words } from '../../names/testing/packets.js'
import type { QuarkEvent } from '../index.js'
import { eventsOf, insert, record, testPipeline } from '../../testing/process-records.js'
import type { TlsEvent } from './events.js'
import { helloOf } from './hello.js'
import { segmentLayout } from './records.js'
import { type HelloTable, MAX_CONNECTIONS } from './table.js'
import { clientHello } from './testing/client-hello.js'

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
