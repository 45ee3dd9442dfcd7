import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { ClosedError } from './errors.js'
import { eq, or, probe, struct, tracepoint, u32 } from './probe/index.js'
import { pageSizeBytes } from './sys/libc.js'
import { expectNoLeaks } from './testing/descriptors.js'
import { kernelTest } from './testing/kernel-test.js'
import {
  drainRecords,
  MAY_PROBE_READ,
  openSession,
  recordsOf,
  renameProbe,
  type Task,
} from './testing/process-probes.js'

expectNoLeaks()

/** Makes `count` records of `renameProbe`, and leaves this process's name as it was. */
function produce(count: number): void {
  const comm = readFileSync('/proc/self/comm', 'utf8').trim()
  for (let i = 0; i < count; i += 1) writeFileSync('/proc/self/comm', comm)
}

/** Makes records, one per turn of the event loop, until `work` is done. */
async function produceDuring(work: Promise<void>): Promise<void> {
  const state = { done: false }
  const ended = work.finally(() => {
    state.done = true
  })
  while (!state.done) {
    produce(1)
    await new Promise((resolve) => setImmediate(resolve))
  }
  await ended
}

/** One ring for all CPUs, and one for each where they can have that; old kernels have no maps of more than 4 MiB. */
const RINGS = process.arch === 'x64' && MAY_PROBE_READ ? [false, true] : [false]
for (const cpuRings of RINGS) {
  const named = cpuRings ? 'rings of the CPUs' : 'one ring'
  kernelTest(`every record is either in the ring or counted as lost (${named})`, '5.8', () => {
    const declared = probe(
      { name: 'renames', type: 31, hook: tracepoint('task_rename', [struct<Task>('task_struct', 'task')]) },
      (task) => ({
        when: or(eq(task.tgid, process.pid), eq(task.real_parent.tgid, process.pid)),
        record: { pid: u32(task.tgid) },
      }),
    )
    using session = openSession(undefined, { ringSizeBytes: pageSizeBytes(), cpuRings })
    session.attach(declared)
    const count = 1000
    produce(count)
    const full = session.counters()
    assert.ok((full.lost[31] ?? 0) > 0)
    assert.equal((full.produced[31] ?? 0) + (full.lost[31] ?? 0), count)

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
    assert.equal(drained, full.produced[31])
    for (let cpu = 0; cpu < cpus().length; cpu += 1) {
      spawnSync('taskset', ['-c', String(cpu), 'sh', '-c', 'echo renamed > /proc/self/comm'])
      drain()
    }
    const { produced, lost } = session.counters()
    assert.equal(produced[31], drained)
    assert.deepEqual(lost, full.lost)
    const numbered = [...lastSeq.values()].reduce((sum, seq) => sum + seq, 0)
    assert.equal(numbered, (produced[31] ?? 0) + (lost[31] ?? 0))
    assert.ok(produced.every((value, type) => type === 31 || value === 0))
  })

  kernelTest(`a full ring keeps what waits in it, however long records are (${named})`, '5.8', () => {
    for (let fields = 1; fields <= 16; fields += 1) {
      const names = Array.from({ length: fields }, (_, i) => `pid${i}`)
      const declared = probe(
        { name: 'renames', type: 31, hook: tracepoint('task_rename', [struct<Task>('task_struct', 'task')]) },
        (task) => ({
          when: eq(task.tgid, process.pid),
          record: Object.fromEntries(names.map((name) => [name, u32(task.tgid)])),
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
        produce(200)
        take(taken)
      }
      take(Number.POSITIVE_INFINITY)
      const { produced, lost } = session.counters()
      assert.ok((lost[31] ?? 0) > 0)
      assert.equal(count, produced[31], `${fields} fields`)
      assert.equal(session.backlogBytes, 0)
    }
  })

  kernelTest(`a wait until a record ends with the record (${named})`, '5.8', async () => {
    using session = openSession(undefined, { ringSizeBytes: 1 << 20, cpuRings })
    session.attach(renameProbe)
    const waiting = session.wait('untilRecord', -1)
    produce(1)
    await waiting
    assert.equal(drainRecords(session, renameProbe).length, 1)
    // One that came before is not waited for.
    produce(1)
    await session.wait('untilRecord', -1)
    assert.equal(drainRecords(session, renameProbe).length, 1)
    // More often than what wakes would find room in its ring, if nobody took it out.
    for (let i = 0; i < 1000; i += 1) {
      const next = session.wait('untilRecord', -1)
      produce(1)
      await next
      assert.equal(drainRecords(session, renameProbe).length, 1)
    }
  })

  kernelTest(
    `a wait until a backlog ends when half a ring is full, again and again (${named})`,
    '5.8',
    async () => {
      const ringSizeBytes = 4 * pageSizeBytes()
      using session = openSession(undefined, { ringSizeBytes, cpuRings })
      session.attach(renameProbe)
      for (let round = 0; round < 3; round += 1) {
        // Too few, and that right after a wake-up.
        produce(3)
        let waits = 0
        while (session.fullness < 0.5) {
          await produceDuring(session.wait('untilBacklog', -1))
          waits += 1
        }
        // Each CPU wakes the reader once, so a wake-up of the last round may have been left over.
        assert.ok(waits <= 1 + cpus().length, `${waits} waits in round ${round}`)
        assert.ok(drainRecords(session, renameProbe).length > 3)
        assert.equal(session.backlogBytes, 0)
      }
      produce(ringSizeBytes / renameProbe.layout.fixedSizeBytes)
      await session.wait('untilBacklog', -1)
    },
  )

  kernelTest(`a wait ends with its time, its signal, or a wake-up (${named})`, '5.8', async () => {
    using session = openSession(undefined, { ringSizeBytes: 1 << 20, cpuRings })
    session.attach(renameProbe)
    await session.wait('untilRecord', 1)
    const abort = new AbortController()
    const aborted = session.wait('untilRecord', -1, abort.signal)
    abort.abort()
    await aborted
    await session.wait('untilRecord', -1, abort.signal)
    const woken = session.wait('untilBacklog', -1)
    session.wake()
    await woken
    assert.equal(session.backlogBytes, 0)
  })

  kernelTest(`a session may be closed while someone waits (${named})`, '5.8', async () => {
    const session = openSession(undefined, { ringSizeBytes: 1 << 20, cpuRings })
    session.attach(renameProbe)
    const waiting = session.wait('untilRecord', -1)
    session.close()
    await waiting
    await assert.rejects(session.wait('untilRecord', -1), ClosedError)
  })

  kernelTest(`a sink may close the session (${named})`, '5.8', () => {
    const session = openSession(undefined, { ringSizeBytes: 1 << 20, cpuRings })
    session.attach(renameProbe)
    produce(3)
    assert.equal(session.drain({ record: () => session.close() }), 1)
  })

  kernelTest(`a closed session is closed in every respect (${named})`, '5.8', () => {
    const session = openSession(undefined, { ringSizeBytes: 1 << 20, cpuRings })
    session.attach(renameProbe)
    session.close()
    session.close()
    const uses: (() => unknown)[] = [
      () => session.attach(renameProbe),
      () => session.drain({ record: () => assert.fail() }),
      () => session.counters(),
      () => session.recursionMisses(),
      () => session.backlogBytes,
      () => session.fullness,
    ]
    for (const use of uses) assert.throws(use, ClosedError)
    session.wake()
  })
}
