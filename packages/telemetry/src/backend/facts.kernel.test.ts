import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import type { RecordSink } from 'quark-ebpf'
import { constant, cstring, kernelString, probe, record, stringTail, tracepoint, u32 } from 'quark-ebpf/probe'
import type { Fact } from '../facts/fact.js'
import { catalogue } from '../kinds/index.js'
import { checkOptions } from '../options/check.js'
import { BACKEND_NAMES, type BackendName } from '../options/declare.js'
import { Clock } from '../pipeline/clock.js'
import { findCgroupHierarchy } from '../process/procfs/cgroup-mounts.js'
import { TestPipe } from '../testing/pipe-source.js'
import type { Backend } from './backend.js'
import { openBackend } from './index.js'

/** Of a record of toys. */
const TOY_TYPE = 30

let directory = ''
before(() => {
  directory = mkdtempSync(join(tmpdir(), 'quark-facts-'))
})
after(() => {
  rmSync(directory, { recursive: true })
})

/** Auditing slows a whole machine, and some kernels have no kprobe events. */
function isUsable(backend: BackendName): boolean {
  if (backend === 'audit') return process.env['KERNEL_TEST_FILE'] !== undefined
  return backend !== 'kprobe' || existsSync('/sys/kernel/tracing/kprobe_events')
}

function usualFacts(): Fact[] {
  const settings = checkOptions(catalogue.options, {})
  return catalogue.kinds.flatMap((kind) => kind.facts({ settings, hierarchy: findCgroupHierarchy() }))
}

const toyRecord = record(TOY_TYPE, 'toy', { pid: u32, name: stringTail(16) })
const toyProbe = probe(
  { name: 'toy', hook: tracepoint('no_such_toy', [cstring('name')]), record: toyRecord },
  (name) => ({ fill: { pid: constant(0), name: kernelString(name) } }),
)

function open(backend: BackendName, toys: Fact): Backend {
  const settings = checkOptions(catalogue.options, {})
  return openBackend(backend, { settings, clock: Clock.system(), facts: [...usualFacts(), toys] })
}

for (const name of BACKEND_NAMES.filter(isUsable)) {
  test(`${name} reports a fact without a rung as missing, by name`, () => {
    const rungs = name === 'ebpf' ? [] : [{ by: 'ebpf', probes: [toyProbe] } as const]
    using backend = open(name, { name: 'toys', required: false, rungs })
    assert.deepEqual(
      backend.missing.filter(({ fact }) => fact === 'toys'),
      [{ fact: 'toys', reason: name === 'ebpf' ? 'no backend has a way to it' : 'only ebpf can have it' }],
    )
    assert.ok(backend.attached.some(({ fact }) => fact === 'fork'))
  })

  test(`beside ${name}, a source in user space wakes the reader and hands over its records`, async () => {
    const pipe = new TestPipe(mkdtempSync(join(directory, name)), toyRecord)
    // Programs cannot be had anywhere: the source is the next rung where they are one.
    const rungs = [{ by: 'ebpf', probes: [toyProbe] } as const, pipe.rung]
    using backend = open(name, { name: 'toys', required: false, rungs })
    assert.deepEqual(
      backend.attached.filter(({ fact }) => fact === 'toys'),
      [{ fact: 'toys', hook: 'pipe/test', flavor: 'pipe' }],
    )
    const lanes = backend.sequences().length
    const toys: [lane: number, pid: number][] = []
    const others = new Set<number>()
    const sink: RecordSink = {
      record: (_words, bytes, offset) => {
        const lane = bytes.readUInt16LE(offset + 2)
        if (bytes.readUInt16LE(offset) !== toyRecord.type) others.add(lane)
        else toys.push([lane, bytes.readUInt32LE(offset + toyRecord.at.pid)])
      },
    }
    const drain = (): void => {
      while (backend.drain(sink, 100) > 0);
    }
    spawnSync('/bin/true')
    drain()
    assert.ok(others.size > 0, 'nothing of the backend')
    for (let pid = 1; pid <= 3; pid++) {
      drain()
      const wait = backend.wait('untilRecord', 60_000)
      setImmediate(() => pipe.write(pid))
      while (toys.length < pid) {
        await wait
        drain()
        if (toys.length < pid) await backend.wait('untilRecord', 1000)
      }
    }
    assert.deepEqual(
      toys,
      [1, 2, 3].map((pid) => [lanes - 1, pid]),
    )
    assert.equal(others.has(lanes - 1), false)
    assert.deepEqual(backend.sequences().at(-1), 3)
    backend.stop()
    pipe.close()
  })
}
