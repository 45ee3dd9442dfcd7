/** What one user does to the ring must not keep the records of another one out of it. */

import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { QuarkEvent } from './kinds/index.js'
import { Quark } from './quark.js'
import { callingProgram, type Step } from './testing/elf.js'
import { writeProgram } from './testing/scenario.js'

const FLOODER = 64_321
const VICTIM = 64_322
/** What one exec of the flood has as arguments. */
const LONG = 'x'.repeat(100_000)

/** As another user: executes a program again and again, with long arguments. */
function flood(times: number): void {
  const script = 'i=0; while [ $i -lt "$1" ]; do /bin/true "$0" & i=$((i+1)); done; wait'
  const { stderr } = spawnSync('/bin/sh', ['-c', script, LONG, `${times}`], { uid: FLOODER, gid: FLOODER })
  assert.equal(`${stderr}`, '')
}

/** Programs that yet another user starts meanwhile; returns what they are called with. */
function startPrograms(count: number): string[] {
  const markers = Array.from({ length: count }, (_, i) => `victim-${i}-${'y'.repeat(200)}`)
  const script = 'for marker; do /bin/echo "$marker"; done'
  const { stdout } = spawnSync('/bin/sh', ['-c', script, 'sh', ...markers], { uid: VICTIM, gid: VICTIM })
  assert.equal(`${stdout}`, `${markers.join('\n')}\n`)
  return markers
}

/** All events up to the end of a process that is started when the ring was read. */
async function eventsOf(quark: Quark): Promise<QuarkEvent[]> {
  const events: QuarkEvent[] = []
  const last = new Set<number>()
  const deadline = performance.now() + 60_000
  while (performance.now() < deadline) {
    await quark.wait(50)
    const batch = quark.poll()
    events.push(...batch)
    if (batch.some(({ process }) => process?.exitTimeNs !== undefined && last.has(process.pid))) return events
    if (last.size < 100) last.add(spawnSync('/bin/true').pid)
  }
  return assert.fail('the last process was not reported')
}

// The records of the programs are less than what is left of the ring for others.
for (const [ringSizeBytes, programs] of [
  [1 << 17, 10],
  [1 << 21, 20],
] as const) {
  test(`a user who fills a ring (${ringSizeBytes}) that nobody reads leaves room for others`, async (t) => {
    await using quark = await Quark.open({ ringSizeBytes, holdMs: 20, batchMs: 0 })
    await eventsOf(quark)
    flood(200 + (ringSizeBytes >> 11))
    const victims = startPrograms(programs)
    const events = await eventsOf(quark)
    const stats = quark.stats()
    t.diagnostic(`lost ${JSON.stringify(stats.lostByUid)}, shortened ${stats.shortened}`)
    for (const marker of victims) {
      const whole = events.find(({ process }) => process?.argv?.[1] === marker && process.argv.length === 2)
      assert.ok(whole?.kind === 'process', `${marker} is missing`)
      const own = events.filter(({ process }) => process?.entityId === whole.process.entityId)
      const actions = own.flatMap((event) => (event.kind === 'process' ? event.actions : []))
      assert.deepEqual(
        actions.filter((action) => action !== 'idChange').sort(),
        ['exec', 'exit', 'fork'],
        marker,
      )
      assert.ok(
        own.every(({ process }) => process?.mayBeIncomplete === false),
        marker,
      )
    }
    assert.ok(stats.shortened > 0, 'records are shortened before any are lost')
    assert.ok((stats.lostByUid[FLOODER] ?? 0) > 0, 'the flood must lose some')
    // A gap is found with the next record of its CPU.
    for (let cpu = 0; cpu < availableParallelism(); cpu++) spawnSync('taskset', ['-c', `${cpu}`, '/bin/true'])
    events.push(...(await eventsOf(quark)))
    const lost = events.filter((event) => event.kind === 'lost')
    const ofFlooder = lost.filter(({ uid }) => uid === FLOODER).reduce((sum, { count }) => sum + count, 0)
    assert.equal(ofFlooder, stats.lostByUid[FLOODER])
    const touched = events.filter(({ process }) => process?.mayBeIncomplete === true)
    assert.ok(touched.length > 0, 'what may have lost records is marked')
    assert.ok(touched.every(({ process }) => process?.uid !== VICTIM))
  })
}

test('failed execs take a small part of a ring that nobody reads, and keep nothing else out', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'quark-fairness-'))
  t.after(() => rmSync(directory, { recursive: true }))
  const failing = 20_000
  const steps: Step[] = [
    ...Array.from({ length: failing }, (): Step => ['execve', 0, 0, 0]),
    ['exit_group', 0],
  ]
  const program = writeProgram(directory, 'failing', callingProgram(steps))
  chmodSync(directory, 0o755)
  await using quark = await Quark.open({ ringSizeBytes: 1 << 20, failedExecs: true, holdMs: 20, batchMs: 0 })
  await eventsOf(quark)
  spawnSync(program, [], { uid: FLOODER, gid: FLOODER })
  const victims = startPrograms(20)
  const events = await eventsOf(quark)
  const found = events.filter(({ kind }) => kind === 'execFailed').length
  const { lostRingFull } = quark.stats()
  t.diagnostic(`${found} of ${failing} failed execs were found, lost ${JSON.stringify(lostRingFull)}`)
  // A thirty-second of each ring, and what the reader took meanwhile.
  assert.ok(found > 0 && found < failing / 8)
  assert.deepEqual(Object.keys(lostRingFull), ['execFailed'])
  const seen = new Set(
    events.map(({ process }) => process?.argv?.[1]).filter((argument) => argument !== undefined),
  )
  assert.deepEqual(
    victims.filter((marker) => !seen.has(marker)),
    [],
  )
})
