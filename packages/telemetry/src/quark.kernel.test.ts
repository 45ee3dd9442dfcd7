import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync, rmSync } from 'node:fs'
import { after, before, test } from 'node:test'
import { QuarkError } from './errors.js'
import type { QuarkEvent } from './kinds/index.js'
import type { ProcessEvent } from './kinds/process/events.js'
import { Quark } from './quark.js'
import { exitingProgram, sleepingProgram } from './testing/elf.js'
import { untilAsleep } from './testing/observe.js'
import { collectUntilExit, makeDirectory, writeProgram } from './testing/scenario.js'

const HOUR_MS = 3_600_000
const STATUS = 7
/** Longer than any of these tests takes; one that waits for what never comes fails. */
const LIMIT = { timeout: 60_000 }

let directory = ''
let short = ''
let sleeper = ''
let descriptors: string[] = []

before(async () => {
  directory = makeDirectory('queue')
  short = writeProgram(directory, 'short', exitingProgram(STATUS))
  sleeper = writeProgram(directory, 'sleeper', sleepingProgram())
  // What node opens for the first child and keeps is no leak.
  await runShort()
  descriptors = readdirSync('/proc/self/fd')
})
after(() => {
  rmSync(directory, { recursive: true, force: true })
  // One that node had open for a moment then may be gone now.
  const more = readdirSync('/proc/self/fd').filter((fd) => !descriptors.includes(fd))
  assert.deepEqual(more, [], 'descriptors are left open')
})

/** Runs a process that ends at once, and returns its pid after it has ended. */
async function runShort(): Promise<number> {
  const child = spawn(short, { stdio: 'ignore' })
  await once(child, 'exit')
  return child.pid!
}

async function startSleeper(): Promise<ChildProcess & { pid: number }> {
  const child = spawn(sleeper, { stdio: 'ignore' })
  await once(child, 'spawn')
  await untilAsleep(child.pid!)
  return child as ChildProcess & { pid: number }
}

async function kill(child: ChildProcess): Promise<void> {
  const ended = once(child, 'exit')
  child.kill('SIGKILL')
  await ended
}

function eventsOf(events: readonly QuarkEvent[], pid: number): ProcessEvent[] {
  return events.filter(
    (event): event is ProcessEvent => event.kind === 'process' && event.process.pid === pid,
  )
}

/** The one event of a short process. */
function assertWhole(events: readonly QuarkEvent[], pid: number): void {
  const seen = eventsOf(events, pid).map(({ actions, process }) => [
    actions.join(),
    process.exe,
    process.exitCode,
  ])
  assert.deepEqual(seen, [['fork,exec,exit', short, STATUS]])
}

function isClosed(error: unknown): boolean {
  return error instanceof QuarkError && error.code === 'ERR_QUARK_CLOSED'
}

test('each of several queues sees everything, also after another one is closed', LIMIT, async () => {
  const queues = [await Quark.open(), await Quark.open({ holdMs: 50 }), await Quark.open()]
  const [first, second, third] = queues as [Quark, Quark, Quark]
  try {
    const before = await runShort()
    for (const quark of queues) assertWhole(await collectUntilExit(quark, before), before)
    await second.close()
    const later = await runShort()
    for (const quark of [first, third]) assertWhole(await collectUntilExit(quark, later), later)
    assert.throws(() => second.poll(), isClosed)
  } finally {
    for (const quark of queues) await quark.close()
  }
})

const WAYS: Record<string, (quark: Quark, pid: number) => Promise<QuarkEvent[]>> = {
  'for await': async (quark, pid) => {
    const events: QuarkEvent[] = []
    for await (const event of quark) {
      events.push(event)
      if (hasEnded([event], pid)) break
    }
    return events
  },
  batches: async (quark, pid) => {
    const events: QuarkEvent[] = []
    for await (const batch of quark.batches()) {
      assert.ok(batch.length > 0, 'a batch is empty')
      events.push(...batch)
      if (hasEnded(batch, pid)) break
    }
    return events
  },
  'poll and wait': async (quark, pid) => {
    const events: QuarkEvent[] = []
    while (!hasEnded(events, pid)) {
      await quark.wait()
      events.push(...quark.poll())
    }
    return events
  },
}

function hasEnded(events: readonly QuarkEvent[], pid: number): boolean {
  return eventsOf(events, pid).some(({ actions }) => actions.includes('exit'))
}

for (const [name, collect] of Object.entries(WAYS)) {
  test(`a short process is delivered once: ${name}`, LIMIT, async () => {
    await using quark = await Quark.open()
    const pid = await runShort()
    const events = await collect(quark, pid)
    assertWhole([...events, ...quark.finish()], pid)
  })
}

