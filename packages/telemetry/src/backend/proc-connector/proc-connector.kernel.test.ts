import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { rmSync } from 'node:fs'
import { after, before, test } from 'node:test'
import { kernelAtLeast } from 'quark-ebpf'
import type { QuarkEvent } from '../../kinds/index.js'
import type { ProcessEvent } from '../../kinds/process/events.js'
import { Quark } from '../../quark.js'
import { dyingProgram, exitingProgram, renamingProgram, sleepingProgram } from '../../testing/elf.js'
import { collectUntilExit, makeDirectory, runScenario, writeProgram } from '../../testing/scenario.js'
import { DeliveryTally, lostRecords, startStorm, STORM_STATUS, StormTally, sum } from '../../testing/storm.js'
import { untilAsleep } from '../../testing/observe.js'

const backends = ['procConnector'] as const

let directory = ''
before(() => {
  directory = makeDirectory('connector')
})
after(() => {
  rmSync(directory, { recursive: true, force: true })
})

function eventsAbout(events: readonly QuarkEvent[], pid: number): ProcessEvent[] {
  return events.filter((event) => event.kind === 'process').filter(({ process }) => process.pid === pid)
}

test('a process that sleeps is reported completely, and how it was killed', async () => {
  await using quark = await Quark.open({ backends, holdMs: 50, maxEnvBytes: 4096 })
  const sleeper = writeProgram(directory, 'sleeper', sleepingProgram())
  const argv = [sleeper, 'one', 'two words', '']
  const child = spawn(sleeper, argv.slice(1), { cwd: directory, stdio: 'ignore', env: { NAME: 'value' } })
  await untilAsleep(child.pid!)
  // It is asleep, but its messages are read no sooner than this.
  while (quark.lookup(child.pid!)?.argv?.[1] !== 'one') {
    quark.poll()
    await quark.wait(100)
  }
  child.kill('SIGKILL')
  const last = eventsAbout(await collectUntilExit(quark, child.pid!), child.pid!).at(-1)!.process
  assert.deepEqual(
    {
      ppid: last.ppid,
      comm: last.comm,
      exe: last.exe,
      cwd: last.cwd,
      argv: last.argv,
      env: last.env,
      uid: last.uid,
      exitCode: last.exitCode,
      exitSignal: last.exitSignal,
    },
    {
      ppid: process.pid,
      comm: 'sleeper',
      exe: sleeper,
      cwd: directory,
      argv,
      env: ['NAME=value'],
      uid: process.getuid!(),
      exitCode: undefined,
      exitSignal: 9,
    },
  )
  assert.ok(last.capEffective !== undefined && last.mntNs !== undefined && last.sid !== undefined)
})

test('short processes appear with pid, parent and status, whatever is left of them in /proc', async (t) => {
  await using quark = await Quark.open({ backends, holdMs: 50 })
  const programs = [
    { program: exitingProgram(3), actions: 'fork,exec,exit', code: 3, signal: null },
    { program: dyingProgram(15), actions: 'fork,exec,exit', code: null, signal: 15 },
    {
      program: renamingProgram('quark-renamed'),
      actions: 'fork,exec,exit,commChange',
      code: null,
      signal: 9,
    },
  ]
  for (const [index, { program, actions, code, signal }] of programs.entries()) {
    const child = spawn(writeProgram(directory, `short-${index}`, program), { stdio: 'ignore' })
    const closed = once(child, 'close')
    if (actions.includes('commChange')) {
      await untilAsleep(child.pid!)
      child.kill('SIGKILL')
    }
    const events = eventsAbout(await collectUntilExit(quark, child.pid!), child.pid!)
    await closed
    const seen = new Set(events.flatMap((event) => event.actions))
    const { ppid, exitCode, exitSignal } = events.at(-1)!.process
    await t.test(`short-${index}`, () => {
      assert.deepEqual([...seen].sort(), actions.split(',').sort())
      assert.deepEqual(
        { ppid, exitCode, exitSignal },
        { ppid: process.pid, exitCode: code ?? undefined, exitSignal: signal ?? undefined },
      )
    })
  }
  assert.equal(quark.stats().lost, 0)
})

/** What a complaint about a fact that is absent says; a wrong one names a value instead. */
const ABSENT = /: (\w+ (is|was) undefined|argv has 0 bytes undefined|argv is whole of undefined bytes)/

/** A name that was written to /proc/self/comm, which older kernels do not report. */
function isUnreportedName(complaint: string): boolean {
  return !kernelAtLeast('5.16') && /^comm-file \(pid \d+\): comm/.test(complaint)
}

test('what it reports of the scenario is true, or absent', async (t) => {
  const { accepted } = await runScenario(
    (options) => Quark.open({ ...options, backends }),
    (complaint) => ABSENT.test(complaint) || isUnreportedName(complaint),
  )
  t.diagnostic(`facts that were not reported: ${accepted.length}`)
})

test('a storm is reported completely: pids, lives and statuses', async () => {
  const count = Math.min(Number(process.env['QUARK_STORM'] ?? 2000), 2000)
  await using quark = await Quark.open({ backends, holdMs: 200 })
  const storms = [startStorm(directory, 'fork', count), startStorm(directory, 'exec', count)]
  const tally = new StormTally(storms)
  for await (const batch of quark.batches()) {
    for (const event of batch) tally.add(event)
    if (tally.pids.length >= 2 * count || quark.stats().lost > 0) break
  }
  const made = (await Promise.all(storms.map(({ ended }) => ended))).flat()
  assert.equal(quark.stats().lost, 0)
  assert.deepEqual(Object.fromEntries(tally.lives), {
    [`fork,exit ${STORM_STATUS}`]: count,
    [`fork,exec,exit ${STORM_STATUS}`]: count,
  })
  assert.deepEqual(
    [...tally.pids].sort((a, b) => a - b),
    made.map(({ pid }) => pid).sort((a, b) => a - b),
  )
})

test('a socket without room loses messages, and every one is reported', async (t) => {
  await using quark = await Quark.open({ backends, ringSizeBytes: 4096, holdMs: 0, snapshot: true })
  await Promise.all([startStorm(directory, 'exec', 500).ended, startStorm(directory, 'fork', 500).ended])
  const delivered = new DeliveryTally()
  const stats = await delivered.settle(quark)
  t.diagnostic(`produced ${sum(stats.produced)}, lost ${lostRecords(stats)}`)
  assert.ok(stats.lost > 0, 'so little room must lose messages in a storm')
  assert.equal(delivered.declaredLost, stats.lost)
})
