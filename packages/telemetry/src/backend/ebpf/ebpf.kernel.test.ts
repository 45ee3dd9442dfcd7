import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { after, before, test } from 'node:test'
import { EbpfError, kernelAtLeast, probeFeature, type RecordSink, VerifierError } from 'quark-ebpf'
import { type Probe, probe, struct, tracepoint, u32, record } from 'quark-ebpf/probe'
import { checkOptions } from '../../options/check.js'
import { catalogue } from '../../kinds/index.js'
import type { Fact } from '../../facts/fact.js'
import { probesOf } from '../../facts/rungs.js'
import { ManualClock } from '../../pipeline/clock.js'
import { Sources } from '../sources.js'
import type { Task } from '../../process/kernel-types.js'
import { processFacts } from '../../kinds/process/facts.js'
import { execLayout, exitLayout, forkLayout } from '../../kinds/process/records.js'
import { EbpfBackend, type EbpfBackendOptions } from './ebpf.js'

let descriptors: string[] = []
before(() => {
  spawnSync('/bin/true')
  descriptors = readdirSync('/proc/self/fd')
})
after(() => {
  // One that node had open for a moment then may be gone now.
  const more = readdirSync('/proc/self/fd').filter((fd) => !descriptors.includes(fd))
  assert.deepEqual(more, [], 'descriptors are left open')
})

const facts = processFacts({ settings: checkOptions(catalogue.options, {}), hierarchy: undefined })

const NO_SOURCES = new Sources(new ManualClock())

function open(options: Partial<EbpfBackendOptions> = {}): EbpfBackend {
  return EbpfBackend.open({ facts, sources: NO_SOURCES, ringSizeBytes: 1 << 20, ...options })
}

class Collector implements RecordSink {
  /** Type and pid of each record. */
  readonly seen: [type: number, pid: number][] = []

  record(words: Uint32Array, _bytes: Buffer, offset: number): void {
    const type = (words[offset >> 2] as number) & 0xffff
    const layout = {
      [forkLayout.type]: forkLayout,
      [execLayout.type]: execLayout,
      [exitLayout.type]: exitLayout,
    }[type]
    if (layout !== undefined) this.seen.push([type, words[(offset + layout.at['pid']!) >> 2] as number])
  }

  typesOf(pid: number): number[] {
    return this.seen.filter(([, other]) => other === pid).map(([type]) => type)
  }
}

const LIFE = [forkLayout.type, execLayout.type, exitLayout.type]

/** A probe on a hook that no kernel has. */
function missingProbe(): Probe {
  return probe(
    {
      name: 'quark_missing',
      hook: tracepoint('no_such_tracepoint', [struct<Task>('task_struct', 'task')]),
      record: record(30, 'quark_missing', { pid: u32 }),
    },
    (task) => ({ fill: { pid: task.tgid } }),
  )
}

const WAYS: Record<string, Partial<EbpfBackendOptions>> = {
  'the best way': {},
  'direct reads': { flavors: ['direct'] },
  'reads by helper': { flavors: ['probeRead'] },
  'loops without helper': { loop: 'bounded' },
  'reads by helper, loops without': { flavors: ['probeRead'], loop: 'bounded' },
}

const MAY_PROBE_READ = probeFeature('probeReadKernel').supported

/** Without probe_read, which lockdown=confidentiality forbids, what lies behind addresses needs casts. */
function missingWithoutReason(backend: EbpfBackend): string[] {
  const isLocked = !MAY_PROBE_READ && !kernelAtLeast('6.2')
  return backend.missing
    .filter(({ reason }) => !isLocked || !reason.includes('refuses bpf_probe_read_kernel'))
    .map(({ fact, reason }) => `${fact}: ${reason}`)
}

for (const [name, options] of Object.entries(WAYS)) {
  test(`a process is reported with ${name}`, (t) => {
    if (options.flavors?.[0] === 'probeRead' && !MAY_PROBE_READ) {
      t.diagnostic('this kernel refuses bpf_probe_read_kernel')
      assert.throws(
        () => open(options),
        (error) => error instanceof VerifierError && /bpf_probe_read_kernel#113/.test(error.message),
      )
      return
    }
    using backend = open(options)
    const { pid } = spawnSync('/bin/true')
    const sink = new Collector()
    while (backend.drain(sink, 100) > 0);
    assert.deepEqual(sink.typesOf(pid), LIFE)
    const exec = backend.attached.find(({ fact }) => fact === 'exec')
    const isDirect = (options.flavors ?? [exec?.flavor])[0] === 'direct'
    assert.deepEqual(exec, {
      fact: 'exec',
      hook: `${isDirect ? 'tp_btf' : 'raw_tp'}/sched_process_exec`,
      flavor: isDirect ? 'direct' : 'probe_read',
    })
    assert.deepEqual(missingWithoutReason(backend), [])
  })
}

