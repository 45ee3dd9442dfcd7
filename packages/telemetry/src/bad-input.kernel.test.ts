import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmdirSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { after, before, test } from 'node:test'
import type { Process } from './process/process.js'
import type { QuarkOptions } from './kinds/index.js'
import { jsonOf, dumpOf } from './outputs.js'
import { Quark } from './quark.js'
import type { QuarkStats } from './pipeline/stats.js'
import { crowdProgram, type Ended, exitingProgram, forkingProgram, spawningProgram } from './testing/elf.js'
import { collectUntilExit, makeDirectory, writeProgram } from './testing/scenario.js'
import { deliverStorms, startReporting, STORM_STATUS, StormTally } from './testing/storm.js'
import { byProcess, lastOf } from './testing/truth.js'

let directory = ''
let good = ''
before(() => {
  directory = makeDirectory('bad-input')
  good = writeProgram(directory, 'good', exitingProgram(0))
})
after(() => {
  rmSync(directory, { recursive: true, force: true })
})

interface Delivery {
  readonly made: readonly Ended[]
  /** How often each life was seen, by its actions and its end. */
  readonly lives: Record<string, number>
}

/** Runs a program that reports its children, and collects their events. */
async function livesOf(program: Uint8Array, count: number): Promise<Delivery> {
  await using quark = await Quark.open({ holdMs: 100 })
  const own = mkdtempSync(join(directory, 'storm-'))
  const storms = [startReporting(own, 'fork', program, count)]
  const tally = new StormTally(storms)
  const made = await deliverStorms(quark, { directory, storms }, (event) => tally.add(event))
  assert.equal(quark.stats().lost, 0)
  return { made, lives: Object.fromEntries(tally.lives) }
}

test('2,000 processes that live at once are all delivered', async () => {
  const { lives } = await livesOf(crowdProgram({ count: 2000 }, STORM_STATUS), 2000)
  assert.deepEqual(lives, { [`fork,exit ${STORM_STATUS}`]: 2000 })
})

test('a process that is killed between fork and exec has a fork and an exit', async () => {
  const { lives } = await livesOf(forkingProgram({ count: 50 }, { signal: 9 }), 50)
  assert.deepEqual(lives, { 'fork,exit signal 9': 50 })
})

test('a failed exec is not counted as an exec, and the process goes on', async (t) => {
  const loop = join(directory, 'loop')
  writeProgram(directory, 'loop', `#!${loop}\n`)
  const files = {
    'a file that is missing': join(directory, 'missing'),
    'a directory': directory,
    'a file of no known format': writeProgram(directory, 'text', 'neither ELF nor script'),
    'an empty file': writeProgram(directory, 'empty', ''),
    'a script whose interpreter is itself': loop,
    'a script whose interpreter is missing': writeProgram(directory, 'orphan', '#!/missing/interpreter\n'),
  }
  for (const [name, file] of Object.entries(files)) {
    await t.test(name, async () => {
      const { lives } = await livesOf(spawningProgram({ count: 3 }, [file]), 3)
      assert.deepEqual(lives, { 'fork,exit 127': 3 })
    })
  }
})

test('an exec that fails after the old program is gone ends the process by a signal', async () => {
  const broken = exitingProgram(0)
  // p_memsz less than p_filesz: found when the segment is mapped, which is too late to go back.
  broken.writeBigUInt64LE(1n, 104)
  const file = writeProgram(directory, 'broken', broken)
  const { made, lives } = await livesOf(spawningProgram({ count: 3 }, [file]), 3)
  const signal = (made[0]?.status ?? 0) & 0x7f
  assert.notEqual(signal, 0)
  assert.deepEqual(lives, { [`fork,exit signal ${signal}`]: 3 })
})

interface One {
  readonly process: Process
  readonly stats: QuarkStats
  /** The events as quark-mon writes them. */
  readonly text: string
  readonly json: readonly string[]
}

