import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { QuarkEvent } from './kinds/index.js'
import { Quark } from './quark.js'

const LIMIT = { timeout: 60_000 }
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

/** A ring of io_uring with a thread of the kernel that polls it; prints the threads that there are. */
const POLLED = `
const { ioUringPolled } = await import('${NATIVE}')
const { readdirSync, readFileSync } = await import('node:fs')
const isThere = ioUringPolled()
const names = readdirSync('/proc/self/task').map((tid) => [+tid, readFileSync('/proc/self/task/' + tid + '/comm', 'latin1').trim()])
console.log(JSON.stringify(isThere ? names.filter(([, comm]) => comm.startsWith('iou-')).map(([tid]) => tid) : []))`

test('threads that io_uring makes in a process have neither a beginning nor an end', LIMIT, async (t) => {
  const ending = new AbortController()
  await using quark = await Quark.open({ threads: true, signal: ending.signal })
  const events: QuarkEvent[] = []
  const reading = (async () => {
    for await (const batch of quark.batches()) events.push(...batch)
  })()
  const child = spawn(process.execPath, ['--input-type=module', '-e', POLLED], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let output = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text))
  await once(child, 'close')
  // The kernel ends its thread when the ring is closed, some time after the process.
  await sleep(1000)
  ending.abort()
  await reading
  const workers = JSON.parse(output) as number[]
  if (workers.length === 0) {
    t.skip('this kernel offers no io_uring')
    return
  }
  const threads = events.flatMap((event) =>
    event.kind === 'thread' && event.pid === child.pid ? [event] : [],
  )
  assert.ok(threads.length > 0)
  assert.deepEqual(
    threads.filter(({ tid }) => workers.includes(tid)),
    [],
  )
})
