import assert from 'node:assert/strict'
import { test } from 'node:test'
import { EbpfError } from 'quark-ebpf'
import { kprobe, probe, record, type Scalar, struct, u32 } from 'quark-ebpf/probe'
import { QuarkError } from '../errors.js'
import type { Fact } from '../facts/fact.js'
import type { EbpfRung, Lack, Rung, SourceRung } from '../facts/rungs.js'
import { ManualClock } from '../pipeline/clock.js'
import { type Answers, attachFacts } from './attach-facts.js'
import type { AttachedRung } from './loaded-rung.js'
import { Sources } from './sources.js'

function ebpf(target: string): EbpfRung {
  const declared = probe(
    {
      name: 'toy',
      hook: kprobe(target, [struct<{ readonly pid: Scalar }>('task_struct', 'task')]),
      record: record(30, 'toy', { pid: u32 }),
    },
    (task) => ({ fill: { pid: task.pid } }),
  )
  return { by: 'ebpf', probes: [declared] }
}

function source(name: string, problem?: Error): SourceRung {
  return {
    by: 'source',
    hook: `toys/${name}`,
    flavor: 'toy',
    fills: [],
    open: () => {
      if (problem !== undefined) throw problem
      return { read: () => {}, stop: () => {}, close: () => {} }
    },
  }
}

function fact(name: string, rungs: readonly Rung[], rest: Partial<Fact> = {}): Fact {
  return { name, rungs, required: false, ...rest }
}

/** Facts through programs, of which those on functions named `un…` cannot be loaded, and on `half…` not attached. */
function attach(
  facts: readonly Fact[],
  lacks?: readonly Lack[],
): Answers & { readonly steps: readonly string[] } {
  const steps: string[] = []
  const answers = attachFacts(facts, 'ebpf', new Sources(new ManualClock()), ({ probes, isWhole }) => {
    const targets = probes.map(({ hook }) => hook.target).join()
    if (targets.startsWith('un')) throw new EbpfError('ERR_EBPF_NOT_SUPPORTED', `no ${targets}`)
    steps.push(`load ${targets}`)
    return {
      attach: (): AttachedRung => {
        if (targets.startsWith('half')) throw new EbpfError('ERR_EBPF_PERMISSION', `refused ${targets}`)
        steps.push(`attach ${targets}`)
        return {
          hooks: [{ hook: targets, flavor: 'direct' }],
          ...(lacks === undefined ? {} : { lacks }),
          ...(isWhole === undefined ? {} : { isWhole }),
        }
      },
    }
  })
  return { ...answers, steps }
}

test('all facts are loaded before the first is attached, in ascending order', () => {
  const { steps } = attach([
    fact('a', [ebpf('a')]),
    fact('b', [ebpf('b')], { order: 5 }),
    fact('c', [ebpf('c')], { order: -1 }),
    fact('d', [ebpf('d')]),
  ])
  const order = ['c', 'a', 'd', 'b']
  assert.deepEqual(steps, [...order.map((name) => `load ${name}`), ...order.map((name) => `attach ${name}`)])
})

test('the first rung that works is taken, whatever its sort', async (t) => {
  const refusal = new QuarkError('ERR_QUARK_SYSTEM', 'no netlink here')
  const cases: readonly [name: string, rungs: readonly Rung[], hook: string][] = [
    ['programs first', [ebpf('program'), source('one')], 'program'],
    ['a source first', [source('one'), ebpf('program')], 'toys/one'],
    ['a source after programs that cannot be loaded', [ebpf('unknown'), source('one')], 'toys/one'],
    ['a source after programs that cannot be attached', [ebpf('half'), source('one')], 'toys/one'],
    ['programs after a source that cannot be opened', [source('one', refusal), ebpf('program')], 'program'],
    ['the second source', [source('one', refusal), source('two')], 'toys/two'],
  ]
  for (const [name, rungs, hook] of cases) {
    await t.test(name, () => {
      const { attached, missing } = attach([fact('toys', rungs)])
      assert.deepEqual([attached.map((one) => [one.fact, one.hook]), missing], [[['toys', hook]], []])
    })
  }
})

test('a fact that others make needless is left out where they are whole', () => {
  const whole = { ...ebpf('whole'), isWhole: true } as const
  const besides = { besides: ['a', 'b'] }
  const namesOf = (a: Rung, b: Rung) =>
    attach([fact('a', [a]), fact('b', [b]), fact('c', [source('one')], besides)]).attached.map(
      (one) => one.fact,
    )
  assert.deepEqual(namesOf(whole, whole), ['a', 'b'])
  assert.deepEqual(namesOf(whole, ebpf('part')), ['a', 'b', 'c'])
  assert.deepEqual(attach([fact('c', [source('one')], { besides: ['a'] })]).attached.length, 1)
})

test('a fact of which no rung works is missing, with what was said of each', () => {
  const refusal = new QuarkError('ERR_QUARK_SYSTEM', 'no netlink here')
  const rungs = [ebpf('unknown'), ebpf('unknown'), source('one', refusal), ebpf('half')]
  assert.deepEqual(attach([fact('toys', rungs)]).missing, [
    { fact: 'toys', reason: 'no unknown; no netlink here; refused half' },
  ])
  assert.throws(() => attach([fact('toys', rungs, { required: true })]), /^EbpfError.*no unknown$/)
})

test('a fact that a backend has no rung for is missing there, with the reason of the fact', () => {
  const kprobeOnly: Rung = { by: 'kprobe', hooks: [] }
  const { missing } = attach([
    fact('explained', [kprobeOnly], { lacking: { ebpf: 'programs cannot see toys' } }),
    fact('other', [kprobeOnly], { lacking: { audit: 'audit cannot see toys' } }),
    fact('nowhere', []),
  ])
  assert.deepEqual(missing, [
    { fact: 'explained', reason: 'programs cannot see toys' },
    { fact: 'other', reason: 'only kprobe can have it' },
    { fact: 'nowhere', reason: 'no backend has a way to it' },
  ])
  assert.throws(
    () => attach([fact('needed', [kprobeOnly], { required: true })]),
    (error: unknown) =>
      error instanceof QuarkError &&
      error.message === 'Cannot learn needed, which is required: only kprobe can have it',
  )
})

test('what a rung leaves out is missing, on kernels that leave it out', () => {
  const lacks = [
    { what: 'toys of others', reason: 'why' },
    { what: 'old', reason: 'before Linux 4.0', until: '4.0' },
    { what: 'new', reason: 'before Linux 99.0', until: '99.0' },
  ]
  assert.deepEqual(attach([fact('toys', [ebpf('a')]), fact('others', [ebpf('b')])], lacks).missing, [
    { fact: 'toys of others', reason: 'why' },
    { fact: 'new', reason: 'before Linux 99.0' },
  ])
})

test('an error that is no refusal is thrown', () => {
  const broken = source('one', new TypeError('broken'))
  assert.throws(() => attach([fact('toys', [broken, ebpf('a')])]), TypeError)
})
