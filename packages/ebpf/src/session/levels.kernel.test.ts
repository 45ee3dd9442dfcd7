import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { kernelBtf } from '../kernel/btf.js'
import { type Probe } from '../probe/index.js'
import { expectNoLeaks } from '../testing/descriptors.js'
import {
  BUSY_CPU,
  CALLER_ARGV,
  callProbe,
  Evidence,
  freeProbe,
  hardirqProbe,
  interruptCpu,
  OPENS,
  softirqProbe,
  startCaller,
  SYSTEM_CALLS,
  TASK,
} from '../testing/interruptions.js'
import { kernelTest } from '../testing/kernel-test.js'
import { FLAVORS, RINGS } from '../testing/process-probes.js'
import type { SessionOptions } from './options.js'
import { ProbeSession } from './session.js'

expectNoLeaks()

const RUN_MS = 2500
/** Two timers, so that the one interrupts what the other has begun. */
const PERIODS_US = [20, 27]

interface Outcome {
  readonly evidence: Evidence
  readonly produced: ReadonlyMap<number, number>
  readonly lost: ReadonlyMap<number, number>
  readonly nestingMisses: number
  /** Runs that the kernel skipped, and those of them that no stand-in made up for. */
  readonly skipped: number
  readonly recursionMisses: number
}

/** Runs a process in system calls, timers that interrupt it all the time, and the probes of both. */
async function interrupted(
  options: Partial<SessionOptions>,
  probesFor: (pid: number) => readonly Probe[],
  script: string = SYSTEM_CALLS,
): Promise<Outcome> {
  const caller = await startCaller(BUSY_CPU, script)
  try {
    const probes = probesFor(caller.pid ?? 0)
    const evidence = new Evidence(probes, CALLER_ARGV)
    using session = ProbeSession.open({ btf: kernelBtf(), ringSizeBytes: 1 << 22, ...options }, probes)
    for (const loaded of probes.map((one) => session.load(one))) loaded.attach()
    // Between the attaching of a program and that of its stand-in, and at their end, nothing makes up for skipped runs.
    const missed = session.recursionMisses()
    const timers = PERIODS_US.map((period) => interruptCpu(BUSY_CPU, period))
    const end = performance.now() + RUN_MS
    while (performance.now() < end) {
      session.drain(evidence)
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
    for (const timer of timers) timer.close()
    const recursionMisses = session.recursionMisses() - missed
    const skipped = sum(session.attached.map(({ info }) => info().recursionMisses)) - missed
    session.detach()
    session.drain(evidence)
    const nestingMisses = session.nestingMisses()
    return { evidence, ...session.counters(), nestingMisses, skipped, recursionMisses }
  } finally {
    caller.kill('SIGKILL')
    await once(caller, 'exit')
  }
}

/** How often interrupts are waited for. */
const TRIES = 8

/** Task, softirq and interrupt, each with its own program. */
function threeProbes(pid: number): readonly Probe[] {
  return [callProbe(pid), softirqProbe, hardirqProbe]
}

function sum(counts: Iterable<number>): number {
  return [...counts].reduce((total, count) => total + count, 0)
}

/** No record has another one's content, is missing without being counted, or comes twice. */
function expectWhole({ evidence, produced, lost }: Outcome): void {
  assert.deepEqual(evidence.bad.slice(0, 5), [])
  const made = [...produced].filter(([, count]) => count > 0)
  assert.deepEqual([...evidence.drained].sort(), made.sort())
  assert.equal(evidence.disordered, 0)
  assert.ok(evidence.missing <= sum(lost.values()), 'numbers are missing that no loss explains')
}

for (const cpuRings of RINGS) {
  const named = cpuRings ? 'rings of the CPUs' : 'one ring'
  // Until then values of maps have no room for such rings.
  const least = cpuRings ? '5.11' : '5.8'

  for (const flavor of FLAVORS) {
    kernelTest(
      `what interrupts a program harms none of its records (${named}, ${flavor})`,
      // `currentTask()` through BTF.
      flavor === 'direct' ? '5.11' : least,
      async (t) => {
        let above = 0
        // When an interrupt comes is chance, and a starved guest has few.
        for (let round = 0; round < TRIES && above === 0; round += 1) {
          const outcome = await interrupted({ cpuRings, flavors: [flavor] }, threeProbes)
          expectWhole(outcome)
          assert.equal(outcome.nestingMisses, 0)
          const { levels } = outcome.evidence
          t.diagnostic(`records by level: ${levels.join(', ')}; lost ${sum(outcome.lost.values())}`)
          above = levels[1] ?? 0
        }
        assert.ok(above > 0, 'nothing was interrupted')
      },
    )
  }

  kernelTest(
    `a run that finds no level free is counted, and harms no record (${named})`,
    least,
    async (t) => {
      let misses = 0
      for (let round = 0; round < TRIES && misses === 0; round += 1) {
        const outcome = await interrupted({ cpuRings, levels: 1 }, threeProbes)
        expectWhole(outcome)
        t.diagnostic(`${outcome.nestingMisses} runs found no level free`)
        assert.equal(outcome.evidence.levels.length, 1)
        misses = outcome.nestingMisses
      }
      assert.ok(misses > 0, 'nothing was interrupted')
    },
  )
}

kernelTest('a record too large for the other levels is made on the first one only', '5.8', async () => {
  const outcome = await interrupted({}, threeProbes)
  // The probe of the task says that it runs in tasks, so its records have room on the first level only.
  assert.ok(
    outcome.evidence
      .byLevel(TASK)
      .slice(1)
      .every((count) => count === 0),
  )
  expectWhole(outcome)
})

kernelTest('a stand-in makes up for the run of its own program that it interrupts', '6.10', async (t) => {
  // Processes that end are given back by softirqs.
  const storm = spawn('sh', ['-c', 'while :; do /bin/true; done'], { stdio: 'ignore' })
  try {
    let [skipped, missed, nested] = [0, 0, 0]
    for (let round = 0; round < 10 && skipped < 20; round += 1) {
      const outcome = await interrupted({ preemptible: true }, () => [freeProbe], OPENS)
      expectWhole(outcome)
      skipped += outcome.skipped
      missed += outcome.recursionMisses
      // A program never interrupts itself: what is on another level was recorded by the stand-in.
      nested += sum(outcome.evidence.levels.slice(1))
    }
    const found = `${skipped} runs were skipped, ${missed} lost, ${nested} records on other levels`
    t.diagnostic(found)
    assert.ok(skipped > 0, 'nothing was interrupted')
    assert.ok(missed < skipped / 2, found)
  } finally {
    storm.kill('SIGKILL')
    await once(storm, 'exit')
  }
})
