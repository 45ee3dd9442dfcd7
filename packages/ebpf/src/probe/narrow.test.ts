import assert from 'node:assert/strict'
import { test } from 'node:test'
import { eq, ne } from './arithmetic.js'
import type { Scalar } from './expr.js'
import { u32 } from './fields.js'
import { struct, tracepoint } from './hooks/index.js'
import { concluded, narrowed } from './narrow.js'
import { has, increase, map, remove, store } from './maps.js'
import { describeProbe, mapsOf, probe } from './probe.js'
import { record } from './record.js'
import type { SmallTask } from './testing/small-kernel.js'

const hook = tracepoint('sched_process_exec', [struct<SmallTask>('task_struct', 'task')])
const layout = record(7, 'some', { pid: u32, other: u32 })

test('a narrowed probe has one condition more, behind its own', () => {
  const one = probe({ name: 'one', hook, record: layout }, (task) => ({
    when: ne(task.tgid, 1),
    fill: { pid: task.pid },
    lacks: { other: 'nothing has it' },
  }))
  const less = narrowed(one, (filling) => {
    assert.equal(filling('other'), undefined)
    assert.equal(filling('none'), undefined)
    const pid = filling('pid')
    return pid && eq(pid, 9)
  })
  assert.match(describeProbe(less), / when .*task\.tgid.* 1.*task\.pid.* 9/)
  assert.ok(Object.isFrozen(less))
  assert.doesNotMatch(describeProbe(one), /== 9/)
  assert.equal(less.record, layout)
  assert.equal(
    narrowed(one, () => undefined),
    one,
  )
  const silent = probe({ name: 'silent', hook }, () => ({}))
  assert.equal(
    narrowed(silent, () => assert.fail('it writes no record')),
    silent,
  )
})

test('what a narrowed probe does to maps stays as it is', () => {
  const seen = map({ name: 'seen', type: 'hash', key: u32, value: u32, maxEntries: 4 })
  const wanted = map({ name: 'wanted', type: 'hash', key: u32, value: u32, maxEntries: 4 })
  const counting = probe({ name: 'counting', hook, record: layout }, (task) => ({
    effects: [store(seen, task.pid, 1)],
    fill: { pid: task.pid },
    lacks: { other: 'nothing has it' },
  }))
  const less = narrowed(counting, (filling) => has(wanted, filling('pid') as Scalar))
  assert.equal(less.when, undefined)
  assert.notEqual(less.recordWhen, undefined)
  assert.deepEqual(
    mapsOf(less).map(({ name }) => name),
    ['wanted', 'seen'],
  )
})

test('a narrowed probe may count what it leaves out, and knows what was left out already', () => {
  const seen = map({ name: 'seen', type: 'array', key: u32, value: u32, maxEntries: 4 })
  const one = probe({ name: 'one', hook, record: layout }, (task) => ({
    when: ne(task.tgid, 1),
    fill: { pid: task.pid },
    lacks: { other: 'nothing has it' },
  }))
  const counted = narrowed(one, (filling, already) => {
    assert.equal(already, undefined)
    const pid = filling('pid') as Scalar
    return { when: eq(pid, 9), effects: [increase(seen, 0, ne(pid, 9))] }
  })
  assert.equal(counted.when, one.when)
  assert.equal(counted.effects.length, 1)
  assert.notEqual(counted.recordWhen, undefined)
  narrowed(counted, (_filling, already) => {
    assert.notEqual(already, undefined)
    return undefined
  })
})

test('a concluded probe removes keys at its end, if its condition holds', () => {
  const seen = map({ name: 'seen', type: 'hash', key: u32, value: u32, maxEntries: 4 })
  const one = probe({ name: 'one', hook, record: layout }, (task) => ({
    when: ne(task.tgid, 1),
    fill: { pid: task.pid },
    lacks: { other: 'nothing has it' },
  }))
  const ended = concluded(one, (filling) => [remove(seen, filling('pid') as Scalar)])
  assert.deepEqual([ended.given, ended.when, ended.finally.length], [one.when, undefined, 1])
  const twice = concluded({ ...ended, when: one.when }, (filling) => [remove(seen, filling('pid') as Scalar)])
  assert.deepEqual([twice.when, twice.finally.length], [undefined, 2])
  assert.equal(
    concluded(one, () => []),
    one,
  )
  assert.throws(() => concluded(one, () => [store(seen, 1, 1)]), TypeError)
})
