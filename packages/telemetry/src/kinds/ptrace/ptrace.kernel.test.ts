import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { after, before, test } from 'node:test'
import { activitiesOf, runActivity, watchActivity } from '../../testing/activities.js'
import { Quark } from '../../quark.js'
import { BackendError, OptionError } from '../../errors.js'
import type { PtraceEvent } from './events.js'

const LIMIT = { timeout: 120_000 }
const PROGRAM = new URL('testing/situation.js', import.meta.url)

let target: ChildProcess
before(async () => {
  target = spawn('sleep', ['1000'])
  await once(target, 'spawn')
})
after(() => void target.kill())

const runIt = () => runActivity(PROGRAM, String(target.pid))

test('each call of ptrace(2) is an event with its request, its result and its target', LIMIT, async (t) => {
  const { facts, events } = await watchActivity(t, { ptrace: true }, 'ptrace', runIt)
  assert.deepEqual(facts['results'], [0, 0, 0, -3, -1, -3, 0])
  const seen = activitiesOf(events, 'ptrace', facts.pid)
  const targets = seen.map((event) => (event['target'] as { pid?: number } | undefined)?.pid)
  const pid = target.pid ?? 0
  // Of a process that does not exist nothing is known; the one that is traced by its parent names no target.
  assert.deepEqual(targets, [pid, pid, pid, undefined, facts.pid, pid, undefined])
  assert.equal((seen[0]?.['target'] as { comm?: string } | undefined)?.comm, 'sleep')
  assert.deepEqual(
    seen.map(({ target: _target, pid: _pid, ...event }) => event),
    [
      call('attach', 'PTRACE_SEIZE', 0x4206, pid),
      call('request', 'PTRACE_INTERRUPT', 0x4207, pid),
      call('detach', 'PTRACE_DETACH', 17, pid),
      failed('PTRACE_SEIZE', 0x4206, 2 ** 22 - 1, 3),
      failed('PTRACE_ATTACH', 16, facts.pid, 1),
      { ...failed('PTRACE_SYSCALL', 24, pid, 3), address: 0x12n, data: 0x34n },
      { action: 'attach', request: 'PTRACE_TRACEME', requestNumber: 0, result: 0, address: 0n, data: 0n },
    ],
  )
})

const NO_ARGUMENTS = { address: 0n, data: 0n }

function call(action: string, request: string, requestNumber: number, targetId: number): object {
  return { action, request, requestNumber, result: 0, targetId, ...NO_ARGUMENTS }
}

function failed(request: string, requestNumber: number, targetId: number, errno: number): object {
  return { action: 'fail', request, requestNumber, errno, targetId, ...NO_ARGUMENTS }
}

/** What another backend sees; undefined where this machine refuses it, which is checked. */
async function seenBy(backend: 'procConnector' | 'audit'): Promise<PtraceEvent[] | undefined> {
  const opened = await Quark.open({ ptrace: true, backends: [backend] }).catch((error: unknown) => error)
  if (!(opened instanceof Quark)) {
    assert.ok(opened instanceof BackendError || opened instanceof OptionError, String(opened))
    return undefined
  }
  const { pid } = await runIt()
  const events = opened.finish()
  await opened.close()
  return events.filter(
    (event): event is PtraceEvent =>
      event.kind === 'ptrace' && (event.pid === pid || event.target?.pid === target.pid),
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
