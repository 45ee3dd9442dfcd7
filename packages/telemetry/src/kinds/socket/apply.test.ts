import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { encodeRecord, type RecordLayout } from 'quark-ebpf/probe'
import { eventsOf, record, testPipeline } from '../../testing/process-records.js'
import { createText } from '../../outputs.js'
import { noAggregation } from '../index.js'
import { socketTable } from './apply-found.js'
import type {
  ConnectionEvent,
  ConnectionFailedEvent,
  ListenerEvent,
  RawSocketEvent,
  UdpFlowEvent,
  UnixSocketEvent,
} from './events.js'
import { socketKind } from './index.js'
import {
  acceptLayout,
  AF_INET,
  AF_INET6,
  AF_PACKET,
  closeLayout,
  connectErrorLayout,
  connectFailedLayout,
  connectLayout,
  FLOW_CLOSED,
  FLOW_OPEN,
  flowLayout,
  listenLayout,
  listenPortLayout,
  PHASE_ACCEPTED,
  PHASE_CONNECTED,
  PHASE_LISTENING,
  PHASE_REFUSED,
  PHASE_TRIED,
  PHASE_UNKNOWN,
  PHASE_WAITING,
  tcpCountsLayout,
  rawCloseLayout,
  rawLayout,
  SOCK_RAW,
  SOCK_STREAM,
  UNIX_ACCEPT,
  UNIX_CONNECT,
  UNIX_LISTEN,
  unixLayout,
} from './records.js'

const START = 1_000_000_000n

const ends = {
  netNs: 5,
  cookie: 77n,
  family: AF_INET,
  // In network order: 50250 and 443, 192.0.2.7 and 198.51.100.9.
  localPort: 0x4ac4,
  remotePort: 0xbb01,
  local0: 0x0702_00c0,
  remote0: 0x0964_33c6,
} as const

/** A record of a socket at a time in ns. */
function socket(layout: RecordLayout, timeNs: number, values: object): Uint8Array {
  return encodeRecord(layout, { cpu: 0, seq: 0, timeNs: BigInt(timeNs) }, { ...ends, ...values })
}

function client(timeNs: number, pid: number): Uint8Array {
  return record('exec', timeNs, { pid, tid: pid, startBootNs: START, comm: 'client' })
}

function eventsWith(records: readonly Uint8Array[], options = {}) {
  const events = eventsOf(testPipeline(options), [...records]) as { kind: string }[]
  return events.filter(({ kind }) => kind !== 'process') as unknown as (
    | ConnectionEvent
    | ConnectionFailedEvent
    | ListenerEvent
  )[]
}

const connected = { pid: 7, startBootNs: START, phase: PHASE_CONNECTED, sinceNs: 40n }
const closed = { closerPid: 8, closerStartBootNs: START, sentBytes: 7n, receivedBytes: 9n, hasBytes: 1 }

test('an opening and a close soon after are one event, with who did both', () => {
  const records = [
    client(1, 7),
    client(2, 8),
    socket(connectLayout, 100, connected),
    socket(closeLayout, 300, { ...connected, ...closed, errno: 104 }),
  ]
  const [event, ...more] = eventsWith(records) as ConnectionEvent[]
  assert.deepEqual(more, [])
  assert.ok(event)
  const { process, timeNs, relatives: _relatives, ...rest } = event
  assert.equal(process?.pid, 7)
  assert.deepEqual(rest, {
    kind: 'connection',
    actions: ['connect', 'close'],
    transport: 'tcp',
    family: 'ipv4',
    localIp: '192.0.2.7',
    localPort: 50_250,
    netNs: 5,
    socketId: 77n,
    remoteIp: '198.51.100.9',
    remotePort: 443,
    remoteName: undefined,
    remoteNameSource: undefined,
    direction: 'outbound',
    handshakeNs: 60n,
    queuedNs: undefined,
    durationNs: 260n,
    sentBytes: 7,
    receivedBytes: 9,
    errno: 104,
    unaccepted: false,
    pid: 7,
    closerPid: 8,
  })
  const apart = eventsWith(records, { aggregation: noAggregation() }) as ConnectionEvent[]
  assert.deepEqual(
    apart.map(({ actions, pid, process }) => [actions, pid, process?.pid]),
    [
      [['connect'], 7, 7],
      [['close'], 7, 7],
    ],
  )
  assert.equal(apart[0]?.timeNs, timeNs)
  // Of a kernel that cannot supply them.
  const [lone] = eventsWith([
    socket(closeLayout, 300, { ...connected, ...closed, hasBytes: 0 }),
  ]) as ConnectionEvent[]
  assert.deepEqual([lone?.sentBytes, lone?.receivedBytes], [undefined, undefined])
})

