import assert from 'node:assert/strict'
import { test } from 'node:test'
import { NotSupportedError, PrototypeError } from '../errors.js'
import {
  cstring,
  fentry,
  type Hook,
  int,
  optional,
  procConnector,
  struct,
  tracepoint,
} from './hooks/index.js'
import { presentArguments } from './prototype.js'
import { smallBtf } from './testing/small-btf.js'

const btf = smallBtf()
const task = struct('task_struct', 'task')

test('a prototype may be declared in full, or up to the last argument of interest', () => {
  const inFull = tracepoint('sched_process_exec', [task, int('old_pid', 4), cstring('name')])
  assert.deepEqual(presentArguments(inFull, btf), [true, true, true])
  assert.deepEqual(presentArguments(tracepoint('sched_process_exec', [task]), btf), [true])
  assert.deepEqual(presentArguments(fentry('wake_up_new_task', [task]), btf), [true])
  assert.deepEqual(presentArguments(procConnector(1), btf), [])
})

test('an optional argument may be absent', () => {
  const hook = tracepoint('sched_process_exit', [task, optional(int('group_dead', 1))])
  assert.deepEqual(presentArguments(hook, smallBtf({ groupDead: true })), [true, true])
  assert.deepEqual(presentArguments(hook, smallBtf({ groupDead: false })), [true, false])
})

test('another prototype is refused, and the error names both', async (t) => {
  const exec = '(struct task_struct *p, int old_pid, const char *name)'
  const cases: { name: string; hook: Hook; declared: string; actual?: string }[] = [
    {
      name: 'another structure',
      hook: tracepoint('sched_process_exec', [struct('file')]),
      declared: '(struct file *file)',
    },
    {
      name: 'a number instead of a pointer',
      hook: tracepoint('sched_process_exec', [int('pid', 8)]),
      declared: '(8-byte integer pid)',
    },
    {
      name: 'another width',
      hook: tracepoint('sched_process_exec', [task, int('old_pid', 8)]),
      declared: '(struct task_struct *task, 8-byte integer old_pid)',
    },
    {
      name: 'a string instead of a number',
      hook: tracepoint('sched_process_exec', [task, cstring('name')]),
      declared: '(struct task_struct *task, const char *name)',
    },
    {
      name: 'a string instead of a structure',
      hook: tracepoint('sched_process_exec', [cstring('name')]),
      declared: '(const char *name)',
    },
    {
      name: 'one argument too many',
      hook: tracepoint('sched_process_exec', [task, int('old_pid', 4), cstring('name'), int('more', 4)]),
      declared: '(struct task_struct *task, 4-byte integer old_pid, const char *name, 4-byte integer more)',
    },
    {
      name: 'an optional argument of another type',
      hook: tracepoint('sched_process_exit', [task, optional(int('group_dead', 4))]),
      declared: '(struct task_struct *task, [optional] 4-byte integer group_dead)',
      actual: '(struct task_struct *p, _Bool group_dead)',
    },
  ]
  for (const { name, hook, declared, actual = exec } of cases) {
    await t.test(name, () => {
      assert.throws(
        () => presentArguments(hook, btf),
        (error) => {
          assert.ok(error instanceof PrototypeError)
          assert.deepEqual([error.declared, error.actual], [declared, actual])
          const texts = `declared ${declared}, actual ${actual}`
          assert.equal(error.message, `Hook "${hook.target}" has another prototype on this kernel: ${texts}`)
          return true
        },
      )
    })
  }
})

test('a hook that the kernel does not have is named', () => {
  for (const hook of [tracepoint('no_such_hook', []), fentry('no_such_hook', [])]) {
    assert.throws(
      () => presentArguments(hook, btf),
      (error) =>
        error instanceof NotSupportedError && error.feature.startsWith(`the ${hook.kind} no_such_hook`),
    )
  }
})
