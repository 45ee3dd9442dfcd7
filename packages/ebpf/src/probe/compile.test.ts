import assert from 'node:assert/strict'
import { test } from 'node:test'
import { disassemble } from '../asm/index.js'
import { BuildError, PrototypeError } from '../errors.js'
import { type CompiledProbe, compileProbe } from './compile.js'
import { add, eq, ne, shiftLeft } from './arithmetic.js'
import { at, type Chars, currentTask, enumValue, firstOf, packet, type Scalar } from './expr.js'
import { cstring, fentry, int, optional, procConnector, struct, tracepoint } from './hooks/index.js'
import { type Probe, probe } from './probe.js'
import { cpuRingsLayout, RECORD_OFFSET } from './scratch.js'
import { expectGolden } from './testing/golden.js'
import { smallBtf } from './testing/small-btf.js'
import type { Target } from './target.js'
import { SIZES, target } from './testing/target.js'
import type { SmallTask } from './testing/small-kernel.js'
import { record } from './record.js'
import { u8, u16, u32, u64, s64, chars } from './fields.js'
import {
  pathTail,
  bytesTail,
  packetBytes,
  stringTail,
  wordsTail,
  path,
  userBytes,
  kernelString,
  userString,
  words,
} from './tails/index.js'

const task = struct<SmallTask>('task_struct', 'task')
const execHook = tracepoint('sched_process_exec', [task, int('old_pid', 4), cstring('name')])

function textOf({ code, declaration, missing }: CompiledProbe, { btf }: Target): string {
  const kfuncs = new Map(
    ['bpf_preempt_disable', 'bpf_preempt_enable', 'bpf_rdonly_cast'].map((name) => [
      btf.findFunction(name)?.id,
      name,
    ]),
  )
  const maps = new Map(code.maps.map(({ slot, map }) => [slot, map]))
  const lines = disassemble(code.bytes, {
    mapName: (_fd, slot) => maps.get(slot),
    kfuncName: (id) => kfuncs.get(id),
  })
  const lost = missing.map(({ field, reason }) => `# ${field}: ${reason}`)
  return [`# ${declaration}`, ...lost, ...lines].join('\n')
}

const sample = probe(
  {
    name: 'sample',
    hook: execHook,
    record: record(5, 'sample', {
      pid: u32,
      leader: u32,
      inExecve: u32,
      policy: s64,
      startNs: u64,
      sum: u64,
      gone: u32,
      comm: chars(16),
      cwd: pathTail,
      name: stringTail(32),
      argv: bytesTail(64),
      user: stringTail(32),
      numbers: wordsTail(8, 64),
    }),
  },
  (p, oldPid, name) => ({
    when: ne(p.pid, oldPid),
    fill: {
      pid: p.tgid,
      leader: p.group_leader.pid,
      inExecve: p.in_execve,
      policy: p.policy,
      startNs: firstOf(p.real_start_time, p.start_boottime),
      sum: add(p.nice, 7),
      gone: p.no_such_member,
      comm: p.comm,
      cwd: path(p.fs.pwd, p.fs.root),
      name: kernelString(name),
      argv: userBytes(p.arg_start, add(p.arg_start, 1)),
      user: userString(p.arg_start),
      numbers: words(at(p.signal.pids, 0).numbers, at(p.signal.pids, 0).level),
    },
  }),
)

const rename = probe({ name: 'small', hook: execHook, record: record(6, 'small', { pid: u32 }) }, (p) => ({
  time: p.arg_start,
  fill: { pid: p.tgid },
}))

test('a program is what it was', async (t) => {
  for (const flavor of ['direct', 'probeRead'] as const) {
    for (const loop of ['helper', 'bounded'] as const) {
      await t.test(`${flavor} ${loop}`, () => {
        const goal = target({ flavor, loop })
        expectGolden(`sample-${flavor}-${loop}`, textOf(compileProbe(sample, goal), goal))
      })
    }
  }
  await t.test('a machine on which loads through NULL fault', () => {
    const goal = target({ architecture: 'arm64' })
    expectGolden('sample-arm64', textOf(compileProbe(sample, goal), goal))
  })
  await t.test('a kernel without kfuncs', () => {
    const goal = target({ btf: smallBtf({ kfuncs: false }) })
    expectGolden('sample-without-kfuncs', textOf(compileProbe(sample, goal), goal))
  })
  await t.test('a kernel with short names in their dentries, and a window to read others through', () => {
    const goal = target({ btf: smallBtf({ window: true, inlineNames: true }) })
    expectGolden('sample-window', textOf(compileProbe(sample, goal), goal))
  })
  await t.test('a ring for each CPU', () => {
    const goal = target({ cpuRings: cpuRingsLayout(1 << 18, SIZES, 4096) })
    expectGolden('cpu-rings', textOf(compileProbe(rename, goal), goal))
  })
  await t.test('a kernel that preempts tracing programs', () => {
    const goal = target({ preemptible: true })
    expectGolden('preemptible', textOf(compileProbe(rename, goal), goal))
    expectGolden('preemptible-stand-in', textOf(compileProbe(rename, goal, { role: 'standIn' }), goal))
  })
  await t.test('a socket filter', () => {
    const filter = probe(
      { name: 'filter', hook: procConnector(4), record: record(2, 'filter', { what: u32, pid: u32 }) },
      () => ({
        when: eq(packet(36, 4), 4),
        fill: { what: packet(36, 4), pid: currentTask<SmallTask>().tgid },
      }),
    )
    expectGolden('filter', textOf(compileProbe(filter, target()), target()))
  })
})

