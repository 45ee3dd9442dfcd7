import assert from 'node:assert/strict'
import { test } from 'node:test'
import { add, and, eq, gt, lt, mul, oneOf, or, shiftLeft, shiftRight, sub } from './arithmetic.js'
import {
  at,
  constant,
  containerOf,
  currentTask,
  enumValue,
  firstOf,
  nodeOf,
  packet,
  type Scalar,
  type Value,
} from './expr.js'
import { argumentValues, int, optional, struct, tracepoint } from './hooks/index.js'
import { type ResolvedPath, Resolver, Unresolved } from './resolve.js'
import { smallBtf } from './testing/small-btf.js'
import type { SmallTask } from './testing/small-kernel.js'

const hook = tracepoint('sched_process_exit', [
  struct<SmallTask>('task_struct', 'task'),
  optional(int('dead', 1)),
])
const [task, dead] = argumentValues(hook)
const btf = smallBtf()

function resolve(value: Value, present: readonly boolean[] = [true, true]): unknown {
  return new Resolver(btf, hook, present).expr(nodeOf(value))
}

const fromTask: ResolvedPath = {
  root: { kind: 'argument', index: 0 },
  rootType: btf.findStruct('task_struct') ?? -1,
  derefs: [],
  offset: 0,
  sizeBytes: 4,
  signed: false,
  address: false,
  bare: false,
}

test('a path becomes the pointers to follow and a place', async (t) => {
  const sid = enumValue('pid_type', 'PIDTYPE_SID')
  const cases: [name: string, value: Value, expected: Partial<ResolvedPath>][] = [
    ['a member', task.tgid, { offset: 4, signed: true }],
    ['an unsigned member', task.arg_start, { offset: 80, sizeBytes: 8 }],
    ['a bool', task.frozen, { offset: 72, sizeBytes: 1 }],
    ['a pointer as a number', task.group_leader as unknown as Scalar, { offset: 16, sizeBytes: 8 }],
    ['through pointers', task.group_leader.group_leader.pid, { derefs: [16, 16], signed: true }],
    ['a structure in place', task.fs.root.dentry, { derefs: [56], offset: 32, sizeBytes: 8 }],
    ['a member of an anonymous union', task.start_boottime, { offset: 40, sizeBytes: 8 }],
    ['an array of bytes', task.comm, { offset: 24, sizeBytes: 16, address: true }],
    ['a structure itself', task.fs.pwd, { derefs: [56], offset: 8, sizeBytes: 16, address: true }],
    ['an element of an array', at(task.signal.pids, 2).level, { derefs: [48, 24] }],
    ['an enumerator as index', at(task.signal.pids, sid).level, { derefs: [48, 32] }],
    [
      'beyond an array of one, which is a flexible one',
      at(at(task.signal.pids, 0).numbers, 5),
      { derefs: [48, 8], offset: 48, sizeBytes: 8 },
    ],
    ['a bit-field', task.in_execve, { offset: 8, bits: { shift: 3, width: 1 } }],
    ['a signed bit-field', task.policy, { offset: 8, signed: true, bits: { shift: 8, width: 5 } }],
    ['the argument itself', task, { sizeBytes: 8, bare: true }],
    [
      'from the current task',
      currentTask<SmallTask>().tgid,
      { root: { kind: 'current' }, offset: 4, signed: true },
    ],
  ]
  for (const [name, value, expected] of cases) {
    await t.test(name, () => {
      assert.deepEqual(resolve(value), { kind: 'load', path: { ...fromTask, ...expected } })
    })
  }
})

test('a number of the hook is as wide and as signed as declared', () => {
  assert.deepEqual(resolve(dead), {
    kind: 'load',
    path: { ...fromTask, root: { kind: 'argument', index: 1 }, rootType: 0, sizeBytes: 1, bare: true },
  })
})

test('what is no path stays what it is', () => {
  assert.deepEqual(resolve(constant(-5)), { kind: 'constant', value: 2n ** 64n - 5n })
  assert.deepEqual(resolve(packet(4, 2)), { kind: 'packet', offset: 4, size: 2 })
  assert.deepEqual(resolve(enumValue('pid_type', 'PIDTYPE_SID')), { kind: 'constant', value: 3n })
  assert.deepEqual(resolve(enumValue('another_enum', 'PIDTYPE_SID')), { kind: 'constant', value: 3n })
})

