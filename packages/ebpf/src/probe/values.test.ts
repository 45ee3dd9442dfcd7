import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { walkUp } from './walk-up.js'
import {
  add,
  and,
  eq,
  firstNonZero,
  ge,
  gt,
  ifThen,
  le,
  lt,
  mul,
  ne,
  not,
  oneOf,
  or,
  shiftLeft,
  shiftRight,
  sub,
} from './arithmetic.js'
import { compileProbe } from './compile.js'
import { at, cast, constant, currentTask, firstOf, type Operand, type Scalar, userValue } from './expr.js'
import { decodeRecord } from './codec.js'
import { chars, s32, s64, u16, u32, u64, u8 } from './fields.js'
import { bytesTail, userBytes } from './tails/index.js'
import { int, struct, tracepoint } from './hooks/index.js'
import { has, lookup, map, store } from './maps.js'
import { type BinaryOp, compute, rangeOf } from './operators.js'
import { probe } from './probe.js'
import { record } from './record.js'
import type { Flavor } from './load-tree.js'
import { Machine, type MachineOptions } from './testing/machine.js'
import { smallBtf } from './testing/small-btf.js'
import type { SmallTask } from './testing/small-kernel.js'
import { target } from './testing/target.js'

const hook = tracepoint('sched_process_exec', [struct<SmallTask>('task_struct', 'task'), int('old_pid', 4)])
const TASK = 0xffff_8880_0000_1000n
const LEADER = 0xffff_8880_0000_2000n
const SIGNAL = 0xffff_8880_0000_3000n
const USER = 0x7f00_0000_1000n

const seen = map({
  name: 'seen',
  type: 'hash',
  key: { pid: u32, tag: u64 },
  value: { count: u64, flag: u8 },
  maxEntries: 8,
})

/** A task whose leader is another one, and whose `fs` is garbage: whoever reads behind that faults. */
function memory(): Map<bigint, Uint8Array> {
  return new Map([
    [TASK, taskBytes({ pid: 7, tgid: 5, nice: -3n, leader: LEADER, signal: SIGNAL, argStart: USER })],
    [LEADER, taskBytes({ pid: 5, tgid: 5, nice: 1n << 40n, leader: LEADER, signal: SIGNAL, argStart: 0n })],
    [SIGNAL, signalBytes()],
  ])
}

function taskBytes(task: {
  pid: number
  tgid: number
  nice: bigint
  leader: bigint
  signal: bigint
  argStart: bigint
}): Uint8Array {
  const bytes = Buffer.alloc(88)
  bytes.writeInt32LE(task.pid, 0)
  bytes.writeInt32LE(task.tgid, 4)
  bytes.writeInt8(-1, 12)
  bytes.writeBigUInt64LE(task.leader, 16)
  bytes.write('machine', 24)
  bytes.writeBigUInt64LE(0xdead_0000_0000_0000n, 56)
  bytes.writeBigUInt64LE(task.signal, 48)
  bytes.writeBigInt64LE(task.nice, 64)
  bytes.writeBigUInt64LE(task.argStart, 80)
  return bytes
}

/** `pids` are the addresses of LEADER and of TASK, so that a computed index leads somewhere. */
function signalBytes(): Uint8Array {
  const bytes = Buffer.alloc(64)
  bytes.writeBigUInt64LE(LEADER, 8)
  bytes.writeBigUInt64LE(TASK, 16)
  bytes.writeBigUInt64LE(12345n, 40)
  return bytes
}

function machine(options: Partial<MachineOptions> = {}): Machine {
  const result = new Machine({
    context: [TASK, 6n],
    currentTask: LEADER,
    kernel: memory(),
    user: new Map([[USER, Buffer.from('0123456789abcdef')]]),
    maps: [seen],
    scratchBytes: target().cpus * target().scratch.cpuBytes,
    ...options,
  })
  const key = Buffer.alloc(16)
  key.writeUInt32LE(7, 0)
  key.writeBigUInt64LE(9n, 8)
  const value = Buffer.alloc(16)
  value.writeBigUInt64LE(77n, 0)
  value.writeUInt8(3, 8)
  if (options.maps === undefined) result.put(seen, key, value)
  return result
}

