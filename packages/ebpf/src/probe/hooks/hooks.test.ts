import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { disassemble } from '../../asm/index.js'
import { BuildError, NotSupportedError, PrototypeError } from '../../errors.js'
import * as types from '../../program/types.js'
import { compileProbe, standInOf } from '../compile.js'
import { gt, ne } from '../arithmetic.js'
import { currentTask, resolves, type Scalar } from '../expr.js'
import { map, store } from '../maps.js'
import { s32, s64, u32, u64 } from '../fields.js'
import type { Flavor } from '../load-tree.js'
import { type Probe, probe } from '../probe.js'
import { record } from '../record.js'
import { path, pathTail } from '../tails/index.js'
import { smallBtf } from '../testing/small-btf.js'
import type { SmallTask } from '../testing/small-kernel.js'
import { target } from '../testing/target.js'
import {
  callArgument,
  callNumber,
  cgroupSkb,
  cgroupSock,
  cgroupSockAddr,
  fentry,
  fexit,
  HOOK_TYPES,
  type Hook,
  type HookKind,
  int,
  isCall,
  iterator,
  kprobe,
  kretprobe,
  named,
  optional,
  pointer,
  procConnector,
  struct,
  sysEnter,
  sysExit,
  SYSTEM_CALLS,
  tracepoint,
} from './index.js'

const task = struct<SmallTask>('task_struct', 'task')
const flags = [task, pointer('both')] as const
const SOURCES = join(import.meta.dirname, '../../../src/probe/hooks')
const seen = map({ name: 'seen', type: 'hash', key: u32, value: u64, maxEntries: 8 })

/** A hook of each kind, on the small kernel. */
const HOOKS: Readonly<Record<HookKind, Hook>> = {
  tracepoint: tracepoint('sched_process_exec', [task]),
  sysEnter: sysEnter(['openat']),
  sysExit: sysExit(['execve', 'execveat']),
  fentry: fentry('does_work', [task]),
  fexit: fexit('does_work', [task], int('result', 4)),
  kprobe: kprobe('does_work', [task]),
  kretprobe: kretprobe('does_work', int('result', 4)),
  socketFilter: procConnector(1),
  cgroupSkb: cgroupSkb('egress'),
  cgroupSock: cgroupSock('create'),
  cgroupSockAddr: cgroupSockAddr('connect4'),
  iterator: iterator('task', [task]),
}

/** A probe that goes down every path that there is. */
function wholeProbe(hook: Hook): Probe {
  const current = currentTask<SmallTask>()
  return probe({ name: 'whole', hook, record: record(1, 'whole', { pid: u32, cwd: pathTail }) }, () => ({
    when: ne(current.pid, 0),
    effects: [store(seen, current.pid, 1)],
    fill: { pid: current.tgid, cwd: path(current.fs.pwd, current.fs.root) },
  }))
}

function flavorsOf(kind: HookKind): Flavor[] {
  return Object.keys(HOOK_TYPES[kind].programs) as Flavor[]
}

function linesOf(declared: Probe, flavor: Flavor, architecture: 'x64' | 'arm64' = 'x64'): string[] {
  return disassemble(compileProbe(declared, target({ flavor, architecture })).code.bytes)
}

test('every kind of hook has a file, a row of the documentation, and programs that the kernel knows', async (t) => {
  const documentation = readFileSync(join(SOURCES, '../../../../../docs/probes.md'), 'utf8')
  for (const [kind, type] of Object.entries(HOOK_TYPES)) {
    await t.test(kind, () => {
      const file = `${kind.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}.ts`
      assert.ok(existsSync(join(SOURCES, file)), file)
      assert.equal(type.kind, kind)
      const { x64, arm64 } = type.minKernel
      const since = x64 === arm64 ? x64 : `${x64}, on arm64 ${arm64}`
      const row = `| \`${type.declared}\` | ${type.runs} | ${type.levels.join(', ')} | ${since} |`
      const rows = documentation.split('\n').map((line) => line.replaceAll(/ +/g, ' '))
      assert.ok(rows.includes(row), `docs/probes.md lacks the row\n${row}`)
      const names = [
        ...Object.values(type.programs).flatMap(({ type, attachType }) => [type, attachType]),
        ...Object.values(type.places ?? {}).map(({ attachType }) => attachType),
      ]
      for (const name of names) assert.ok(name === undefined || name in types, name)
    })
  }
})

test('a program returns what its hook asks for, on every path', async (t) => {
  for (const [kind, hook] of Object.entries(HOOKS) as [HookKind, Hook][]) {
    for (const flavor of flavorsOf(kind)) {
      await t.test(`${kind} ${flavor}`, () => {
        const { exitValue } = HOOK_TYPES[kind]
        const { code } = compileProbe(wholeProbe(hook), target({ flavor, loop: 'bounded', probeRead: true }))
        const [end = code.bytes.length / 8] = code.functions
        const lines = disassemble(code.bytes.subarray(0, end * 8))
        const exits = lines.flatMap((line, index) => (line.endsWith('exit') ? [lines[index - 1]] : []))
        assert.deepEqual(exits, [`r0 = ${exitValue}`])
        assert.equal(exitValue, kind.startsWith('cgroup') ? 1 : 0)
      })
    }
  }
})