test('what the kernel lacks is reported once, and is 0 in the record', () => {
  const declared = probe(
    { name: 'lacking', hook: execHook, record: record(1, 'lacking', { wide: u64, pid: u32, half: u16 }) },
    (p) => ({
      fill: { wide: p.no_such_member, pid: p.tgid, half: add(p.real_start_time, 1) },
    }),
  )
  const { missing, code } = compileProbe(declared, target())
  assert.deepEqual(missing, [
    { field: 'wide', reason: 'no struct task_struct.no_such_member' },
    { field: 'half', reason: 'no struct task_struct.real_start_time' },
  ])
  const lines = disassemble(code.bytes)
  assert.ok(lines.includes(`*(u64 *)(r9 +${RECORD_OFFSET + declared.record.at.wide}) = 0`), lines.join('\n'))
  assert.ok(lines.includes(`*(u16 *)(r9 +${RECORD_OFFSET + declared.record.at.half}) = 0`))
})

test('a field that what lies there does not fill is missing, and no field beside it is written', () => {
  const declared = probe(
    {
      name: 'misfits',
      hook: execHook,
      record: record(1, 'misfits', {
        text: chars(24),
        small: u32,
        wide: u64,
        enumerator: u8,
        number: chars(8),
      }),
    },
    (p) => ({
      fill: {
        text: p.comm,
        small: p.comm as unknown as Scalar,
        wide: p.comm,
        enumerator: shiftLeft(enumValue('pid_type', 'PIDTYPE_SID'), 8),
        number: p.pid as unknown as Chars,
      },
    }),
  )
  assert.deepEqual(compileProbe(declared, target()).missing, [
    { field: 'text', reason: 'no run of 24 bytes lies there' },
    { field: 'small', reason: 'no number lies there' },
    { field: 'enumerator', reason: '768 does not fit u8' },
    { field: 'number', reason: 'no run of 8 bytes lies there' },
  ])
})

test('a constant that its field cannot hold is refused where it is declared', () => {
  const declare = (value: number | bigint): unknown =>
    probe({ name: 'misfit', hook: execHook, record: record(1, 'misfit', { byte: u8 }) }, () => ({
      fill: { byte: value },
    }))
  declare(255)
  for (const value of [256, -1, 2n ** 40n, 0.5]) assert.throws(() => declare(value), RangeError)
  assert.throws(() => declare(256), {
    message: 'Cannot use 256 as "byte" (u8) of probe "misfit": it must be from 0 to 255',
  })
})

test('a program that runs on no packet has none to give', () => {
  const layout = record(1, 'packets', { bytes: bytesTail(8), word: u32 })
  const declared = probe({ name: 'packets', hook: execHook, record: layout }, () => ({
    fill: { bytes: packetBytes(0), word: 1 },
  }))
  const other = probe({ name: 'packets', hook: execHook }, () => ({ when: packet(0, 4) }))
  assert.throws(() => compileProbe(declared, target()), BuildError)
  assert.throws(() => compileProbe(other, target()), {
    name: 'BuildError',
    message: 'Cannot read bytes of a packet in probe "packets": its program runs on none',
  })
})

test('a path that begins nowhere leaves no function behind that nothing calls', () => {
  interface OtherTask extends SmallTask {
    readonly no_such_fs: SmallTask['fs']
  }
  const hook = tracepoint('sched_process_exec', [struct<OtherTask>('task_struct', 'task')])
  const declared = probe(
    { name: 'lacking', hook, record: record(1, 'lacking', { pid: u32, cwd: pathTail }) },
    (p) => ({
      fill: { pid: p.tgid, cwd: path(p.no_such_fs.pwd, p.no_such_fs.root) },
    }),
  )
  const btf = smallBtf({ inlineNames: true })
  const { missing, code } = compileProbe(declared, target({ btf, loop: 'helper' }))
  assert.deepEqual(missing, [{ field: 'cwd', reason: 'no struct task_struct.no_such_fs' }])
  assert.equal(disassemble(code.bytes).filter((line) => line === 'exit').length, 1)
})

