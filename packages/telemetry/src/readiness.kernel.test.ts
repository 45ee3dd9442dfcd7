import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { test } from 'node:test'
import type { QuarkEvent } from './kinds/index.js'
import type { BackendName } from './options/declare.js'
import { Quark } from './quark.js'
import { kprobeTest } from './testing/kprobe-test.js'
import { pollOne } from './testing/native.js'

const LIMIT = { timeout: 240_000 }
const LIMIT_MS = 60_000
/** A queue that nothing wakes looks for losses after so long. */
const MAX_SLEEP_MS = 10_000

function isEndOf(pid: number, event: QuarkEvent): boolean {
  return event.kind === 'process' && event.process.pid === pid && event.actions.includes('exit')
}

/** What an event loop of its own does: nothing of Node's runs meanwhile. Returns how often it woke. */
function pollUntilEnd(quark: Quark, pid: number): number {
  const fd = quark.pollFd()
  const endMs = performance.now() + LIMIT_MS
  for (let wakeups = 1; performance.now() < endMs; wakeups += 1) {
    assert.ok(pollOne(fd, LIMIT_MS), 'it never became readable')
    if (quark.poll().some((event) => isEndOf(pid, event))) return wakeups
  }
  throw new Error(`no end of process ${pid}`)
}

/** Reads until the queue is idle: from then on only a record makes it readable, within its longest sleep. */
function settle(quark: Quark): void {
  for (let i = 0; i < 20; i += 1) quark.poll()
}

async function deliversEach(backend: BackendName, holdMs: number): Promise<void> {
  const before = readdirSync('/proc/self/fd').length
  const quark = await Quark.open({ backends: [backend], holdMs, releaseEarly: false })
  const fd = quark.pollFd()
  assert.equal(quark.pollFd(), fd)
  let soonestMs = Number.POSITIVE_INFINITY
  for (let i = 0; i < 5; i += 1) {
    settle(quark)
    const began = performance.now()
    const { pid } = spawnSync('/bin/true')
    // Held events are due while no record comes to wake anybody.
    pollUntilEnd(quark, pid)
    soonestMs = Math.min(soonestMs, performance.now() - began)
  }
  assert.ok(soonestMs < MAX_SLEEP_MS, `${soonestMs} ms`)
  // Node's own way to wait goes on working, and so does the descriptor after it.
  await quark.wait(1)
  const { pid } = spawnSync('/bin/true')
  pollUntilEnd(quark, pid)
  quark.finish()
  assert.ok(pollOne(fd, LIMIT_MS), 'the end is not to be missed')
  await quark.close()
  assert.throws(() => quark.pollFd(), { code: 'ERR_QUARK_CLOSED' })
  assert.equal(readdirSync('/proc/self/fd').length, before)
}

for (const backend of ['ebpf', 'procConnector'] as const) {
  test(
    `${backend}: an event loop of one's own wakes for records, and when held events are due`,
    LIMIT,
    async () => {
      await deliversEach(backend, 50)
      await deliversEach(backend, 400)
    },
  )
}

kprobeTest("kprobe: an event loop of one's own wakes for records, and when held events are due", () =>
  deliversEach('kprobe', 200),
)

test('records of a bypass queue wake the loop too', LIMIT, async () => {
  await using quark = await Quark.open({ backends: ['ebpf'], bypass: true })
  const fd = quark.pollFd()
  settle(quark)
  spawnSync('/bin/true')
  const endMs = performance.now() + LIMIT_MS
  let records = 0
  while (records === 0 && performance.now() < endMs) {
    assert.ok(pollOne(fd, LIMIT_MS))
    records = quark.poll().length
  }
  assert.ok(records > 0)
})

test('an idle queue does not wake its loop over and over', LIMIT, async (t) => {
  await using quark = await Quark.open({ backends: ['ebpf'], kernelThreads: false, snapshot: false })
  const fd = quark.pollFd()
  settle(quark)
  let empty = 0
  let wakeups = 0
  const endMs = performance.now() + 2000
  while (performance.now() < endMs) {
    if (!pollOne(fd, 100)) continue
    wakeups += 1
    const { produced } = quark.stats()
    quark.poll()
    if (JSON.stringify(quark.stats().produced) === JSON.stringify(produced)) empty += 1
  }
  t.diagnostic(`${wakeups} wakeups in 2 s, ${empty} without a new record`)
  // Timers: at most every few milliseconds, if other processes of the machine go on making records.
  assert.ok(wakeups < 1500, `${wakeups} wakeups`)
})
