import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type AuditRule, type AuditStatus, EbpfError, type ListedAuditRule } from 'quark-ebpf'
import { QuarkError } from '../../errors.js'
import type { AuditedCall } from '../../facts/rungs.js'
import { AuditRules, type RuleControl } from './rules.js'

/** One of each sort. */
const CALLS: readonly AuditedCall[] = [
  { numbers: { x86_64: [60], i386: [1], aarch64: [93] }, always: true },
  { numbers: { x86_64: [56, 60], i386: [120, 1], aarch64: [220, 93] } },
  { numbers: { x86_64: [157], i386: [172], aarch64: [167] }, firstArgument: 15 },
]
const SYSTEM: AuditStatus = { enabled: 0, ownerPid: 0, backlogLimit: 64, lost: 0 }

/** An audit system in memory that refuses what the kernel refuses when its rules are locked. */
class FakeControl implements RuleControl {
  state: AuditStatus
  readonly list: ListedAuditRule[]
  /** Changes that were asked for. */
  changes = 0
  /** The kernel refuses the change of this number, counted from 1. */
  refused = 0

  constructor(state: Partial<AuditStatus> = {}, rules: readonly Partial<ListedAuditRule>[] = []) {
    this.state = { ...SYSTEM, ...state }
    this.list = rules.map((rule, index) => listed({ bytes: Uint8Array.of(index), ...rule }))
  }

  status(): AuditStatus {
    return this.state
  }

  rules(): ListedAuditRule[] {
    return [...this.list]
  }

  addRule({ key }: AuditRule): void {
    this.#change()
    this.list.push(listed({ key, bytes: Uint8Array.of(this.changes) }))
  }

  deleteRule(bytes: Uint8Array): void {
    this.#change()
    this.list.splice(
      this.list.findIndex((rule) => rule.bytes === bytes),
      1,
    )
  }

  setEnabled(enabled: AuditStatus['enabled']): void {
    this.#change()
    this.state = { ...this.state, enabled }
  }

  setBacklogLimit(backlogLimit: number): void {
    this.#change()
    this.state = { ...this.state, backlogLimit }
  }

  #change(): void {
    this.changes += 1
    if (this.state.enabled === 2 || this.changes === this.refused) {
      throw new EbpfError('ERR_EBPF_PERMISSION', 'the kernel refuses to change audit')
    }
  }
}

function listed(rule: Partial<ListedAuditRule>): ListedAuditRule {
  return { key: undefined, silencesTasks: false, bytes: new Uint8Array(0), ...rule }
}

test('an audit system that would report nothing is refused, and nothing is changed', async (t) => {
  const stale = { key: 'quark:4194305:1:0:64:1' }
  const cases = [
    {
      name: 'locked',
      state: { enabled: 2 },
      rules: [{}, stale],
      reason: /its rules are locked until the next boot$/,
    },
    {
      name: 'locked, of an owner',
      state: { enabled: 2, ownerPid: 7 },
      rules: [],
      reason: /its rules are locked/,
    },
    {
      name: 'off by its owner',
      state: { ownerPid: 7 },
      rules: [stale],
      reason: /process 7 owns it and has turned it off/,
    },
    { name: 'silenced', state: {}, rules: [{ silencesTasks: true }, stale], reason: /never,task deletes it/ },
  ] as const
  for (const { name, state, rules, reason } of cases) {
    await t.test(name, () => {
      const control = new FakeControl(state, rules)
      const before = [control.state, control.rules()]
      assert.throws(
        () => new AuditRules(control, CALLS),
        (error: unknown) =>
          error instanceof QuarkError && error.code === 'ERR_QUARK_SYSTEM' && reason.test(error.message),
      )
      assert.deepEqual([control.state, control.rules(), control.changes], [...before, 0])
    })
  }
})

test('closing leaves the audit system as it was found, those rules of others included', () => {
  const control = new FakeControl({}, [{ key: 'of another tool' }])
  const before = [control.state, control.rules()]
  const rules = new AuditRules(control, CALLS)
  assert.equal(control.state.enabled, 1)
  assert.ok(control.list.length > 1)
  rules[Symbol.dispose]()
  assert.deepEqual([control.state, control.rules()], before)
})

test('a refusal half-way is reported, and what was changed before it is undone', () => {
  const whole = new FakeControl()
  using _rules = new AuditRules(whole, CALLS)
  assert.ok(whole.changes > 3)
  for (let refused = 1; refused <= whole.changes; refused += 1) {
    const control = new FakeControl()
    control.refused = refused
    assert.throws(() => new AuditRules(control, CALLS), /the kernel refuses to change audit/)
    assert.deepEqual([control.state, control.rules()], [SYSTEM, []])
  }
})

test('closing does not fail when the rules were locked meanwhile: they stay', () => {
  const control = new FakeControl()
  const rules = new AuditRules(control, CALLS)
  control.setEnabled(2)
  const [state, list, changes] = [control.state, control.rules(), control.changes]
  rules[Symbol.dispose]()
  assert.deepEqual([control.state, control.rules(), control.changes], [state, list, changes])
})
