import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Process } from '../../process/process.js'
import { declarations } from '../../stream.js'
import { type SummarisedEvent, Summary, summaryText } from '../../summaries.js'
import { schemaCheck } from '../../testing/schema.js'
import type {
  ConnectionEvent,
  ConnectionFailedEvent,
  ListenerEvent,
  RawSocketEvent,
  UdpFlowEvent,
} from './events.js'

const curl = { exe: '/usr/bin/curl' } as Process
const nginx = { exe: '/usr/sbin/nginx' } as Process

function connection(known: Partial<ConnectionEvent>): SummarisedEvent {
  return { kind: 'connection', transport: 'tcp', timeNs: 0n, actions: [], ...known } as SummarisedEvent
}

/** From the opening to the end. */
function opened(remoteIp: string, sentBytes: number, receivedBytes: number): SummarisedEvent {
  return connection({
    actions: ['connect', 'close'],
    direction: 'outbound',
    remoteIp,
    remotePort: 443,
    localPort: 50_000,
    process: curl,
    sentBytes,
    receivedBytes,
  })
}

function failed(known: Partial<ConnectionFailedEvent>): SummarisedEvent {
  return { kind: 'connectionFailed', transport: 'tcp', timeNs: 0n, ...known } as SummarisedEvent
}

function listener(known: Partial<ListenerEvent>): SummarisedEvent {
  return { kind: 'listener', timeNs: 0n, actions: ['listen'], ...known } as SummarisedEvent
}

test('a summary has who talked to whom, and who began to listen', () => {
  const summary = new Summary()
  summary.add(opened('192.0.2.1', 100, 2000))
  summary.add(opened('::ffff:192.0.2.1', 50, 1000))
  // One end of it is known, and not how much it was.
  summary.add(
    connection({ actions: ['connect'], direction: 'outbound', remoteIp: '2001:db8::1', process: curl }),
  )
  summary.add(
    connection({
      actions: ['accept'],
      direction: 'inbound',
      localPort: 80,
      remoteIp: '192.0.2.9',
      remotePort: 50_001,
      process: nginx,
    }),
  )
  summary.add(
    connection({
      actions: ['close'],
      direction: 'inbound',
      localPort: 80,
      remoteIp: '192.0.2.9',
      remotePort: 50_001,
      process: nginx,
      sentBytes: 10,
      receivedBytes: 20,
    }),
  )
  summary.add(connection({ actions: ['close'], unaccepted: true, sentBytes: 0, receivedBytes: 0 }))
  summary.add(failed({ remoteIp: '192.0.2.1', remotePort: 443, process: curl }))
  summary.add(listener({ localIp: '::', localPort: 80, process: nginx }))
  summary.add(listener({ actions: ['close'], localIp: '::', localPort: 80, process: nginx }))
  const report = summary.report({ seconds: 1 })
  assert.deepEqual(report.connections, {
    opened: 3,
    accepted: 1,
    unaccepted: 1,
    sentBytes: 160,
    receivedBytes: 3020,
    failed: 1,
  })
  const toServer = {
    command: '/usr/bin/curl',
    transport: 'tcp',
    direction: 'outbound',
    remote: '192.0.2.1',
    port: 443,
  }
  const fromClient = {
    command: '/usr/sbin/nginx',
    transport: 'tcp',
    direction: 'inbound',
    remote: '192.0.2.9',
    port: 80,
  }
  assert.deepEqual(report.mostBytes, [
    { ...toServer, bytes: 3150, sentBytes: 150, receivedBytes: 3000, connections: 2, failed: 1 },
    { ...fromClient, bytes: 30, sentBytes: 10, receivedBytes: 20, connections: 1 },
  ])
  assert.deepEqual(report.mostConnections, [
    { ...toServer, connections: 3, failed: 1, sentBytes: 150, receivedBytes: 3000 },
    {
      command: '/usr/bin/curl',
      transport: 'tcp',
      direction: 'outbound',
      remote: '2001:db8::1',
      connections: 1,
    },
    { ...fromClient, connections: 1, sentBytes: 10, receivedBytes: 20 },
  ])
  assert.deepEqual(report.listeners, [{ command: '/usr/sbin/nginx', address: '::', port: 80, listened: 1 }])
  schemaCheck(declarations)(JSON.stringify({ time: '2026-01-02T03:04:05.678Z', ...report }))
  const [, , heading, , ...lists] = summaryText(report).trimEnd().split('\n')
  assert.equal(
    heading,
    '3 connections opened, 1 accepted, 1 not accepted, 160B sent, 2.95K received, 1 failed',
  )
  assert.deepEqual(lists, [
    '',
    'Transferred most',
    '     3.08K  /usr/bin/curl -> 192.0.2.1:443, sent 150B, received 2.93K, 2 connections, 1 failed',
    '       30B  /usr/sbin/nginx :80 <- 192.0.2.9, sent 10B, received 20B, 1 connection',
    '',
    'Connected most',
    '         3  /usr/bin/curl -> 192.0.2.1:443, 1 failed, sent 150B, received 2.93K',
    '         1  /usr/bin/curl -> [2001:db8::1]',
    '         1  /usr/sbin/nginx :80 <- 192.0.2.9, sent 10B, received 20B',
    '',
    'Began to listen',
    '         1  /usr/sbin/nginx [::]:80',
  ])
})

