import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'node:test'
import { BtfError, NotSupportedError } from 'quark-ebpf'
import { compileProbe, type Probe, scratchLayout, type Target } from 'quark-ebpf/probe'
import { offsetEntryBtf, offsetTableText } from 'quark-ebpf/btf'
import { probesOf } from '../facts/rungs.js'
import { checkOptions } from '../options/check.js'
import { catalogue, kinds } from '../kinds/index.js'
import { openKernelTypes } from './types.js'
import { knownOffsets } from './known-offsets.js'
import { BTF_TARGETS, missingTargets, resolveTarget } from './targets.js'

const NONE = '/nonexistent/btf'
const [FIRST] = knownOffsets().kernels

test('every known kernel has all targets, each at the place that its entry says', () => {
  const { kernels } = knownOffsets()
  assert.ok(kernels.length >= 4)
  for (const entry of kernels) {
    const btf = offsetEntryBtf(entry)
    const resolved = BTF_TARGETS.map((target) => resolveTarget(btf, target))
    assert.deepEqual(missingTargets(resolved), [], entry.release)
    assert.equal(
      resolved.find(({ name }) => name === 'task_struct.tgid')?.offset,
      entry.structs['task_struct']?.members['tgid']?.[0],
    )
  }
})

/** Entries that were made before there were these fields and this fact lack what they need. */
const LATER_FIELDS = ['loginUid1', 'auditSession1']
const LATER_FACT = 'killers'

test('the process probes compile against every known kernel', () => {
  const settings = checkOptions(catalogue.options, { threads: true, failedExecs: true, usage: true })
  for (const entry of knownOffsets().kernels) {
    const target: Target = {
      btf: offsetEntryBtf(entry),
      flavor: 'probeRead',
      loop: 'bounded',
      architecture: entry.architecture,
      cpus: 4,
      scratch: scratchLayout({ levels: 1, maxRecordBytes: 1 << 20, nestedRecordBytes: 0 }, 4096),
      ringSizeBytes: 1 << 20,
      cpuRings: undefined,
      preemptible: false,
      kernelPreempts: false,
      probeRead: true,
      fairUsers: false,
    }
    const compiles = (probe: Probe): boolean => {
      try {
        const { missing } = compileProbe(probe, target)
        return missing.every(({ field }) => LATER_FIELDS.includes(field))
      } catch (error) {
        if (error instanceof NotSupportedError) return false
        throw error
      }
    }
    for (const { name, rungs } of kinds.flatMap((kind) => kind.facts({ settings, hierarchy: undefined }))) {
      // Iterators are functions of the kernel, of which the table has none.
      if (probesOf(rungs).every((probes) => probes.every(({ hook }) => hook.kind === 'iterator'))) continue
      if (name === LATER_FACT && target.btf.findTracepoint('signal_generate') === undefined) continue
      assert.ok(
        probesOf(rungs).some((probes) => probes.every(compiles)),
        `${name} on ${entry.release}`,
      )
    }
  }
})

test('openKernelTypes() says which entry was chosen, and why', () => {
  assert.ok(FIRST !== undefined)
  const { release, architecture, name } = FIRST
  const exact = openKernelTypes(undefined, { kernelPath: NONE, release, architecture })
  assert.equal(exact.source, `the known offsets: ${name} ${release} (the same release)`)
  assert.equal(exact.isTable, true)
  const prefix = `${release.slice(0, -3)}*`
  const table = { format: 1 as const, kernels: [{ ...FIRST, release: prefix }] }
  const covered = openKernelTypes(undefined, { kernelPath: NONE, release, architecture, table })
  assert.equal(covered.source, `the known offsets: ${name} ${prefix} (covers ${prefix})`)
})

test('openKernelTypes() says how to make the types of a kernel that nobody knows', () => {
  const options = { kernelPath: NONE, release: '3.10.0-unheard-of', architecture: 'x64' }
  assert.throws(() => openKernelTypes(undefined, options), {
    name: 'BtfError',
    message: /3\.10\.0-unheard-of, x64.*pahole --btf_encode_detached.*--btf FILE or set QUARK_BTF_PATH/,
  })
})

test('openKernelTypes() goes on to the table when the BTF of the kernel is broken, and fails when that has nothing', (t) => {
  assert.ok(FIRST !== undefined)
  const folder = mkdtempSync(join(tmpdir(), 'quark-types-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const kernelPath = join(folder, 'vmlinux')
  writeFileSync(kernelPath, Buffer.from('9feb0100', 'hex'))
  const { release, architecture, name } = FIRST
  const { source, isTable } = openKernelTypes(undefined, { kernelPath, release, architecture })
  assert.deepEqual([source, isTable], [`the known offsets: ${name} ${release} (the same release)`, true])
  assert.throws(
    () => openKernelTypes(undefined, { kernelPath, release: '3.10.0-unheard-of', architecture }),
    (error: unknown) =>
      error instanceof BtfError &&
      error.cause instanceof BtfError &&
      error.message.includes(`are not known: Broken BTF in ${kernelPath}: 4 bytes cannot hold a header, and`),
  )
})

test('openKernelTypes() reads an offset table in place of BTF, and refuses files of another architecture', (t) => {
  assert.ok(FIRST !== undefined)
  const folder = mkdtempSync(join(tmpdir(), 'quark-types-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const path = join(folder, 'offsets.json')
  writeFileSync(path, offsetTableText({ format: 1, kernels: [FIRST] }))
  const { release, architecture } = FIRST
  const { source } = openKernelTypes(path, { release, architecture })
  assert.equal(source, `"${path}": ${FIRST.name} ${release} (the same release)`)
  assert.throws(() => openKernelTypes(path, { release, architecture: 'riscv64' }), /riscv64.*do not cover it/)
  assert.throws(() => openKernelTypes(path, { release: '1.2.3', architecture }), BtfError)
  assert.throws(() => openKernelTypes(NONE), /Cannot read BTF from "\/nonexistent\/btf": ENOENT/)
  writeFileSync(path, '{')
  assert.throws(() => openKernelTypes(path), /it is not JSON/)
  writeFileSync(path, 'nothing')
  assert.throws(() => openKernelTypes(path), BtfError)
})
