import assert from 'node:assert/strict'
import { cpus } from 'node:os'
import { ClosedError } from '../errors.js'
import { pageSizeBytes } from '../sys/libc.js'
import { expectNoLeaks } from '../testing/descriptors.js'
import { kernelTest } from '../testing/kernel-test.js'
import { drainRecords, openSession, produceRenames, renameProbe, RINGS } from '../testing/process-probes.js'

expectNoLeaks()

/** Makes records, one per turn of the event loop, until `work` is done. */
async function produceDuring(work: Promise<void>): Promise<void> {
  const state = { done: false }
  const ended = work.finally(() => {
    state.done = true
  })
  while (!state.done) {
    produceRenames(1)
    await new Promise((resolve) => setImmediate(resolve))
  }
  await ended
}

for (const cpuRings of RINGS) {
  const named = cpuRings ? 'rings of the CPUs' : 'one ring'
  kernelTest(`a wait until a record ends with the record (${named})`, '5.8', async () => {
    using session = openSession(undefined, { ringSizeBytes: 1 << 20, cpuRings })
    session.attach(renameProbe)
    const waiting = session.wait('untilRecord', -1)
    produceRenames(1)
    await waiting
    assert.equal(drainRecords(session, renameProbe).length, 1)
    // One that came before is not waited for.
    produceRenames(1)
    await session.wait('untilRecord', -1)
    assert.equal(drainRecords(session, renameProbe).length, 1)
    // More often than what wakes would find room in its ring, if nobody took it out.
    for (let i = 0; i < 1000; i += 1) {
      const next = session.wait('untilRecord', -1)
      produceRenames(1)
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
        produceRenames(3)
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
      produceRenames(ringSizeBytes / renameProbe.record.fixedSizeBytes)
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
    produceRenames(3)
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