test('a socket that is connected once more has two connections', () => {
  const events = eventsWith([
    socket(connectLayout, 100, connected),
    socket(closeLayout, 300, { ...connected, ...closed }),
    socket(connectLayout, 400, { ...connected, sinceNs: 390n }),
    socket(closeLayout, 500, { ...connected, ...closed, sinceNs: 390n }),
  ]) as ConnectionEvent[]
  assert.deepEqual(
    events.map(({ actions, durationNs }) => [actions, durationNs]),
    [
      [['connect', 'close'], 260n],
      [['connect', 'close'], 110n],
    ],
  )
})

test('the process of a pid that was used again is not named', () => {
  const [event] = eventsWith([
    client(1, 7),
    socket(closeLayout, 300, { ...connected, ...closed, startBootNs: START - 5n }),
  ]) as ConnectionEvent[]
  assert.deepEqual([event?.pid, event?.process], [7, undefined])
})

test('a connection belongs to the process that accepted it, else to the first one that had it, or to none', () => {
  const waiting = { phase: PHASE_WAITING, sinceNs: 50n }
  const events = eventsWith([
    client(1, 8),
    socket(acceptLayout, 100, { pid: 8, startBootNs: START, phase: PHASE_ACCEPTED, sinceNs: 90n }),
    socket(closeLayout, 200, { ...waiting, ...closed, cookie: 78n }),
    socket(closeLayout, 300, { phase: PHASE_REFUSED, sinceNs: 50n, cookie: 79n }),
    socket(closeLayout, 400, { ...closed, phase: PHASE_UNKNOWN, cookie: 80n }),
  ]) as ConnectionEvent[]
  assert.deepEqual(
    events.map(({ actions, direction, pid, process, unaccepted }) => {
      return [actions.join(), direction, pid, process?.pid, unaccepted]
    }),
    [
      ['accept', 'inbound', 8, 8, false],
      ['accept,close', 'inbound', 8, 8, false],
      ['close', 'inbound', undefined, undefined, true],
      // It was there before the queue: who closed it is known.
      ['close', undefined, undefined, 8, false],
    ],
  )
  assert.deepEqual([events[0]?.queuedNs, events[1]?.durationNs], [10n, 150n])
})

test('a socket that gets the number of a former one does not get its process', () => {
  const apart = { aggregation: noAggregation() }
  const refused = { phase: PHASE_REFUSED, sinceNs: 500n, remotePort: 0xbc01 }
  const before = [client(1, 7), client(2, 8), socket(connectLayout, 100, connected)]
  const end = socket(closeLayout, 300, { ...connected, ...closed })
  // The former one has ended, or its end was lost.
  for (const records of [[...before, end], before]) {
    const last = eventsWith([...records, socket(closeLayout, 900, refused)], apart).at(-1)
    assert.ok(last?.kind === 'connection')
    assert.deepEqual(last.actions, ['close'])
    assert.equal(last.pid, undefined)
    assert.equal(last.process, undefined)
  }
  // One with the same ends that has ended is not there any more, either.
  const again = socket(closeLayout, 900, { phase: PHASE_REFUSED, sinceNs: 500n })
  assert.equal(eventsWith([...before, end, again], apart).at(-1)?.pid, undefined)
  // This one is the same.
  const unknown = socket(closeLayout, 900, { phase: PHASE_UNKNOWN })
  assert.equal(eventsWith([...before, unknown], apart).at(-1)?.pid, 7)
})

