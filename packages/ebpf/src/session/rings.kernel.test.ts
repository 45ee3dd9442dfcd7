import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { cpus } from 'node:os'
import { eq, or, probe, struct, tracepoint, u32, record } from '../probe/index.js'
import { pageSizeBytes } from '../sys/libc.js'
import { expectNoLeaks } from '../testing/descriptors.js'
import { kernelTest } from '../testing/kernel-test.js'
import {
  drainRecords,
  openSession,
  produceRenames,
  recordsOf,
  RINGS,
  type Task,
} from '../testing/process-probes.js'

expectNoLeaks()

for (const cpuRings of RINGS) {
  const named = cpuRings ? 'rings of the CPUs' : 'one ring'
  kernelTest(`every record is either in the ring or counted as lost (${named})`, '5.8', () => {
    const declared = probe(
      {
        name: 'renames',
        hook: tracepoint('task_rename', [struct<Task>('task_struct', 'task')]),
        record: record(31, 'renames', { pid: u32 }),
      },
      (task) => ({
        when: or(eq(task.tgid, process.pid), eq(task.real_parent.tgid, process.pid)),
        fill: { pid: task.tgid },
      }),
    )
    using session = openSession(undefined, { ringSizeBytes: pageSizeBytes(), cpuRings })
    session.attach(declared)
    const count = 1000
    produceRenames(count)
    const full = session.counters()
    assert.ok((full.lost.get(31) ?? 0) > 0)
    assert.equal((full.produced.get(31) ?? 0) + (full.lost.get(31) ?? 0), count)

    // The numbers that the CPUs gave out, once each has written a record that found room.
    const lastSeq = new Map<number, number>()
    let drained = 0
    const drain = (): void => {
      for (const { cpu, seq } of drainRecords(session, declared)) {
        drained += 1
        lastSeq.set(cpu, Math.max(seq, lastSeq.get(cpu) ?? 0))
      }
    }
    drain()
    assert.equal(drained, full.produced.get(31))
    for (let cpu = 0; cpu < cpus().length; cpu += 1) {
      spawnSync('taskset', ['-c', String(cpu), 'sh', '-c', 'echo renamed > /proc/self/comm'])
      drain()
    }
    const { produced, lost } = session.counters()
    assert.equal(produced.get(31), drained)
    assert.deepEqual(lost, full.lost)
    const numbered = [...lastSeq.values()].reduce((sum, seq) => sum + seq, 0)
    assert.equal(numbered, (produced.get(31) ?? 0) + (lost.get(31) ?? 0))
    assert.deepEqual([...produced.keys(), ...lost.keys()], [31, 31])
  })

  kernelTest(`a full ring keeps what waits in it, however long records are (${named})`, '5.8', () => {
    for (let fields = 1; fields <= 16; fields += 1) {
      const names = Array.from({ length: fields }, (_, i) => `pid${i}`)
      const declared = probe(
        {
          name: 'renames',
          hook: tracepoint('task_rename', [struct<Task>('task_struct', 'task')]),
          record: record(31, 'renames', Object.fromEntries(names.map((name) => [name, u32]))),
        },
        (task) => ({
          when: eq(task.tgid, process.pid),
          fill: Object.fromEntries(names.map((name) => [name, task.tgid])),
        }),
      )
      using session = openSession(undefined, { ringSizeBytes: pageSizeBytes(), cpuRings })
      session.attach(declared)
      let count = 0
      const take = (max: number): void => {
        count += session.drain(
          {
            record(_words, bytes, offset, length) {
              const [record] = recordsOf([bytes.subarray(offset, offset + length)], declared)
              for (const name of names) assert.equal((record as Record<string, unknown>)[name], process.pid)
            },
          },
          max,
        )
      }
      // It wraps, and what is then written last lies before what waits longest.
      for (let taken = 1; taken <= 8; taken += 1) {
        produceRenames(200)
        take(taken)
      }
      take(Number.POSITIVE_INFINITY)
      const { produced, lost } = session.counters()
      assert.ok((lost.get(31) ?? 0) > 0)
      assert.equal(count, produced.get(31), `${fields} fields`)
      assert.equal(session.backlogBytes, 0)
    }
  })
}
