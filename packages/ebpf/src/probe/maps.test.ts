import assert from 'node:assert/strict'
import { test } from 'node:test'
import { compileProbe } from './compile.js'
import { describe } from './describe.js'
import { at, cast, currentTask, nodeOf, pathValue, type Value } from './expr.js'
import { chars, s32, u8, u16, u32, u64 } from './fields.js'
import { struct, tracepoint } from './hooks/index.js'
import { MAP_VALUE_OFFSET } from './map-code.js'
import { claim, countIf, has, increase, lookup, map, MAX_VALUE_BYTES, remove, store } from './maps.js'
import { mapsOf, probe } from './probe.js'
import { notesOffset, scratchLayout } from './scratch.js'
import { oneOf } from './arithmetic.js'
import { Machine } from './testing/machine.js'
import type { SmallTask } from './testing/small-kernel.js'
import { target } from './testing/target.js'

const task = pathValue<SmallTask>({ kind: 'path', root: { kind: 'argument', index: 0 }, steps: [] })
const hook = tracepoint('sched_process_exec', [struct<SmallTask>('task_struct', 'task')])

const counts = map({
  name: 'counts',
  type: 'hash',
  key: { kind: u8, pid: u32, tag: u64 },
  value: { small: u16, signed: s32, comm: chars(16), count: u64, last: u8 },
  maxEntries: 4,
})

test("keys and values are laid out by C's rules", () => {
  const { key, value } = counts
  const places = ({ fields, sizeBytes }: typeof key): unknown => [
    ...fields.map(({ name, offset }) => [name, offset]),
    sizeBytes,
  ]
  assert.deepEqual(places(key), [['kind', 0], ['pid', 4], ['tag', 8], 16])
  assert.deepEqual(places(value), [['small', 0], ['signed', 4], ['comm', 8], ['count', 24], ['last', 32], 40])
  const simple = map({ name: 'simple', type: 'array', key: u32, value: u16, maxEntries: 1 })
  assert.deepEqual(places(simple.key), [['', 0], 4])
  assert.deepEqual(places(simple.value), [['', 0], 2])
})

test('the largest value has room in the smallest scratch', () => {
  const smallest = scratchLayout({ levels: 1, maxRecordBytes: 16, nestedRecordBytes: 16 }, 4096)
  assert.ok(MAP_VALUE_OFFSET + MAX_VALUE_BYTES <= notesOffset(smallest))
  const nested = scratchLayout({ levels: 2, maxRecordBytes: 16, nestedRecordBytes: 16 }, 4096)
  assert.ok(MAP_VALUE_OFFSET + MAX_VALUE_BYTES <= nested.nestedBytes)
})

test('what no map can have is refused where it is declared', async (t) => {
  const key = { kind: 1, pid: 2, tag: 3 }
  const array = map({ name: 'array', type: 'array', key: u32, value: u64, maxEntries: 1 })
  const one = { name: 'm', type: 'hash', key: u32, value: u32, maxEntries: 1 } as const
  const cases: [name: string, misuse: () => unknown, error: object][] = [
    ['a long name', () => map({ ...one, name: 'sixteen_letters_' }), { name: 'RangeError' }],
    ['no entries', () => map({ ...one, maxEntries: 0 }), { name: 'RangeError' }],
    [
      'a large key',
      () => map({ ...one, key: chars(72) }),
      { name: 'RangeError', message: 'Cannot declare map "m" with keys of 72 bytes: use 1 to 64' },
    ],
    ['a large value', () => map({ ...one, value: chars(1008) }), { name: 'RangeError' }],
    ['an empty value', () => map({ ...one, value: {} }), { name: 'RangeError' }],
    ['an array by another key', () => map({ ...one, type: 'percpuArray', key: u64 }), { name: 'RangeError' }],
    [
      'a key without a field',
      () => has(counts, { kind: 1, pid: 2 } as never),
      { name: 'TypeError', message: 'Cannot use a key of map counts without its field tag' },
    ],
    [
      'a field that is none',
      () => store(counts, key, { other: 1 } as never),
      { name: 'TypeError', message: 'Cannot use other: the value of map counts has no such field' },
    ],
    [
      'a constant that does not fit its field',
      () => store(counts, key, { small: 65536 }),
      {
        name: 'RangeError',
        message: 'Cannot use 65536 as the value of map counts.small (u16): it must be from 0 to 65535',
      },
    ],
    ['one below a signed field', () => store(counts, key, { signed: -2147483649 }), { name: 'RangeError' }],
    [
      'a constant that does not fit a key',
      () => lookup(counts, { ...key, kind: 256 }),
      { name: 'RangeError' },
    ],
    ['adding to two bytes', () => increase(counts, key, { small: 1 }), { name: 'TypeError' }],
    ['adding to a text', () => increase(counts, key, { comm: task.comm }), { name: 'TypeError' }],
    [
      'taking more away than fits',
      () => increase(counts, key, { count: -(2n ** 63n) - 1n }),
      { name: 'RangeError' },
    ],
    ['a claim in an array', () => claim(array, 0), { name: 'TypeError' }],
    ['a removal from an array', () => remove(array, 0), { name: 'TypeError' }],
  ]
  for (const [name, misuse, error] of cases) await t.test(name, () => assert.throws(misuse, error))
})