test('failed connections say why, or that they were given up, or nothing', () => {
  const tried = { pid: 7, phase: PHASE_TRIED, sinceNs: 50n }
  const events = eventsWith([
    socket(connectFailedLayout, 100, { ...tried, errno: 111 }),
    socket(connectFailedLayout, 200, { ...tried, shutdown: 3, cookie: 78n }),
    socket(connectFailedLayout, 300, { ...tried, cookie: 79n, local0: 0, localPort: 0 }),
  ]) as ConnectionFailedEvent[]
  assert.deepEqual(
    events.map(({ errno, abandoned, localIp, localPort, remoteIp }) => {
      return [errno, abandoned, localIp, localPort, remoteIp]
    }),
    [
      [111, false, '192.0.2.7', 50_250, '198.51.100.9'],
      [undefined, true, '192.0.2.7', 50_250, '198.51.100.9'],
      [undefined, false, undefined, undefined, '198.51.100.9'],
    ],
  )
})

test('who a process connects to has the name that it used, and who connects to it has none', () => {
  const pipeline = testPipeline()
  const { names } = pipeline.tables
  const address = {
    ip: '198.51.100.9',
    name: 'www.example.org',
    ttlS: 60,
    netNs: 5,
    asker: { pid: 7, startTicks: undefined, uid: 0 },
  }
  names.setAddress(address, 10)
  names.setSocket(80n, 'tls.example.org')
  const accepted = { pid: 8, phase: PHASE_ACCEPTED, sinceNs: 90n }
  const mapped = { family: AF_INET6, remote0: 0, remote2: 0xffff_0000, remote3: ends.remote0 }
  const events = eventsOf(pipeline, [
    socket(connectLayout, 100, connected),
    socket(connectFailedLayout, 110, { pid: 9, phase: PHASE_TRIED, errno: 111, cookie: 78n }),
    socket(acceptLayout, 120, { ...accepted, cookie: 79n }),
    socket(closeLayout, 130, { ...connected, ...closed, cookie: 80n }),
    socket(connectLayout, 140, { ...connected, ...mapped, cookie: 81n }),
    socket(connectLayout, 150, { ...connected, cookie: 82n, netNs: 6 }),
  ]) as ConnectionEvent[]
  assert.deepEqual(
    events.map(({ remoteName, remoteNameSource }) => [remoteName, remoteNameSource]),
    [
      ['www.example.org', 'dns'],
      ['www.example.org', 'dnsOfOther'],
      [undefined, undefined],
      ['tls.example.org', 'tls'],
      ['www.example.org', 'dns'],
      [undefined, undefined],
    ],
  )
})

test('who listens, and until when', () => {
  const listening = {
    pid: 7,
    phase: PHASE_LISTENING,
    sinceNs: 50n,
    family: AF_INET6,
    local0: 0,
    remotePort: 0,
  }
  const records = [
    socket(listenLayout, 100, { ...listening, backlog: 5 }),
    socket(closeLayout, 300, { ...listening, ...closed }),
  ]
  const of = (events: readonly object[]) =>
    (events as ListenerEvent[]).map((event) => {
      const { kind, actions, localIp, backlog, durationNs, closerPid } = event
      return [kind, actions.join(), localIp, backlog, durationNs, closerPid]
    })
  assert.deepEqual(of(eventsWith(records)), [['listener', 'listen,close', '::', 5, 250n, 8]])
  assert.deepEqual(of(eventsWith(records, { aggregation: noAggregation() })), [
    ['listener', 'listen', '::', 5, undefined, undefined],
    ['listener', 'close', '::', undefined, 250n, 8],
  ])
})

test('no record, whatever is in it, makes a number that is wrong or an exception', () => {
  // Those of Unix sockets have a tail, whose length the noise would have wrong.
  const layouts = socketKind.records.flatMap(({ layout }) => (layout.tails.length === 0 ? layout : []))
  fc.assert(
    fc.property(
      fc.constantFrom<RecordLayout>(...layouts),
      fc.uint8Array({ minLength: 256, maxLength: 256 }),
      (layout, noise) => {
        const bytes = noise.slice(0, layout.fixedSizeBytes)
        bytes.set(encodeRecord(layout, { cpu: 0, seq: 0, timeNs: 9n }, {}).subarray(0, 16))
        const [event] = eventsWith([bytes], { snapshotEvents: true })
        // They only add to others.
        if ([tcpCountsLayout, connectErrorLayout, listenPortLayout].includes(layout as never)) {
          assert.equal(event, undefined)
          return
        }
        assert.ok(event)
        for (const value of Object.values(event)) {
          if (typeof value === 'number') assert.ok(Number.isSafeInteger(value) && value >= 0)
          if (typeof value === 'bigint') assert.ok(value >= 0n)
        }
      },
    ),
  )
})

