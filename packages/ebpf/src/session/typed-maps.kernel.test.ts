import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import {
  and,
  chars,
  claim,
  cstring,
  eq,
  has,
  increase,
  lookup,
  map,
  probe,
  type ProbeMapType,
  record,
  remove,
  type Scalar,
  store,
  struct,
  tracepoint,
  u8,
  u16,
  u32,
  u64,
} from '../probe/index.js'
import { expectNoLeaks } from '../testing/descriptors.js'
import { kernelTest } from '../testing/kernel-test.js'
import {
  copyRecords,
  drainRecords,
  FLAVORS,
  openSession,
  produceRenames,
  recordsOf,
  type Task,
} from '../testing/process-probes.js'

expectNoLeaks()

const hook = tracepoint('task_rename', [struct<Task>('task_struct', 'task'), cstring('comm')])
const isSelf = (task: Task): Scalar => and(eq(task.tgid, process.pid), eq(task.pid, process.pid))
const comm = (): string => readFileSync('/proc/self/comm', 'utf8').trim()

/** A key with a gap of four bytes, and a value with gaps of three and six. */
const key = { pid: u32, tag: u64 }
const value = { flag: u8, count: u32, comm: chars(16), small: u16, sum: u64 }

const HASHES = ['hash', 'lruHash', 'percpuHash', 'lruPercpuHash'] as const satisfies readonly ProbeMapType[]

for (const flavor of FLAVORS) {
  for (const type of HASHES) {
    kernelTest(`${flavor}: entries of a ${type} have fields for programs and for user space`, '5.8', () => {
      const seen = map({ name: 't_seen', type, key, value, maxEntries: 16 })
      const given = map({ name: 't_given', type, key, value, maxEntries: 16 })
      const declared = probe(
        {
          name: 't_typed',
          hook,
          record: record(1, 't_typed', {
            flag: u32,
            count: u32,
            comm: chars(16),
            small: u32,
            sum: u64,
            has: u32,
            hasNot: u32,
            stored: u64,
          }),
        },
        (task) => {
          const found = lookup(given, { pid: task.tgid, tag: 7 })
          return {
            when: and(isSelf(task), eq(lookup(given, { pid: task.pid, tag: 7 }).small, 0xffff)),
            effects: [
              store(seen, { pid: task.tgid, tag: found.sum }, { comm: task.comm, sum: 5, small: 3 }),
              increase(seen, { pid: task.tgid, tag: found.sum }, { sum: found.count, count: 1 }),
              increase(seen, { pid: task.tgid, tag: 1n << 40n }, { count: 2 }),
              increase(seen, { pid: task.tgid, tag: 1n << 40n }, { count: 2, sum: -1n }),
            ],
            fill: {
              ...found,
              has: has(given, { pid: task.tgid, tag: 7 }),
              hasNot: has(given, { pid: task.tgid, tag: 8 }),
              stored: lookup(seen, { pid: task.tgid, tag: found.sum }).sum,
            },
          }
        },
      )
      using session = openSession({ flavor, loop: 'bounded' })
      session.attach(declared)
      const entry = { flag: 255, count: 4294967295, comm: 'a name', small: 0xffff, sum: 1n << 63n }
      session.map(given).set({ pid: process.pid, tag: 7n }, entry)
      produceRenames(1)
      const name = comm()
      const [found] = drainRecords(session, declared)
      assert.deepEqual(
        { ...found, type: 0, cpu: 0, seq: 0, timeNs: 0n },
        { ...entry, has: 1, hasNot: 0, stored: 5n + 4294967295n, type: 0, cpu: 0, seq: 0, timeNs: 0n },
      )
      const entries = [...session.map(seen).entries()].sort(([a], [b]) => (a.tag < b.tag ? -1 : 1))
      assert.deepEqual(entries, [
        [
          { pid: process.pid, tag: 1n << 40n },
          { flag: 0, count: 4, comm: '', small: 0, sum: 2n ** 64n - 1n },
        ],
        [
          { pid: process.pid, tag: 1n << 63n },
          { flag: 0, count: 1, comm: name, small: 3, sum: 5n + 4294967295n },
        ],
      ])
      assert.equal(session.map(seen).delete({ pid: process.pid, tag: 1n << 40n }), true)
      assert.equal(session.map(seen).get({ pid: process.pid, tag: 1n << 40n }), undefined)
    })
  }

  kernelTest(`${flavor}: arrays have all of their keys`, '5.8', () => {
    const array = map({ name: 't_array', type: 'array', key: u32, value: { a: u32, b: u64 }, maxEntries: 2 })
    const perCpu = map({ name: 't_per_cpu', type: 'percpuArray', key: u32, value: u64, maxEntries: 2 })
    const declared = probe({ name: 't_arrays', hook }, (task) => ({
      when: isSelf(task),
      effects: [
        increase(array, 1, { b: lookup(array, 0).a }),
        increase(perCpu, 1, 1),
        increase(perCpu, 2, 1),
        store(array, 0, { a: lookup(array, 0).a }),
      ],
    }))
    using session = openSession({ flavor, loop: 'bounded' })
    session.attach(declared)
    session.map(array).set(0, { a: 3, b: 9n })
    session.map(perCpu).set(0, 2n)
    produceRenames(4)
    assert.deepEqual(
      [...session.map(array).entries()],
      [
        [0, { a: 3, b: 0n }],
        [1, { a: 0, b: 12n }],
      ],
    )
    const list = session.map(perCpu).perCpu(1)
    assert.equal(
      list.reduce((sum, count) => sum + count, 0n),
      4n,
    )
    assert.equal(session.map(perCpu).get(1), 4n)
    assert.equal(session.map(perCpu).get(0), 2n * BigInt(list.length))
    assert.throws(() => session.map(array).perCpu(0), TypeError)
    assert.equal(session.map(array).replace(0, { a: 5, b: 6n }), true)
    assert.deepEqual(session.map(array).get(0), { a: 5, b: 6n })
    assert.throws(() => session.map(array).set(0, { a: 2 ** 32, b: 0n }), RangeError)
    assert.equal(copyRecords(session).length, 0)
  })
}