test('a tail whose input the kernel lacks is marked as unreadable', () => {
  const declared = probe(
    {
      name: 'lacking',
      hook: execHook,
      record: record(1, 'lacking', { text: stringTail(16), cwd: pathTail }),
    },
    (p) => ({
      fill: { text: kernelString(p.no_such_member), cwd: path(p.fs.pwd, p.fs.root) },
    }),
  )
  const { missing, code } = compileProbe(declared, target({ btf: smallBtf({ dentry: false }) }))
  assert.deepEqual(
    missing.map(({ field }) => field),
    ['text', 'cwd'],
  )
  assert.match(missing[1]?.reason ?? '', /^no struct dentry/)
  const stores = disassemble(code.bytes).filter((line) => line.endsWith(' = 33554432'))
  assert.deepEqual(
    stores,
    ['text', 'cwd'].map(
      (name) =>
        `*(u32 *)(r9 +${RECORD_OFFSET + (declared.record.at as Record<string, number>)[name]!}) = 33554432`,
    ),
  )
})

test('an argument that the kernel does not pass is missing, unless there is another choice', () => {
  const exitHook = tracepoint('sched_process_exit', [task, optional(int('dead', 1))])
  const declared = probe(
    { name: 'exit', hook: exitHook, record: record(1, 'exit', { dead: u32, either: u32 }) },
    (p, dead) => ({
      fill: { dead: dead, either: firstOf(dead, p.pid) },
    }),
  )
  const compiled = compileProbe(declared, target({ btf: smallBtf({ groupDead: false }) }))
  assert.deepEqual(compiled.missing, [{ field: 'dead', reason: 'no argument dead' }])
  assert.deepEqual(compileProbe(declared, target()).missing, [])
})

test('the error for a probe that cannot be compiled names the probe and the reason', async (t) => {
  const pointers = (p: SmallTask, count: number): SmallTask =>
    count === 0 ? p : pointers(p.group_leader, count - 1)
  const withPid = (pid: (p: SmallTask) => Scalar): Probe =>
    probe({ name: 'broken', hook: execHook, record: record(1, 'broken', { pid: u32 }) }, (p) => ({
      fill: { pid: pid(p) },
    }))
  const cases: { name: string; declared: Probe; error: object; flavor?: 'direct' | 'probeRead' }[] = [
    {
      name: 'a condition that cannot be resolved',
      declared: probe({ name: 'broken', hook: execHook, record: record(1, 'broken', {}) }, (p) => ({
        when: eq(p.no_such_member, 1),
        fill: {},
      })),
      error: {
        name: 'BuildError',
        message: 'Cannot resolve the condition of probe "broken": no struct task_struct.no_such_member',
      },
    },
    {
      name: 'a time that cannot be resolved',
      declared: probe({ name: 'broken', hook: execHook, record: record(1, 'broken', {}) }, (p) => ({
        time: p.real_start_time,
        fill: {},
      })),
      error: {
        name: 'BuildError',
        message: 'Cannot resolve the time of probe "broken": no struct task_struct.real_start_time',
      },
    },
    {
      name: 'a time that is no number in kernel memory',
      declared: probe({ name: 'broken', hook: execHook, record: record(1, 'broken', {}) }, (p) => ({
        time: add(p.pid, 1),
        fill: {},
      })),
      error: { name: 'BuildError', message: 'Cannot resolve the time of probe "broken": it is not a path' },
    },
    {
      name: 'too many pointers for registers',
      declared: withPid((p) => pointers(p, 7).pid),
      error: { name: 'BuildError', message: 'Cannot follow more than 7 pointers' },
    },
    {
      name: 'too many pointers for the stack',
      flavor: 'probeRead',
      declared: withPid((p) => pointers(p, 8).pid),
      error: { name: 'BuildError', message: 'Cannot follow more than 8 pointers' },
    },
  ]
  for (const { name, declared, error, flavor = 'direct' } of cases) {
    await t.test(name, () => assert.throws(() => compileProbe(declared, target({ flavor })), error))
  }
  await t.test('another prototype', () => {
    const hook = fentry('wake_up_new_task', [struct('file')])
    const declared = probe({ name: 'broken', hook, record: record(1, 'broken', {}) }, () => ({ fill: {} }))
    assert.throws(() => compileProbe(declared, target()), PrototypeError)
    assert.throws(
      () =>
        compileProbe(
          withPid((p) => pointers(p, 9).pid),
          target(),
        ),
      BuildError,
    )
  })
})
