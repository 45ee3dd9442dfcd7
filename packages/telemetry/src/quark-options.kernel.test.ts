import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readdirSync, readFileSync, rmdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { after, before, test } from 'node:test'
import { BtfError } from 'quark-ebpf'
import { Clock } from './pipeline/clock.js'
import { OptionError, QuarkError, RecordingError } from './errors.js'
import type { QuarkEvent } from './kinds/index.js'
import type { ExecFailedEvent, ProcessEvent, ThreadEvent } from './kinds/process/events.js'
import { TICK_NS } from './event/time-base.js'
import { defaultAggregation } from './kinds/index.js'
import type { QuarkOptions } from './kinds/index.js'
import { Quark } from './quark.js'
import { findCgroupHierarchy } from './process/procfs/cgroup-mounts.js'
import {
  callingProgram,
  dyingProgram,
  exitingProgram,
  renamingProgram,
  sleepingProgram,
} from './testing/elf.js'
import { untilAsleep } from './testing/observe.js'
import { collectLife, collectUntilExit, makeDirectory, writeProgram } from './testing/scenario.js'

const STATUS = 3
const POLL_MS = 10
const SIGSEGV = 11
const LIMIT = { timeout: 60_000 }

let directory = ''
let short = ''
let descriptors: string[] = []

before(async () => {
  directory = makeDirectory('options')
  short = program('short', exitingProgram(STATUS))
  await once(spawn(short), 'close')
  descriptors = readdirSync('/proc/self/fd')
})
after(() => {
  rmSync(directory, { recursive: true, force: true })
  // One that node had open for a moment then may be gone now.
  const more = readdirSync('/proc/self/fd').filter((fd) => !descriptors.includes(fd))
  assert.deepEqual(more, [], 'descriptors are left open')
})

function program(name: string, contents: string | Uint8Array): string {
  return writeProgram(directory, name, contents)
}

interface Seen {
  readonly pid: number
  readonly events: readonly QuarkEvent[]
  /** Of the process alone. */
  readonly own: readonly ProcessEvent[]
  readonly output: string
  readonly quark: Quark
}

interface Command {
  readonly args?: readonly string[]
  readonly env?: NodeJS.ProcessEnv
  /** Sleeps until it is killed. */
  readonly sleeps?: boolean
}

/** Opens a queue, runs a program under it, and returns the events up to the program's end. */
async function see(file: string, options: QuarkOptions, command: Command = {}): Promise<Seen> {
  await using quark = await Quark.open({ holdMs: 50, ...options })
  const { args = [], env = {}, sleeps = false } = command
  const child = spawn(file, args, { env, stdio: ['ignore', 'pipe', 'inherit'] })
  let output = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text))
  const ended = once(child, 'close')
  await once(child, 'spawn')
  const pid = child.pid!
  if (sleeps) {
    await untilAsleep(pid)
    child.kill('SIGKILL')
  }
  const events = await collectLife(quark, pid)
  await ended
  const own = events.filter(
    (event): event is ProcessEvent => event.kind === 'process' && event.process.pid === pid,
  )
  return { pid, events, own, output, quark }
}

function actionsOf(events: readonly ProcessEvent[]): string[] {
  return events.map(({ actions }) => actions.join())
}

test('a snapshot begins with every process, as /proc shows it', LIMIT, async () => {
  await using quark = await Quark.open({ snapshot: true, kernelThreads: true })
  const clock = Clock.system()
  // Older records that are still held come first.
  const snapshots: QuarkEvent[] = []
  while (snapshots.length === 0) {
    snapshots.push(...quark.poll().filter(({ kind }) => kind === 'snapshot'))
    if (snapshots.length === 0) await setTimeout(POLL_MS)
  }
  const [own, ...others] = snapshots.filter(({ process: found }) => found?.pid === process.pid)
  assert.deepEqual(others, [])
  const cmdline = readFileSync('/proc/self/cmdline')
  assert.deepEqual(Buffer.from(own?.process?.argvBytes ?? []), cmdline)
  assert.deepEqual(own?.process?.argv, cmdline.toString().slice(0, -1).split('\0'))
  const stat = readFileSync('/proc/self/stat', 'latin1')
  const ticks = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19])
  const startNs = clock.bootEpochNs + BigInt(ticks) * BigInt(TICK_NS)
  const offNs = Number((own?.process?.startTimeNs ?? 0n) - startNs)
  assert.ok(Math.abs(offNs) < TICK_NS, `the start is off by ${offNs} ns`)
  assert.deepEqual(
    [own?.process?.ppid, own?.process?.exe, own?.process?.cwd],
    [process.ppid, process.execPath, process.cwd()],
  )
})

