import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, rmSync, writeFileSync } from 'node:fs'
import { after, before, test } from 'node:test'
import { Quark } from '../../quark.js'
import { exitingProgram } from '../../testing/elf.js'
import { makeDirectory, writeProgram } from '../../testing/scenario.js'
import { startStorm, STORM_STATUS, StormTally } from '../../testing/storm.js'

const CPU = '/sys/devices/system/cpu/cpu1/online'
const ALL = '3'
const SECOND = '2'
const COUNT = 40
const MAX_STORMS = 50
const LIFE = `fork,exec,exit ${STORM_STATUS}`

/** Turning a CPU off stops the machine for a moment. */
const isGuest = process.env['KERNEL_TEST_FILE'] !== undefined && existsSync(CPU)
const skip = isGuest ? false : 'it turns a CPU off: only in guests with --cpus 2'

let directory = ''
let end = ''
before(() => {
  directory = makeDirectory('hotplug')
  end = writeProgram(directory, 'end', exitingProgram(0))
})
after(() => {
  rmSync(directory, { recursive: true, force: true })
})

/** On which CPUs this process makes others from now on. */
function runOn(mask: string): void {
  const { status, stderr } = spawnSync('taskset', ['-p', mask, String(process.pid)], { encoding: 'utf8' })
  assert.equal(status, 0, stderr)
}

/** How many processes of a storm are complete when the exit of one that began after it is reported. */
async function stormOf(quark: Quark, mask: string): Promise<number> {
  runOn(mask)
  const storm = startStorm(directory, 'exec', COUNT)
  // The process that ends the wait must not depend on the CPU that the test is about.
  runOn('1')
  const tally = new StormTally([storm])
  let last: number | undefined
  void storm.ended.then(() => (last = spawn(end, { stdio: 'ignore' }).pid))
  for (let isOver = false; !isOver;) {
    await quark.wait(50)
    for (const event of quark.poll()) {
      tally.add(event)
      if (event.kind !== 'process' || !event.actions.includes('exit')) continue
      isOver ||= last !== undefined && event.process.pid === last
    }
  }
  return tally.lives.get(LIFE) ?? 0
}

/** What happens to the second CPU, and whether the queue is read between its going and its coming. */
const PLUGS = {
  'goes, and comes back between two polls': false,
  'goes, and comes back later': true,
}

for (const backend of ['ebpf', 'kprobe', 'procConnector'] as const) {
  for (const [name, isRead] of Object.entries(PLUGS)) {
    test(
      `${backend}: when a CPU ${name}, what it did is reported or declared lost`,
      { skip, timeout: 600_000 },
      async (t) => {
        let quark: Quark
        try {
          quark = await Quark.open({ backends: [backend], holdMs: 100 })
        } catch (error) {
          assert.equal(backend, 'kprobe', String(error))
          t.diagnostic(`not here: ${(error as Error).message}`)
          return
        }
        try {
          assert.equal(await stormOf(quark, SECOND), COUNT)
          writeFileSync(CPU, '0')
          if (isRead) assert.equal(await stormOf(quark, ALL), COUNT)
          writeFileSync(CPU, '1')
          const whole: number[] = []
          while (whole.at(-1) !== COUNT && whole.length < MAX_STORMS) whole.push(await stormOf(quark, SECOND))
          const { lost } = quark.stats()
          t.diagnostic(`reported ${whole.join(', ')} of ${COUNT} each, lost ${lost}`)
          assert.equal(whole.at(-1), COUNT, 'the CPU that came must be watched before long')
          assert.ok(
            whole[0] === COUNT || lost > 0,
            `reported ${whole[0]} of ${COUNT}, and nothing is declared lost`,
          )
        } finally {
          await quark.close()
          writeFileSync(CPU, '1')
          runOn(ALL)
        }
      },
    )
  }
}
