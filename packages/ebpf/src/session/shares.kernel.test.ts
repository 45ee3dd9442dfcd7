import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { cstring, eq, inTask, type Probe, probe, record, struct, tracepoint, u32 } from '../probe/index.js'
import { kernelBtf } from '../kernel/btf.js'
import { possibleCpuCount } from '../map/map.js'
import { expectNoLeaks } from '../testing/descriptors.js'
import { kernelTest } from '../testing/kernel-test.js'
import { copyRecords, produceRenames, recordsOf, RINGS, type Task } from '../testing/process-probes.js'
import type { SessionOptions } from './options.js'
import { ProbeSession } from './session.js'

expectNoLeaks()

const FLOOD_KIND = 200
const task = struct<Task>('task_struct', 'task')

/** What floods: a kind of its own. */
const renames = probe(
  {
    name: 'renames',
    hook: inTask(tracepoint('task_rename', [task, cstring('comm')])),
    record: record((FLOOD_KIND << 8) | 3, 'rename', { pid: u32 }),
  },
  (p) => ({ when: eq(p.tgid, process.pid), fill: { pid: p.tgid } }),
)

/** What must not be lost: each fork of this process. */
const forks = probe(
  {
    name: 'forks',
    hook: inTask(tracepoint('sched_process_fork', [task, struct<Task>('task_struct', 'child')])),
    record: record(1, 'fork', { pid: u32 }),
  },
  (parent, child) => ({ when: eq(parent.tgid, process.pid), fill: { pid: child.tgid } }),
)

const PROBES: readonly Probe[] = [renames, forks]
const RING_BYTES = 1 << 15
/** A record of 24 bytes and its header. */
const RENAME_BYTES = 32
const CHILDREN = 20

function open(options: Partial<SessionOptions>): ProbeSession {
  const session = ProbeSession.open({ btf: kernelBtf(), ringSizeBytes: RING_BYTES, ...options }, PROBES)
  for (const one of PROBES) session.attach(one)
  return session
}

function spawnChildren(): number[] {
  return Array.from({ length: CHILDREN }, () => spawnSync('true').pid)
}

for (const cpuRings of RINGS) {
  const named = cpuRings ? 'rings of the CPUs' : 'one ring'

  kernelTest(`a flood of a kind with a share loses nothing of the others (${named})`, '5.8', () => {
    const share = 0.25
    using session = open({ cpuRings, shares: new Map([[FLOOD_KIND, share]]) })
    // A share is of each ring, or of the one ring.
    const most = Math.floor((RING_BYTES * share) / RENAME_BYTES)
    const least = cpuRings ? Math.floor(most / possibleCpuCount()) : most
    let [made, missed] = [0, 0]
    for (let round = 0; round < 5; round += 1) {
      produceRenames(4 * most)
      const pids = spawnChildren()
      const { produced, lost } = session.counters()
      const count = (produced.get(renames.record!.type) ?? 0) - made
      assert.ok(count >= least - 1 && count <= most, `${count} of ${least} to ${most} in round ${round}`)
      assert.equal((lost.get(renames.record!.type) ?? 0) - missed, 4 * most - count)
      ;[made, missed] = [made + count, missed + 4 * most - count]
      assert.equal(lost.get(forks.record!.type), 0)
      // Room comes back with what is read.
      const records = copyRecords(session)
      assert.equal(recordsOf(records, renames).length, count)
      const seen = recordsOf(records, forks).map(({ pid }) => pid)
      for (const pid of pids) assert.ok(seen.includes(pid), `fork of ${pid}`)
    }
  })

  kernelTest(`without a share it fills the whole ring (${named})`, '5.8', () => {
    using session = open({ cpuRings })
    produceRenames(4 * (RING_BYTES / RENAME_BYTES))
    // On the same CPU: each may have a ring of its own.
    spawnChildren()
    const { lost } = session.counters()
    assert.ok((lost.get(renames.record!.type) ?? 0) > 0)
    if (!cpuRings) assert.ok((lost.get(forks.record!.type) ?? 0) > 0)
  })
}

kernelTest('shares and levels out of range are refused', '5.8', () => {
  const wrong: Partial<SessionOptions>[] = [
    { shares: new Map([[256, 0.5]]) },
    { shares: new Map([[1, 1.5]]) },
    { recordShares: new Map([[1 << 16, 0.5]]) },
    { recordShares: new Map([[1, -1]]) },
    { shares: new Map(Array.from({ length: 33 }, (_, kind) => [kind, 0.5])) },
    { levels: 0 },
    { levels: 5 },
  ]
  for (const options of wrong) assert.throws(() => open(options), RangeError)
})