test('a look-up is described as a person would write it', () => {
  const key = { kind: 1, pid: task.pid, tag: 3 }
  const text = (value: Value): string => describe(nodeOf(value), ['task'])
  assert.equal(text(lookup(counts, key).count), 'counts[1, task.pid, 3].count')
  assert.equal(text(has(counts, key)), 'counts has 1, task.pid, 3')
})

test('the maps of a probe are found wherever it looks into one', () => {
  const named = (name: string): typeof counts => ({ ...counts, name })
  const key = { kind: 1, pid: 2, tag: 3 }
  const [address, index, set, keys, values, effect] = [
    named('address'),
    named('index'),
    named('set'),
    named('key'),
    named('value'),
    named('effect'),
  ]
  const declared = probe({ name: 'maps', hook }, (task) => ({
    when: oneOf(
      cast<SmallTask>(
        'task_struct',
        lookup(address, {
          ...key,
          tag: at(task.signal.pids, lookup(index, { ...key, pid: has(set, key) }).count).level,
        }).count,
      ).pid,
      [1, 2],
    ),
    effects: [store(effect, { ...key, pid: has(keys, key) }, { count: has(values, key) })],
  }))
  assert.deepEqual(
    mapsOf(declared)
      .map(({ name }) => name)
      .sort(),
    ['address', 'effect', 'index', 'key', 'set', 'value'],
  )
})

test('bytes between the fields of a key are 0, whatever was there before', () => {
  const wide = map({ name: 'wide', type: 'hash', key: { a: u64, b: u64 }, value: u8, maxEntries: 4 })
  const narrow = map({
    name: 'narrow',
    type: 'hash',
    key: { a: u8, b: u64 },
    value: { a: u8, b: u32 },
    maxEntries: 4,
  })
  const declared = probe({ name: 'gaps', hook }, () => ({
    effects: [
      store(wide, { a: 2n ** 64n - 1n, b: 2n ** 64n - 1n }, 1),
      store(narrow, { a: 7, b: currentTask<SmallTask>().pid }, { a: 9 }),
      increase(narrow, { a: 8, b: 1 }, { b: -1 }),
      increase(narrow, { a: 8, b: 1 }, { b: 3 }),
    ],
  }))
  const machine = new Machine({
    context: [0n],
    kernel: new Map(),
    maps: [wide, narrow],
    scratchBytes: target().cpus * target().scratch.cpuBytes,
  })
  machine.run(compileProbe(declared, target()).code)
  const entries = [...(machine.entries.get('narrow') ?? [])].map(([key, { bytes }]) => [
    key,
    Buffer.from(bytes).toString('hex'),
  ])
  assert.deepEqual(entries, [
    ['07000000000000000000000000000000', '0900000000000000'],
    ['08000000000000000100000000000000', '0000000002000000'],
  ])
})

test('countIf() adds to what is the same, and ends the probe; else the probe goes on', () => {
  const seen = map({
    name: 'seen',
    type: 'hash',
    key: u64,
    value: { mark: u64, sum: u64, small: u32 },
    maxEntries: 4,
  })
  const others = map({ name: 'others', type: 'hash', key: u64, value: u64, maxEntries: 4 })
  const declared = probe({ name: 'counting', hook }, () => ({
    effects: [
      countIf(seen, 1, { mark: 7 }, { sum: 5 }),
      store(seen, 1, { mark: 7, sum: 1, small: 2 }),
      countIf(seen, 1, { mark: 8 }, { sum: 5 }),
      countIf(seen, 1, { mark: 7, small: 3 }, { sum: 5 }),
      countIf(seen, 1, { mark: 7, small: 2 }, { sum: 5, small: -1 }),
      store(others, 1, 1),
    ],
  }))
  const machine = new Machine({
    context: [0n],
    kernel: new Map(),
    maps: [seen, others],
    scratchBytes: target().cpus * target().scratch.cpuBytes,
  })
  machine.run(compileProbe(declared, target()).code)
  const [[, entry] = []] = machine.entries.get('seen') ?? []
  const bytes = Buffer.from(entry?.bytes ?? [])
  assert.deepEqual([bytes.readBigUInt64LE(0), bytes.readBigUInt64LE(8), bytes.readUInt32LE(16)], [7n, 6n, 1])
  assert.equal(machine.entries.get('others')?.size ?? 0, 0)
  assert.throws(() => countIf(others as never, 1, { none: 1 } as never, {}), TypeError)
})
