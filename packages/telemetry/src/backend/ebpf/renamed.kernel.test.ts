import assert from 'node:assert/strict'
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { EbpfError, kernelBtf } from 'quark-ebpf'
import { checkOptions } from '../../options/check.js'
import { catalogue } from '../../kinds/index.js'
import { SESSION_FUNCTIONS } from '../../kinds/process/kernel-ids.js'
import { BackendError } from '../../errors.js'
import { Quark } from '../../quark.js'
import { renamedBtf } from '../../testing/renamed-btf.js'
import { makeDirectory } from '../../testing/scenario.js'
import { ManualClock } from '../../pipeline/clock.js'
import { Sources } from '../sources.js'
import { EbpfBackend } from './ebpf.js'

const settings = checkOptions(catalogue.options, { failedExecs: true })
const facts = catalogue.kinds.flatMap((kind) => kind.facts({ settings, hierarchy: undefined }))

let directory = ''
before(() => {
  directory = makeDirectory('renamed')
})
after(() => {
  rmSync(directory, { recursive: true, force: true })
})

/** A file with this kernel's BTF, in which `names` are gone. */
function btfWithout(names: readonly string[]): string {
  const path = join(directory, 'btf')
  writeFileSync(path, renamedBtf(names))
  return path
}

const sources = new Sources(new ManualClock())

/** What a backend says of itself on a kernel without `names`. */
function openWithout(names: readonly string[]): Pick<EbpfBackend, 'attached' | 'missing'> {
  using backend = EbpfBackend.open({ facts, sources, ringSizeBytes: 1 << 20, btf: btfWithout(names) })
  const { attached, missing } = backend
  return { attached, missing }
}

/** What is missing here anyway, under lockdown for one. */
let usual: readonly string[] = []
before(() => {
  usual = openWithout([]).missing.map(({ fact }) => fact)
})

function newlyMissing({ missing }: Pick<EbpfBackend, 'missing'>): [fact: string, reason: string][] {
  return missing.filter(({ fact }) => !usual.includes(fact)).map(({ fact, reason }) => [fact, reason])
}

test('without a hook only its fact is missing, by name', async (t) => {
  const cases = [
    { fact: 'cgroupNames', tracepoint: 'cgroup_rename' },
    { fact: 'commChange', tracepoint: 'task_rename' },
    { fact: 'failedExecs', tracepoint: 'sys_exit' },
  ]
  for (const { fact, tracepoint } of cases) {
    await t.test(tracepoint, () => {
      const backend = openWithout([`btf_trace_${tracepoint}`])
      assert.deepEqual(newlyMissing(backend), [
        [fact, `This kernel does not support the tracepoint ${tracepoint}: its BTF does not know it`],
      ])
      const attached = new Set(backend.attached.map((one) => one.fact))
      assert.deepEqual([...attached, fact].sort(), facts.map((one) => one.name).sort())
    })
  }
})

test('if a function is gone, another takes its place, and nothing is missing', async (t) => {
  const btf = kernelBtf()
  const sessions = SESSION_FUNCTIONS.filter((name) => btf.findFunction(name) !== undefined)
  const cases = [...[...sessions, 'commit_creds'].map((name) => [name]), sessions]
  for (const names of cases) {
    await t.test(names.join(' and '), () => {
      const backend = openWithout(names)
      assert.deepEqual(newlyMissing(backend), [])
      const hooks = backend.attached.filter(({ fact }) => fact === 'idChange').map(({ hook }) => hook)
      assert.ok(hooks.length > 0)
      for (const name of names) assert.ok(!hooks.some((hook) => hook.endsWith(`/${name}`)), hooks.join())
    })
  }
})

test('without a hook or a member that is required nothing is opened, and the error names it', async (t) => {
  const cases = [
    {
      name: 'btf_trace_sched_process_exec',
      code: 'NOT_SUPPORTED',
      reason: /the tracepoint sched_process_exec/,
    },
    {
      name: 'btf_trace_sched_process_exit',
      code: 'NOT_SUPPORTED',
      reason: /the tracepoint sched_process_exit/,
    },
    {
      name: 'tgid',
      code: 'BUILD',
      reason: /Cannot resolve the [\w ]+ (of|in) probe "quark_\w+": no struct task_struct\.tgid$/,
    },
    {
      name: 'task_struct',
      code: 'PROTOTYPE',
      reason: /declared \(struct task_struct .*actual \(struct \?ask_struct/,
    },
  ]
  for (const { name, code, reason } of cases) {
    await t.test(name, () => {
      assert.throws(
        () => openWithout([name]),
        (error: unknown) =>
          error instanceof EbpfError && error.code === `ERR_EBPF_${code}` && reason.test(error.message),
      )
    })
  }
})

test('without a member only what is read through it is missing', async (t) => {
  const cases = [
    { name: 'arg_start', owner: 'mm_struct', fields: ['exec.argv', 'exec.argvBytes'] },
    { name: 'pwd', owner: 'fs_struct', fields: ['exec.cwd', 'fork.cwd'] },
    {
      name: 'real_parent',
      owner: 'task_struct',
      fields: ['exec.ppid', 'exit.ppid', 'fork.ppid', 'idChange.ppid'],
    },
    ...['cgroup_ns', 'time_ns'].map((name) => {
      const field = name.replace('_ns', 'Ns')
      return { name, owner: 'nsproxy', fields: [`exec.${field}`, `fork.${field}`, `idChange.${field}`] }
    }),
  ]
  for (const { name, owner, fields } of cases) {
    await t.test(name, () => {
      const missing = newlyMissing(openWithout([name]))
      assert.deepEqual(missing.map(([fact]) => fact).sort(), fields)
      for (const [, reason] of missing) assert.equal(reason, `no struct ${owner}.${name}`)
    })
  }
})

test('types without what a backend needs are refused where the next backend would not use them', async () => {
  const options = { btf: btfWithout(['btf_trace_sched_process_exec']), holdMs: 50 }
  await assert.rejects(Quark.open({ ...options, backends: ['ebpf'] }), (error: unknown) => {
    assert.ok(error instanceof BackendError)
    assert.match(error.message, /the tracepoint sched_process_exec: its BTF does not know it/)
    return true
  })
  await assert.rejects(Quark.open({ ...options, backends: ['ebpf', 'procConnector'] }), {
    code: 'ERR_QUARK_OPTION',
    option: 'btf',
  })
})
