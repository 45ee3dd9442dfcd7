import assert from 'node:assert/strict'
import { test } from 'node:test'
import { conclude } from './conclude.js'
import type { BackendTrial, Finding } from './examination.js'

const works: BackendTrial = { backend: 'kprobe', outcome: 'works', attached: [], missing: [] }
const untried: BackendTrial = { backend: 'audit', outcome: 'notTried', attached: [], missing: [] }

function problem(name: string, costs: readonly string[], fix?: string): Finding {
  return {
    topic: 'rights',
    name,
    verdict: 'problem',
    found: 'why',
    costs,
    ...(fix === undefined ? {} : { fix }),
  }
}

test('a run without problems is complete, and there is nothing to do', () => {
  assert.deepEqual(conclude([], [works], works), {
    complete: true,
    conclusion: 'A default run would be complete, with the backend kprobe.',
    misses: [],
    steps: [],
  })
})

test('what is missing is named once, and so is what to do', () => {
  const findings = [
    problem('capabilities', ['fork', 'exec'], 'sudo quark-mon'),
    problem('hidepid', ['exec']),
    problem('ebpf', ['fork'], 'sudo quark-mon'),
    { ...problem('lockdown', ['nothing'], 'reboot'), verdict: 'absent' as const },
  ]
  assert.deepEqual(conclude(findings, [works], works), {
    complete: false,
    conclusion: 'A default run would not be complete: with the backend kprobe, without fork, exec.',
    misses: ['fork', 'exec'],
    steps: [{ fix: 'sudo quark-mon', about: ['capabilities', 'ebpf'] }],
  })
})

test('without a backend that works there is no run', () => {
  assert.equal(conclude([], [], undefined).conclusion, 'A default run would not work: no backend does.')
  assert.match(conclude([], [untried], undefined).conclusion, /none does, and audit was not tried\.$/)
})
