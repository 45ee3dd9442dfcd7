import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  add,
  and,
  at,
  constant,
  currentTask,
  describe,
  enumValue,
  eq,
  firstOf,
  gt,
  lt,
  mul,
  ne,
  nodeOf,
  or,
  packet,
  pathValue,
  type Scalar,
  shiftLeft,
  shiftRight,
  sub,
  type Value,
} from './expr.js'
import type { SmallTask } from './testing/small-kernel.js'

const task = pathValue<SmallTask>({ kind: 'path', root: { kind: 'argument', index: 0 }, steps: [] })

test('a value is described as a person would write it', async (t) => {
  const cases: [text: string, value: Value][] = [
    ['task', task],
    ['task.group_leader.pid', task.group_leader.pid],
    ['task.signal.pids[2].level', at(task.signal.pids, 2).level],
    ['task.signal.pids[PIDTYPE_SID].level', at(task.signal.pids, enumValue('pid_type', 'PIDTYPE_SID')).level],
    ['current.comm', currentTask<SmallTask>().comm],
    ['packet[36..39]', packet(36, 4)],
    ['packet[7..7]', packet(7, 1)],
    ['-1', constant(-1)],
    ['PIDTYPE_SID', enumValue('pid_type', 'PIDTYPE_SID')],
    ['task.start_boottime ?? task.real_start_time', firstOf(task.start_boottime, task.real_start_time)],
    ['(task.pid + 1)', add(task.pid, 1)],
    ['(task.pid - task.tgid)', sub(task.pid, task.tgid)],
    ['(task.pid * 4)', mul(task.pid, 4)],
    ['(task.pid & 7)', and(task.pid, 7)],
    ['((task.pid == 1) | (task.pid != 2))', or(eq(task.pid, 1), ne(task.pid, 2))],
    ['((task.pid >> 3) << 2)', shiftLeft(shiftRight(task.pid, 3), 2)],
    ['((1 < task.pid) & (task.pid > 5))', and(lt(1, task.pid), gt(task.pid, 5))],
  ]
  for (const [text, value] of cases) {
    await t.test(text, () => assert.equal(describe(nodeOf(value), ['task']), text))
  }
  assert.equal(describe(nodeOf(task.pid), []), '?.pid')
})

test('touching a member changes nothing: each path is its own value', () => {
  const { signal } = task
  assert.notEqual(nodeOf(signal.utime), nodeOf(signal.utime))
  assert.deepEqual(nodeOf(signal.utime), nodeOf(task.signal.utime))
  assert.deepEqual(nodeOf(signal), nodeOf(task.signal))
})

test('misuse is a TypeError or RangeError that says what was wrong', async (t) => {
  const cases: { name: string; misuse: () => unknown; error: object }[] = [
    {
      name: 'a value from nowhere',
      misuse: () => eq({} as Scalar, 1),
      error: { name: 'TypeError', message: 'Cannot use a value that no probe argument leads to' },
    },
    {
      name: 'an index into a number that was computed',
      misuse: () => at(add(task.pid, 1) as never, 0),
      error: { name: 'TypeError', message: 'Cannot index: the value is not a path through kernel memory' },
    },
    {
      name: 'an index that only the kernel knows',
      misuse: () => at(task.signal.pids, task.pid),
      error: { name: 'TypeError', message: 'Cannot index: the index must be a number or enumValue(…)' },
    },
    ...[0x80000000, -0x80000001, 0.5, Number.NaN].map((value) => ({
      name: `the constant ${value}`,
      misuse: () => constant(value),
      error: {
        name: 'RangeError',
        message: `Cannot use the constant ${value} as it does not fit a signed 32-bit integer`,
      },
    })),
    {
      name: 'a number operand that is too large',
      misuse: () => and(task.pid, 2 ** 32),
      error: { name: 'RangeError' },
    },
  ]
  for (const { name, misuse, error } of cases) {
    await t.test(name, () => assert.throws(misuse, error))
  }
})