const one = record(1, 'one', { value: u64 })

type Body = (task: SmallTask, oldPid: Scalar) => Operand

/** What an expression is on the machine, as the condition of one probe and the field of another. */
function run(body: Body, flavor: Flavor): { holds: boolean; value: bigint; faults: number; loads: number } {
  const goal = target({ flavor, btf: smallBtf({ window: true }) })
  const asScalar = (value: Operand): Scalar => (typeof value === 'object' ? value : constant(value))
  const asCondition = probe({ name: 'condition', hook, record: one }, (task, oldPid) => ({
    when: asScalar(body(task, oldPid)),
    fill: { value: 1 },
  }))
  const asField = probe({ name: 'field', hook, record: one }, (task, oldPid) => ({
    fill: { value: body(task, oldPid) },
  }))
  const first = machine()
  first.run(compileProbe(asCondition, goal).code)
  const second = machine()
  second.run(compileProbe(asField, goal).code)
  const value = Buffer.from(second.records[0] ?? []).readBigUInt64LE(one.at.value)
  return { holds: first.records.length === 1, value, faults: first.faults, loads: first.loads }
}

const FLAVORS = ['direct', 'probeRead'] as const

/** An expression, and what it is in the memory above. */
interface Sample {
  readonly text: string
  readonly value: bigint
  readonly make: Body
}

const leaves: readonly Sample[] = [
  { text: 'pid', value: 7n, make: (task) => task.pid },
  { text: 'tgid', value: 5n, make: (task) => task.tgid },
  { text: 'state', value: word64(-1n), make: (task) => task.state },
  { text: 'nice', value: word64(-3n), make: (task) => task.nice },
  { text: 'leader.pid', value: 5n, make: (task) => task.group_leader.pid },
  { text: 'leader.nice', value: 1n << 40n, make: (task) => task.group_leader.nice },
  { text: 'utime', value: 12345n, make: (task) => task.signal.utime },
  { text: 'old_pid', value: 6n, make: (_task, oldPid) => oldPid },
  { text: 'current.tgid', value: 5n, make: () => currentTask<SmallTask>().tgid },
  { text: 'behind garbage', value: 0n, make: (task) => task.fs.pwd.mnt },
  { text: 'cast', value: 5n, make: (task) => cast<SmallTask>('task_struct', task.group_leader).pid },
  { text: 'cast of 0', value: 0n, make: (task) => cast<SmallTask>('task_struct', sub(task.pid, 7)).pid },
  { text: 'user', value: 0x3938n, make: (task) => userValue(task.arg_start, 8, 2) },
  { text: 'user, garbage', value: 0n, make: (task) => userValue(task.pid, 8, 8) },
  { text: 'found', value: 77n, make: (task) => lookup(seen, { pid: task.pid, tag: 9 }).count },
  { text: 'flag', value: 3n, make: (task) => lookup(seen, { pid: task.pid, tag: 9 }).flag },
  { text: 'not found', value: 0n, make: (task) => lookup(seen, { pid: task.tgid, tag: 9 }).count },
  { text: 'has', value: 1n, make: (task) => has(seen, { pid: task.pid, tag: 9 }) },
  {
    text: 'looked up by what was looked up',
    value: 1n,
    make: (task) => has(seen, { pid: 7, tag: add(lookup(seen, { pid: 7, tag: 9 }).flag, sub(task.pid, 1)) }),
  },
  { text: '1', value: 1n, make: () => 1 },
  { text: '-1', value: word64(-1n), make: () => 2n ** 64n - 1n },
  { text: '2^32 - 1', value: 0xffff_ffffn, make: () => 0xffff_ffff },
  { text: '2^40', value: 1n << 40n, make: () => 1n << 40n },
  {
    text: 'computed index',
    value: 5n,
    make: (task) =>
      (at(task.signal.pids, sub(task.pid, 7)) as unknown as SmallTask['signal']['pids'] & { level: Scalar })
        .level,
  },
  {
    text: 'computed index beyond',
    value: 0n,
    make: (task) => at(task.signal.pids, task.pid).level,
  },
]

