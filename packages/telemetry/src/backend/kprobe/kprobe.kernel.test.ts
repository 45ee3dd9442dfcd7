import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readFileSync, rmSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { after, before } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { findTracefs, KprobeEvents } from 'quark-ebpf'
import { kprobe, probe, record, struct, u32 } from 'quark-ebpf/probe'
import { checkOptions } from '../../options/check.js'
import { catalogue } from '../../kinds/index.js'
import { Clock } from '../../pipeline/clock.js'
import type { ProcessEvent } from '../../kinds/process/events.js'
import { processFacts } from '../../kinds/process/facts.js'
import type { Task } from '../../process/kernel-types.js'
import type { QuarkOptions } from '../../kinds/index.js'
import { Quark } from '../../quark.js'
import { dyingProgram, exitingProgram } from '../../testing/elf.js'
import { kprobeTest } from '../../testing/kprobe-test.js'
import type { KprobeRung } from '../../facts/rungs.js'
import { kprobeRung } from '../../kinds/process/rungs/kprobe/hooks.js'
import { openBackend } from '../index.js'
import { collectUntilExit, makeDirectory, writeProgram } from '../../testing/scenario.js'
import { findCgroupHierarchy } from '../../process/procfs/cgroup-mounts.js'
import { byProcess, lastOf } from '../../testing/truth.js'

let directory = ''
before(() => {
  directory = makeDirectory('kprobe')
})
after(() => {
  rmSync(directory, { recursive: true, force: true })
})

function open(options: QuarkOptions = {}): Promise<Quark> {
  return Quark.open({ holdMs: 50, ...options, backends: ['kprobe'] })
}

/** Runs a program and returns its pid and all events about it. */
async function watch(
  quark: Quark,
  program: string,
  args: readonly string[],
  cwd = directory,
): Promise<{ pid: number; events: readonly ProcessEvent[] }> {
  const child = spawn(program, args, { cwd, env: { A: '1' }, stdio: 'ignore' })
  const ended = once(child, 'exit')
  const events = await collectUntilExit(quark, child.pid!)
  await ended
  const [seen, ...others] = byProcess(events).filter(({ pid }) => pid === child.pid)
  assert.ok(seen !== undefined && others.length === 0)
  return { pid: child.pid!, events: seen.events }
}

/** The names of all installed events of this project. */
function installed(): string[] {
  return new KprobeEvents(findTracefs()).names()
}

kprobeTest('a process is reported from fork to exit', async () => {
  const program = writeProgram(directory, 'exit-3', exitingProgram(3))
  await using quark = await open({ maxEnvBytes: 100 })
  const { events } = await watch(quark, program, ['one', '', 'three'])
  const process_ = lastOf({ pid: 0, startTimeNs: undefined, events: [...events] })
  const { ppid, argv, env, exe, cwd, root, comm, exitCode, exitSignal, uid, argvTruncated } = process_
  assert.deepEqual(
    { ppid, argv, env, exe, cwd, root, comm, exitCode, exitSignal, uid, argvTruncated },
    {
      ppid: process.pid,
      argv: [program, 'one', '', 'three'],
      env: ['A=1'],
      exe: program,
      cwd: directory,
      root: '/',
      comm: 'exit-3',
      exitCode: 3,
      exitSignal: undefined,
      uid: 0,
      argvTruncated: false,
    },
  )
  assert.deepEqual(
    events.flatMap(({ actions }) => actions),
    ['fork', 'exec', 'exit'],
  )
  assert.equal(quark.stats().lost, 0)
})

kprobeTest('a process that a signal ends, and one that renames itself, are reported', async () => {
  await using quark = await open()
  const killed = await watch(quark, writeProgram(directory, 'term', dyingProgram(15)), [])
  assert.equal(killed.events.at(-1)?.process.exitSignal, 15)
  const renamed = await watch(quark, '/bin/sh', ['-c', 'printf another-name >/proc/self/comm; exit 0'])
  assert.equal(renamed.events.at(-1)?.process.comm, 'another-name')
  const actions = renamed.events.flatMap(({ actions }) => actions)
  assert.equal(actions.filter((action) => action === 'commChange').length, 1)
})

kprobeTest('arguments of a short process are whole up to 2 KiB, and marked as cut beyond', async () => {
  const program = writeProgram(directory, 'exit-0', exitingProgram(0))
  await using quark = await open()
  for (const length of [392, 393, 440, 441, 1900]) {
    const argument = Array.from({ length }, (_, index) => String(index % 10)).join('')
    const { process } = (await watch(quark, program, [argument])).events.at(-1)!
    assert.deepEqual([process.argv, process.argvTruncated], [[program, argument], false])
  }
  const { process } = (await watch(quark, program, ['x'.repeat(5000)])).events.at(-1)!
  assert.deepEqual([process.argvTruncated, process.argvSizeBytes], [true, program.length + 5002])
  assert.ok((process.argvBytes?.length ?? 0) >= 2048)
})