test('flows of UDP are among who transferred most, and raw sockets are counted', () => {
  const summary = new Summary()
  const flow = (known: Partial<UdpFlowEvent>): SummarisedEvent =>
    ({ kind: 'udpFlow', transport: 'udp', timeNs: 0n, process: curl, ...known }) as SummarisedEvent
  const raw = (actions: RawSocketEvent['actions']): SummarisedEvent =>
    ({ kind: 'rawSocket', timeNs: 0n, process: curl, actions }) as SummarisedEvent
  const ends = { direction: 'outbound', remoteIp: '192.0.2.53', remotePort: 53 } as const
  summary.add(flow({ ...ends, sentBytes: 30, receivedBytes: 70 }))
  summary.add(flow({ ...ends, sentBytes: 30, receivedBytes: undefined }))
  // Another end with the same port, over TCP.
  summary.add(
    connection({ actions: ['connect', 'close'], ...ends, process: curl, sentBytes: 1, receivedBytes: 2 }),
  )
  summary.add(raw(['open', 'close']))
  summary.add(raw(['close']))
  const report = summary.report({ seconds: 1 })
  assert.deepEqual(report.flows, { ended: 2, sentBytes: 60, receivedBytes: 70 })
  assert.equal(report.rawSockets, 1)
  const to = { command: '/usr/bin/curl', direction: 'outbound', remote: '192.0.2.53', port: 53 }
  assert.deepEqual(report.mostBytes, [
    { ...to, transport: 'udp', bytes: 100, sentBytes: 60, receivedBytes: 70, flows: 2 },
    { ...to, transport: 'tcp', bytes: 3, sentBytes: 1, receivedBytes: 2, connections: 1 },
  ])
  assert.equal(report.mostConnections?.length, 1)
  schemaCheck(declarations)(JSON.stringify({ time: '2026-01-02T03:04:05.678Z', ...report }))
  const text = summaryText(report)
  assert.match(text, /^2 flows of UDP, 60B sent, 70B received$/m)
  assert.match(text, /^1 raw socket opened$/m)
  assert.match(text, / {2}\/usr\/bin\/curl -> 192\.0\.2\.53:53 udp, sent 60B, received 70B, 2 flows$/m)
})

test('addresses of a name are one', () => {
  const summary = new Summary()
  const named = { actions: ['connect'], direction: 'outbound', remotePort: 443, process: curl } as const
  for (const remoteIp of ['192.0.2.1', '192.0.2.2'])
    summary.add(connection({ ...named, remoteName: 'example.org', remoteIp }))
  const report = summary.report({ seconds: 1 })
  assert.deepEqual(report.mostConnections, [
    {
      command: '/usr/bin/curl',
      transport: 'tcp',
      direction: 'outbound',
      remote: 'example.org',
      port: 443,
      connections: 2,
    },
  ])
  assert.match(summaryText(report), /^ +2 {2}\/usr\/bin\/curl -> example\.org:443$/m)
})

test('without connections a summary says nothing of them', () => {
  const report = new Summary().report()
  for (const member of ['connections', 'flows', 'rawSockets', 'mostBytes', 'mostConnections', 'listeners'])
    assert.ok(!(member in report))
})

test('names of programs and addresses without end take bounded room', () => {
  const summary = new Summary()
  for (let i = 0; i < 3000; i += 1) {
    const process = { exe: `/${'x'.repeat(5000)}${i}` } as Process
    summary.add(connection({ actions: ['connect'], direction: 'outbound', remoteIp: `::${i}`, process }))
    summary.add(opened('192.0.2.1', 1, 1))
  }
  const report = summary.report()
  assert.equal(report.isCut, true)
  assert.equal(report.mostConnections?.[0]?.connections, 3000)
  assert.ok(JSON.stringify(report).length < 10_000)
})