const OPERATORS: Readonly<Record<BinaryOp, (left: Operand, right: Operand) => Scalar>> = {
  '+': add,
  '-': sub,
  '*': mul,
  '&': and,
  '|': or,
  '>>': (left, right) => shiftRight(left, and(right, 63)),
  '<<': (left, right) => shiftLeft(left, and(right, 63)),
  '==': eq,
  '!=': ne,
  '<': lt,
  '<=': le,
  '>': gt,
  '>=': ge,
}

const leaf = fc.constantFrom(...leaves)
const numbers = fc.array(
  fc.oneof(fc.integer({ min: -2, max: 12 }), fc.constantFrom(0xffff_ffff, 2 ** 40, 12345)),
  { maxLength: 20 },
)

/** Expressions of these, as wide and as deep as they come. */
const { tree } = fc.letrec<{ tree: Sample }>((tie) => ({
  tree: fc.oneof(
    { maxDepth: 6, depthSize: 'large', withCrossShrink: true },
    leaf,
    fc
      .tuple(fc.constantFrom(...(Object.keys(OPERATORS) as BinaryOp[])), tie('tree'), tie('tree'))
      .map(([op, left, right]) => binarySample(op, left, right)),
    fc
      .tuple(fc.constantFrom<BinaryOp>('&', '|'), truth(tie('tree')), truth(tie('tree')))
      .map(([op, left, right]) => binarySample(op, left, right)),
    fc.tuple(tie('tree'), tie('tree'), tie('tree')).map(([first, second, third]) => ({
      text: `first(${first.text}, ${second.text}, ${third.text})`,
      value: first.value || second.value || third.value,
      make: (task: SmallTask, oldPid: Scalar) =>
        firstNonZero(
          scalar(first.make(task, oldPid)),
          scalar(second.make(task, oldPid)),
          scalar(third.make(task, oldPid)),
        ),
    })),
    fc.tuple(tie('tree'), tie('tree')).map(([condition, value]) => ({
      text: `${condition.text} ? ${value.text}`,
      value: condition.value === 0n ? 0n : value.value,
      make: (task: SmallTask, oldPid: Scalar) =>
        ifThen(scalar(condition.make(task, oldPid)), value.make(task, oldPid)),
    })),
    fc.tuple(tie('tree'), numbers).map(([value, list]) => ({
      text: `${value.text} in [${list.join()}]`,
      value: BigInt(list.some((number) => word64(BigInt(number)) === value.value)),
      make: (task: SmallTask, oldPid: Scalar) => oneOf(scalar(value.make(task, oldPid)), list),
    })),
  ),
}))

function scalar(value: Operand): Scalar {
  return typeof value === 'object' ? value : constant(value)
}

function truth(sample: fc.Arbitrary<Sample>): fc.Arbitrary<Sample> {
  return sample.map(({ text, value, make }) => ({
    text: `!${text}`,
    value: BigInt(value === 0n),
    make: (task, oldPid) => not(scalar(make(task, oldPid))),
  }))
}

function binarySample(op: BinaryOp, left: Sample, right: Sample): Sample {
  const isShift = op === '<<' || op === '>>'
  return {
    text: `(${left.text} ${op} ${right.text})`,
    value: compute(op, left.value, isShift ? right.value & 63n : right.value),
    make: (task, oldPid) => OPERATORS[op](left.make(task, oldPid), right.make(task, oldPid)),
  }
}

for (const flavor of FLAVORS) {
  test(`${flavor}: each value is what lies there`, async (t) => {
    for (const { text, value, make } of leaves) {
      await t.test(text, () => assert.equal(run(make, flavor).value, value))
    }
  })

  test(`${flavor}: an expression is what its operators compute, and as a condition holds if it is not 0`, () => {
    fc.assert(
      fc.property(tree, ({ value, make }) => {
        const found = run(make, flavor)
        assert.equal(found.value, value)
        assert.equal(found.holds, value !== 0n)
      }),
      { numRuns: 600 },
    )
  })
}

