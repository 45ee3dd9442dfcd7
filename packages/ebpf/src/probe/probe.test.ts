import assert from 'node:assert/strict'
import { test } from 'node:test'
import { eq } from './arithmetic.js'
import { type Scalar } from './expr.js'
import { map, remove } from './maps.js'
import { cstring, int, optional, struct, tracepoint } from './hooks/index.js'
import { describeProbe, Lack, probe } from './probe.js'
import type { SmallTask } from './testing/small-kernel.js'
import { record, type RecordOf } from './record.js'
import { u8, u16, u32, u64, s32, s64, chars } from './fields.js'
import {
  pathTail,
  bytesTail,
  stringTail,
  wordsTail,
  path,
  userBytes,
  kernelString,
  userString,
  words,
  type DecodedPath,
} from './tails/index.js'

const hook = tracepoint('sched_process_exec', [
  struct<SmallTask>('task_struct', 'task'),
  int('old_pid', 4),
  optional(cstring('name')),
])

const declared = probe(
  {
    name: 'all.kinds',
    hook,
    record: record(31, 'all.kinds', {
      byte: u8,
      half: u16,
      word: u32,
      signed: s32,
      wide: u64,
      wideSigned: s64,
      comm: chars(16),
      cwd: pathTail,
      argv: bytesTail(16),
      name: stringTail(16),
      user: stringTail(16),
      numbers: wordsTail(4, 16),
    }),
  },
  (task, oldPid, name) => ({
    when: eq(task.pid, oldPid),
    fill: {
      byte: task.frozen,
      half: task.pid,
      word: task.pid,
      signed: task.nice,
      wide: task.arg_start,
      wideSigned: task.nice,
      comm: task.comm,
      cwd: path(task.fs.pwd, task.fs.root),
      argv: userBytes(task.arg_start, task.arg_start),
      name: kernelString(name),
      user: userString(task.arg_start),
      numbers: words(name, task.pid),
    },
  }),
)

interface Expected {
  type: number
  cpu: number
  seq: number
  timeNs: bigint
  byte: number
  half: number
  word: number
  signed: number
  wide: bigint
  wideSigned: bigint
  comm: string
  cwd: DecodedPath | undefined
  argv: Uint8Array | undefined
  name: string | undefined
  user: string | undefined
  numbers: number[] | undefined
}

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
type Plain<T> = { -readonly [K in keyof T]: T[K] }

// These fail to compile when a record's type is not inferred from its fields.
true satisfies Same<Plain<RecordOf<typeof declared.record>>, Expected>
false satisfies Same<Plain<RecordOf<typeof declared.record>>, Omit<Expected, 'word'> & { word: bigint }>
declared.record.at satisfies Readonly<
  Record<Exclude<keyof Expected, 'type' | 'cpu' | 'seq' | 'timeNs'>, number>
>
true satisfies Same<RecordOf<string>, never>

test('a declaration is text for a person', () => {
  assert.equal(
    describeProbe(declared),
    'all.kinds: tracepoint sched_process_exec' +
      '(struct task_struct *task, 4-byte integer old_pid, [optional] const char *name)' +
      ' when (task.pid == old_pid) { byte = u8(task.frozen); half = u16(task.pid); word = u32(task.pid);' +
      ' signed = s32(task.nice); wide = u64(task.arg_start); wideSigned = s64(task.nice);' +
      ' comm = chars(task.comm);' +
      ' cwd = path(task.fs.pwd.dentry, task.fs.pwd.mnt, task.fs.root.dentry, task.fs.root.mnt);' +
      ' argv = userBytes(task.arg_start, task.arg_start); name = kernelString(name); user = userString(task.arg_start);' +
      ' numbers = words(name, task.pid) }',
  )
})

test('a declaration is frozen, and its body runs once', () => {
  let runs = 0
  const counted = probe({ name: 'once', hook, record: record(1, 'once', {}) }, () => {
    runs += 1
    return { fill: {} }
  })
  assert.equal(runs, 1)
  assert.ok(Object.isFrozen(counted))
  assert.equal(counted.when, undefined)
})

test('a name that the kernel would refuse is a RangeError', () => {
  for (const name of ['', 'sixteen_letters_', 'a-b', 'a b', 'é']) {
    assert.throws(() => probe({ name, hook, record: record(1, name, {}) }, () => ({ fill: {} })), {
      name: 'RangeError',
      message: `Cannot declare a probe named "${name}": use 1 to 15 of A-Z a-z 0-9 _ .`,
    })
  }
})

