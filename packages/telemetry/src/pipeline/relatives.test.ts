import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { BaseEvent } from '../event/event.js'
import type { QuarkEvent } from '../kinds/index.js'
import { createEcs } from '../outputs.js'
import { insert, record, strings, testPipeline } from '../testing/process-records.js'

const S = 1_000_000_000

const ecs = createEcs({ userName: () => undefined, groupName: () => undefined })

function ecsOf(event: BaseEvent | undefined): string {
  assert.ok(event !== undefined)
  return ecs(event as QuarkEvent)
}

const shell = { pid: 10, tid: 10, startBootNs: BigInt(S), ppid: 1, pgid: 10, sid: 10 }
const child = { pid: 20, tid: 20, startBootNs: BigInt(2 * S), ppid: 10, pgid: 10, sid: 10 }

test('an event has the parent and the leaders as they were when it was delivered, however late it is written', () => {
  const pipeline = testPipeline()
  const events: QuarkEvent[] = []
  insert(pipeline, record('exec', S, { ...shell, comm: 'sh', argv: strings('sh', '-c', 'true') }))
  insert(pipeline, record('fork', 2 * S, { ...child, comm: 'sh' }))
  insert(pipeline, record('exit', 2 * S + 1, { ...child }))
  pipeline.flush(events)
  const [, event] = events
  const { relatives } = event ?? {}
  assert.equal(relatives?.parent?.comm, 'sh')
  assert.equal(relatives?.groupLeader, relatives?.parent)
  assert.equal(relatives?.sessionLeader, relatives?.parent)
  const before = ecsOf(event)
  // The parent becomes another program before the event is written.
  insert(pipeline, record('exec', 3 * S, { ...shell, comm: 'sleep', argv: strings('sleep', '9') }))
  pipeline.flush(events)
  assert.equal(pipeline.tables.processes.lookup(10)?.comm, 'sleep')
  assert.equal(ecsOf(event), before)
  assert.match(before, /"parent":\{"pid":10,.*"args":\["sh","-c","true"\]/)
})

test('of a scan, a process has its parent even if that is found after it', () => {
  const pipeline = testPipeline({ snapshotEvents: true })
  const events: QuarkEvent[] = []
  insert(pipeline, record('snapshot', 5 * S, { ...child, ppid: 30, comm: 'child' }))
  insert(pipeline, record('snapshot', 5 * S, { ...shell, pid: 30, tid: 30, comm: 'parent' }))
  pipeline.flushScan(events)
  assert.equal(events[0]?.process?.comm, 'child')
  assert.equal(events[0]?.relatives?.parent?.comm, 'parent')
})

test('threads and failed execs have relatives, losses have none', () => {
  const pipeline = testPipeline()
  const events: QuarkEvent[] = []
  insert(pipeline, record('exec', S, shell))
  insert(pipeline, record('exec', 2 * S, child))
  insert(pipeline, record('threadFork', 3 * S, { pid: 20, tid: 21, startBootNs: child.startBootNs }))
  insert(
    pipeline,
    record('execFailed', 4 * S, { pid: 20, tid: 20, startBootNs: child.startBootNs, result: -2 }),
  )
  pipeline.noteLost('recursion', 1)
  pipeline.flush(events)
  assert.deepEqual(
    events.map(({ kind, relatives }) => [kind, relatives?.parent?.pid]),
    [
      ['process', undefined],
      ['process', 10],
      ['thread', 10],
      ['execFailed', 10],
      ['lost', undefined],
    ],
  )
})