kprobeTest('a directory is whole up to six levels, and beyond whole or counted as cut', async () => {
  const program = writeProgram(directory, 'exit-1', exitingProgram(1))
  await using quark = await open()
  for (const levels of [1, 4, 12]) {
    const deep = join(directory, ...Array.from({ length: levels }, (_, index) => `level-${index}`))
    mkdirSync(deep, { recursive: true })
    const before = quark.stats().truncatedPaths
    const { process } = (await watch(quark, program, [], deep)).events.at(-1)!
    const isCut = quark.stats().truncatedPaths > before
    assert.ok(levels > 4 || !isCut)
    assert.ok(isCut || process.cwd === deep, process.cwd)
  }
})

kprobeTest('threads are reported when they are asked for', async () => {
  await using quark = await open({ threads: true })
  const script = 'new (require("worker_threads").Worker)("", { eval: true })'
  const child = spawn(process.execPath, ['-e', script], { stdio: 'ignore' })
  const events = await collectUntilExit(quark, child.pid!)
  const threads = events.filter((event) => event.kind === 'thread' && event.pid === child.pid)
  assert.ok(threads.length > 0)
})

kprobeTest('ids that change are reported with those before', async () => {
  await using quark = await open()
  const script = 'process.setgid(7); process.setuid(8)'
  const { events } = await watch(quark, process.execPath, ['-e', script])
  const changes = events.flatMap(({ idChange }) => idChange ?? [])
  assert.deepEqual([changes[0]?.from.uid, changes.at(-1)?.to.uid, changes.at(-1)?.to.gid], [0, 8, 7])
})

kprobeTest('what finds no room in the ring is counted', async () => {
  const program = writeProgram(directory, 'exit-2', exitingProgram(2))
  await using quark = await open({ ringSizeBytes: 4096 })
  for (let count = 0; count < 20; count += 1) spawnSync(program)
  const events = [...quark.poll(), ...quark.finish()]
  const { lost, lostRejected } = quark.stats()
  assert.ok(lost > 0)
  assert.equal(lostRejected, 0)
  const counts = events.flatMap((event) => (event.kind === 'lost' ? event.count : []))
  assert.equal(
    counts.reduce((sum, count) => sum + count, 0),
    lost,
  )
})

kprobeTest('closing removes every probe, and queues do not touch those of each other', async () => {
  const first = await open()
  const own = installed()
  assert.ok(own.length > 0 && own.every((name) => name.startsWith(`quark_${process.pid}_`)))
  const second = await open()
  assert.ok(installed().length === 2 * own.length)
  await second.close()
  assert.deepEqual(installed(), own)
  await first.close()
  assert.deepEqual(installed(), [])
})

