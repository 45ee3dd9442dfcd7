import assert from 'node:assert/strict'
import { constants } from 'node:os'
import { test } from 'node:test'
import { EbpfError, type EventField, KernelError, KprobeEvents } from 'quark-ebpf'
import { offsetEntryBtf } from 'quark-ebpf/btf'
import { knownOffsets } from '../../btf/known-offsets.js'
import { checkOptions } from '../../options/check.js'
import { catalogue } from '../../kinds/index.js'
import { processFacts } from '../../kinds/process/facts.js'
import { InstalledEvents } from './install.js'
import { Outbox } from '../outbox.js'
import { ManualClock } from '../../pipeline/clock.js'
import { Sources } from '../sources.js'

const { ENOENT, EINVAL } = constants.errno
const entry = knownOffsets().kernels.find(({ release }) => release === '6.12.117+deb12-cloud-amd64')
const settings = checkOptions(catalogue.options, { threads: true })

/** A tracefs in memory, of a kernel that takes no probe on some functions. */
class FakeEvents extends KprobeEvents {
  readonly installed = new Map<string, { symbol: string; fields: Map<string, EventField> }>()
  readonly #refused: Readonly<Record<string, number>>

  constructor(refused: Readonly<Record<string, number>>) {
    super('/nonexistent/tracefs')
    this.#refused = refused
  }

  override install(name: string, symbol: string, args: readonly string[]): number {
    const errno = this.#refused[symbol]
    if (errno !== undefined) throw new KernelError(`Cannot put a kprobe event on "${symbol}"`, 'write', errno)
    const fields = args.map(
      (text, index) =>
        [text.split('=')[0] ?? '', { offset: index * 8, sizeBytes: 8, dynamic: false }] as const,
    )
    this.installed.set(name, { symbol, fields: new Map(fields) })
    return this.installed.size
  }

  override remove(name: string): boolean {
    return this.installed.delete(name)
  }

  override fields(name: string): Map<string, EventField> {
    return this.installed.get(name)?.fields ?? new Map<string, EventField>()
  }

  get symbols(): string[] {
    return [...new Set([...this.installed.values()].map(({ symbol }) => symbol))].sort()
  }
}

function install(refused: Readonly<Record<string, number>>): {
  kprobes: FakeEvents
  events: InstalledEvents
} {
  const kprobes = new FakeEvents(refused)
  return { kprobes, events: installInto(kprobes) }
}

function installInto(kprobes: FakeEvents, known = entry): InstalledEvents {
  assert.ok(known !== undefined)
  const facts = processFacts({ settings, hierarchy: undefined })
  return new InstalledEvents(kprobes, {
    facts,
    sources: new Sources(new ManualClock()),
    target: { btf: offsetEntryBtf(known), architecture: 'x64', maxUserBytes: 2048 },
    flavor: 'fetch_args',
    maxRecordBytes: 8000,
    prefix: 'quark_1_1_1_',
    outbox: new Outbox(1, 16),
  })
}

function hooksOf({ answers: { attached } }: InstalledEvents, fact: string): string[] {
  return attached.filter((one) => one.fact === fact).map(({ hook }) => hook)
}

test('if no probe can be put on a function, another takes its place', () => {
  const usual = install({})
  assert.deepEqual(
    usual.events.answers.missing.map(({ fact }) => fact),
    ['ends of threads that execute something', 'exactStarts', 'killers'],
  )
  assert.deepEqual(hooksOf(usual.events, 'exit'), ['kprobe/taskstats_exit'])
  for (const errno of [ENOENT, EINVAL]) {
    const { events, kprobes } = install({ taskstats_exit: errno })
    assert.deepEqual(hooksOf(events, 'exit'), ['kprobe/perf_event_exit_task'])
    assert.deepEqual(hooksOf(events, 'threads'), ['kprobe/wake_up_new_task', 'kprobe/perf_event_exit_task'])
    assert.equal(kprobes.symbols.includes('taskstats_exit'), false)
  }
})

test('half of a fact is removed when the other half is refused', () => {
  const { events, kprobes } = install({ proc_sid_connector: EINVAL })
  assert.deepEqual(hooksOf(events, 'idChange'), [])
  assert.match(
    events.answers.missing.find(({ fact }) => fact === 'idChange')?.reason ?? '',
    /"proc_sid_connector".*EINVAL/,
  )
  assert.equal(kprobes.symbols.includes('proc_id_connector'), false)
  const names = events.hooks.flatMap((hook) => hook.events.map(({ name }) => name))
  assert.deepEqual([...kprobes.installed.keys()], names)
})

test('a fact that no function reports is missing, with what the kernel answered for each', () => {
  const { events, kprobes } = install({ __set_task_comm: EINVAL, proc_id_connector: ENOENT })
  assert.deepEqual([hooksOf(events, 'commChange'), hooksOf(events, 'idChange')], [[], []])
  assert.deepEqual(
    events.answers.missing.map(({ fact }) => fact),
    ['ends of threads that execute something', 'commChange', 'idChange', 'exactStarts', 'killers'],
  )
  const [, comm, ids] = events.answers.missing.map(({ reason }) => reason)
  assert.match(comm ?? '', /"__set_task_comm".*EINVAL/)
  assert.match(ids ?? '', /"proc_id_connector".*ENOENT/)
  assert.deepEqual(kprobes.symbols, ['proc_exec_connector', 'taskstats_exit', 'wake_up_new_task'])
})

test('namespaces that a table of offsets does not have are missing', () => {
  assert.ok(entry !== undefined)
  const structs = structuredClone(entry.structs) as Record<string, { members: Record<string, unknown> }>
  delete structs['cred']?.members['user_ns']
  for (const name of ['pid_ns_for_children', 'cgroup_ns', 'time_ns']) delete structs['nsproxy']?.members[name]
  const { answers } = installInto(new FakeEvents({}), { ...entry, structs: structs as typeof entry.structs })
  const missing = answers.missing.map(({ fact }) => fact)
  for (const fact of ['fork', 'exec', 'idChange'])
    for (const field of ['userNs', 'pidNs', 'cgroupNs', 'timeNs'])
      assert.ok(missing.includes(`${fact}.${field}`))
  assert.equal(missing.length, 15)
})

test('without a required fact nothing stays installed', () => {
  for (const refused of [
    { wake_up_new_task: EINVAL },
    { taskstats_exit: EINVAL, perf_event_exit_task: ENOENT },
  ]) {
    const kprobes = new FakeEvents(refused)
    const [first] = Object.keys(refused)
    assert.throws(
      () => installInto(kprobes),
      (error: unknown) => error instanceof EbpfError && error.message.includes(`"${first}"`),
    )
    assert.deepEqual(kprobes.symbols, [])
  }
})
