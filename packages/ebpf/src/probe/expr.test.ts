import assert from 'node:assert/strict'
import { test } from 'node:test'
import { add, and, eq, gt, lt, mul, ne, oneOf, or, shiftLeft, shiftRight, sub } from './arithmetic.js'
import { describe } from './describe.js'
import {
  at,
  cast,
  constant,
  currentTask,
  enumValue,
  firstOf,
  nodeOf,
  packet,
  pathValue,
  type Scalar,
  socketCookie,
  userValue,
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
    ['(task.pid in [1, 7, 18446744073709551615])', oneOf(task.pid, [7, -1, 1, 7n])],
    ['(struct task_struct *)(task.arg_start).pid', cast<SmallTask>('task_struct', task.arg_start).pid],
    ['user[task.arg_start + 8..11]', userValue(task.arg_start, 8, 4)],
    ['socketCookie(task)', socketCookie(task)],
    ['4294967295', constant(4294967295)],
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
    ...[2n ** 64n, -(2n ** 63n) - 1n].map((value) => ({
      name: `the constant ${value}`,
      misuse: () => constant(value),
      error: {
        name: 'RangeError',
        message: `Cannot use ${value} as a constant: it must be from -9223372036854775808 to 18446744073709551615`,
      },
    })),
    ...[2 ** 53, 0.5, Number.NaN].map((value) => ({
      name: `the constant ${value}`,
      misuse: () => constant(value),
      error: {
        name: 'RangeError',
        message: `Cannot use ${value} as a constant: it is not a whole number that is exact`,
      },
    })),
    {
      name: 'a number operand that is too large',
      misuse: () => and(task.pid, 2n ** 64n),
      error: { name: 'RangeError' },
    },
    {
      name: 'a shift by as many bits as a word has',
      misuse: () => shiftLeft(task.pid, shiftLeft(1, 6)),
      error: {
        name: 'RangeError',
        message: 'Cannot use 64 as the distance of a shift: it must be from 0 to 63',
      },
    },
    { name: 'a shift backwards', misuse: () => shiftRight(task.pid, -1), error: { name: 'RangeError' } },
    { name: 'an index in front', misuse: () => at(task.signal.pids, -1), error: { name: 'RangeError' } },
    {
      name: 'bytes in front of a packet',
      misuse: () => packet(-1, 4),
      error: {
        name: 'RangeError',
        message: 'Cannot use -1 as an offset into a packet: it must be from 0 to 65535',
      },
    },
    {
      name: 'a number of three bytes',
      misuse: () => packet(0, 3 as 4),
      error: {
        name: 'RangeError',
        message: 'Cannot use 3 as the size of packet(…): a number has 1, 2, 4 or 8 bytes',
      },
    },
    {
      name: 'a set with a number too large',
      misuse: () => oneOf(task.pid, [1, 2n ** 64n]),
      error: { name: 'RangeError' },
    },
  ]
  for (const { name, misuse, error } of cases) {
    await t.test(name, () => assert.throws(misuse, error))
  }
})