test('after stop no records are made, and those that were can be drained', () => {
  using backend = open()
  const early = spawnSync('/bin/true').pid
  assert.ok(backend.fullness > 0 && backend.fullness <= 1)
  backend.stop()
  const sequences = backend.sequences()
  const late = spawnSync('/bin/true').pid
  assert.deepEqual(backend.sequences(), sequences)
  const sink = new Collector()
  while (backend.drain(sink, 100) > 0);
  assert.deepEqual([sink.typesOf(early), sink.typesOf(late)], [LIFE, []])
  assert.equal(backend.fullness, 0)
  backend.stop()
})

test('counters stay readable after the backend is closed', () => {
  const backend = open()
  spawnSync('/bin/true')
  backend.stop()
  const counters = backend.counters()
  assert.ok((counters.produced.get(execLayout.type) ?? 0) >= 1)
  backend[Symbol.dispose]()
  backend[Symbol.dispose]()
  assert.deepEqual(backend.counters(), counters)
  assert.throws(() => backend.drain(new Collector(), 1), /is closed/)
})

test('every record has a number, and produced and lost ones make up all', () => {
  using backend = open({ ringSizeBytes: 4096 })
  for (let i = 0; i < 20; i++) spawnSync('/bin/true')
  backend.stop()
  const { produced, lost } = backend.counters()
  const sum = (counts: Iterable<number>): number => [...counts].reduce((total, count) => total + count, 0)
  assert.ok(sum(lost.values()) > 0, 'a ring of one page does not overflow')
  assert.equal(sum(produced.values()) + sum(lost.values()), sum(backend.sequences()))
  const sink = new Collector()
  let drained = 0
  for (let count = -1; count !== 0; drained += count) count = backend.drain(sink, 100)
  assert.equal(drained, sum(produced.values()))
})

test('a kind that has a share of the ring loses what goes beyond it, and others have the rest', () => {
  /** Records of processes that are lost, of a few programs that nobody reads. */
  const lostWith = (shares: ReadonlyMap<number, number>): number => {
    using backend = open({ shares, ringSizeBytes: 1 << 20 })
    for (let i = 0; i < 20; i++) spawnSync('/bin/true')
    return [...backend.counters().lost.values()].reduce((sum, count) => sum + count, 0)
  }
  assert.equal(lostWith(new Map([[77, 0.01]])), 0)
  assert.ok(lostWith(new Map([[execLayout.type >> 8, 0.001]])) > 0)
})

test('a fact that this kernel lacks is missing with the reason', () => {
  const extra: Fact = { name: 'extra', rungs: [{ by: 'ebpf', probes: [missingProbe()] }], required: false }
  using backend = open({ facts: [...facts, extra] })
  const missing = missingWithoutReason(backend)
  assert.equal(missing.length, 1)
  assert.match(missing[0]!, /^extra: .*no_such_tracepoint/)
  assert.equal(
    backend.attached.some(({ fact }) => fact === 'extra'),
    false,
  )
})

test('the next rung is taken when one cannot be attached completely', () => {
  const [fork] = facts.filter(({ name }) => name === 'fork').flatMap(({ rungs }) => probesOf(rungs).flat())
  const rungs = [[fork!, missingProbe()], [fork!]].map((probes) => ({ by: 'ebpf', probes }) as const)
  const extra: Fact = { name: 'extra', rungs, required: true }
  using backend = open({ facts: [extra] })
  assert.deepEqual(
    backend.attached.map(({ fact }) => fact),
    ['extra'],
  )
  assert.deepEqual(missingWithoutReason(backend), [])
  const { pid } = spawnSync('/bin/true')
  const sink = new Collector()
  while (backend.drain(sink, 100) > 0);
  // Once: the half of the way that could be had is detached.
  assert.deepEqual(sink.typesOf(pid), [forkLayout.type])
})

test('without a required fact nothing is opened', () => {
  const extra: Fact = { name: 'extra', rungs: [{ by: 'ebpf', probes: [missingProbe()] }], required: true }
  assert.throws(
    () => open({ facts: [...facts, extra] }),
    (error: unknown) => error instanceof EbpfError && /no_such_tracepoint/.test(error.message),
  )
})
