import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { BaseEvent } from '../event/event.js'
import type { QuarkEvent } from '../kinds/index.js'
import { noAggregation } from '../kinds/index.js'
import { createEcs } from '../outputs.js'
import { insert, record, strings, testPipeline } from '../testing/process-records.js'

const S = 1_000_000_000

const ecs = createEcs({ userName: () => undefined, groupName: () => undefined }, { form: 'full' })

function ecsOf(event: BaseEvent | undefined): string {
  assert.ok(event !== undefined)
  return ecs(event as QuarkEvent)
}

const shell = { pid: 10, tid: 10, startBootNs: BigInt(S), ppid: 1, pgid: 10, sid: 10 }
const child = { pid: 20, tid: 20, startBootNs: BigInt(2 * S), ppid: 10, pgid: 10, sid: 10 }

test('an event has the parent and the leaders as they were when it began, however late it is written', () => {
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
  assert.match(before, /"parent":\{"pid":10,[^{]*"command_line":"sh -c true"/)
})

test('of a scan, a process has its parent even if that is found after it', () => {
  const pipeline = testPipeline({ snapshotEvents: true })
  const events: QuarkEvent[] = []
  insert(pipeline, record('snapshot', 5 * S, { ...child, ppid: 30, comm: 'child' }))
  insert(pipeline, record('snapshot', 5 * S, { ...shell, pid: 30, tid: 30, comm: 'parent' }))
  pipeline.applyScan()
  pipeline.pump(2 ** 40, events)
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

const MS = 1_000_000

function flushed(records: readonly Uint8Array[], pipeline = testPipeline()): QuarkEvent[] {
  const events: QuarkEvent[] = []
  for (const bytes of records) insert(pipeline, bytes)
  pipeline.flush(events)
  return events
}

test('a process that outlives its parent has the parent with which its event began, and later ones the next one', () => {
  const whole = flushed([
    record('exec', S, { ...shell, comm: 'sh' }),
    record('fork', 2 * S, { ...child, creatorPid: 10, comm: 'sh' }),
    record('exec', 2 * S + 1, { ...child, comm: 'sleep' }),
    record('exit', 2 * S + 2, { ...shell }),
    record('exit', 2 * S + 300 * MS, { ...child, ppid: 1 }),
  ])
  const [, event] = whole
  assert.deepEqual(event?.kind === 'process' && event.actions, ['fork', 'exec', 'exit'])
  assert.equal(event?.process?.ppid, 10)
  assert.equal(event?.process?.creatorPid, undefined)
  assert.equal(event?.relatives?.parent?.comm, 'sh')
  assert.equal(event?.relatives?.parent?.exitTimeNs, undefined)
  assert.match(ecsOf(event), /"parent":\{"pid":10,(?!.*"creator_pid")/)

  const pipeline = testPipeline()
  const late = [
    ...flushed(
      [
        record('fork', 2 * S, { ...child, creatorPid: 10, comm: 'sh' }),
        record('exec', 2 * S + 1, { ...child, ppid: 1, comm: 'sleep' }),
      ],
      pipeline,
    ),
    // This record says nothing of a parent.
    ...flushed([record('comm', 4 * S, { pid: 20, startBootNs: child.startBootNs, comm: 'x' })], pipeline),
  ]
  assert.deepEqual(
    late.map(({ process }) => [process?.ppid, process?.creatorPid]),
    [
      [10, undefined],
      [1, 10],
    ],
  )
  const apart = flushed(
    [
      record('fork', 2 * S, { ...child, creatorPid: 10, comm: 'sh' }),
      record('exec', 4 * S, { ...child, ppid: 1, comm: 'sleep' }),
      record('exit', 9 * S, { ...child, ppid: 7 }),
    ],
    testPipeline({ aggregation: noAggregation() }),
  )
  assert.deepEqual(
    apart.map(({ process }) => [process?.ppid, process?.creatorPid]),
    [
      [10, undefined],
      [1, 10],
      [7, 10],
    ],
  )
  assert.match(ecsOf(apart[2]), /"creator_pid":10/)
})

test('a parent or leader is as it was then, whatever it ran later within its own event', () => {
  const subshell = { ...child, pgid: 20, sid: 20 }
  const grandchild = { pid: 30, tid: 30, startBootNs: BigInt(2 * S + 5 * MS), ppid: 20, pgid: 20, sid: 20 }
  for (const what of ['exec', 'idChange', 'comm'] as const) {
    const later = { comm: 'later', uid: 7, what: 2, argv: strings('later'), cwd: path('/later') }
    for (const ends of [false, true]) {
      const events = flushed([
        record('exec', S, { ...shell, comm: 'sh', argv: strings('sh'), cwd: path('/then') }),
        record('fork', 2 * S, { ...subshell, comm: 'sh', uid: 5, cwd: path('/then') }),
        record('fork', 2 * S + 5 * MS, { ...grandchild, comm: 'sh', cwd: path('/then') }),
        record('threadFork', 2 * S + 6 * MS, { pid: 30, tid: 31, startBootNs: grandchild.startBootNs }),
        record(what as 'exec', 2 * S + 10 * MS, { ...subshell, ...(later as object) }),
        ...(ends ? [record('exit', 2 * S + 20 * MS, { ...subshell, ppid: 1 })] : []),
        record('fork', 2 * S + 30 * MS, {
          ...grandchild,
          pid: 40,
          tid: 40,
          startBootNs: BigInt(2 * S + 30 * MS),
        }),
      ])
      const parents = events
        .filter(({ process }) => process?.ppid === 20)
        .map(({ process, relatives }) => [
          process?.pid,
          ...[relatives?.parent, relatives?.groupLeader, relatives?.sessionLeader].map((p) => [
            p?.comm,
            p?.uid,
            p?.argv?.[0],
            p?.cwd,
            p?.exitTimeNs !== undefined,
          ]),
        ])
      const then = ['sh', 5, 'sh', '/then', false]
      const isExec = what === 'exec'
      const now = [
        'later',
        what === 'comm' ? 5 : 7,
        isExec ? 'later' : 'sh',
        isExec ? '/later' : '/then',
        ends,
      ]
      assert.deepEqual(
        parents,
        [
          [30, then, then, then],
          [30, then, then, then],
          [40, now, now, now],
        ],
        `${what} ${ends}`,
      )
    }
  }
})

function path(text: string) {
  return { path: text, root: '/', truncated: false, deleted: false }
}