test('datagrams of a flow, and who opened, used and closed its socket', () => {
  const [event] = eventsWith([
    client(1, 7),
    socket(flowLayout, 5000, {
      pid: 7,
      startBootNs: START,
      phase: PHASE_ACCEPTED,
      sinceNs: 100n,
      lastNs: 400n,
      openerPid: 6,
      closerPid: 8,
      sentDatagrams: 1n,
      receivedDatagrams: 2n,
      sentBytes: 3n,
      receivedBytes: 4n,
      ended: FLOW_CLOSED,
    }),
  ]) as unknown as UdpFlowEvent[]
  assert.ok(event)
  const { process, beganNs, lastNs, timeNs, relatives: _relatives, ...rest } = event
  assert.deepEqual([process?.pid, timeNs - lastNs, lastNs - (beganNs ?? 0n)], [7, 4600n, 300n])
  assert.deepEqual(rest, {
    kind: 'udpFlow',
    transport: 'udp',
    family: 'ipv4',
    localIp: '192.0.2.7',
    localPort: 50_250,
    netNs: 5,
    socketId: 77n,
    remoteIp: '198.51.100.9',
    remotePort: 443,
    remoteName: undefined,
    remoteNameSource: undefined,
    direction: 'inbound',
    ended: 'closed',
    durationNs: 300n,
    sentDatagrams: 1,
    receivedDatagrams: 2,
    sentBytes: 3,
    receivedBytes: 4,
    pid: 7,
    openerPid: 6,
    closerPid: 8,
  })
})

test('a socket of UDP that gets the number of a former one is noted as itself', () => {
  const pipeline = testPipeline()
  const end = socket(closeLayout, 300, { ...connected, ...closed })
  const flow = socket(flowLayout, 5000, { openerPid: 6, localPort: 0x3500, lastNs: 400n, ended: FLOW_OPEN })
  eventsOf(pipeline, [client(1, 7), socket(connectLayout, 100, connected), end, flow])
  const noted = socketTable(pipeline.tables)?.get(77n)
  assert.deepEqual([noted?.transport, noted?.state, noted?.localPort, noted?.pid], ['udp', 'open', 53, 6])
  assert.equal(noted?.openedNs, undefined)
})

test('a raw socket that is closed soon after is one event; of packets it has the protocol of Ethernet', () => {
  const opened = { pid: 7, startBootNs: START, sinceNs: 40n, protocol: 1, socketType: SOCK_RAW }
  const records = [
    client(1, 7),
    socket(rawLayout, 100, opened),
    socket(rawCloseLayout, 300, { ...opened, closerPid: 8 }),
    socket(rawLayout, 400, { ...opened, cookie: 0n, family: AF_PACKET, protocol: 0x86dd, socketType: 2 }),
    socket(rawLayout, 500, { ...opened, cookie: 0n, family: AF_PACKET, protocol: 3 }),
  ]
  const events = eventsWith(records) as unknown as RawSocketEvent[]
  assert.deepEqual(
    events.map(({ actions, family, socketType, protocol, durationNs, pid, closerPid }) => [
      actions.join(),
      family,
      socketType,
      protocol,
      durationNs,
      pid,
      closerPid,
    ]),
    [
      ['open,close', 'ipv4', 'raw', 1, 260n, 7, 8],
      ['open', 'packet', 'dgram', 0x86dd, undefined, 7, undefined],
      ['open', 'packet', 'raw', 3, undefined, 7, undefined],
    ],
  )
})

test('names of Unix sockets end where the kernel says, or at a NUL', () => {
  const unix = (more: object): Uint8Array =>
    encodeRecord(
      unixLayout,
      { cpu: 0, seq: 0, timeNs: 100n },
      { pid: 7, startBootNs: START, cookie: 9n, netNs: 5, socketType: SOCK_STREAM, ...more },
    )
  const events = eventsWith([
    client(1, 7),
    unix({ action: UNIX_CONNECT, peerPid: 8, name: Buffer.from('/run/x.sock\0junk') }),
    unix({ action: UNIX_ACCEPT, isAbstract: 1, name: Buffer.from('name') }),
    unix({ action: UNIX_LISTEN, name: Buffer.alloc(0) }),
    unix({ action: 77 }),
  ]) as unknown as UnixSocketEvent[]
  assert.deepEqual(
    events.map(({ action, path, abstract, peerPid, socketType, process }) => {
      return [action, path, abstract, peerPid, socketType, process?.pid]
    }),
    [
      ['connect', '/run/x.sock', false, 8, 'stream', 7],
      ['accept', 'name', true, undefined, 'stream', 7],
      ['listen', undefined, false, undefined, 'stream', 7],
    ],
  )
})