test('without the snapshot option processes are known, and make no events', LIMIT, async () => {
  await using quark = await Quark.open()
  assert.equal(
    quark.poll().some(({ kind }) => kind === 'snapshot'),
    false,
  )
  assert.equal(quark.lookup(process.pid)?.exe, process.execPath)
})

test('kernel threads are there when they are asked for', LIMIT, async () => {
  const comm = readFileSync('/proc/2/comm', 'latin1').trim()
  assert.equal(comm, 'kthreadd')
  await using without = await Quark.open()
  await using quark = await Quark.open({ kernelThreads: true, snapshot: true })
  assert.equal(without.lookup(2), undefined)
  assert.equal(quark.lookup(2)?.comm, comm)
  assert.deepEqual(quark.lookup(2)?.ppid, 0)
  for await (const event of quark) if (event.kind === 'snapshot' && event.process.ppid === 2) break
})

const WORKERS = `
const { Worker } = require('node:worker_threads')
const { readdirSync } = require('node:fs')
const before = readdirSync('/proc/self/task')
const workers = [1, 2].map(() => new Worker('setInterval(() => {}, 1000)', { eval: true }))
Promise.all(workers.map((worker) => new Promise((resolve) => worker.once('online', resolve)))).then(async () => {
  const tids = readdirSync('/proc/self/task').filter((tid) => !before.includes(tid))
  await Promise.all(workers.map((worker) => worker.terminate()))
  console.log(JSON.stringify(tids))
})`

test('threads begin and end when they are asked for', LIMIT, async () => {
  const { pid, events, output } = await see(process.execPath, { threads: true }, { args: ['-e', WORKERS] })
  const threads = events.filter((event): event is ThreadEvent => event.kind === 'thread' && event.pid === pid)
  const tids = (action: string): number[] =>
    threads.filter((event) => event.action === action).map(({ tid }) => tid)
  const workers = (JSON.parse(output) as string[]).map(Number)
  assert.ok(workers.length >= 2)
  for (const tid of workers) {
    assert.equal(tids('fork').filter((other) => other === tid).length, 1)
    assert.equal(tids('exit').filter((other) => other === tid).length, 1)
  }
  const forked = new Set(tids('fork'))
  // The first thread ends before others do, or last, with the process.
  assert.ok(tids('exit').every((tid) => forked.has(tid) || tid === pid))
  assert.equal(forked.has(pid), false)
  for (const { action, comm, exitCode, process: owner } of threads) {
    assert.equal(owner?.pid, pid)
    assert.ok(comm !== undefined && comm.length > 0)
    assert.equal(exitCode === undefined, action === 'fork')
  }

  const without = await see(process.execPath, {}, { args: ['-e', WORKERS] })
  assert.deepEqual(
    without.events.filter(({ kind }) => kind === 'thread'),
    [],
  )
})

const BUSY = `
while (process.cpuUsage().user < 200_000) Math.sqrt(2)
const { user, system } = process.cpuUsage()
console.log(JSON.stringify({ user, system, maxRss: process.resourceUsage().maxRSS }))`

test('usage is what the process itself measured, when it is asked for', LIMIT, async () => {
  const { own, output } = await see(process.execPath, { usage: true }, { args: ['-e', BUSY] })
  const measured = JSON.parse(output) as { user: number; system: number; maxRss: number }
  const usage = own.at(-1)?.process.usage
  assert.ok(usage !== undefined)
  const userUs = Number(usage.userTimeNs) / 1000
  const totalUs = userUs + Number(usage.systemTimeNs) / 1000
  const tickUs = TICK_NS / 1000
  assert.ok(userUs >= tickUs, `user time ${userUs} us`)
  assert.ok(totalUs >= measured.user + measured.system - tickUs, `${totalUs} us, ${output}`)
  assert.ok(usage.peakRssBytes >= measured.maxRss * 1024 * 0.9, `${usage.peakRssBytes} bytes, ${output}`)
  assert.ok(usage.peakRssBytes <= measured.maxRss * 1024 * 2, `${usage.peakRssBytes} bytes, ${output}`)
  assert.ok(usage.readBytes >= 0n && usage.writeBytes >= 0n)

  const without = await see(short, {})
  assert.equal(without.own.at(-1)?.process.usage, undefined)
})

