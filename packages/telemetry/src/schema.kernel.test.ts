import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { QuarkEvent } from './kinds/index.js'
import { jsonOf } from './outputs.js'
import { Quark } from './quark.js'
import { declarations } from './stream.js'
import { schemaCheck } from './testing/schema.js'

const LIMIT = { timeout: 60_000 }
const DEADLINE_MS = 30_000

/** Takes events until one is found; fails when none comes. */
async function takeUntil(
  quark: Quark,
  events: QuarkEvent[],
  found: (event: QuarkEvent) => boolean,
): Promise<void> {
  const started = performance.now()
  while (!events.some(found)) {
    assert.ok(performance.now() - started < DEADLINE_MS, 'The event did not come')
    events.push(...quark.poll())
    await sleep(1)
  }
}

test('the schema fits what this machine does', LIMIT, async () => {
  const check = schemaCheck(declarations)
  const events: QuarkEvent[] = []
  await using quark = await Quark.open({
    snapshot: true,
    threads: true,
    failedExecs: true,
    usage: true,
    maxEnvBytes: 4096,
  })
  spawnSync('/nonexistent/program')
  const child = spawn('/bin/sh', ['-c', 'exit 3'], { stdio: 'ignore' })
  await once(child, 'exit')
  await takeUntil(quark, events, (event) => event.kind === 'execFailed')
  const isEnd = (event: QuarkEvent): boolean =>
    event.kind === 'process' && event.process.pid === child.pid && event.actions.includes('exit')
  await takeUntil(quark, events, isEnd)
  events.push(...quark.finish())

  assert.ok(events.some(({ kind }) => kind === 'snapshot'))
  for (const event of [quark.startEvent(), ...events, quark.endEvent()]) check(jsonOf(event))
  assert.equal(events.find(isEnd)?.process?.exitCode, 3)
})

test('the schema fits raw records', LIMIT, async () => {
  const check = schemaCheck(declarations)
  const events: QuarkEvent[] = []
  await using quark = await Quark.open({ bypass: true })
  spawnSync('/bin/true')
  await takeUntil(quark, events, ({ kind }) => kind === 'raw')
  for (const event of events) check(jsonOf(event))
})
