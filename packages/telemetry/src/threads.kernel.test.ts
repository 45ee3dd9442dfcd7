import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { QuarkEvent } from './kinds/index.js'
import { Quark } from './quark.js'

const NATIVE = new URL('testing/native.js', import.meta.url).href
const EXEC = `const { execveOnThread } = await import('${NATIVE}')
await execveOnThread('/bin/sleep', { argv: ['sleep', '0.3'], env: [] })`

test(
  'a thread that executes something ends, and the one that lives on does not',
  { timeout: 60_000 },
  async () => {
    const ending = new AbortController()
    await using quark = await Quark.open({ threads: true, signal: ending.signal })
    const events: QuarkEvent[] = []
    const reading = (async () => {
      for await (const batch of quark.batches()) events.push(...batch)
    })()
    const child = spawn(process.execPath, ['--input-type=module', '-e', EXEC], { stdio: 'ignore' })
    await once(child, 'exit')
    await sleep(500)
    ending.abort()
    await reading
    const threads = events.flatMap((event) =>
      event.kind === 'thread' && event.pid === child.pid ? [event] : [],
    )
    const tids = (action: string) =>
      threads
        .filter((e) => e.action === action)
        .map((e) => e.tid)
        .sort()
    assert.ok(tids('fork').length > 0)
    assert.deepEqual(tids('exit'), tids('fork'))
    assert.ok(events.some(({ process }) => process?.pid === child.pid && process?.comm === 'sleep'))
  },
)

test(
  'threads that are killed with their process say by which signal, and all of them end',
  { timeout: 60_000 },
  async () => {
    const ending = new AbortController()
    await using quark = await Quark.open({ threads: true, signal: ending.signal })
    const events: QuarkEvent[] = []
    const reading = (async () => {
      for await (const batch of quark.batches()) events.push(...batch)
    })()
    const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'ignore' })
    await sleep(1500)
    child.kill('SIGKILL')
    await once(child, 'exit')
    await sleep(500)
    ending.abort()
    await reading
    const threads = events.flatMap((event) =>
      event.kind === 'thread' && event.pid === child.pid ? [event] : [],
    )
    const tids = (action: string) =>
      threads
        .filter((e) => e.action === action && e.tid !== e.pid)
        .map((e) => e.tid)
        .sort()
    assert.ok(tids('fork').length > 0)
    assert.deepEqual(tids('exit'), tids('fork'))
    for (const { action, exitCode, exitSignal } of threads) {
      if (action === 'exit') assert.deepEqual([exitCode, exitSignal], [undefined, 9])
    }
  },
)