test('whoever leaves the loop at an event gets the next one later: none is lost', LIMIT, async () => {
  await using quark = await Quark.open({ holdMs: 50 })
  const pids = await Promise.all(Array.from({ length: 30 }, runShort))
  const events: QuarkEvent[] = []
  while (pids.some((pid) => !hasEnded(events, pid))) {
    for await (const event of quark) {
      events.push(event)
      break
    }
  }
  for (const pid of pids) assertWhole(events, pid)
  // Batches and poll go on where the loop was left.
  const more = await Promise.all(Array.from({ length: 10 }, runShort))
  const rest: QuarkEvent[] = []
  for await (const event of quark) {
    rest.push(event)
    if (more.some((pid) => hasEnded(rest, pid))) break
  }
  while (more.some((pid) => !hasEnded(rest, pid))) {
    rest.push(...quark.poll())
    await quark.wait()
  }
  for (const pid of more) assertWhole(rest, pid)
})

test('a signal that is aborted before opening refuses it', async () => {
  const reason = new Error('changed my mind')
  await assert.rejects(Quark.open({ signal: AbortSignal.abort(reason) }), reason)
})

test('an abort during iteration delivers what is held, and ends', LIMIT, async () => {
  const ending = new AbortController()
  await using quark = await Quark.open({ holdMs: HOUR_MS, signal: ending.signal })
  const child = await startSleeper()
  try {
    const events: QuarkEvent[] = []
    const iterating = (async () => {
      for await (const event of quark) events.push(event)
    })()
    await new Promise((resolve) => setTimeout(resolve, 300))
    assert.deepEqual(eventsOf(events, child.pid), [], 'what could be joined later is held')
    ending.abort()
    await iterating
    const [event, ...others] = eventsOf(events, child.pid)
    assert.deepEqual([event?.actions, others], [['fork', 'exec'], []])
    assert.equal(quark.isEnded, true)
    assert.deepEqual(quark.poll(), [])
    for await (const more of quark) assert.fail(`nothing comes after the end: ${more.kind}`)
    await quark.wait()
  } finally {
    await kill(child)
  }
})

test('a signal that is aborted before iteration delivers what there is', LIMIT, async () => {
  const ending = new AbortController()
  await using quark = await Quark.open({ snapshot: true, holdMs: HOUR_MS, signal: ending.signal })
  const pid = await runShort()
  ending.abort()
  const events: QuarkEvent[] = []
  for await (const event of quark) events.push(event)
  assertWhole(events, pid)
  const own = events.filter((event) => event.kind === 'snapshot' && event.process.pid === process.pid)
  assert.equal(own.length, 1)
})

test('an abort ends a wait', LIMIT, async () => {
  const ending = new AbortController()
  await using quark = await Quark.open({ signal: ending.signal })
  const waiting = (async () => {
    while (!ending.signal.aborted) {
      quark.poll()
      await quark.wait()
    }
  })()
  await new Promise((resolve) => setTimeout(resolve, 100))
  ending.abort()
  await waiting
})

test('a queue is iterated once at a time', LIMIT, async () => {
  await using quark = await Quark.open()
  const pid = await runShort()
  const events: QuarkEvent[] = []
  for await (const event of quark) {
    events.push(event)
    await assert.rejects(async () => {
      for await (const other of quark) assert.fail(`a second loop got ${other.kind}`)
    }, isClosed)
    await assert.rejects(quark.batches().next(), /Cannot iterate a queue twice at the same time/)
    if (hasEnded(events, pid)) break
  }
  const again = await runShort()
  assertWhole(await collectUntilExit(quark, again), again)
})

test('a closed queue refuses to poll, and can still be queried', LIMIT, async () => {
  const quark = await Quark.open()
  const pid = await runShort()
  await collectUntilExit(quark, pid)
  const before = quark.stats()
  await quark.close()
  await quark.close()
  await quark[Symbol.asyncDispose]()

  assert.throws(() => quark.poll(), isClosed)
  assert.throws(() => quark.finish(), isClosed)
  await assert.rejects(quark.wait(), isClosed)
  await assert.rejects(quark.batches().next(), isClosed)
  await assert.rejects(quark[Symbol.asyncIterator]().next(), isClosed)

  assert.equal(quark.isEnded, true)
  assert.equal(quark.lookup(pid)?.exitCode, STATUS)
  assert.ok([...quark.processes()].length > 0)
  assert.deepEqual(quark.ancestors(pid)[0]?.pid, process.pid)
  assert.ok(Array.isArray(quark.bufferedRecords()))
  assert.equal(quark.userName(0), 'root')
  assert.equal(quark.groupName(0), 'root')
  assert.equal(quark.capabilities.backend, 'ebpf')
  assert.equal(quark.host, quark.host)

  const stats = quark.stats()
  // A process that was looked up is no longer packed, and takes more.
  const known = { produced: {}, tableBytes: 0 }
  assert.deepEqual({ ...stats, ...known }, { ...before, ...known })
  assert.ok((stats.produced['exec'] ?? 0) >= (before.produced['exec'] ?? Infinity))
  assert.deepEqual(quark.stats(), stats)
})

