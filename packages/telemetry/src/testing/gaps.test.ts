import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ProcessAction, ProcessEvent } from '../kinds/process/events.js'
import { findGaps } from './gaps.js'
import type { SeenProcess, Truth } from './truth.js'

function seen(pid: number, ...actions: ProcessAction[]): SeenProcess {
  const event = { kind: 'process', actions, timeNs: 1n } as unknown as ProcessEvent
  return { pid, startTimeNs: 1n, events: [event] }
}

test('missing actions are counted, and explain only complaints about their process', () => {
  const rows: { name: string; truths: Truth[]; seen: SeenProcess[]; count: number }[] = [
    { name: 'whole', truths: [{ step: 's', pid: 7 }], seen: [seen(7, 'fork', 'exec', 'exit')], count: 0 },
    { name: 'no exec', truths: [{ step: 's', pid: 7 }], seen: [seen(7, 'fork', 'exit')], count: 1 },
    { name: 'never seen', truths: [{ step: 's', pid: 7 }], seen: [], count: 3 },
    {
      name: 'one of two execs and the new name',
      truths: [{ step: 's', pid: 7, execs: 2, commChanges: 1 }],
      seen: [seen(7, 'fork', 'exec', 'exit')],
      count: 2,
    },
    {
      name: 'the second life of a pid without its fork',
      truths: [
        { step: 'first', pid: 7 },
        { step: 'second', pid: 7 },
      ],
      seen: [seen(7, 'fork', 'exec', 'exit'), seen(7, 'exec', 'exit')],
      count: 1,
    },
    { name: 'more than happened', truths: [], seen: [seen(7, 'fork', 'fork', 'exit')], count: 0 },
    { name: 'unknown process without its fork', truths: [], seen: [seen(7, 'exec', 'exit')], count: 1 },
  ]
  for (const row of rows) {
    const gaps = findGaps(row.truths, row.seen, row.seen)
    assert.equal(gaps.count, row.count, row.name)
    assert.equal(gaps.explain('step (pid 7): exe is "/a"'), row.count > 0, row.name)
    assert.equal(gaps.explain('pid 71 does not end with its only exit: fork'), false, row.name)
  }
})
