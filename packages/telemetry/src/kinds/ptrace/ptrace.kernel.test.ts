import assert from 'node:assert/strict'
import { test } from 'node:test'
import { watchActivity } from '../../testing/activities.js'
import { expectedOf } from '../../testing/situations.js'
import { Quark } from '../../quark.js'
import { BackendError, OptionError } from '../../errors.js'
import type { PtraceEvent } from './events.js'
import { situations } from './testing/situations.js'

const LIMIT = { timeout: 120_000 }
test('each call of ptrace(2) is an event with its request, its result and its target', LIMIT, async (t) => {
  const { options, run, observe } = situations
  const { facts, events } = await watchActivity(t, options, 'ptrace', run)
  assert.deepEqual(facts['results'], [0, 0, 0, -3, -1, -3, 0])
  const observed = observe(facts, events)
  assert.deepEqual(observed.seen, expectedOf(observed.situations))
})

/** What another backend sees; undefined where this machine refuses it, which is checked. */
async function seenBy(backend: 'procConnector' | 'audit'): Promise<PtraceEvent[] | undefined> {
  const opened = await Quark.open({ ptrace: true, backends: [backend] }).catch((error: unknown) => error)
  if (!(opened instanceof Quark)) {
    assert.ok(opened instanceof BackendError || opened instanceof OptionError, String(opened))
    return undefined
  }
  const { pid, targetId } = await situations.run()
  const events = opened.finish()
  await opened.close()
  return events.filter(
    (event): event is PtraceEvent =>
      event.kind === 'ptrace' && (event.pid === pid || event.target?.pid === targetId),
  )
}

test('the proc connector reports that somebody attached and detached', LIMIT, async (t) => {
  const events = await seenBy('procConnector')
  if (events === undefined) return t.skip('this machine has no proc connector')
  assert.deepEqual(
    events.map(({ action, pid, request, result }) => [action, pid === undefined, request, result]),
    [
      ['attach', false, undefined, undefined],
      ['detach', true, undefined, undefined],
    ],
  )
  for (const event of events) assert.equal(event.target?.comm, 'sleep')
})

test('the audit system reports requests and results', LIMIT, async (t) => {
  const events = await seenBy('audit')
  if (events === undefined) return t.skip('this machine has no audit system')
  assert.deepEqual(
    events.map(({ action, request, errno }) => [action, request, errno]),
    [
      ['attach', 'PTRACE_SEIZE', undefined],
      ['request', 'PTRACE_INTERRUPT', undefined],
      ['detach', 'PTRACE_DETACH', undefined],
      ['fail', 'PTRACE_SEIZE', 3],
      ['fail', 'PTRACE_ATTACH', 1],
      ['fail', 'PTRACE_SYSCALL', 3],
      ['attach', 'PTRACE_TRACEME', undefined],
    ],
  )
})
