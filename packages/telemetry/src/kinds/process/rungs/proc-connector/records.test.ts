import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { clockNs, type ProcMessage } from 'quark-ebpf'
import { checkOptions } from '../../../../options/check.js'
import type { ProcessEvent } from '../../events.js'
import { catalogue, noAggregation, type QuarkEvent, type QuarkOptions } from '../../../index.js'
import { insert, testPipeline } from '../../../../testing/process-records.js'
import { Outbox } from '../../../../backend/outbox.js'
import type { TimedProcMessage as TimedMessage } from '../../../../facts/rungs.js'
import { ProcConnectorRecords } from './records.js'

/** Above every pid that a kernel gives: nothing is found of it in /proc. */
const PID = 5_000_000
const THREAD = PID + 1
const PARENT = PID + 2

type Parts = Partial<Record<'pid' | 'tid' | 'ppid' | 'status' | 'realId' | 'effectiveId', number>> & {
  readonly kind: ProcMessage['kind']
  readonly comm?: Uint8Array
}

let timeNs = 1000n

/** A message; each is later than the one before. */
function message(parts: Parts): TimedMessage {
  timeNs += 1000n
  const base = { cpu: 0, seq: 0, monotonicNs: timeNs, timeNs, pid: PID, tid: PID, ppid: PARENT, status: 0 }
  return { ...base, ...parts } as TimedMessage
}

function eventsOf(
  messages: readonly TimedMessage[],
  later: readonly TimedMessage[] = [],
  options: QuarkOptions = {},
): { events: QuarkEvent[]; unenriched: number } {
  const outbox = new Outbox(1, 10_000)
  const records = new ProcConnectorRecords(
    checkOptions(catalogue.options, options),
    undefined,
    outbox,
    new Map(),
  )
  records.take(messages)
  records.make(later)
  records.idle()
  const pipeline = testPipeline({ aggregation: noAggregation() })
  const sink = {
    record: (_words: Uint32Array, bytes: Buffer, offset: number, length: number) =>
      insert(pipeline, bytes.subarray(offset, offset + length)),
  }
  outbox.drain(sink, 10_000)
  const events: QuarkEvent[] = []
  pipeline.flush(events)
  return { events, unenriched: records.unenriched }
}

function processEvents(events: readonly QuarkEvent[]): ProcessEvent[] {
  return events.filter((event) => event.kind === 'process')
}

const fork = (): TimedMessage => message({ kind: 'fork' })
const threadFork = (): TimedMessage => message({ kind: 'fork', tid: THREAD })
const exit = (tid: number, status: number): TimedMessage => message({ kind: 'exit', tid, status })

test('a process ends with its last thread', async (t) => {
  const cases: { name: string; messages: TimedMessage[]; lives: string[] }[] = [
    { name: 'one thread', messages: [fork(), exit(PID, 0x300)], lives: ['fork', 'exit 3'] },
    {
      name: 'the first thread goes last',
      messages: [fork(), threadFork(), exit(THREAD, 0), exit(PID, 0x300)],
      lives: ['fork', 'exit 3'],
    },
    {
      name: 'the first thread goes first',
      messages: [fork(), threadFork(), exit(PID, 0), exit(THREAD, 0x300)],
      lives: ['fork', 'exit 3'],
    },
    {
      name: 'the end of the last thread was lost',
      messages: [fork(), threadFork(), exit(PID, 0x400)],
      lives: ['fork', 'exit 4'],
    },
    {
      name: 'a thread executes a program, for which the first one is ended',
      messages: [fork(), threadFork(), exit(PID, 0), message({ kind: 'exec' }), exit(PID, 9)],
      lives: ['fork', 'exec', 'exit undefined'],
    },
    { name: 'its fork was lost', messages: [exit(PID, 0x500)], lives: ['exit 5'] },
    { name: 'a thread of an unknown process', messages: [exit(THREAD, 0)], lives: [] },
  ]
  for (const { name, messages, lives } of cases) {
    await t.test(name, () => {
      const found = processEvents(eventsOf(messages).events).map(({ actions, process }) =>
        actions.includes('exit') ? `exit ${process.exitCode}` : actions.join(),
      )
      assert.deepEqual(found, lives)
    })
  }
})

