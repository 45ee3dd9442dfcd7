import assert from 'node:assert/strict'
import { test } from 'node:test'
import { compileProbe, type CompiledProbe, type Target } from './compile.js'
import { add, at } from './expr.js'
import { chars, type Field, s64, u32, u64 } from './fields.js'
import { struct, tracepoint } from './hooks.js'
import { LOADS_MAP } from './load-table.js'
import { probe } from './probe.js'
import { FREE_TEMPORARY, RECORD_OFFSET } from './scratch.js'
import { smallBtf, type SmallKernel } from './testing/small-btf.js'
import type { SmallTask } from './testing/small-kernel.js'
import { target } from './testing/target.js'

const hook = tracepoint('sched_process_exec', [struct<SmallTask>('task_struct', 'task')])

/** Offsets that small-btf.ts gives. */
const GROUP_LEADER = 16
const COMM = 24
const SIGNAL = 48
const PIDS = 8
const UTIME = 40

function compile(
  record: (p: SmallTask) => Record<string, Field>,
  kernel: SmallKernel = {},
  given: Partial<Target> = {},
): CompiledProbe {
  return compileProbe(make(record), target({ btf: smallBtf({ window: true, ...kernel }), ...given }))
}

function make(record: (p: SmallTask) => Record<string, Field>) {
  return probe({ name: 'table', type: 1, hook }, (p) => ({ record: record(p) }))
}

/** Three pointers, a structure's bytes in two loads, and numbers, of which the first two are one load. */
const many = (p: SmallTask) => ({
  leaderPid: u32(p.group_leader.pid),
  leaderTgid: u32(p.group_leader.tgid),
  leaderComm: chars(16, p.group_leader.comm),
  userNs: u64(p.signal.utime),
  level: u32(at(p.signal.pids, 0).level),
  number: u64(at(at(p.signal.pids, 0).numbers, 0)),
})

interface Row {
  readonly base: number
  readonly offset: number
  readonly to: number
}

function rowsOf({ constants }: CompiledProbe): Row[] {
  const bytes = constants.get(LOADS_MAP)
  if (bytes === undefined) return []
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  return Array.from({ length: bytes.byteLength / 8 }, (_, index) => ({
    base: view.getUint16(index * 8, true),
    offset: view.getUint16(index * 8 + 2, true),
    to: view.getUint16(index * 8 + 4, true),
  }))
}

test('a row follows the one that loads its pointer, and stores where nothing else does', () => {
  const compiled = compile(many)
  const rows = rowsOf(compiled)
  const { at: fieldAt } = compiled.probe.layout as { at: Record<string, number> }
  const field = (name: string): number => RECORD_OFFSET + (fieldAt[name] ?? Number.NaN)
  const root = rows[0]?.base ?? 0
  assert.ok(root >= FREE_TEMPORARY && root < RECORD_OFFSET)
  const loaded = new Set([root])
  for (const { base, to } of rows) {
    assert.ok(loaded.has(base), `${base} is not loaded yet`)
    assert.ok(!loaded.has(to), `${to} is stored twice`)
    loaded.add(to)
  }
  const [leader, signal] = [GROUP_LEADER, SIGNAL].map(
    (offset) => rows.find((row) => row.base === root && row.offset === offset)?.to,
  )
  const pid = rows.find((row) => row.base === signal && row.offset === PIDS)?.to
  const values = rows
    .filter(({ to }) => to >= RECORD_OFFSET)
    .map(({ base, offset, to }) => `${base} ${offset} ${to}`)
    .sort()
  assert.deepEqual(
    values,
    [
      // With the number that follows it, there and here.
      `${leader} 0 ${field('leaderPid')}`,
      `${leader} ${COMM} ${field('leaderComm')}`,
      `${leader} ${COMM + 8} ${field('leaderComm') + 8}`,
      `${signal} ${UTIME} ${field('userNs')}`,
      `${pid} 0 ${field('level')}`,
      `${pid} 8 ${field('number')}`,
    ].sort(),
  )
  assert.equal(rows.length, 3 + values.length)
})

test('a table is made only where it pays', () => {
  assert.ok(rowsOf(compile(many)).length > 0)
  assert.deepEqual(rowsOf(compile((p) => ({ pid: u32(p.group_leader.pid) }))), [], 'few loads')
  assert.deepEqual(rowsOf(compile(many, {}, { architecture: 'arm64' })), [], 'loads without guards')
  assert.deepEqual(rowsOf(compile(many, {}, { loadTable: false })), [], 'not wanted')
  assert.deepEqual(rowsOf(compile(many, {}, { flavor: 'probeRead' })), [], 'loads by a helper')
  assert.deepEqual(rowsOf(compile(many, { kfuncs: false })), [], 'no casts')
  assert.deepEqual(rowsOf(compile(many, { window: false })), [], 'nothing to cast to')
})

test('what is no plain load is done apart', () => {
  const plain = rowsOf(compile(many)).length
  const withMore = (more: (p: SmallTask) => Record<string, Field>): number =>
    rowsOf(compile((p) => ({ ...many(p), ...more(p) }))).length
  assert.equal(
    withMore((p) => ({ flag: u32(p.group_leader.in_execve) })),
    plain,
    'a bit-field',
  )
  assert.equal(
    withMore((p) => ({ wide: s64(p.group_leader.nice), wider: s64(p.group_leader.pid) })),
    plain + 1,
  )
  assert.equal(
    withMore((p) => ({ twice: u64(add(p.signal.utime, 1)) })),
    plain,
    'a number that is there',
  )
})
