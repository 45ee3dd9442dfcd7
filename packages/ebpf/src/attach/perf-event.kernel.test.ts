import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { availableParallelism } from 'node:os'
import { EbpfError } from '../errors.js'
import { KernelError } from '../sys/errors.js'
import { probeFeature } from '../kernel/features.js'
import { BPF_PROG_TYPE_KPROBE, BPF_PROG_TYPE_TRACEPOINT } from '../program/types.js'
import { Counter } from '../testing/counter.js'
import { expectNoLeaks } from '../testing/descriptors.js'
import { excuseFor, kernelTest } from '../testing/kernel-test.js'
import type { Link } from './link.js'
import { attachKprobe, attachTracepoint } from './perf-event.js'

expectNoLeaks()

function expectRuns(type: number, attach: (counter: Counter) => Link): void {
  using counter = new Counter({ type })
  const link = attach(counter)
  spawnSync('true')
  assert.ok(counter.count >= 1)
  link.close()
  const atClose = counter.count
  spawnSync('true')
  assert.equal(counter.count, atClose)
}

for (const retprobe of [false, true]) {
  const kind = retprobe ? 'kretprobe' : 'kprobe'
  kernelTest(`a ${kind} runs while its link is open, or the reason why it cannot is reported`, '4.17', () => {
    const attach = (counter: Counter, symbol: string): Link =>
      attachKprobe(counter.program, symbol, { retprobe })
    const result = probeFeature(kind)
    using counter = new Counter({ type: BPF_PROG_TYPE_KPROBE })
    if (result.supported) {
      expectRuns(BPF_PROG_TYPE_KPROBE, (it) => attach(it, 'wake_up_new_task'))
      assert.throws(
        () => attach(counter, 'no_such_function'),
        (error) =>
          error instanceof KernelError && /"no_such_function".*no such function\)$/.test(error.message),
      )
    } else {
      assert.ok(excuseFor(result) !== undefined, result.reason)
      assert.throws(
        () => attach(counter, 'wake_up_new_task'),
        (error) =>
          error instanceof EbpfError &&
          error.message.startsWith(`Cannot attach program "count" to ${kind} "wake_up_new_task"`),
      )
    }
  })
}

kernelTest(
  'a tracepoint program runs while its link is open, or the reason why it cannot is reported',
  '4.18',
  () => {
    const result = probeFeature('tracepoint')
    if (result.supported) {
      expectRuns(BPF_PROG_TYPE_TRACEPOINT, (it) =>
        attachTracepoint(it.program, 'sched', 'sched_process_exec'),
      )
    } else {
      assert.ok(excuseFor(result) !== undefined, result.reason)
    }
  },
)

kernelTest('a tracepoint that tracefs lacks is an error that names the searched paths', '4.18', () => {
  using counter = new Counter({ type: BPF_PROG_TYPE_TRACEPOINT })
  assert.throws(
    () => attachTracepoint(counter.program, 'sched', 'no_such_event'),
    (error) =>
      error instanceof EbpfError &&
      error.code === 'ERR_EBPF_NOT_SUPPORTED' &&
      /tracepoint "sched\/no_such_event".*events\/sched\/no_such_event\/id/.test(error.message),
  )
})

kernelTest('what a kretprobe missed is counted, also after its end', '6.7', async (t) => {
  const result = probeFeature('kretprobe')
  if (!result.supported) return t.skip(String(result.reason))
  using counter = new Counter({ type: BPF_PROG_TYPE_KPROBE })
  const link = attachKprobe(counter.program, 'hrtimer_nanosleep', { retprobe: true })
  assert.equal(link.missedRuns(), 0)
  // More tasks are in the function than the kernel reserves for.
  const SLEEPERS = 4 * availableParallelism() + 20
  const sleepers = Array.from({ length: SLEEPERS }, () => spawn('sleep', ['1'], { stdio: 'ignore' }))
  await Promise.all(sleepers.map((child) => once(child, 'exit')))
  const missed = link.missedRuns()
  assert.ok(missed > 0 && missed <= SLEEPERS, `${missed} of ${SLEEPERS}`)
  link.close()
  assert.ok(link.missedRuns() >= missed)
})