test('a record may take from several structures at computed addresses, one in the other', () => {
  const layout = record(1, 'several', { a: u32, b: u32, c: u64, comm: chars(16), text: bytesTail(4) })
  for (const flavor of FLAVORS) {
    const declared = probe({ name: 'several', hook, record: layout }, (task) => {
      const leader = cast<SmallTask>('task_struct', task.group_leader)
      return {
        fill: {
          a: leader.pid,
          b: cast<SmallTask>('task_struct', leader.group_leader).tgid,
          c: add(leader.nice, at(task.signal.pids, sub(task.pid, 7)).level),
          comm: leader.comm,
          text: userBytes(cast<SmallTask>('task_struct', task).arg_start, add(task.arg_start, 3)),
        },
      }
    })
    const result = machine()
    result.run(compileProbe(declared, target({ flavor, btf: smallBtf({ window: true }) })).code)
    const { a, b, c, comm, text } = decodeRecord(layout, result.records[0] ?? new Uint8Array())
    assert.deepEqual(
      { a, b, c, comm, text: Buffer.from(text ?? []).toString() },
      { a: 5, b: 5, c: (1n << 40n) + 5n, comm: 'machine', text: '012' },
    )
  }
})

test('a condition reads only what decides it', async (t) => {
  const cases: [name: string, make: Body, faults: number, loads?: number][] = [
    ['and: the left one does not hold', (task) => and(eq(task.pid, 8), eq(task.fs.pwd.mnt, 1)), 0],
    ['and: the right one does not hold', (task) => and(ne(task.fs.pwd.mnt, 1), eq(task.pid, 8)), 1],
    ['or: the left one holds', (task) => or(eq(task.pid, 7), eq(task.fs.pwd.mnt, 1)), 0],
    ['or: the left one does not hold', (task) => or(eq(task.pid, 8), eq(task.fs.pwd.mnt, 1)), 1],
    [
      'a part that holds, and one that does not',
      (task) => and(or(eq(task.pid, 8), eq(task.tgid, 5)), eq(task.pid, 9), eq(task.fs.pwd.mnt, 1)),
      0,
    ],
    ['what is not a truth', (task) => and(not(or(eq(task.pid, 7), eq(task.fs.pwd.mnt, 1))), 1), 0],
    ['a set', (task) => and(oneOf(task.pid, [1, 2, 3]), eq(task.fs.pwd.mnt, 1)), 0],
    ['a value that is not wanted', (task) => ifThen(eq(task.pid, 8), task.fs.pwd.mnt), 0],
    ['a value that is', (task) => ifThen(eq(task.pid, 7), task.fs.pwd.mnt), 1],
    ['the first that is not 0', (task) => firstNonZero(task.pid, task.fs.pwd.mnt), 0],
    ['the first that is 0', (task) => firstNonZero(sub(task.pid, 7), task.fs.pwd.mnt), 1],
    ['the same twice', (task) => and(eq(task.pid, 7), ne(task.pid, 8), eq(task.pid, 9)), 0, 1],
    [
      'what both sides of an or read is not read again',
      (task) => and(or(eq(task.pid, 8), eq(task.pid, 7)), eq(task.pid, 9)),
      0,
      1,
    ],
    [
      'what one side of an or reads is known to that side only',
      (task) => and(or(eq(task.pid, 7), eq(task.tgid, 5)), eq(task.tgid, 9)),
      0,
      2,
    ],
  ]
  for (const [name, make, faults, loads] of cases) {
    await t.test(name, () => {
      for (const flavor of FLAVORS) {
        const found = run(make, flavor)
        assert.equal(found.faults, faults, flavor)
        if (loads !== undefined) assert.equal(found.loads, loads, flavor)
      }
    })
  }
})

/** Tasks that lead to each other, of which the last one leads to itself; their pids count up from 100. */
function chain(length: number): Map<bigint, Uint8Array> {
  const at = (index: number): bigint => TASK + BigInt(Math.min(index, length - 1)) * 0x100n
  return new Map(
    Array.from({ length }, (_, i) => [
      at(i),
      taskBytes({ pid: 100 + i, tgid: i, nice: 0n, leader: at(i + 1), signal: SIGNAL, argStart: 0n }),
    ]),
  )
}