kernelTest('what several CPUs add to one number is all there', '5.8', () => {
  const counts = map({
    name: 't_counts',
    type: 'hash',
    key: { parent: u32, kind: u8 },
    value: { renames: u64 },
    maxEntries: 4,
  })
  const perCpu = map({ name: 't_cpu_counts', type: 'percpuHash', key: u32, value: u64, maxEntries: 4 })
  const counting = probe({ name: 't_count', hook }, (task) => ({
    when: eq(task.real_parent.tgid, process.pid),
    effects: [
      increase(counts, { parent: task.real_parent.tgid, kind: 1 }, { renames: 1 }),
      increase(perCpu, task.real_parent.tgid, 1),
    ],
  }))
  using session = openSession()
  session.attach(counting)
  const loop = 'i=0; while [ $i -lt 400 ]; do echo t_name > /proc/self/comm; i=$((i+1)); done'
  // Each of the shells is a child of the first, which is no child of the test: `exec` makes them so.
  for (let i = 0; i < 3; i += 1) spawnSync('/bin/sh', ['-c', loop])
  const total = session.map(perCpu).get(process.pid) ?? 0n
  assert.ok(total >= 1200n)
  assert.deepEqual(
    [...session.map(counts).entries()],
    [[{ parent: process.pid, kind: 1 }, { renames: total }]],
  )
})

kernelTest(
  'a key of fields is claimed once, with a value, and can be claimed again when it is gone',
  '5.8',
  () => {
    const claimed = map({
      name: 't_claimed',
      type: 'lruHash',
      key,
      value: { by: u32, at: u64 },
      maxEntries: 8,
    })
    const claiming = probe({ name: 't_claim', hook, record: record(1, 't_claim', { by: u32 }) }, (task) => ({
      when: isSelf(task),
      effects: [claim(claimed, { pid: task.tgid, tag: 1 }, 0, { by: task.pid })],
      fill: { by: lookup(claimed, { pid: task.tgid, tag: 1 }).by },
    }))
    const releasing = probe({ name: 't_release', hook }, (task) => ({
      when: and(isSelf(task), has(claimed, { pid: task.tgid, tag: 2 })),
      effects: [remove(claimed, { pid: task.tgid, tag: 1 })],
    }))
    using session = openSession()
    session.attach(claiming)
    session.attach(releasing)
    produceRenames(3)
    const entries = session.map(claimed)
    assert.deepEqual(entries.get({ pid: process.pid, tag: 1n }), { by: process.pid, at: 0n })
    entries.set({ pid: process.pid, tag: 2n }, { by: 0, at: 0n })
    // The first one finds the key, which is then removed.
    produceRenames(2)
    assert.deepEqual(
      recordsOf(copyRecords(session), claiming).map(({ by }) => by),
      [process.pid, process.pid],
    )
  },
)

kernelTest(
  'what a program removes at its end stays where it is not given, beside a stand-in, too',
  '6.10',
  () => {
    const kept = map({ name: 't_kept', type: 'hash', key: u32, value: u32, maxEntries: 8 })
    const declared = probe({ name: 't_not_given', hook }, (task) => ({
      given: and(isSelf(task), eq(lookup(kept, 1), 7)),
      finally: [remove(kept, 2)],
    }))
    using session = openSession({ flavor: 'direct', loop: 'bounded' }, { preemptible: true })
    session.attach(declared)
    const entries = session.map(kept)
    entries.set(1, 6)
    entries.set(2, 5)
    produceRenames(1)
    assert.equal(entries.get(2), 5)
    entries.set(1, 7)
    produceRenames(1)
    assert.equal(entries.get(2), undefined)
  },
)