test('a result lies behind the words of all arguments, or in a register', () => {
  const shape = record(1, 'result', { result: s64 })
  const returns = int('result', 4)
  const behind = probe(
    { name: 'behind', hook: fexit('does_work', [task], returns), record: shape },
    (_, result) => ({
      fill: { result },
    }),
  )
  // A pointer, a structure of two words, and a number.
  assert.ok(linesOf(behind, 'direct').includes('r1 = *(u64 *)(r6 +32)'))
  // It is an int: its sign is carried on.
  assert.ok(linesOf(behind, 'direct').includes('r0 s>>= 32'))
  const register = probe(
    { name: 'register', hook: kretprobe('does_work', returns), record: shape },
    (result) => ({
      fill: { result },
    }),
  )
  assert.ok(linesOf(register, 'probeRead').includes('r0 = *(u64 *)(r6 +80)'))
  assert.ok(linesOf(register, 'probeRead', 'arm64').includes('r0 = *(u64 *)(r6 +0)'))
})

test('an argument is found by its name, wherever the kernel has it', () => {
  const shape = record(1, 'named', { at: u64 })
  const linesBy = (by: typeof fentry | typeof kprobe, name: string, ...formerly: string[]): string[] => {
    const hook = by('bpf_iter_task', [named(pointer(name), ...formerly)])
    const declared = probe({ name: 'named', hook, record: shape }, (at) => ({ fill: { at } }))
    return linesOf(declared, by === fentry ? 'direct' : 'probeRead')
  }
  assert.ok(linesBy(fentry, 'task').includes('r1 = *(u64 *)(r6 +8)'))
  assert.ok(linesBy(kprobe, 'task').includes('r0 = *(u64 *)(r6 +104)'))
  assert.ok(linesBy(kprobe, 'p', 'task').includes('r0 = *(u64 *)(r6 +104)'))
  assert.throws(() => linesBy(kprobe, 'p'), PrototypeError)
})

test('of several results the one counts that the function has', () => {
  const shape = record(1, 'results', { code: u64, hasMade: u64 })
  const returns = [optional(int('code', 4)), optional(struct('task_struct', 'made'))] as const
  const declared = probe(
    { name: 'results', hook: kretprobe('does_work', ...returns), record: shape },
    (code, made) => ({ fill: { code, hasMade: resolves(made) } }),
  )
  assert.deepEqual(compileProbe(declared, target({ flavor: 'probeRead' })).missing, [])
  assert.ok(linesOf(declared, 'probeRead').includes('r0 = *(u64 *)(r6 +80)'))
})

test('a result of another type is refused, and both are shown', () => {
  const declared = probe({ name: 'wrong', hook: fexit('does_work', [task], int('result', 8)) }, () => ({}))
  assert.throws(
    () => compileProbe(declared, target()),
    (error) =>
      error instanceof PrototypeError &&
      error.declared === '(struct task_struct *task): 8-byte integer result' &&
      error.actual.endsWith('): int'),
  )
})

test('an argument may be any pointer, as a number', () => {
  const hook = kprobe('bpf_cast_to_kern_ctx', [pointer('obj')])
  const shape = record(1, 'pointer', { at: u64 })
  const declared = probe({ name: 'pointer', hook, record: shape }, (at) => ({ fill: { at } }))
  assert.ok(linesOf(declared, 'probeRead').includes('r0 = *(u64 *)(r6 +112)'))
  const wrong = probe({ name: 'wrong', hook: fentry('does_work', flags) }, () => ({}))
  assert.throws(() => compileProbe(wrong, target()), PrototypeError)
})

test('what trampolines run is guarded from preemption only where the kernel preempts', () => {
  const declared = probe({ name: 'guarded', hook: HOOKS.fentry }, () => ({}))
  const calls = (given: Parameters<typeof target>[0]): number =>
    disassemble(compileProbe(declared, target(given)).code.bytes).filter((line) =>
      line.startsWith('call kfunc'),
    ).length
  const old = smallBtf({ kfuncs: false })
  assert.equal(calls({ kernelPreempts: true }), 2)
  assert.equal(calls({ kernelPreempts: false }), 0)
  assert.equal(calls({ kernelPreempts: false, btf: old }), 0)
  assert.throws(
    () => calls({ kernelPreempts: true, btf: old }),
    (error) => error instanceof NotSupportedError && error.minKernel === '6.10',
  )
})