test('failed execs have their errno and file name, when they are asked for', LIMIT, async () => {
  const missing = join(directory, 'missing')
  const plain = join(directory, 'plain')
  writeFileSync(plain, 'no program', { mode: 0o644 })
  const script = `(exec "$1") 2> /dev/null; (exec "$2") 2> /dev/null; "$3"; true`
  const args = ['-c', script, 'sh', missing, plain, short]
  const { events, quark } = await see('/bin/sh', { failedExecs: true }, { args })
  const failed = events.filter(
    (event): event is ExecFailedEvent =>
      event.kind === 'execFailed' && event.filename?.startsWith(directory) === true,
  )
  assert.deepEqual(
    failed.map(({ filename, errno }) => [filename, errno]),
    [
      [missing, 2],
      [plain, 13],
    ],
  )
  for (const { pid, tid, process: caller } of failed) {
    assert.equal(pid, tid)
    assert.equal(caller?.comm, 'sh')
  }
  assert.ok((quark.stats().produced['execFailed'] ?? 0) >= 2)

  const without = await see('/bin/sh', {}, { args })
  assert.deepEqual(
    without.events.filter(({ kind }) => kind === 'execFailed'),
    [],
  )
})

test('the environment is captured up to its limit', LIMIT, async () => {
  const env = { FOO: 'bar', LONG: 'x'.repeat(100) }
  const whole = (await see(short, { maxEnvBytes: 4096 }, { env })).own.at(-1)?.process
  assert.deepEqual(
    [whole?.env, whole?.envTruncated, whole?.envSizeBytes],
    [['FOO=bar', `LONG=${'x'.repeat(100)}`], false, 114],
  )
  const cut = await see(short, { maxEnvBytes: 8 }, { env })
  const { process: found } = cut.own.at(-1)!
  assert.deepEqual([found.env, found.envTruncated, found.envSizeBytes], [['FOO=bar'], true, 114])
  assert.ok(cut.quark.stats().truncatedEnv >= 1)
  const none = await see(short, {}, { env })
  assert.deepEqual([none.own.at(-1)?.process.env, none.quark.stats().truncatedEnv], [undefined, 0])
})

test('argv is cut at its limit, which is reported and counted', LIMIT, async () => {
  const args = ['one', 'two', 'three']
  const { own, quark } = await see(short, { maxArgvBytes: 16 }, { args })
  const { argvTruncated, argvSizeBytes, argvBytes } = own.at(-1)!.process
  const whole = Buffer.from([short, ...args, ''].join('\0'))
  assert.deepEqual([argvTruncated, argvSizeBytes], [true, whole.length])
  assert.deepEqual(Buffer.from(argvBytes ?? []), whole.subarray(0, 16))
  assert.ok(quark.stats().truncatedArgv >= 1)
})

test('aggregation decides which records are one event', LIMIT, async (t) => {
  const rename = program('rename', renamingProgram('quark-renamed'))
  const cases: { name: string; options: QuarkOptions; expected: string[] }[] = [
    { name: 'default', options: {}, expected: ['fork,exec,exit,commChange'] },
    { name: 'minimal', options: { aggregation: 'minimal' }, expected: ['fork', 'exec,commChange', 'exit'] },
    { name: 'none', options: { aggregation: 'none' }, expected: ['fork', 'exec', 'commChange', 'exit'] },
    {
      name: 'a table of its own',
      options: { aggregation: defaultAggregation().set('exec', 'exit', null).set('fork', 'exit', null) },
      expected: ['fork,exec,commChange', 'exit'],
    },
    {
      name: 'no holding',
      options: { aggregation: 'none', holdMs: 0 },
      expected: ['fork', 'exec', 'commChange', 'exit'],
    },
  ]
  for (const { name, options, expected } of cases) {
    await t.test(name, async () => {
      const { own } = await see(rename, { holdMs: 2000, ...options }, { sleeps: true })
      assert.deepEqual(actionsOf(own), expected)
      const last = own.at(-1)?.process
      assert.deepEqual([last?.comm, last?.exe, last?.exitSignal], ['quark-renamed', rename, 9])
    })
  }
})

