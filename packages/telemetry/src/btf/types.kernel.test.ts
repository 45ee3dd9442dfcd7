import assert from 'node:assert/strict'
import test from 'node:test'
import { type Btf, kernelBtf, NotSupportedError } from 'quark-ebpf'
import { makeOffsetEntry, offsetEntryBtf } from 'quark-ebpf/btf'
import { compileProbe, scratchLayout, type Target } from 'quark-ebpf/probe'
import { probesOf } from '../facts/rungs.js'
import { checkOptions } from '../options/check.js'
import { catalogue, kinds } from '../kinds/index.js'
import { openKernelTypes } from './types.js'
import { BTF_TARGETS, resolveTarget } from './targets.js'

test('a table made of this kernel yields the same programs and the same offsets as its BTF', () => {
  const btf = kernelBtf()
  const entry = makeOffsetEntry(btf, { name: 'here', release: '1.0.0-here' })
  const copy = offsetEntryBtf(entry)
  const target = (from: Btf): Target => ({
    btf: from,
    flavor: 'probeRead',
    loop: 'bounded',
    architecture: entry.architecture,
    cpus: 2,
    scratch: scratchLayout({ levels: 1, maxRecordBytes: 1 << 20, nestedRecordBytes: 0 }, 4096),
    ringSizeBytes: 1 << 20,
    cpuRings: undefined,
    preemptible: false,
    kernelPreempts: false,
    probeRead: true,
    fairUsers: false,
  })
  const settings = checkOptions(catalogue.options, { threads: true, failedExecs: true, usage: true })
  const facts = kinds.flatMap((kind) => kind.facts({ settings, hierarchy: undefined }))
  for (const probe of facts.flatMap(({ rungs }) => probesOf(rungs).flat())) {
    // Programs for these need numbers of the kernel's own BTF: of functions that they call, and of their hook.
    if (probe.hook.kind === 'fentry' || probe.hook.kind === 'iterator') continue
    const compiled = (from: Btf): unknown => {
      try {
        return compileProbe(probe, target(from))
      } catch (error) {
        if (error instanceof NotSupportedError) return error.message
        throw error
      }
    }
    assert.deepEqual(compiled(copy), compiled(btf), probe.name)
  }
  for (const wanted of BTF_TARGETS) {
    assert.deepEqual(resolveTarget(copy, wanted), resolveTarget(btf, wanted))
  }
})

test('openKernelTypes() prefers the BTF of the kernel itself', () => {
  const { source, isTable } = openKernelTypes()
  assert.deepEqual({ source, isTable }, { source: '/sys/kernel/btf/vmlinux', isTable: false })
})
