import assert from 'node:assert/strict'
import { test } from 'node:test'
import { eq } from './expr.js'
import {
  chars,
  type DecodedPath,
  kernelString,
  path,
  s32,
  s64,
  u16,
  u32,
  u64,
  u8,
  userBytes,
  userString,
  words,
} from './fields.js'
import { cstring, int, optional, struct, tracepoint } from './hooks/index.js'
import { describeProbe, probe, type RecordOf } from './probe.js'
import type { SmallTask } from './testing/small-kernel.js'

const hook = tracepoint('sched_process_exec', [
  struct<SmallTask>('task_struct', 'task'),
  int('old_pid', 4),
  optional(cstring('name')),
])

const declared = probe({ name: 'all.kinds', type: 31, hook }, (task, oldPid, name) => ({
  when: eq(task.pid, oldPid),
  record: {
    byte: u8(task.frozen),
    half: u16(task.pid),
    word: u32(task.pid),
    signed: s32(task.nice),
    wide: u64(task.arg_start),
    wideSigned: s64(task.nice),
    comm: chars(16, task.comm),
    cwd: path(task.fs.pwd, task.fs.root),
    argv: userBytes(task.arg_start, task.arg_start, 16),
    name: kernelString(name, 16),
    user: userString(task.arg_start, 16),
    numbers: words(name, task.pid, 4, 16),
  },
}))

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
true satisfies Same<Plain<RecordOf<typeof declared>>, Expected>
false satisfies Same<Plain<RecordOf<typeof declared>>, Omit<Expected, 'word'> & { word: bigint }>
declared.layout.at satisfies Readonly<
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
  const counted = probe({ name: 'once', type: 1, hook }, () => {
    runs += 1
    return { record: {} }
  })
  assert.equal(runs, 1)
  assert.ok(Object.isFrozen(counted))
  assert.equal(counted.when, undefined)
})

test('a name that the kernel would refuse is a RangeError', () => {
  for (const name of ['', 'sixteen_letters_', 'a-b', 'a b', 'é']) {
    assert.throws(() => probe({ name, type: 1, hook }, () => ({ record: {} })), {
      name: 'RangeError',
      message: `Cannot declare a probe named "${name}": use 1 to 15 of A-Z a-z 0-9 _ .`,
    })
  }
})

test('a record type without counters is a RangeError', () => {
  for (const type of [0, 32, -1, 1.5]) {
    assert.throws(() => probe({ name: 'p', type, hook }, () => ({ record: {} })), {
      name: 'RangeError',
      message: `Cannot declare probe "p" with record type ${type}: use 1 to 31`,
    })
  }
})
