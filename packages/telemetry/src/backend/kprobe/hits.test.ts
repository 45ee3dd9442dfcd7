import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { RecordSink } from 'quark-ebpf'
import {
  decodeRecord,
  type FetchedRecord,
  type FetchPlan,
  kprobe,
  probe,
  struct,
  u32,
  userBytes,
  record,
  bytesTail,
} from 'quark-ebpf/probe'
import type { Task } from '../../process/kernel-types.js'
import { HitSink, type HookedFunction } from './hits.js'
import { Outbox } from '../outbox.js'

const declared = probe(
  {
    name: 'declared',
    hook: kprobe('f', [struct<Task>('task_struct', 'task')]),
    record: record(4, 'declared', { pid: u32, argv: bytesTail(100) }),
  },
  (task) => ({
    fill: { pid: task.tgid, argv: userBytes(task.mm.arg_start, task.mm.arg_end) },
  }),
)

/** A function of two events with one number each: their sum is the pid, 0 for nothing. */
function hookOf(found: Partial<FetchedRecord> = {}): HookedFunction {
  const plan: FetchPlan = {
    probe: declared,
    function: 'f',
    args: [],
    missing: [],
    read: (values) => {
      const pid = Number(values.number(0) + values.number(1))
      return pid === 0 ? undefined : { timeNs: undefined, fields: { pid }, cut: [], ...found }
    },
  }
  const event = (id: number) => ({ id, name: `e${id}`, fixedSizeBytes: 12 })
  const place = (event: number) => ({ event, field: { offset: 8, sizeBytes: 4, dynamic: false } })
  return { plan, events: [event(70), event(71)], places: [place(0), place(1)] }
}

function raw(id: number, value: number): Buffer {
  const bytes = Buffer.alloc(12)
  bytes.writeUInt16LE(id, 0)
  bytes.writeUInt32LE(value, 8)
  return bytes
}

/** Feeds samples of (cpu, tid, raw), and returns pid and time of the records and all losses. */
function feed(
  samples: readonly (readonly [number, number, Buffer] | 'lost')[],
  hook: HookedFunction = hookOf(),
): { records: string[]; lost: number } {
  const outbox = new Outbox(4, 100)
  const sink = new HitSink(outbox)
  sink.add(hook)
  for (const [index, sample] of samples.entries()) {
    if (sample === 'lost') sink.lost(0, 2)
    else sink.sample({ cpu: sample[0], tid: sample[1], timeNs: BigInt(index), raw: sample[2] })
  }
  outbox.settle()
  const records: string[] = []
  const collect: RecordSink = {
    record: (_words, bytes, offset, length) => {
      const { pid, timeNs, argv } = decodeRecord(declared.record, bytes.subarray(offset, offset + length))
      records.push(`${pid} at ${timeNs}${argv === undefined ? '' : ` ${Buffer.from(argv).toString()}`}`)
    },
  }
  outbox.drain(collect, 100)
  return { records, lost: outbox.lost.get(0) ?? 0 }
}

test('the parts of a hit become one record, in whatever order they come', () => {
  const samples = [
    [0, 5, raw(70, 1)],
    [0, 5, raw(71, 2)],
    [0, 5, raw(71, 10)],
    [0, 5, raw(70, 20)],
  ] as const
  assert.deepEqual(feed(samples), { records: ['3 at 0', '30 at 2'], lost: 0 })
})

test('hits on several CPUs do not mix', () => {
  const samples = [
    [0, 5, raw(70, 1)],
    [1, 6, raw(70, 10)],
    [0, 5, raw(71, 2)],
    [1, 6, raw(71, 20)],
  ] as const
  assert.deepEqual(feed(samples), { records: ['3 at 0', '30 at 1'], lost: 0 })
})

test('a hit of which a part is lost is dropped, and the next one is whole', () => {
  const samples = [[0, 5, raw(70, 1)], 'lost', [0, 5, raw(70, 10)], [0, 5, raw(71, 20)]] as const
  assert.deepEqual(feed(samples), { records: ['30 at 2'], lost: 2 })
  const withoutLoss = [
    [0, 5, raw(70, 1)],
    [0, 6, raw(71, 9)],
    [0, 6, raw(70, 10)],
  ] as const
  assert.deepEqual(feed(withoutLoss).records, ['19 at 1'])
})

test('a hit without a record makes none', () => {
  const samples = [
    [0, 5, raw(70, 0)],
    [0, 5, raw(71, 0)],
  ] as const
  assert.deepEqual(feed(samples), { records: [], lost: 0 })
})

test('samples that are too short or unknown are counted', () => {
  const samples = [
    [0, 5, Buffer.alloc(1)],
    [0, 5, raw(99, 1)],
    [0, 5, raw(70, 1).subarray(0, 8)],
  ] as const
  assert.deepEqual(feed(samples), { records: [], lost: 3 })
})

test('a tail that was cut is marked, and the declared time counts', () => {
  const hook = hookOf({ timeNs: 99n, fields: { pid: 3, argv: Buffer.from('abc') }, cut: ['argv'] })
  const outbox = new Outbox(1, 10)
  const sink = new HitSink(outbox)
  sink.add(hook)
  for (const id of [70, 71]) sink.sample({ cpu: 0, tid: 5, timeNs: 1n, raw: raw(id, 1) })
  outbox.settle()
  let descriptor = 0
  outbox.drain(
    {
      record: (_words, bytes, offset) => {
        descriptor = bytes.readUInt32LE(offset + declared.record.at.argv)
        assert.equal(bytes.readBigUInt64LE(offset + 8), 99n)
      },
    },
    10,
  )
  assert.equal(descriptor, 3 | (1 << 24))
})
