import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { test } from 'node:test'
import type { QuarkEvent } from './kinds/index.js'
import { RULES_IN_KERNEL } from './process/ruled/ruling.js'
import { Quark } from './quark.js'
import { rulesOf } from './rule-sets.js'

const LIMIT = { timeout: 60_000 }

const WORKER = join(import.meta.dirname, 'testing', 'getpid-worker.js')

interface Worker {
  readonly pid: number
  work(count: number, comm?: string): Promise<void>
  end(): Promise<void>
}

function worker(): Worker {
  const child = spawn(process.execPath, [WORKER], { stdio: ['pipe', 'pipe', 'inherit'] }) as ChildProcess & {
    readonly pid: number
  }
  return {
    pid: child.pid,
    async work(count, comm) {
      child.stdin?.write(comm === undefined ? `${count}\n` : `${count} ${comm}\n`)
      await once(child.stdout!, 'data')
    },
    async end() {
      if (child.exitCode !== null) return
      const ended = once(child, 'exit')
      child.stdin?.end()
      await ended
    },
  }
}

/** How many calls of a process are in events. */
function calls(events: readonly QuarkEvent[], pid: number): number {
  return events.filter((event) => event.kind === 'getpid' && event.process?.pid === pid).length
}

/** Takes events for a while. */
async function take(quark: Quark, ms: number): Promise<QuarkEvent[]> {
  const events: QuarkEvent[] = []
  const endMs = Date.now() + ms
  while (Date.now() < endMs) {
    events.push(...quark.poll())
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
  return events
}

test(
  'what rules drop of a process is left out in the kernel, until the process is another one',
  LIMIT,
  async () => {
    const [noisy, quiet] = [worker(), worker()]
    try {
      const rules = rulesOf(`drop on process.pid ${noisy.pid} not process.comm other event.kind getpid`)
      await using quark = await Quark.open({ rules, getpid: true, holdMs: 50 })
      const { attached, missing } = quark.capabilities
      assert.ok(
        attached.some(({ fact }) => fact === RULES_IN_KERNEL),
        JSON.stringify(missing),
      )
      await noisy.work(20)
      await quiet.work(20)
      let events = await take(quark, 500)
      assert.equal(calls(events, noisy.pid), 0)
      // Node calls it now and then, too.
      assert.ok(calls(events, quiet.pid) >= 20)
      const before = quark.stats().produced['getpid'] ?? 0
      await noisy.work(500)
      await quiet.work(20)
      events = await take(quark, 500)
      assert.equal(calls(events, noisy.pid), 0)
      assert.ok(calls(events, quiet.pid) >= 20)
      const written = (quark.stats().produced['getpid'] ?? 0) - before
      assert.ok(written < 400, `${written} records, of which 500 need not be written`)
      const [counter] = rules.counters()
      assert.ok((counter?.leftOut ?? 0) >= 500, JSON.stringify(counter))
      assert.ok((counter?.hits ?? 0) >= 520, JSON.stringify(counter))
      // From its first event on: nothing that was decided before counts.
      await noisy.work(30, 'other')
      events = await take(quark, 500)
      assert.ok(calls(events, noisy.pid) >= 30)
    } finally {
      await Promise.all([noisy.end(), quiet.end()])
    }
  },
)