test('a walk ends at what is looked for, at its end, or after its steps', async (t) => {
  const cases: [name: string, wanted: number, length: number, steps: number, found: number][] = [
    ['the first one', 0, 5, 8, 100],
    ['one on the way', 3, 5, 8, 103],
    ['the last one', 4, 5, 8, 104],
    ['none', 7, 5, 8, 0],
    ['beyond its steps', 6, 20, 6, 0],
    ['at its last step', 5, 20, 6, 105],
    ['far away', 62, 64, 64, 162],
  ]
  for (const [name, wanted, length, steps, expected] of cases) {
    await t.test(name, () => {
      for (const flavor of FLAVORS) {
        const layout = record(1, 'walk', { found: u32 })
        const walk = (task: SmallTask): Scalar =>
          walkUp<SmallTask>({
            struct: 'task_struct',
            from: task,
            next: (one) => one.group_leader,
            until: (one) => mul(eq(one.tgid, wanted), one.pid),
            steps,
          })
        const declared = probe({ name: 'walk', hook, record: layout }, (task) => ({
          fill: { found: walk(task) },
        }))
        const asCondition = probe({ name: 'walk', hook, record: layout }, (task) => ({
          when: walk(task),
          fill: { found: 1 },
        }))
        const goal = target({ flavor })
        const first = machine({ kernel: chain(length) })
        first.run(compileProbe(declared, goal).code)
        assert.equal(decodeRecord(layout, first.records[0] ?? new Uint8Array()).found, expected)
        // Three numbers of each task, and nothing behind the last one.
        assert.ok(first.loads <= 3 * Math.min(steps, length, wanted + 1) + 1, `${first.loads} loads`)
        assert.equal(first.faults, 0)
        const second = machine({ kernel: chain(length) })
        second.run(compileProbe(asCondition, goal).code)
        assert.equal(second.records.length, expected === 0 ? 0 : 1)
      }
    })
  }
  assert.throws(
    () =>
      walkUp<SmallTask>({ struct: 'task_struct', from: {}, next: (o) => o, until: (o) => o.pid, steps: 65 }),
    RangeError,
  )
})

test('conditions and fields may have any number of values', async (t) => {
  const count = 300
  const values = (task: SmallTask): Scalar[] =>
    Array.from({ length: count }, (_, i) => add(userValue(add(task.arg_start, i % 3), i % 16, 1), i))
  const bytes = Buffer.from('0123456789abcdef\0\0\0')
  const total = Array.from({ length: count }, (_, i) => {
    const at = (i % 3) + (i % 16)
    return at < 16 ? (bytes[at] ?? 0) + i : i
  }).reduce((sum, number) => sum + number, 0)
  const halves = (list: readonly Scalar[]): Scalar =>
    list.length === 1
      ? (list[0] as Scalar)
      : add(halves(list.slice(0, list.length / 2)), halves(list.slice(list.length / 2)))
  const shapes: [name: string, sum: (list: Scalar[]) => Scalar][] = [
    ['one after the other', (list) => list.reduce((sum, value) => add(sum, value))],
    ['the last one first', (list) => list.reduceRight((sum, value) => add(value, sum))],
    ['in halves', halves],
  ]
  for (const [name, sum] of shapes) {
    await t.test(name, () => {
      for (const flavor of FLAVORS) {
        assert.equal(run((task) => sum(values(task)), flavor).value, BigInt(total), flavor)
        assert.equal(run((task) => eq(sum(values(task)), total), flavor).holds, true, flavor)
      }
    })
  }
  await t.test('conjuncts', () => {
    for (const flavor of FLAVORS) {
      const all = (task: SmallTask): Scalar =>
        values(task)
          .map((value, i) => ne(value, i + 1000))
          .reduce((left, right) => and(left, right))
      assert.equal(run(all, flavor).holds, true, flavor)
    }
  })
})