test('what connect(2) returned, and the port that listen(2) chose, are in the events of what they did', () => {
  const listening = { pid: 7, phase: PHASE_LISTENING, sinceNs: 50n, local0: 0, remotePort: 0 }
  const events = eventsWith([
    client(1, 7),
    socket(connectFailedLayout, 100, { pid: 7, phase: PHASE_TRIED, sinceNs: 50n }),
    encodeRecord(connectErrorLayout, { cpu: 0, seq: 0, timeNs: 110n }, { cookie: 77n, errno: 99 }),
    socket(listenLayout, 200, { ...listening, cookie: 78n, localPort: 0, backlog: 5 }),
    socket(listenPortLayout, 210, { ...listening, cookie: 78n }),
    socket(closeLayout, 300, { ...listening, ...closed, cookie: 78n }),
    // Without a hook at the end of listen(2).
    socket(listenLayout, 400, { ...listening, cookie: 79n, localPort: 0, backlog: 5 }),
    socket(closeLayout, 500, { ...listening, ...closed, cookie: 79n }),
  ]) as (ConnectionFailedEvent | ListenerEvent)[]
  assert.deepEqual(
    events.map((event) =>
      event.kind === 'listener' ? [event.actions.join(), event.localPort, event.localIp] : [event.errno],
    ),
    [[99], ['listen,close', 50_250, '0.0.0.0'], ['listen,close', 50_250, '0.0.0.0']],
  )
})

test('the records of a real run are what it did', () => {
  const hex = readFileSync(new URL('../../../src/kinds/socket/testdata/run.hex', import.meta.url), 'latin1')
  const records = hex
    .trimEnd()
    .split('\n\n')
    .map((record) => Buffer.from(record.replaceAll('\n', ''), 'hex'))
  const events = eventsWith(records) as unknown as Readonly<Record<string, unknown>>[]
  const text = createText({ userName: () => undefined })
  assert.deepEqual(
    events.map((event) =>
      [
        event['kind'],
        text(event as never)
          .slice(13)
          .replace(/ +/g, ' '),
      ].join(': '),
    ),
    [
      'listener: lstn 22151 ? ? 127.0.0.1:8080 # backlog 8, 19.9ms',
      'connection: conn 22151 ? ? 127.0.0.1:40000 -> 127.0.0.1:8080 # sent 100B, received 100B, 19.0ms',
      'connection: acpt 22197 ? ? 127.0.0.1:8080 <- 127.0.0.1:40000 # sent 100B, received 100B, 3.95ms',
      'connectionFailed: conx 22151 ? ? 127.0.0.1:40001 -> 127.0.0.1:9 # ECONNREFUSED, 24us',
      'listener: lstn 22151 ? ? 127.0.0.1:8081 # backlog 8, 140us',
      'connection: conn 22151 ? ? 127.0.0.1:40002 -> 127.0.0.1:8081 # sent 0B, received 6B, 88us',
      'connection: acpt 22151 ? ? 127.0.0.1:8081 <- 127.0.0.1:40002 # sent 6B, received 0B, ECONNRESET, 93us',
      'rawSocket: rawo 22151 ? ? ipv4 icmp # 13us',
      'rawSocket: rawo 22151 ? ? packet all',
      'unixSocket: ulst 22151 ? ? @fixture # peer 22151',
      'unixSocket: ucon 22151 ? ? @fixture # peer 22151',
      'unixSocket: uacc 22151 ? ? @fixture # peer 22151',
      'udpFlow: flow 22198 ? ? 127.0.0.1:53 <- 127.0.0.1:40003 # 1 out, 1 in, sent 10B, received 5B, 733us, opened by 22151, closed by 22151',
      'udpFlow: flow 22151 ? ? [::ffff:127.0.0.1]:40003 -> [::ffff:127.0.0.1]:53 # 1 out, 1 in, sent 5B, received 10B, 768us',
    ],
  )
})
