import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import {
  and,
  claim,
  constant,
  eq,
  has,
  int,
  lookup,
  optional,
  probe,
  map,
  type TypedMap,
  remove,
  type Scalar,
  store,
  struct,
  tracepoint,
  u32,
  u64,
  record,
} from '../probe/index.js'
import { BuildError, ClosedError } from '../errors.js'
import { expectNoLeaks } from '../testing/descriptors.js'
import { kernelTest } from '../testing/kernel-test.js'
import { drainRecords, openSession, type Task, WAYS } from '../testing/process-probes.js'

expectNoLeaks()

const task = (name: string) => struct<Task>('task_struct', name)

/** The descendants of this process: key and value are pids of child and parent. */
const family = map({ name: 'family', type: 'hash', key: u32, value: u64, maxEntries: 64 })

const fork = probe(
  { name: 't_born', hook: tracepoint('sched_process_fork', [task('parent'), task('child')]) },
  (parent, child) => ({
    when: and(eq(child.pid, child.tgid), has(family, parent.tgid)),
    effects: [store(family, child.tgid, parent.tgid)],
  }),
)

const exec = probe(
  {
    name: 't_exec',
    hook: tracepoint('sched_process_exec', [task('task'), int('old_pid', 4), struct('linux_binprm')]),
    record: record(2, 't_exec', { pid: u32, parent: u64, none: u32 }),
  },
  (task) => ({
    when: has(family, task.tgid),
    fill: { pid: task.tgid, parent: lookup(family, task.tgid), none: lookup(family, 0) },
  }),
)

const exit = probe(
  { name: 't_gone', hook: tracepoint('sched_process_exit', [task('task'), optional(int('group_dead', 1))]) },
  (task) => ({
    when: eq(task.pid as Scalar, task.tgid),
    effects: [remove(family, task.tgid)],
  }),
)

for (const way of WAYS) {
  kernelTest(`probes share a map with each other and with user space: ${JSON.stringify(way)}`, '5.8', () => {
    using session = openSession(way)
    session.attach(fork)
    session.attach(exec)
    session.attach(exit)
    const inFamily = session.map(family)
    inFamily.set(process.pid, 1n)
    // The shell's child is found through the shell, whatever else runs on this machine.
    const { pid } = spawnSync('/bin/sh', ['-c', '/bin/true; true'])
    const records = drainRecords(session, exec)
    assert.deepEqual(
      records.map(({ parent, none }) => [parent, none]),
      [
        [BigInt(process.pid), 0],
        [BigInt(pid), 0],
      ],
    )
    assert.equal(records[0]?.pid, pid)
    // Both have been removed at their end.
    assert.deepEqual([...inFamily.entries()], [[process.pid, 1n]])
    assert.deepEqual(
      [...session.counters().produced].filter(([, count]) => count !== 0),
      [[2, 2]],
    )
  })
}

kernelTest("a map is the session's, and its name is unique", '5.8', () => {
  const session = openSession(undefined)
  assert.throws(() => session.map(family), RangeError)
  session.attach(fork)
  const other = map({ name: 'family', type: 'hash', key: u32, value: u32, maxEntries: 64 })
  const clash = probe(
    {
      name: 't_clash',
      hook: tracepoint('sched_process_fork', [task('parent'), task('child')]),
      record: record(4, 't_clash', { pid: u32 }),
    },
    (_parent, child) => ({ when: has(other, child.tgid), fill: { pid: child.tgid } }),
  )
  assert.throws(() => session.attach(clash), BuildError)
  session.close()
  assert.throws(() => session.map(family), ClosedError)
})

/** The pids of three processes of this one, reported by a probe that claims a key for each. */
function reportedOf(
  claimed: TypedMap<typeof u32, typeof u64>,
  keyOf: (task: Task) => Scalar,
  unless: number,
): { reported: number[]; pids: number[] } {
  const once = probe(
    {
      name: 't_once',
      hook: tracepoint('sched_process_exec', [task('task'), int('old_pid', 4), struct('linux_binprm')]),
      record: record(1, 't_once', { pid: u32 }),
    },
    (task) => ({
      when: eq(task.real_parent.tgid, process.pid),
      effects: [claim(claimed, keyOf(task), constant(unless))],
      fill: { pid: task.tgid },
    }),
  )
  using session = openSession()
  session.attach(once)
  const pids = Array.from({ length: 3 }, () => spawnSync('true').pid)
  return { reported: drainRecords(session, once).map(({ pid }) => pid), pids }
}

kernelTest('a key is claimed once, unless that is known to be needless', '5.8', () => {
  const claimed = { ...family, name: 'claimed', type: 'lruHash' } as const
  const first = reportedOf(claimed, (task) => task.real_parent.tgid, 0)
  assert.deepEqual(first.reported, first.pids.slice(0, 1))
  const all = reportedOf(claimed, (task) => task.real_parent.tgid, 1)
  assert.deepEqual(all.reported, all.pids)
})

kernelTest('a claim that finds no room is granted: better reported twice than never', '5.8', () => {
  const { reported, pids } = reportedOf({ ...family, name: 'full', maxEntries: 1 }, (task) => task.tgid, 0)
  assert.deepEqual(reported, pids)
})