test('a set finds its numbers and no others', () => {
  const word = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n })
  const near = fc
    .tuple(word, fc.bigInt({ min: 0n, max: 200n }))
    .map(([low, span]) => [low, low + span] as const)
  fc.assert(
    fc.property(
      fc.array(fc.oneof(word, fc.bigInt({ min: 0n, max: 99n })), { maxLength: 100 }),
      fc.array(near, { maxLength: 3 }),
      fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
      (single, runs, other) => {
        const all = new Set(single)
        for (const [low, high] of runs) {
          for (let number = low; number <= high && number < 2n ** 64n; number += 1n) all.add(number)
        }
        const probes = [other, ...[...all].slice(0, 3), ...[...all].slice(0, 2).map((n) => word64(n + 1n))]
        for (const value of probes) {
          // The number comes from memory: a constant would be found when the program is generated.
          const found = run((task) => oneOf(add(sub(task.pid, 7), value), all), 'direct')
          assert.equal(found.holds, all.has(value))
        }
      },
    ),
    { numRuns: 60 },
  )
})

function word64(value: bigint): bigint {
  return BigInt.asUintN(64, value)
}

/** The places that a number can be put in, by width and sign. */
const PLACES = [
  { type: u8, bits: 8, signed: false },
  { type: u16, bits: 16, signed: false },
  { type: u32, bits: 32, signed: false },
  { type: u64, bits: 64, signed: false },
  { type: s32, bits: 32, signed: true },
  { type: s64, bits: 64, signed: true },
] as const

/** Ways for a constant to get to its place whole; in each of them it does. */
const WAYS: Readonly<Record<string, (value: bigint, task: SmallTask) => Operand>> = {
  'by itself': (value) => value,
  'if something holds': (value, task) => ifThen(eq(task.pid, 7), value),
  'where the first is 0': (value, task) => firstNonZero(sub(task.pid, 7), constant(value)),
  'as a choice': (value) => firstOf(constant(value), constant(1)),
  'one in the other': (value, task) =>
    firstOf(firstNonZero(sub(task.pid, 7), ifThen(eq(task.pid, 7), constant(value)))),
}

const edges = fc
  .tuple(fc.integer({ min: 0, max: 64 }), fc.integer({ min: -2, max: 2 }), fc.boolean())
  .map(([bits, off, isNegative]) => ((1n << BigInt(bits)) + BigInt(off)) * (isNegative ? -1n : 1n))
const constants = fc
  .oneof(edges, fc.bigInt({ min: -(1n << 63n), max: (1n << 64n) - 1n }))
  .filter((value) => value >= -(1n << 63n) && value < 1n << 64n)

for (const flavor of FLAVORS) {
  test(`${flavor}: a constant arrives whole at its place, or is a RangeError`, () => {
    const places = PLACES.map((place) => ({
      ...place,
      layout: record(1, 'placed', { value: place.type }),
      values: map({ name: 'placed', type: 'hash', key: place.type, value: place.type, maxEntries: 8 }),
    }))
    fc.assert(
      fc.property(
        constants,
        fc.constantFrom(...places),
        fc.constantFrom(...Object.keys(WAYS)),
        (value, { bits, signed, type, layout, values }, way) => {
          const declare = () =>
            probe({ name: 'places', hook, record: layout }, (task) => {
              const placed = WAYS[way]?.(value, task) ?? 0
              return { effects: [store(values, placed, placed)], fill: { value: placed } }
            })
          const { low, high } = rangeOf(bits, signed)
          if (value < low || value > high) {
            assert.throws(declare, RangeError)
            return
          }
          const result = machine({ maps: [values] })
          result.run(compileProbe(declare(), target({ flavor, btf: smallBtf({ window: true }) })).code)
          assert.equal(BigInt(decodeRecord(layout, result.records[0] ?? new Uint8Array()).value), value)
          const [[key, { bytes }] = ['', { bytes: new Uint8Array() }]] = result.entries.get('placed') ?? []
          const expected = Buffer.alloc(8)
          expected.writeBigUInt64LE(BigInt.asUintN(64, value))
          const whole = expected.subarray(0, type.sizeBytes).toString('hex')
          assert.deepEqual([key, Buffer.from(bytes).toString('hex')], [whole, whole])
        },
      ),
      { numRuns: 500 },
    )
  })
}