test('a predicate is asked about pairs of records of one process', LIMIT, async () => {
  const asked: string[] = []
  const aggregation = defaultAggregation().set('fork', 'exec', (fork, exec) => {
    asked.push(
      `${fork.name} ${exec.name} ${fork.pid === exec.pid} ${exec.timeNs >= fork.timeNs} ${fork.has('comm')}`,
    )
    return false
  })
  const { own } = await see(short, { aggregation })
  assert.deepEqual(actionsOf(own), ['fork', 'exec,exit'])
  assert.ok(asked.length >= 1)
  assert.deepEqual([...new Set(asked)], ['fork exec true true false'])
})

test('bypass hands over the records as they are', LIMIT, async () => {
  await using quark = await Quark.open({ bypass: true })
  const child = spawn(short, ['argument'], { env: {}, stdio: 'ignore' })
  await once(child, 'exit')
  const own: Record<string, Record<string, unknown>> = {}
  for await (const event of quark) {
    assert.equal(event.kind, 'raw')
    const fields = event.decode()
    if (fields['pid'] !== child.pid) continue
    assert.equal(own[event.name], undefined, `two records of ${event.name}`)
    own[event.name] = fields
    assert.ok(event.timeNs > 1_600_000_000_000_000_000n)
    if (event.name === 'exit') break
  }
  assert.deepEqual(Object.keys(own), ['fork', 'exec', 'exit'])
  const { exe, ppid, argv } = own['exec'] as { exe: { path: string }; ppid: number; argv: Uint8Array }
  assert.deepEqual([exe.path, ppid], [short, process.pid])
  assert.equal(Buffer.from(argv).toString('latin1'), `${short}\0argument\0`)
  const { insertions, removals, lost } = quark.stats()
  assert.ok(insertions >= 3)
  assert.deepEqual([insertions, lost], [removals, 0])

  // What is in the ring at the end is handed over too.
  const last = spawn(short, { stdio: 'ignore' })
  await once(last, 'exit')
  const rest = quark.finish().flatMap((event) => (event.kind === 'raw' ? [event] : []))
  assert.deepEqual(
    rest.filter((event) => event.decode()['pid'] === last.pid).map(({ name }) => name),
    ['fork', 'exec', 'exit'],
  )
  assert.deepEqual([quark.isEnded, quark.poll()], [true, []])
})

test('contradictory options open nothing', async () => {
  await assert.rejects(Quark.open({ bypass: true, snapshot: true }), (error: unknown) => {
    assert.ok(error instanceof OptionError)
    assert.equal(error.option, 'snapshot')
    return true
  })
})

test('a BTF file is used instead of the kernel', LIMIT, async () => {
  const path = join(directory, 'btf')
  writeFileSync(path, readFileSync('/sys/kernel/btf/vmlinux'))
  const { own } = await see(short, { btf: path })
  // On a busy machine it may live longer than its records are held.
  assert.equal(actionsOf(own).join(), 'fork,exec,exit')
})

/** BTF of nothing but the registers by which another architecture is known. */
function foreignBtf(): Buffer {
  const register = process.arch === 'arm64' ? 'orig_ax' : 'syscallno'
  const strings = Buffer.from(`\0int\0pt_regs\0${register}\0`)
  const [KIND_INT, KIND_STRUCT] = [1 << 24, 4 << 24]
  // An int of 32 bits, and a struct of 4 bytes with one member of it.
  const types = Uint32Array.of(1, KIND_INT, 4, 32, 5, KIND_STRUCT | 1, 4, 13, 1, 0)
  const header = Uint32Array.of(0x0001eb9f, 24, 0, types.byteLength, types.byteLength, strings.length)
  return Buffer.concat([Buffer.from(header.buffer), Buffer.from(types.buffer), strings])
}