test('what is gone from /proc is absent, and counted', () => {
  const { events, unenriched } = eventsOf([fork(), message({ kind: 'exec' }), exit(PID, 11)])
  const { process } = processEvents(events).at(-1)!
  assert.equal(unenriched, 2)
  assert.deepEqual(
    [process.pid, process.ppid, process.exitSignal, process.uid, process.comm, process.argv, process.sid],
    [PID, PARENT, 11, undefined, undefined, undefined, undefined],
  )
  assert.ok(process.startTimeNs !== undefined)
})

test('threads are reported when they are asked for', () => {
  const messages = [fork(), threadFork(), exit(THREAD, 0x100), exit(PID, 0)]
  const { events } = eventsOf(messages, [], { threads: true })
  const threads = events.filter((event) => event.kind === 'thread')
  assert.deepEqual(
    threads.map(({ action, tid, exitCode }) => [action, tid, exitCode]),
    [
      ['fork', THREAD, undefined],
      ['exit', THREAD, 1],
    ],
  )
})

test('kernel threads are reported when they are asked for', () => {
  const messages = [message({ kind: 'fork', ppid: 2 }), exit(PID, 0)]
  assert.equal(eventsOf(messages).events.length, 0)
  assert.equal(eventsOf(messages, [], { kernelThreads: true }).events.length, 2)
})

test('what /proc shows of a living process is left out if it is newer than the record', async (t) => {
  const { pid } = process
  const now = clockNs('boottime')
  const own = (parts: Parts): TimedMessage => ({ ...message({ pid, tid: pid, ...parts }), timeNs: now })
  const uid = process.getuid!()
  const cases: { name: string; message: TimedMessage; later: TimedMessage[]; expected: unknown[] }[] = [
    { name: 'nothing later', message: own({ kind: 'exec' }), later: [], expected: [true, true, uid] },
    {
      name: 'a later exec',
      message: own({ kind: 'exec' }),
      later: [own({ kind: 'exec' })],
      expected: [false, false, uid],
    },
    {
      name: 'later ids',
      message: own({ kind: 'exec' }),
      later: [own({ kind: 'gid', realId: 0, effectiveId: 0 })],
      expected: [true, true, undefined],
    },
    {
      name: 'other ids than those in the message',
      message: own({ kind: 'uid', realId: 77, effectiveId: 77 }),
      later: [],
      expected: [false, true, undefined],
    },
  ]
  for (const { name, message: first, later, expected } of cases) {
    await t.test(name, () => {
      const { process: shown } = processEvents(eventsOf([first], later).events)[0]!
      assert.deepEqual([shown.argv !== undefined, shown.comm !== undefined, shown.uid], expected)
    })
  }
})

test('a new name is reported', () => {
  const forked = fork()
  const renamed = message({ kind: 'comm', comm: Buffer.from('renamed') })
  const ofThread = message({ kind: 'comm', tid: THREAD, comm: Buffer.from('thread') })
  const events = processEvents(eventsOf([forked, renamed, ofThread]).events)
  assert.deepEqual(
    events.map(({ actions, process }) => [actions.join(), process.comm]),
    [
      ['fork', undefined],
      ['commChange', 'renamed'],
    ],
  )
})

test('any messages are taken, and a process ends at most once after each beginning', () => {
  const kind = fc.constantFrom<ProcMessage['kind']>(
    'fork',
    'exec',
    'exit',
    'uid',
    'gid',
    'sid',
    'comm',
    'other',
  )
  const id = fc.constantFrom(PID, THREAD, PARENT)
  fc.assert(
    fc.property(fc.array(fc.tuple(kind, id, id), { maxLength: 40 }), (steps) => {
      const messages = steps.map(([one, pid, tid]) =>
        message({ kind: one, pid, tid, realId: 0, effectiveId: 0, comm: Buffer.from('x') }),
      )
      const { events } = eventsOf(messages, [], { threads: true })
      assert.ok(events.length <= 2 * steps.length)
    }),
    { numRuns: 40 },
  )
})
