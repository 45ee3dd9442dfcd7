import assert from 'node:assert/strict'
import { test } from 'node:test'
import { encodeRecord, type RecordLayout } from 'quark-ebpf/probe'
import { createEcs, jsonOf } from '../../outputs.js'
import { CONTEXT } from '../../output/testing/ecs.js'
import { catalogue, noAggregation, type QuarkEvent } from '../index.js'
import { eventsOf, record, testPipeline } from '../../testing/process-records.js'
import { schemaCheck } from '../../testing/schema.js'
import {
  acceptLayout,
  AF_INET,
  closeLayout,
  connectLayout,
  foundLayout,
  listenLayout,
  PHASE_ACCEPTED,
  PHASE_CONNECTED,
  PHASE_LISTENING,
} from './records.js'

const START = 1_000n
const MS = 1_000_000
const check = schemaCheck(catalogue)

/** 192.0.2.7:50250 and 198.51.100.9:443, in network order. */
const ENDS = {
  netNs: 5,
  family: AF_INET,
  localPort: 0x4ac4,
  remotePort: 0xbb01,
  local0: 0x0702_00c0,
  remote0: 0x0964_33c6,
} as const

function socket(layout: RecordLayout, timeMs: number, cookie: bigint, values: object): Uint8Array {
  const header = { cpu: 0, seq: 0, timeNs: BigInt(timeMs * MS) }
  return encodeRecord(layout, header, { ...ENDS, pid: 7, startBootNs: START, cookie, ...values })
}

const listen = (timeMs: number, cookie: bigint): Uint8Array =>
  socket(listenLayout, timeMs, cookie, { phase: PHASE_LISTENING, remotePort: 0, remote0: 0, backlog: 5 })
const connect = (timeMs: number, cookie: bigint, values = {}): Uint8Array =>
  socket(connectLayout, timeMs, cookie, { phase: PHASE_CONNECTED, sinceNs: BigInt(timeMs * MS), ...values })
const accept = (timeMs: number, cookie: bigint): Uint8Array =>
  socket(acceptLayout, timeMs, cookie, { phase: PHASE_ACCEPTED, sinceNs: BigInt(timeMs * MS) })
const close = (timeMs: number, cookie: bigint): Uint8Array =>
  socket(closeLayout, timeMs, cookie, { phase: PHASE_CONNECTED, closerPid: 7, closerStartBootNs: START })
const exec = (timeMs: number, startBootNs = START): Uint8Array =>
  record('exec', timeMs * MS, { pid: 7, tid: 7, startBootNs, comm: 'server' })
const exit = (timeMs: number): Uint8Array =>
  record('exit', timeMs * MS, { pid: 7, tid: 7, startBootNs: START, comm: 'server' })

function events(records: readonly Uint8Array[], processSockets = 16): QuarkEvent[] {
  return eventsOf(testPipeline({ processSockets, aggregation: noAggregation() }), records)
}

/** The numbers of the sockets that an event lists. */
function listed(event: QuarkEvent | undefined): readonly string[] | undefined {
  const { sockets } = JSON.parse(jsonOf(event as QuarkEvent)) as {
    readonly sockets?: readonly { readonly socketId: string }[]
  }
  return sockets?.map(({ socketId }) => socketId)
}

test('an event lists the sockets that its process has open then', () => {
  const seen = events([exec(1), listen(2, 70n), accept(3, 71n), connect(4, 72n), close(5, 71n), exit(6)])
  assert.deepEqual(seen.map(listed), [
    undefined,
    ['70'],
    ['70', '71'],
    ['70', '71', '72'],
    ['70', '72'],
    ['70', '72'],
  ])
})

test('JSON, ECS and the object say the same of a socket that is listed', () => {
  const event = events([exec(1), connect(4, 72n), exit(6)]).at(-1) as QuarkEvent
  const line = jsonOf(event)
  check(line)
  const known = { state: 'connected', transport: 'tcp', family: 'ipv4' }
  const ends = {
    localIp: '192.0.2.7',
    localPort: 50_250,
    remoteIp: '198.51.100.9',
    remotePort: 443,
    netNs: 5,
  }
  const { sockets } = JSON.parse(line) as { readonly sockets: readonly object[] }
  assert.deepEqual(sockets, [{ socketId: '72', ...known, ...ends, opened: '1970-01-01T00:00:00.004000000Z' }])
  const document = JSON.parse(createEcs(CONTEXT)(event)) as { readonly quark: { readonly sockets: unknown } }
  assert.deepEqual(document.quark.sockets, [
    {
      id: 72,
      ...known,
      local_ip: '192.0.2.7',
      local_port: 50_250,
      remote_ip: '198.51.100.9',
      remote_port: 443,
      net_ns: 5,
      opened: '1970-01-01T00:00:00.004000000Z',
    },
  ])
  assert.ok('sockets' in event && event.sockets?.[0]?.openedNs === 4_000_000n)
})

test('there are no more than were asked for, and none without asking', () => {
  const records = [exec(1), ...[1n, 2n, 3n, 4n].map((cookie) => connect(2, cookie)), exit(9)]
  assert.deepEqual(listed(events(records, 2).at(-1)), ['1', '2'])
  const unasked = events(records, 0)
  assert.ok(unasked.every((event) => !('sockets' in event) && !jsonOf(event).includes('"sockets"')))
})

test('a process has no sockets of an earlier one with its pid', () => {
  const later = 100n * BigInt(MS)
  const found = socket(foundLayout, 1, 69n, { protocol: 6, state: 1, fd: 3 })
  const seen = events([
    exec(1),
    found,
    connect(2, 70n),
    exit(3),
    exec(200, later),
    connect(201, 71n, { startBootNs: later }),
  ])
  const bySecond = seen.filter((event) => event.timeNs >= 200n * BigInt(MS))
  assert.deepEqual(bySecond.map(listed), [undefined, ['71']])
  assert.deepEqual(listed(seen.find((event) => event.timeNs === 3n * BigInt(MS))), ['69', '70'])
})

test('what is found at the start has all sockets that were found, however early it was', () => {
  const pipeline = testPipeline({ processSockets: 16, snapshotEvents: true })
  const seen: QuarkEvent[] = []
  const snapshot = record('snapshot', 1, { pid: 7, tid: 7, startBootNs: START, comm: 'server' })
  for (const bytes of [snapshot, socket(foundLayout, 1, 69n, { protocol: 6, state: 1, fd: 3 })]) {
    const memory = Uint8Array.from(bytes)
    pipeline.insert(new Uint32Array(memory.buffer), memory, 0, memory.length)
    // As when the buffer is full.
    pipeline.applyScan()
  }
  pipeline.flush(seen)
  const process = seen.find(({ kind }) => kind === 'snapshot')
  assert.deepEqual(listed(process), ['69'])
  check(jsonOf(process as QuarkEvent))
})
