import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { QuarkEvent } from './event/event.js'
import { eventsOf, insert, record, strings, testPipeline } from './testing/process-records.js'

const S = 1_000_000_000
const ids = { startBootNs: BigInt(5 * S), ppid: 1, pgid: 40, sid: 40 }

test('a short-lived process is one event', () => {
  const pipeline = testPipeline({ bootEpochNs: 1_700_000_000_000_000_000n })
  const events = eventsOf(pipeline, [
    record('fork', 5 * S + 1, { pid: 42, tid: 42, ...ids, uid: 1000, comm: 'bash' }),
    record('exec', 5 * S + 2, {
      pid: 42,
      tid: 42,
      ...ids,
      uid: 1000,
      comm: 'true',
      exe: { path: '/usr/bin/true', root: '/', truncated: false, deleted: false },
      cwd: { path: '/home/u', root: '/', truncated: false, deleted: false },
      argv: strings('true', '', 'x'),
      argvBytes: 8,
    }),
    record('exit', 5 * S + 3, { pid: 42, tid: 42, ...ids, leaderExitCode: 0x300 }),
  ])
  assert.equal(events.length, 1)
  const [event] = events
  assert.equal(event?.kind, 'process')
  if (event?.kind !== 'process') return
  assert.deepEqual(event.actions, ['fork', 'exec', 'exit'])
  const { process } = event
  assert.deepEqual(
    {
      timeNs: event.timeNs,
      pid: process.pid,
      startTimeNs: process.startTimeNs,
      uid: process.uid,
      comm: process.comm,
      exe: process.exe,
      cwd: process.cwd,
      root: process.root,
      argv: process.argv,
      exitCode: process.exitCode,
      exitSignal: process.exitSignal,
      exitTimeNs: process.exitTimeNs,
      durationNs: process.durationNs,
    },
    {
      timeNs: 1_700_000_005_000_000_001n,
      pid: 42,
      startTimeNs: 1_700_000_005_000_000_000n,
      uid: 1000,
      comm: 'true',
      exe: '/usr/bin/true',
      cwd: '/home/u',
      root: '/',
      argv: ['true', '', 'x'],
      exitCode: 3,
      exitSignal: undefined,
      exitTimeNs: 1_700_000_005_000_000_003n,
      durationNs: 3n,
    },
  )
})

test('pump delivers what is old enough', () => {
  const pipeline = testPipeline()
  const events: QuarkEvent[] = []
  insert(pipeline, record('fork', 5 * S, { pid: 42, tid: 42, ...ids }))
  assert.equal(pipeline.pump(5 * S + 999_999_999, events), 0)
  assert.equal(pipeline.pump(6 * S, events), 1)
})