test('a BTF file that is missing or broken is refused with the reason', async (t) => {
  const kernel = readFileSync('/sys/kernel/btf/vmlinux')
  const write = (name: string, bytes: Uint8Array): string => {
    writeFileSync(join(directory, name), bytes)
    return join(directory, name)
  }
  const cases: Record<string, { path: string; reason: RegExp }> = {
    missing: { path: join(directory, 'missing.btf'), reason: /Cannot read BTF from .*: ENOENT/ },
    'a directory': { path: directory, reason: /Cannot read BTF from .*: EISDIR/ },
    empty: { path: write('empty.btf', new Uint8Array()), reason: /BTF/ },
    truncated: { path: write('half.btf', kernel.subarray(0, kernel.length >> 1)), reason: /Broken BTF in / },
    'no BTF': {
      path: write('text.btf', Buffer.from('this is no BTF, but long enough to be one')),
      reason: /BTF/,
    },
    'of another architecture': {
      path: write('other.btf', foreignBtf()),
      reason: /it is of a kernel for (x64|arm64), and this is (x64|arm64)/,
    },
    'an ELF file without BTF': { path: short, reason: /No \.BTF section|Broken ELF/ },
  }
  for (const [name, { path, reason }] of Object.entries(cases)) {
    await t.test(name, async () => {
      await assert.rejects(Quark.open({ btf: path }), (error: unknown) => {
        assert.ok(error instanceof OptionError, String(error))
        assert.ok(error.cause instanceof BtfError)
        assert.match(error.cause.message, reason)
        assert.ok(error.cause.message.includes(path))
        assert.equal(error.message, `Option "btf" cannot be used: ${error.cause.message}`)
        assert.deepEqual([error.code, error.option], ['ERR_QUARK_OPTION', 'btf'])
        return true
      })
    })
  }
})

test('every fact is attached on a kernel that has all', LIMIT, async () => {
  await using quark = await Quark.open({ threads: true, failedExecs: true, usage: true, kernelThreads: true })
  const { backend, kernel, attached, missing } = quark.capabilities
  assert.deepEqual([backend, kernel], ['ebpf', readFileSync('/proc/sys/kernel/osrelease', 'utf8').trim()])
  assert.deepEqual(
    attached
      .filter(({ fact }) => fact !== 'idChange')
      .map(({ fact, hook }) => `${fact} ${hook.replace(/^(tp_btf|raw_tp)/, 'tracepoint')}`)
      .toSorted(),
    [
      'cgroupNames tracepoint/cgroup_mkdir',
      'cgroupNames tracepoint/cgroup_rename',
      'commChange tracepoint/task_rename',
      'exactStarts iter/task',
      'exec tracepoint/sched_process_exec',
      'exit tracepoint/sched_process_exit',
      'failedExecs tracepoint/sys_exit',
      'fork tracepoint/sched_process_fork',
      'killers tracepoint/signal_generate',
      'threads tracepoint/sched_process_exec',
      'threads tracepoint/sched_process_exit',
      'threads tracepoint/sched_process_fork',
    ],
  )
  // Which hook reports ids depends on whether the kernel lets functions be hooked.
  assert.ok(attached.some(({ fact }) => fact === 'idChange'))
  for (const { hook, flavor } of attached) {
    if (hook.startsWith('tp_btf/')) assert.equal(flavor, 'direct', hook)
    if (hook.startsWith('raw_tp/')) assert.equal(flavor, 'probe_read', hook)
  }
  assert.deepEqual(missing, [])
})

test('without rights the error says which are needed', LIMIT, () => {
  const script = `
    const { Quark } = await import(process.argv[1])
    process.setgroups([])
    process.setgid(65534)
    process.setuid(65534)
    const error = await Quark.open({ backends: ['ebpf'] }).then(() => undefined, (error) => error)
    console.log(JSON.stringify({ name: error?.name, message: error?.message, code: error?.failures?.[0]?.error.code }))`
  const url = new URL('quark.js', import.meta.url).href
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', script, url], {
    encoding: 'utf8',
  })
  assert.equal(stderr, '')
  const { name, message, code } = JSON.parse(stdout) as Record<string, string>
  assert.deepEqual([name, code], ['BackendError', 'ERR_EBPF_PERMISSION'])
  assert.match(message!, /run as root or grant CAP_BPF and CAP_PERFMON/)
})

test('a new name of this process is an event', LIMIT, async () => {
  await using quark = await Quark.open({ holdMs: 10 })
  const title = process.title
  try {
    process.title = 'quark-title-of-more-than-15'
    for await (const event of quark) {
      if (event.kind !== 'process' || event.process.pid !== process.pid) continue
      assert.deepEqual([event.actions, event.process.comm], [['commChange'], 'quark-title-of-'])
      assert.equal(event.process.exe, process.execPath)
      break
    }
  } finally {
    process.title = title
  }
})

