import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { after, before, test } from 'node:test'
import { activitiesOf, runActivity, watchActivity } from '../../testing/activities.js'

const PROGRAM = new URL('testing/situation.js', import.meta.url)

let target: ChildProcess
before(async () => {
  target = spawn('sleep', ['1000'])
  await once(target, 'spawn')
})
after(() => void target.kill())

test('access to another process, and none to oneself', { timeout: 120_000 }, async (t) => {
  const watched = await watchActivity(t, { processAccess: true }, 'processAccess', () =>
    runActivity(PROGRAM, String(target.pid)),
  )
  const { facts, events } = watched
  const { pid } = facts
  assert.deepEqual(facts['results'], [16, -3, -14, 16])
  assert.equal(facts['copied'], true)
  const seen = activitiesOf(events, 'processAccess', pid)
  for (const event of seen) {
    const whom = event['target'] as { pid?: number; comm?: string } | undefined
    assert.deepEqual(
      [whom?.pid, whom?.comm],
      event['errno'] === 3 ? [undefined, undefined] : [target.pid, 'sleep'],
    )
  }
  const targetId = target.pid
  assert.deepEqual(
    seen.map(({ target: _target, ...event }) => event),
    [
      { pid, way: 'process_vm_readv', targetId, bytes: 16 },
      { pid, way: 'process_vm_readv', targetId: 2 ** 22 - 1, errno: 3 },
      { pid, way: 'process_vm_writev', targetId, writing: true, errno: 14 },
      { pid, way: 'pidfd_getfd', targetId, targetFd: 0 },
      { pid, way: 'procMem', targetId, writing: true },
      { pid, way: 'procMem', targetId },
    ],
  )
})
