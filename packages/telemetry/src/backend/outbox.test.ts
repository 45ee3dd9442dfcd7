import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decodeRecord } from 'quark-ebpf/probe'
import { commLayout, exitLayout } from '../kinds/process/records.js'
import { eventsOf, testPipeline } from '../testing/process-records.js'
import { Outbox } from './outbox.js'

/** Takes records out as a pipeline would, and keeps copies. */
function drained(outbox: Outbox, max = Number.POSITIVE_INFINITY): Uint8Array[] {
  const records: Uint8Array[] = []
  const sink = {
    record(words: Uint32Array, bytes: Buffer, offset: number, length: number): void {
      assert.equal(offset % 8, 0)
      assert.equal(words[offset >> 2], bytes.readUInt32LE(offset))
      records.push(Uint8Array.from(bytes.subarray(offset, offset + length)))
    },
  }
  assert.equal(outbox.drain(sink, max), records.length)
  return records
}

function exit(outbox: Outbox, pid: number, timeNs: bigint, cpu = 0): void {
  outbox.push(exitLayout, { cpu, timeNs }, { pid, tid: pid })
}

function pidsOf(records: readonly Uint8Array[]): unknown[] {
  return records.map((bytes) => decodeRecord(exitLayout, bytes)['pid'])
}

test('records come out in order of time, each with the next number of its CPU', () => {
  const outbox = new Outbox(2, 100)
  exit(outbox, 1, 300n)
  exit(outbox, 2, 100n, 1)
  exit(outbox, 3, 200n)
  assert.deepEqual(drained(outbox), [], 'what is not settled may have older ones to come')
  outbox.settle()
  const records = drained(outbox)
  assert.deepEqual(pidsOf(records), [2, 3, 1])
  const headers = records.map((bytes) => {
    const view = new DataView(bytes.buffer, bytes.byteOffset)
    return [view.getUint16(2, true), view.getUint32(4, true), view.getBigUint64(8, true)]
  })
  assert.deepEqual(headers, [
    [1, 1, 100n],
    [0, 1, 200n],
    [0, 2, 300n],
  ])
  assert.deepEqual([...outbox.sequences()], [2, 1])
})

test('a drain takes at most its limit, and the next one goes on', () => {
  const outbox = new Outbox(1, 100)
  for (let pid = 1; pid <= 5; pid++) exit(outbox, pid, BigInt(pid))
  outbox.settle()
  assert.deepEqual(pidsOf(drained(outbox, 2)), [1, 2])
  assert.equal(outbox.length, 3)
  exit(outbox, 6, 6n)
  outbox.settle()
  assert.deepEqual(pidsOf(drained(outbox, 0)), [])
  assert.deepEqual(pidsOf(drained(outbox)), [3, 4, 5, 6])
  assert.deepEqual([outbox.length, drained(outbox)], [0, []])
})

test('what finds no room is counted by type and reported as a gap', () => {
  const outbox = new Outbox(1, 2)
  for (let pid = 1; pid <= 4; pid++) exit(outbox, pid, BigInt(pid))
  outbox.push(commLayout, { cpu: 0, timeNs: 5n }, { pid: 5, tid: 5 })
  assert.deepEqual([outbox.length, outbox.fullness], [2, 1])
  outbox.settle()
  const first = drained(outbox)
  exit(outbox, 6, 6n)
  outbox.settle()
  const { type } = exitLayout
  assert.deepEqual(
    [
      outbox.produced.get(type),
      outbox.lost.get(type),
      outbox.produced.get(commLayout.type) ?? 0,
      outbox.lost.get(commLayout.type),
    ],
    [3, 2, 0, 1],
  )
  const events = eventsOf(testPipeline(), [...first, ...drained(outbox)])
  assert.deepEqual(
    events.map((event) =>
      event.kind === 'lost' ? [event.cause, event.count, event.cpu] : event.process?.pid,
    ),
    [1, 2, ['ringFull', 3, 0], 6],
  )
})

test('losses of the kernel are gaps in the numbers of their CPU', () => {
  const outbox = new Outbox(2, 10)
  exit(outbox, 1, 1n, 1)
  outbox.noteLost(1, 1000)
  exit(outbox, 2, 2n, 1)
  outbox.settle()
  assert.deepEqual([...outbox.sequences()], [0, 1002])
  const lost = eventsOf(testPipeline(), drained(outbox)).filter(({ kind }) => kind === 'lost')
  assert.deepEqual(
    lost.map((event) => event.kind === 'lost' && [event.count, event.cpu]),
    [[1000, 1]],
  )
  assert.equal(
    [...outbox.lost.values()].reduce((sum, count) => sum + count, 0),
    1000,
  )
})