test('what is known when a program is generated is computed then, in 64 bits', async (t) => {
  const cases: [name: string, value: Value, expected: bigint][] = [
    ['1 << 40', shiftLeft(1, 40), 1n << 40n],
    ['1 << 63', shiftLeft(1, 63), 1n << 63n],
    ['-1 >> 60', shiftRight(-1, 60), 15n],
    ['0 - 1', sub(0, 1), 2n ** 64n - 1n],
    ['2^63 + 2^63', add(2n ** 63n, 2n ** 63n), 0n],
    ['2^32 * 2^32', mul(2 ** 32, 2 ** 32), 0n],
    ['2^32 * 2^31', mul(2 ** 32, 2 ** 31), 1n << 63n],
    ['-1 < 1, unsigned', lt(-1, 1), 0n],
    ['2^64 - 1 == -1', eq(2n ** 64n - 1n, -1), 1n],
    ['2^40 & (2^40 | 1)', and(2 ** 40, or(2 ** 40, 1)), 1n << 40n],
    ['a value out of none', oneOf(task.pid, []), 0n],
    ['a constant out of some', oneOf(constant(-1), [2n ** 64n - 1n]), 1n],
    ['nothing of anything', and(task.pid, 0), 0n],
    ['a truth beside a truth', or(eq(task.pid, 1), constant(1)), 1n],
  ]
  for (const [name, value, expected] of cases) {
    await t.test(name, () => assert.deepEqual(resolve(value), { kind: 'constant', value: expected }))
  }
  assert.deepEqual(resolve(and(1, eq(task.pid, 1))), resolve(eq(task.pid, 1)))
  assert.deepEqual(resolve(lt(1, task.pid)), resolve(gt(task.pid, 1)))
})

test('the structure that a member lies in begins so many bytes before it', () => {
  const address = (value: unknown) =>
    (value as { path: { root: { address: { kind: string; value: { right: unknown } } } } }).path.root.address
  const leader = task.group_leader as unknown as Scalar
  const found = resolve(containerOf<SmallTask>('task_struct', 'comm', leader).pid)
  assert.equal(address(found).kind, 'ifThen')
  assert.deepEqual(address(found).value.right, { kind: 'constant', value: 24n })
  const of = (struct: string, member: string): unknown =>
    resolve(containerOf<SmallTask>(struct, member, leader).pid)
  assert.deepEqual(
    of('task_struct', 'group_leader.pid'),
    new Unresolved('struct task_struct only points to group_leader.pid'),
  )
  assert.deepEqual(of('task_struct', 'nothing'), new Unresolved('no struct task_struct.nothing'))
  assert.deepEqual(of('nothing', 'comm'), new Unresolved('no struct nothing'))
})

test('firstOf() takes the first choice that this kernel has', () => {
  const place = { kind: 'load', path: { ...fromTask, offset: 40, sizeBytes: 8 } }
  assert.deepEqual(resolve(firstOf(task.real_start_time, task.start_boottime)), place)
  assert.deepEqual(resolve(firstOf(task.start_boottime, task.real_start_time)), place)
})

test('what this kernel lacks is reported by name', async (t) => {
  const cases: [reason: string, value: Value][] = [
    ['no struct task_struct.no_such_member', task.no_such_member],
    ['no struct task_struct.no_such_member', add(1, task.no_such_member)],
    ['no struct task_struct.no_such_member', add(task.no_such_member, 1)],
    ['int has no member nice', (task.pid as unknown as SmallTask).nice],
    ['no enumerator PIDTYPE_MAX', at(task.signal.pids, enumValue('pid_type', 'PIDTYPE_MAX')).level],
    ['index 4 is beyond struct pid *[4]', at(task.signal.pids, 4).level],
    ['unsigned long has no elements', at(task.signal.utime as never, 0)],
    ['a number has no members', (dead as unknown as SmallTask).pid],
    [
      'no struct task_struct.real_start_time, no struct task_struct.no_such_member',
      firstOf(task.real_start_time, task.no_such_member),
    ],
  ]
  for (const [reason, value] of cases) {
    await t.test(reason, () => assert.deepEqual(resolve(value), new Unresolved(reason)))
  }
  await t.test('an argument that the kernel does not pass', () => {
    assert.deepEqual(resolve(dead, [true, false]), new Unresolved('no argument dead'))
    assert.deepEqual(resolve(firstOf(dead, constant(1)), [true, false]), { kind: 'constant', value: 1n })
  })
})