/** Runs one program and returns what was seen of it. */
async function seeOne(args: readonly string[], options: QuarkOptions, cwd: string = directory): Promise<One> {
  await using quark = await Quark.open({ holdMs: 50, ...options })
  const child = spawn(good, args, { cwd, env: {}, stdio: 'ignore' })
  const ended = once(child, 'exit')
  const events = await collectUntilExit(quark, child.pid!)
  await ended
  const seen = byProcess(events).filter(({ pid }) => pid === child.pid)
  assert.equal(seen.length, 1)
  const own = seen[0]!.events
  return {
    process: lastOf(seen[0]!),
    stats: quark.stats(),
    text: own.map((event) => dumpOf(event)).join('\n'),
    json: own.map(jsonOf),
  }
}

const HUGE = Array.from({ length: 19 }, (_, index) => String(index % 10).repeat(99_999))

test('argv of 2 MB is cut at the limit, which is reported and counted', async (t) => {
  const sizeBytes = good.length + 1 + 19 * 100_000
  const limits: { options: QuarkOptions; limit: number }[] = [
    { options: {}, limit: 128 * 1024 },
    { options: { maxArgvBytes: 512 }, limit: 512 },
  ]
  for (const { options, limit } of limits) {
    await t.test(`limit ${limit}`, async () => {
      const { process, stats } = await seeOne(HUGE, options)
      const { argvTruncated, argvSizeBytes, argvBytes } = process
      const whole = Buffer.from([good, ...HUGE].join('\0'))
      assert.deepEqual({ argvTruncated, argvSizeBytes }, { argvTruncated: true, argvSizeBytes: sizeBytes })
      assert.deepEqual(Buffer.from(argvBytes ?? []), whole.subarray(0, limit))
      assert.ok(stats.truncatedArgv >= 1)
      assert.equal(stats.lost, 0)
    })
  }
})

test('argv is not known when it is not captured', async () => {
  const { process, stats } = await seeOne(HUGE, { maxArgvBytes: 0 })
  assert.deepEqual([process.argv, process.argvTruncated, stats.truncatedArgv], [undefined, false, 0])
})

test('100,000 tiny arguments arrive one by one', async () => {
  const args = new Array<string>(100_000).fill('x')
  const { process } = await seeOne(args, { maxArgvBytes: 256 * 1024 })
  assert.deepEqual([process.argv?.length, process.argvTruncated], [100_001, false])
  assert.deepEqual(process.argv, [good, ...args])
})

test('terminal escapes and newlines are shown as they are in events, and made safe in outputs', async () => {
  const args = ['\x1b[2J\x1b]0;title\x07', 'a\nb', '\u009b31m', '\u202Eright-to-left', '\r', '\x7f']
  const { process, text, json } = await seeOne(args, {})
  assert.deepEqual(process.argv, [good, ...args])
  // Tabs and line ends are the format's own.
  // oxlint-disable-next-line no-control-regex -- these are what must not appear
  assert.doesNotMatch(text, /[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]/)
  assert.match(text, /a\\nb/)
  for (const line of json) {
    assert.doesNotMatch(line, /\n/)
    assert.doesNotThrow(() => JSON.parse(line))
  }
})

test('a directory 4,000 bytes and 1,900 levels deep is whole or marked as cut', async (t) => {
  const levels = Math.floor((4000 - directory.length) / 2)
  const deep = directory + '/d'.repeat(levels)
  t.after(() => removeEmpty(deep))
  mkdirSync(deep, { recursive: true })
  const { process, stats } = await seeOne([], {}, deep)
  t.diagnostic(process.cwd === deep ? 'whole' : `cut: ${stats.truncatedPaths} paths`)
  if (process.cwd !== deep) {
    assert.match(process.cwd ?? '', /^\.\.\.(\/d)+$/, 'a part of a path must not pass for a path')
    assert.equal(process.cwdTruncated, true)
    assert.ok(stats.truncatedPaths >= 1)
  }
  assert.equal(stats.lost, 0)
})

/** Removes a directory and all above it up to that of the tests; rmSync would run out of stack. */
function removeEmpty(path: string): void {
  for (let at = path; at !== directory; at = dirname(at)) {
    rmdirSync(at)
  }
}

test('processes that come and go before and after a queue is open leave it in order', async () => {
  for (let round = 0; round < 5; round += 1) {
    const quark = await Quark.open({ holdMs: 1000 })
    spawnSync(good)
    await quark.close()
    spawnSync(good)
    await quark.close()
  }
  const { process } = await seeOne([], {})
  assert.equal(process.exitCode, 0)
})