kprobeTest('probes of queues that were killed are removed by the next one', async () => {
  const index = fileURLToPath(new URL('../../index.js', import.meta.url))
  const script =
    `const { Quark } = await import(${JSON.stringify(index)})\n` +
    `await Quark.open({ backends: ['kprobe'] })\nprocess.kill(process.pid, 'SIGKILL')`
  const rounds = Number(process.env['QUARK_KILLS'] ?? 3)
  for (let round = 0; round < rounds; round += 1) {
    const { signal, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', script])
    assert.equal(signal, 'SIGKILL', String(stderr))
  }
  assert.ok(installed().length > 0)
  const quark = await open()
  assert.ok(installed().every((name) => name.startsWith(`quark_${process.pid}_`)))
  await quark.close()
  assert.deepEqual(installed(), [])
})

kprobeTest('probes of a process whose pid was reused are removed too, and those of others stay', async () => {
  using kprobes = new KprobeEvents(findTracefs())
  const names = [`quark_${process.pid}_1_1_fork_0`, 'quark_of_another_kind']
  for (const name of names) kprobes.install(name, 'wake_up_new_task', [])
  const quark = await open()
  const left = names.filter((name) => installed().includes(name))
  await quark.close()
  kprobes.remove('quark_of_another_kind')
  assert.deepEqual([left, installed()], [['quark_of_another_kind'], []])
})

kprobeTest('without privileges and files it goes on, and removes its probes', async () => {
  const script = `
    import { mkdtempSync } from 'node:fs'
    import { Quark, dropPrivileges } from ${JSON.stringify(new URL('../../index.js', import.meta.url).href)}
    const quark = await Quark.open({ backends: ['kprobe'], holdMs: 50, snapshot: false })
    dropPrivileges('nobody', mkdtempSync('/tmp/quark-empty-'))
    console.log('ready')
    for await (const event of quark) {
      if (event.kind !== 'process' || !event.actions.includes('exit')) continue
      const word = event.process.argv?.[1] ?? ''
      if (/^(early|cpu-\\d+)$/.test(word)) console.log(word)
      if (word === 'late') break
    }
    await quark.close()
    console.log(quark.stats().lost)`
  const program = writeProgram(directory, 'exit-2', exitingProgram(2))
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const ended = once(child, 'exit')
  const onEachCpu = Array.from({ length: availableParallelism() }, (_, cpu) => `cpu-${cpu}`)
  const said: string[] = []
  for await (const line of createInterface(child.stdout)) {
    said.push(line)
    if (line === 'ready') spawnSync(program, ['early'])
    if (line !== 'early') continue
    // Longer than the interval at which CPUs that went or came are followed; then on each CPU, all of which are still watched.
    await sleep(2500)
    for (const [cpu, word] of onEachCpu.entries()) spawnSync('taskset', ['-c', String(cpu), program, word])
    spawnSync(program, ['late'])
  }
  assert.deepEqual([await ended, said, installed()], [[0, null], ['ready', 'early', ...onEachCpu, '0'], []])
})

/** A function that the kernel has, and on which it takes no probe. */
function forbiddenFunction(): string {
  const symbols = readFileSync('/proc/kallsyms', 'latin1')
  const list = readFileSync('/sys/kernel/debug/kprobes/blacklist', 'latin1').split('\n')
  const names = list.flatMap((line) => line.split('\t')[1] ?? [])
  const isFunction = (name: string): boolean => /^\w+$/.test(name) && symbols.includes(` t ${name}\n`)
  return names.find(isFunction) ?? assert.fail('the kernel forbids no function')
}

kprobeTest('if a kernel lacks a function, another is used, or the fact is missing, with its name', () => {
  const { settings, hierarchy, clock } = {
    settings: checkOptions(catalogue.options, {}),
    hierarchy: findCgroupHierarchy(),
    clock: Clock.system(),
  }
  const usual = processFacts({ settings, hierarchy })
  const gone = (target: string): KprobeRung =>
    kprobeRung(
      probe(
        {
          name: 'q_gone',
          hook: kprobe(target, [struct<Task>('task_struct', 'task')]),
          record: record(30, 'q_gone', { pid: u32 }),
        },
        (task) => ({ fill: { pid: task.tgid } }),
      ),
      [[{ function: target, parameters: [0] }]],
    )
  const fork = usual.find(({ name }) => name === 'fork') ?? assert.fail()
  const forbidden = forbiddenFunction()
  const facts = [
    ...usual,
    { name: 'forbidden', rungs: [gone(forbidden)], required: false },
    { name: 'avoided', rungs: [gone(forbidden), ...fork.rungs], required: false },
    { name: 'renamed', rungs: [gone('renamed_away'), ...fork.rungs], required: false },
    { name: 'inlined', rungs: [gone('inlined_here'), gone('inlined_there')], required: false },
  ]
  const backend = openBackend('kprobe', { settings, clock, facts })
  const { attached, missing } = backend
  backend[Symbol.dispose]()
  for (const fact of ['renamed', 'avoided']) {
    assert.deepEqual(
      attached.filter((one) => one.fact === fact).map(({ hook }) => hook),
      ['kprobe/wake_up_new_task'],
    )
  }
  const refusal = missing.find(({ fact }) => fact === 'forbidden')?.reason ?? ''
  assert.ok(refusal.startsWith(`Cannot put a kprobe event on "${forbidden}": `), refusal)
  assert.deepEqual(
    missing.filter(({ fact }) => fact === 'inlined').map(({ reason }) => reason),
    ['This kernel has no function inlined_here; This kernel has no function inlined_there'],
  )
  const required = [...usual, { name: 'inlined', rungs: [gone('inlined_here')], required: true }]
  assert.throws(() => openBackend('kprobe', { settings, clock, facts: required }), /no function inlined_here/)
  assert.deepEqual(installed(), [])
  return Promise.resolve()
})

kprobeTest('probes are removed when the process exits', async () => {
  const index = fileURLToPath(new URL('../../index.js', import.meta.url))
  const script =
    `const { Quark } = await import(${JSON.stringify(index)})\n` +
    `await Quark.open({ backends: ['kprobe'] })\nprocess.exit(5)`
  const { status, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', script])
  assert.equal(status, 5, String(stderr))
  assert.deepEqual(installed(), [])
})

kprobeTest('what this backend cannot report is refused, and not missed', async () => {
  await assert.rejects(
    open({ failedExecs: true }),
    /Option "failedExecs" cannot be met with the backend kprobe/,
  )
  await using quark = await open()
  const { attached } = quark.capabilities
  const hooks = attached.map(({ hook }) => hook)
  assert.ok(hooks.includes('kprobe/wake_up_new_task') && hooks.includes('kprobe/proc_exec_connector'))
  assert.doesNotMatch(readFileSync('/proc/sys/kernel/tainted', 'latin1'), /^512$/m)
})
