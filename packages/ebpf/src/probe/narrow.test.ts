import assert from 'node:assert/strict'
import { test } from 'node:test'
import { eq, ne } from './arithmetic.js'
import { u32 } from './fields.js'
import { struct, tracepoint } from './hooks/index.js'
import { narrowed } from './narrow.js'
import { describeProbe, probe } from './probe.js'
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
  const always = probe({ name: 'always', hook }, () => ({}))
  assert.match(describeProbe(narrowed(always, () => eq(1 as never, 1))), / when /)
  assert.equal(
    narrowed(always, () => undefined),
    always,
  )
})
