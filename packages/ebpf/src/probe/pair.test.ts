import assert from 'node:assert/strict'
import { test } from 'node:test'
import { disassemble } from '../asm/index.js'
import { gt, ne } from './arithmetic.js'
import { compileProbe } from './compile.js'
import { bootNs, currentTask, type Scalar } from './expr.js'
import { s32, u32, u64 } from './fields.js'
import { fentry, fexit, int, struct } from './hooks/index.js'
import { map, store } from './maps.js'
import { pair } from './pair.js'
import { describeProbe, mapsOf, probe } from './probe.js'
import { record } from './record.js'
import type { SmallTask } from './testing/small-kernel.js'
import { target } from './testing/target.js'

const task = struct<SmallTask>('task_struct', 'task')
const shape = record(1, 'work', { result: s32, pid: u32, startNs: u64 })

const work = pair(
  {
    name: 'work',
    entry: fentry('does_work', [task]),
    exit: fexit('does_work', [], int('result', 4)),
    kept: { pid: u32, startNs: u64 },
    record: shape,
    maxEntries: 100,
  },
  (p) => ({ when: ne(p.pid, 1), keep: { pid: p.pid, startNs: bootNs() } }),
  (begun, result) => ({ when: gt(result, 0), fill: { ...begun, result } }),
)

test('a pair is two probes and a map between them', () => {
  assert.deepEqual([work.entry.name, work.exit.name], ['work_in', 'work_out'])
  const { name, type, maxEntries, key, value } = work.calls
  assert.deepEqual([name, type, maxEntries], ['work_calls', 'lruHash', 100])
  assert.deepEqual([key.sizeBytes, value.sizeBytes], [8, 16])
  assert.deepEqual([mapsOf(work.entry), mapsOf(work.exit)], [[work.calls], [work.calls]])
  assert.match(describeProbe(work.exit), /when \(?work_calls has /)
})

test('the exit removes the key of the entry, whether or not it writes a record', () => {
  const { code } = compileProbe(work.exit, target({ kernelPreempts: false, loop: 'bounded' }))
  const removals = disassemble(code.bytes).filter((line) => line.includes('map_delete_elem'))
  assert.equal(removals.length, 1)
  // The key is removed between the two labels: only one jump, where nothing was begun, goes around that.
  const jumpsTo = (label: string): number => {
    const view = new DataView(code.bytes.buffer, code.bytes.byteOffset)
    const slots = Array.from({ length: code.bytes.length / 8 }, (_, slot) => slot)
    return slots.filter((slot) => {
      const opcode = view.getUint8(slot * 8)
      // Calls and exits are of that class, too.
      const isJump = (opcode & 7) === 5 && opcode !== 0x85 && opcode !== 0x95
      return isJump && slot + 1 + view.getInt16(slot * 8 + 2, true) === code.labels.get(label)
    }).length
  }
  assert.equal(jumpsTo('end'), 1)
  assert.ok(jumpsTo('out') >= 2)
})

test('at its end a probe can only remove keys', () => {
  const numbers = map({ name: 'numbers', type: 'hash', key: u32, value: u32, maxEntries: 1 })
  const pid = currentTask<{ readonly pid: Scalar }>().pid
  assert.throws(
    () =>
      probe({ name: 'stores', hook: fentry('does_work', [task]) }, () => ({
        finally: [store(numbers, pid, 1)],
      })),
    { name: 'TypeError', message: /"stores": at its end it can only remove keys/ },
  )
})
