import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { constants } from 'node:os'
import { kernelBtf } from '../kernel/btf.js'
import { ClosedError } from '../errors.js'
import { KernelError } from '../sys/errors.js'
import { probeFeature } from '../kernel/features.js'
import { BPF_PROG_TYPE_RAW_TRACEPOINT, BPF_PROG_TYPE_TRACING } from '../program/types.js'
import { BPF_TRACE_FENTRY, BPF_TRACE_RAW_TP } from '../program/types.js'
import { Counter } from '../testing/counter.js'
import { expectNoLeaks } from '../testing/descriptors.js'
import { excuseFor, kernelTest } from '../testing/kernel-test.js'
import { attachRawTracepoint, attachTracing } from './raw-tracepoint.js'

expectNoLeaks()

const rawTracepoint = { type: BPF_PROG_TYPE_RAW_TRACEPOINT }

kernelTest('a raw tracepoint program runs while its link is open', '4.17', () => {
  using counter = new Counter(rawTracepoint)
  spawnSync('true')
  assert.equal(counter.count, 0)
  const link = attachRawTracepoint(counter.program, 'sched_process_exec')
  assert.deepEqual([link.kind, link.target, link.closed], ['rawTracepoint', 'sched_process_exec', false])
  spawnSync('true')
  const whileOpen = counter.count
  assert.ok(whileOpen >= 1)

  link.close()
  link.close()
  assert.equal(link.closed, true)
  const atClose = counter.count
  spawnSync('true')
  assert.equal(counter.count, atClose)
})

kernelTest('an attached program lives on without its own descriptor', '4.17', () => {
  const counter = new Counter(rawTracepoint)
  using _link = attachRawTracepoint(counter.program, 'sched_process_exec')
  counter.program.close()
  spawnSync('true')
  assert.ok(counter.count >= 1)
  assert.throws(() => attachRawTracepoint(counter.program, 'sched_process_exec'), ClosedError)
  counter[Symbol.dispose]()
})

kernelTest('a tracepoint that does not exist is named', '4.17', () => {
  using counter = new Counter(rawTracepoint)
  assert.throws(
    () => attachRawTracepoint(counter.program, 'no_such_tracepoint'),
    (error) =>
      error instanceof KernelError &&
      error.errno === constants.errno.ENOENT &&
      /raw tracepoint "no_such_tracepoint".*\(this kernel has no such tracepoint\)$/.test(error.message),
  )
})

kernelTest('a BTF-typed tracepoint program runs while its link is open', '5.5', () => {
  const attachBtfId = kernelBtf().findTracepoint('sched_process_exec')?.id
  assert.ok(attachBtfId !== undefined)
  using counter = new Counter({
    type: BPF_PROG_TYPE_TRACING,
    expectedAttachType: BPF_TRACE_RAW_TP,
    attachBtfId,
  })
  const link = attachTracing(counter.program, 'sched_process_exec')
  assert.equal(link.kind, 'tracing')
  spawnSync('true')
  assert.ok(counter.count >= 1)
  link.close()
  const atClose = counter.count
  spawnSync('true')
  assert.equal(counter.count, atClose)
})

kernelTest('an fentry program runs, or the reason why it cannot is reported', '5.5', () => {
  const attachBtfId = kernelBtf().findFunction('wake_up_new_task')?.id
  assert.ok(attachBtfId !== undefined)
  const spec = { type: BPF_PROG_TYPE_TRACING, expectedAttachType: BPF_TRACE_FENTRY, attachBtfId }
  const result = probeFeature('fentry')
  if (result.supported) {
    using counter = new Counter(spec)
    using _link = attachTracing(counter.program, 'wake_up_new_task')
    spawnSync('true')
    assert.ok(counter.count >= 1)
  } else {
    assert.ok(excuseFor(result) !== undefined, result.reason)
    assert.throws(() => {
      using counter = new Counter(spec)
      attachTracing(counter.program, 'wake_up_new_task').close()
    }, KernelError)
  }
})
