import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type Probe } from '../probe/index.js'
import { expectNoLeaks } from '../testing/descriptors.js'
import {
  BUSY_CPU,
  CALLER_ARGV,
  callProbe,
  Evidence,
  hardirqProbe,
  interruptCpu,
  softirqProbe,
  spawnCaller,
} from '../testing/interruptions.js'
import { kernelTest } from '../testing/kernel-test.js'
import { RINGS } from '../testing/process-probes.js'
import { kernelBtf } from '../kernel/btf.js'
import { ProbeSession, type SessionOptions } from './session.js'

expectNoLeaks()

const RUN_MS = 2500
const PERIOD_US = 20

interface Outcome {
  readonly evidence: Evidence
  readonly produced: ReadonlyMap<number, number>
  readonly lost: ReadonlyMap<number, number>
  readonly nestingMisses: number
  readonly recursionMisses: number
}

/** Runs a process in system calls, a timer that interrupts it all the time, and the probes of both. */
async function interrupted(options: Partial<SessionOptions>): Promise<Outcome> {
  const caller = spawnCaller(BUSY_CPU)
  try {
    await once(caller, 'spawn')
    const { pid = 0 } = caller
    const probes: readonly Probe[] = [callProbe(pid), softirqProbe, hardirqProbe]
    const evidence = new Evidence(probes, CALLER_ARGV)
    using session = ProbeSession.open({ btf: kernelBtf(), ringSizeBytes: 1 << 22, ...options }, probes)
    for (const loaded of probes.map((one) => session.load(one))) loaded.attach()
    using _timer = interruptCpu(BUSY_CPU, PERIOD_US)
    const end = performance.now() + RUN_MS
    while (performance.now() < end) {
      session.drain(evidence)
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
    session.detach()
    session.drain(evidence)
    return {
      evidence,
      ...session.counters(),
      nestingMisses: session.nestingMisses(),
      recursionMisses: session.recursionMisses(),
    }
  } finally {
    caller.kill('SIGKILL')
    await once(caller, 'exit')
  }
}

function sum(counts: Iterable<number>): number {
  return [...counts].reduce((total, count) => total + count, 0)
}

for (const cpuRings of RINGS) {
  const named = cpuRings ? 'rings of the CPUs' : 'one ring'

  kernelTest(`what interrupts a program harms none of its records (${named})`, '5.8', async () => {
    const { evidence, produced, lost, nestingMisses } = await interrupted({ cpuRings })
    const { bad, drained, levels } = evidence
    assert.deepEqual(bad.slice(0, 5), [])
    assert.deepEqual([...drained].sort(), [...produced].sort())
    assert.equal(evidence.disordered, 0)
    assert.ok(evidence.missing <= sum(lost.values()))
    assert.equal(nestingMisses, 0)
    assert.ok((levels[1] ?? 0) > 0, 'nothing was interrupted')
  })
}