test('another program stands in where the kernel skips runs for a task that was preempted', () => {
  const having = (given: Parameters<typeof target>[0]): string[] =>
    Object.values(HOOKS)
      .filter(
        (hook) =>
          standInOf(
            probe({ name: 'skipped', hook }, () => ({})),
            target(given),
          ) !== undefined,
      )
      .map(({ kind }) => kind)
      .toSorted()
  const atTracepoints = ['sysEnter', 'sysExit', 'tracepoint']
  assert.deepEqual(having({ preemptible: true, kernelPreempts: true }), ['fentry', 'fexit', ...atTracepoints])
  assert.deepEqual(having({ preemptible: true, kernelPreempts: false }), atTracepoints)
  assert.deepEqual(having({ preemptible: false, kernelPreempts: true }), ['fentry', 'fexit'])
  assert.deepEqual(having({ preemptible: false, kernelPreempts: false }), [])
})

test('the number of a system call is tested before anything else is loaded', () => {
  const declared = probe(
    { name: 'calls', hook: HOOKS.sysExit, record: record(1, 'c', { result: s32 }) },
    (call, result) => ({
      when: gt(result as Scalar, callArgument(call as never, 0)),
      fill: { result: result as Scalar },
    }),
  )
  const lines = linesOf(declared, 'direct')
  const first = lines.findIndex((line) => line.startsWith('if r0 == 0x3b') || line.startsWith('if r0 == 59'))
  assert.ok(first > 0, lines.join('\n'))
  const loads = lines.slice(0, first).filter((line) => line.includes('= *(u64 *)'))
  assert.deepEqual(loads, ['r1 = *(u64 *)(r6 +0)', 'r0 = *(u64 *)(r1 +48)', loads[2]])
  assert.throws(
    () =>
      linesOf(
        probe({ name: 'none', hook: sysExit(['open']) }, () => ({})),
        'direct',
        'arm64',
      ),
    (error) => error instanceof NotSupportedError && /the system calls open on arm64/.test(error.message),
  )
})

test('numbers of system calls are unique, and since 424 the same everywhere', () => {
  for (const [name, [x64, arm64]] of Object.entries<readonly [number, number?]>(SYSTEM_CALLS)) {
    assert.ok(x64 < 512 && (arm64 ?? 0) < 512, name)
    if (x64 >= 424) assert.ok(arm64 === x64 || arm64 === undefined, name)
  }
  for (const architecture of ['x64', 'arm64'] as const) {
    const numbers = Object.keys(SYSTEM_CALLS)
      .map((name) => callNumber(name as keyof typeof SYSTEM_CALLS, architecture))
      .filter((number) => number !== undefined)
    assert.equal(new Set(numbers).size, numbers.length)
  }
  assert.deepEqual([callNumber('execve', 'x64'), callNumber('execve', 'arm64')], [59, 221])
  assert.equal(callNumber('open', 'arm64'), undefined)
})

test('a call is compared with its number on the target architecture', () => {
  const hook = sysExit(['open', 'openat'])
  const shape = record(1, 'which', { open: u32, openat: u32 })
  const declared = probe({ name: 'which', hook, record: shape }, (call) => ({
    fill: { open: isCall(call, 'open'), openat: isCall(call, 'openat') },
  }))
  assert.deepEqual(compileProbe(declared, target()).missing, [])
  assert.ok(linesOf(declared, 'direct').some((line) => line.includes('257') || line.includes('0x101')))
})

test('the context of a cgroup program is its first argument, and the kernel’s structure the second', () => {
  interface Skb {
    readonly truesize: Scalar
  }
  const shape = record(1, 'skb', { len: u32, size: u32 })
  const hook = cgroupSkb('ingress', struct<Skb>('sk_buff', 'skb'))
  const declared = probe({ name: 'skb', hook, record: shape }, (context, skb) => ({
    fill: { len: context.len, size: skb.truesize },
  }))
  const lines = linesOf(declared, 'direct')
  assert.ok(lines.includes('r0 = *(u32 *)(r1 +0)') && lines.includes('r1 = r6'))
  assert.deepEqual(compileProbe(declared, target()).missing, [])
  const old = target({ btf: smallBtf({ kfuncs: false }), kernelPreempts: false })
  assert.deepEqual(compileProbe(declared, old).missing, [{ field: 'size', reason: 'no argument skb' }])
})

test('an iterator ends where an object is NULL, and counts no record', () => {
  const shape = record(1, 'task', { pid: u32 })
  const declared = probe({ name: 'tasks', hook: iterator('task', [task]), record: shape }, (p) => ({
    when: ne(p.pid, 1),
    fill: { pid: p.tgid },
  }))
  const lines = linesOf(declared, 'direct')
  const loads = lines.flatMap((line, index) => (line === 'r1 = *(u64 *)(r6 +8)' ? [lines[index + 1]] : []))
  assert.equal(loads.length, 2)
  for (const line of loads) assert.match(line ?? '', /^if r1 == 0x0 goto/)
  assert.equal(lines.filter((line) => line.includes('seq_write')).length, 2)
})

test('a hook without arguments has none to read', () => {
  const hook = { ...procConnector(1), arguments: [task] } as Hook
  const declared = probe({ name: 'none', hook, record: record(1, 'none', { pid: u32 }) }, (p) => ({
    fill: { pid: (p as SmallTask).pid },
  }))
  assert.throws(() => linesOf(declared, 'direct'), BuildError)
})