test('a change of ids has those before and after', LIMIT, async () => {
  const file = program('ids', callingProgram([['setsid'], ['setresgid', 5, 6, 7], ['setresuid', 1, 2, 3]]))
  const { pid, own } = await see(file, {}, { sleeps: true })
  const changes = own.flatMap(({ idChange }) => (idChange === undefined ? [] : [idChange]))
  const sid = Number(readFileSync('/proc/self/stat', 'latin1').split(') ')[1]?.split(' ')[3])
  const root = { sid, uid: 0, euid: 0, suid: 0, gid: 0, egid: 0, sgid: 0 }
  const became = { sid: pid, uid: 1, euid: 2, suid: 3, gid: 5, egid: 6, sgid: 7 }
  assert.deepEqual(changes, [{ changed: ['sid', 'uid', 'gid'], from: root, to: became }])
  const { uid, euid, gid, egid } = own.at(-1)!.process
  assert.deepEqual([uid, euid, gid, egid], [1, 2, 5, 6])

  const apart = await see(file, { aggregation: 'none' }, { sleeps: true })
  assert.deepEqual(
    apart.own.flatMap(({ idChange }) => idChange?.changed ?? []),
    ['sid', 'gid', 'uid'],
  )
})

test('a process that a signal ended has no exit code', LIMIT, async () => {
  const { own } = await see(program('segv', dyingProgram(SIGSEGV)), {})
  const { exitCode, exitSignal } = own.at(-1)!.process
  assert.deepEqual([exitCode, exitSignal], [undefined, SIGSEGV])
  const killed = await see(program('sleeper', sleepingProgram()), {}, { sleeps: true })
  assert.deepEqual(
    [killed.own.at(-1)?.process.exitCode, killed.own.at(-1)?.process.exitSignal],
    [undefined, 9],
  )
  const ended = (await see(short, {})).own.at(-1)?.process
  assert.deepEqual([ended?.exitCode, ended?.exitSignal], [STATUS, undefined])
})

test('a process has the path of its cgroup, also of one made just before', LIMIT, async () => {
  const hierarchy = findCgroupHierarchy()
  assert.ok(hierarchy !== undefined, 'no cgroup hierarchy is mounted')
  const names = ['old', 'new'].map((word) => `quark-${word}-${process.pid}`) as [string, string]
  const root = hierarchy.mountRoot === '/' ? '' : hierarchy.mountRoot
  const made: string[] = []
  const make = (name: string): string => {
    const path = join(hierarchy.mountPoint, name)
    mkdirSync(path)
    made.push(path)
    return path
  }
  try {
    const old = make(names[0])
    await using quark = await Quark.open({ holdMs: 50 })
    for (const [path, name] of [
      [old, names[0]],
      [make(names[1]), names[1]],
    ] as const) {
      const script = `echo $$ > "$1/cgroup.procs"; exec "$2"`
      const child = spawn('/bin/sh', ['-c', script, 'sh', path, short], { stdio: 'ignore' })
      const events = await collectUntilExit(quark, child.pid!)
      const last = events.findLast((event) => event.process?.pid === child.pid)?.process
      assert.deepEqual([last?.exe, last?.cgroup], [short, `${root}/${name}`])
    }
  } finally {
    for (const path of made) rmdirSync(path)
  }
})

test(
  'a recording that cannot be written opens nothing, and one that fills the disk reports it',
  LIMIT,
  async () => {
    const refused = (code: string) => (error: unknown) => {
      assert.ok(error instanceof QuarkError)
      assert.equal(error.code, 'ERR_QUARK_SYSTEM')
      assert.equal((error.cause as NodeJS.ErrnoException).code, code)
      return true
    }
    await assert.rejects(Quark.open({ record: '/dev/full' }), refused('ENOSPC'))
    await assert.rejects(Quark.open({ record: directory }), refused('EISDIR'))
  },
)

test('a queue that is closed midway leaves a recording of all that it delivered', LIMIT, async () => {
  const record = join(directory, 'recording')
  const { pid, own } = await see(short, { record })
  const replayed: string[] = []
  await assert.rejects(async () => {
    const quark = await Quark.replay(record)
    try {
      for await (const event of quark) {
        if (event.kind === 'process' && event.process.pid === pid) replayed.push(event.actions.join())
      }
    } finally {
      await quark.close()
    }
  }, RecordingError)
  assert.deepEqual(replayed, actionsOf(own))
})