test('a probe without a record only has effects', () => {
  const seen = map({ name: 'm', type: 'hash', key: u32, value: u32, maxEntries: 1 })
  const counting = probe({ name: 'counts', hook }, (task) => ({ effects: [remove(seen, task.pid)] }))
  const { record: none, fixed, tails, maxSizeBytes } = counting
  assert.deepEqual(
    { none, fixed, tails, maxSizeBytes },
    { none: undefined, fixed: [], tails: [], maxSizeBytes: 0 },
  )
})

const small = record(1, 'small', { pid: u32, argv: bytesTail(100), name: stringTail(16) })

test('the limits of a probe bound its tails, and size its largest record', () => {
  const { tails, maxSizeBytes } = probe({ name: 'p', hook, record: small }, (task, _old, name) => ({
    fill: { pid: 1, argv: userBytes(task.arg_start, task.arg_start, 10), name: kernelString(name) },
  }))
  assert.deepEqual(
    tails.map(({ maxBytes }) => maxBytes),
    [10, 16],
  )
  assert.equal(maxSizeBytes, small.fixedSizeBytes + 26)
})

test('a field that nothing fills needs a reason', () => {
  const { fixed, tails, maxSizeBytes } = probe({ name: 'p', hook, record: small }, (_task, _old, name) => ({
    fill: { name: kernelString(name) },
    lacks: { pid: 'nobody knows it', argv: 'nor this' },
  }))
  assert.deepEqual(fixed[0]?.value, new Lack('nobody knows it'))
  assert.deepEqual(tails[0]?.source, new Lack('nor this'))
  assert.equal(maxSizeBytes, small.fixedSizeBytes + 16)
})

// These fail to compile when a field may be left out, or filled by what it cannot hold.
test('a declaration that does not fit its record is an error', async (t) => {
  type Loose = (task: SmallTask, oldPid: Scalar, name: Scalar) => object
  const cases: { name: string; body: Loose; error: object }[] = [
    {
      name: 'a limit beyond that of the record',
      body: (task, _old, name) => ({
        fill: { pid: 1, argv: userBytes(task.arg_start, task.arg_start, 101), name: kernelString(name) },
      }),
      error: { name: 'RangeError', message: 'Cannot declare a tail of 101 bytes: the limit is 100' },
    },
    {
      name: 'a field that is left out',
      body: (_task, _old, name) => ({ fill: { pid: 1, name: kernelString(name) } }),
      error: { name: 'TypeError', message: 'Cannot declare probe "p": nothing fills "argv"' },
    },
    {
      name: 'a field that is filled and lacking',
      body: (_task, _old, name) => ({
        fill: { pid: 1, name: kernelString(name) },
        lacks: { argv: 'for once', name: 'or not' },
      }),
      error: {
        name: 'TypeError',
        message: 'Cannot declare probe "p": it fills "name", and says that it lacks it',
      },
    },
    {
      name: 'a tail of another kind',
      body: (_task, _old, name) => ({
        fill: { pid: 1, argv: kernelString(name), name: kernelString(name) },
      }),
      error: {
        name: 'TypeError',
        message: 'Cannot declare probe "p": kernelString does not fill "argv", which is a bytes tail',
      },
    },
    {
      name: 'a field that the record does not have',
      body: (_task, _old, name) => ({
        fill: { pid: 1, name: kernelString(name), tid: 1 },
        lacks: { argv: 'for once' },
      }),
      error: { name: 'TypeError', message: 'Cannot declare probe "p": its record has no field "tid"' },
    },
  ]
  for (const { name, body, error } of cases) {
    await t.test(name, () =>
      assert.throws(() => probe({ name: 'p', hook, record: small }, body as never), error),
    )
  }
  const typed = (): void => {
    const fill = { pid: 1 }
    // @ts-expect-error `argv` and `name` are left out
    probe({ name: 'p', hook, record: small }, () => ({ fill }))
    probe({ name: 'p', hook, record: small }, (task, _old, name) => ({
      // @ts-expect-error a string is not bytes
      fill: { pid: 1, argv: userString(task.arg_start), name: kernelString(name) },
    }))
    // @ts-expect-error a run of bytes is not a u32
    probe({ name: 'p', hook, record: record(1, 'r', { pid: u32 }) }, (task) => ({ fill: { pid: task.comm } }))
  }
  assert.equal(typeof typed, 'function')
})