test('statistics add up', LIMIT, async () => {
  await using quark = await Quark.open()
  const pid = await runShort()
  await collectUntilExit(quark, pid)
  quark.finish()
  const stats = quark.stats()
  assert.equal(stats.backend, 'ebpf')
  assert.equal(stats.buffered, 0)
  assert.equal(stats.insertions, stats.removals)
  assert.ok(stats.aggregations >= 1)
  assert.ok(stats.nonAggregations >= 1, 'processes of the scan are not joined')
  for (const name of ['fork', 'exec', 'exit']) assert.ok((stats.produced[name] ?? 0) >= 1, name)
  assert.deepEqual([stats.lost, stats.lostRingFull, stats.lostRejected], [0, {}, 0])
})

test('closing ends an iteration that waits, and one that is at an event', LIMIT, async () => {
  const waiting = await Quark.open()
  const iterating = (async () => {
    for await (const batch of waiting.batches()) assert.ok(batch.length > 0)
  })()
  await new Promise((resolve) => setTimeout(resolve, 100))
  await waiting.close()
  await iterating

  const busy = await Quark.open({ snapshot: true })
  let count = 0
  for await (const _event of busy) {
    count += 1
    if (count === 1) await busy.close()
  }
  assert.ok(count >= 1)
})

test('closing ends a wait', LIMIT, async () => {
  const quark = await Quark.open()
  const waiting = quark.wait()
  await quark.close()
  await waiting
})

/** Pids from the parent to the oldest ancestor, as /proc has them. */
function ancestorsInProc(pid: number): number[] {
  const parent = Number(/^PPid:\s+(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1])
  return parent === 0 ? [] : [parent, ...ancestorsInProc(parent)]
}

test('a live tree of children can be looked up', LIMIT, async () => {
  await using quark = await Quark.open({ holdMs: 10 })
  const script = `/bin/sh -c '"$0" 1 & echo $!; wait' "$0" & wait`
  const top = spawn('/bin/sh', ['-c', script, sleeper], { stdio: ['ignore', 'pipe', 'inherit'] })
  const ended = once(top, 'close')
  const leaf = Number(await once(top.stdout, 'data'))
  try {
    await untilAsleep(leaf)
    while (quark.lookup(leaf)?.exe !== sleeper) {
      quark.poll()
      await quark.wait(20)
    }
    const ancestors = ancestorsInProc(leaf)
    assert.deepEqual([ancestors[1], ancestors[2]], [top.pid, process.pid])
    assert.deepEqual(
      quark.ancestors(leaf).map(({ pid }) => pid),
      ancestors,
    )
    const found = quark.lookup(leaf)
    assert.deepEqual([found?.ppid, found?.argv], [ancestors[0], [sleeper, '1']])
    assert.deepEqual(quark.lookup(ancestors[0]!)?.argv?.at(-1), sleeper)

    const pids = [...quark.processes()].map(({ pid }) => pid)
    assert.deepEqual(
      pids,
      pids.toSorted((a, b) => a - b),
    )
    assert.equal(new Set(pids).size, pids.length)
    for (const pid of [leaf, ...ancestors]) assert.ok(pids.includes(pid), `${pid} is missing`)
    assert.equal(quark.stats().processes, pids.length)
    assert.equal(quark.lookup(0x7fff_fff0), undefined)
    assert.deepEqual(quark.ancestors(0x7fff_fff0), [])
  } finally {
    process.kill(leaf, 'SIGKILL')
    await ended
  }
})

test('an ended process can be looked up within the grace time, and not for long after', LIMIT, async () => {
  await using patient = await Quark.open({ graceMs: HOUR_MS })
  await using hasty = await Quark.open({ graceMs: 100 })
  const pid = await runShort()
  await collectUntilExit(patient, pid)
  await collectUntilExit(hasty, pid)
  while (hasty.lookup(pid) !== undefined) {
    await hasty.wait(50)
    hasty.poll()
  }
  assert.ok(hasty.stats().garbageCollections >= 1)
  patient.poll()
  assert.equal(patient.lookup(pid)?.exitCode, STATUS)
  assert.equal(patient.stats().garbageCollections, 0)
})

test('records that are held are shown, oldest first', LIMIT, async () => {
  await using quark = await Quark.open({ holdMs: HOUR_MS })
  const child = await startSleeper()
  try {
    quark.poll()
    const held = quark.bufferedRecords()
    assert.deepEqual(
      held.filter(({ pid }) => pid === child.pid).map(({ type }) => type),
      ['fork', 'exec'],
    )
    const times = held.map(({ timeNs }) => timeNs)
    assert.ok(times.every((time, index) => index === 0 || time >= times[index - 1]!))
    assert.equal(quark.stats().buffered, held.filter(({ type }) => type !== 'lost').length)
  } finally {
    await kill(child)
  }
})
