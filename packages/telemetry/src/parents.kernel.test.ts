import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { QuarkEvent, QuarkOptions } from './kinds/index.js'
import { Quark } from './quark.js'

const LIMIT = { timeout: 60_000 }
const SHELL = '/bin/sh'

/** All events of a queue while `run` runs, and the time after it. */
async function eventsDuring(
  options: QuarkOptions,
  run: () => Promise<void>,
  afterMs: number,
): Promise<QuarkEvent[]> {
  const ending = new AbortController()
  await using quark = await Quark.open({ ...options, signal: ending.signal })
  const events: QuarkEvent[] = []
  const reading = (async () => {
    for await (const batch of quark.batches()) events.push(...batch)
  })()
  await run()
  await sleep(afterMs)
  ending.abort()
  await reading
  return events
}

/** Runs a script of sh, and answers its pid once it has ended; what it has started may go on. */
async function runScript(script: string): Promise<number> {
  const child = spawn(SHELL, ['-c', script], { stdio: 'ignore' })
  await once(child, 'exit')
  return child.pid!
}

function isOf(event: QuarkEvent, ...argv: string[]): boolean {
  return String(event.process?.argv) === String(argv)
}

test('a command in the background that outlives its shell has the shell as its parent', LIMIT, async () => {
  for (const aggregation of ['default', 'none'] as const) {
    let shell = 0
    const run = async (): Promise<void> => {
      shell = await runScript('/bin/sleep 0.3123 & exit 0')
    }
    const all = await eventsDuring({ aggregation }, run, 1000)
    const pid = all.find((event) => isOf(event, '/bin/sleep', '0.3123'))?.process?.pid
    const events = all.filter(({ kind, process }) => kind === 'process' && process?.pid === pid)
    assert.ok(events.length >= 1)
    for (const { process } of events) assert.equal(process?.creatorPid ?? process?.ppid, shell)
    const [first] = events
    assert.equal(first?.process?.ppid, shell)
    assert.deepEqual(first?.relatives?.parent?.argv, [SHELL, '-c', '/bin/sleep 0.3123 & exit 0'])
    assert.equal(first?.relatives?.parent?.exitTimeNs, undefined)
    if (aggregation === 'none') assert.notEqual(events.at(-1)?.process?.ppid, shell)
  }
})

test(
  'a parent that becomes another program, and ends, is what it was when it made the child',
  LIMIT,
  async () => {
    const script = '(/bin/sleep 0.2321 & exec /bin/true) & wait; exit 0'
    const all = await eventsDuring({}, async () => void (await runScript(script)), 1000)
    const event = all.find((event) => isOf(event, '/bin/sleep', '0.2321'))
    const parent = event?.relatives?.parent
    assert.equal(parent?.pid, event?.process?.ppid)
    assert.equal(parent?.comm, 'sh')
    assert.deepEqual(parent?.argv, [SHELL, '-c', script])
    assert.equal(parent?.exitTimeNs, undefined)
    const whole = all.filter(({ kind, process }) => kind === 'process' && process?.pid === parent?.pid)
    assert.equal(whole.at(-1)?.process?.comm, 'true')
  },
)

test(
  'events are in order of time from the first one on, and ends of processes never seen say so',
  LIMIT,
  async () => {
    const storm = spawn(SHELL, ['-c', 'i=0; while [ $i -lt 600 ]; do /bin/true & i=$((i+1)); done; wait'], {
      stdio: 'ignore',
    })
    const ended = once(storm, 'exit')
    const events = await eventsDuring({ snapshot: true }, async () => sleep(100), 1200)
    storm.kill('SIGKILL')
    await ended
    let latestNs = 0n
    let late = 0
    for (const { timeNs } of events) {
      if (timeNs < latestNs) late += 1
      latestNs = timeNs
    }
    assert.equal(late, 0)
    assert.ok(events.some(({ kind }) => kind === 'snapshot'))
    for (const event of events) {
      if (event.kind !== 'process' || event.actions.join() !== 'exit') continue
      const { process } = event
      assert.ok(process.comm !== undefined, `the end of ${process.pid} has a name`)
      assert.equal(process.unseen, process.exe === undefined)
    }
  },
)
