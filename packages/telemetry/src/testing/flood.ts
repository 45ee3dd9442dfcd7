/** Floods of one kind of event, made by programs that do nothing else, as fast as they can. */

import assert from 'node:assert/strict'
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { rmSync } from 'node:fs'
import { setTimeout } from 'node:timers/promises'
import type { TestContext } from 'node:test'
import type { QuarkEvent, QuarkOptions } from '../kinds/index.js'
import { Quark } from '../quark.js'
import { repeatingProgram, type Step } from './elf.js'
import { makeDirectory, writeProgram } from './scenario.js'

/** What a kind is flooded with. */
export interface Flood {
  readonly options: QuarkOptions
  readonly event: QuarkEvent['kind']
  /** The records that are such events. */
  readonly records: readonly string[]
  /** What is done again and again. */
  readonly steps: readonly Step[]
  /** So many events of one process, as the same is reported once; undefined if each time is one. */
  readonly once?: number
}

const FLOODERS = 2
const PROCESSES = 50
const ENDLESS = 0x7fff_ffff
const RING_BYTES = 2 ** 21
const WATCHED_MS = 1500
const PATIENCE_MS = 20_000
/** More than the rings, the buffer and the tables of a queue, and what waits to be collected. */
const MOST_GROWTH_BYTES = 160 * 2 ** 20

function flooders(program: string): ChildProcess[] {
  return Array.from({ length: FLOODERS }, () => spawn(program, [], { stdio: 'ignore' }))
}

async function stop(children: readonly ChildProcess[]): Promise<void> {
  for (const child of children) {
    if (child.exitCode !== null || child.signalCode !== null) continue
    const closed = once(child, 'close')
    child.kill('SIGKILL')
    await closed
  }
}

/**
 * While nobody reads, a flood fills its share of the rings, and processes that run beside it are all seen. What is lost is
 * declared.
 */
async function starve(t: TestContext, flood: Flood, program: string): Promise<void> {
  const quark = await Quark.open({
    backends: ['ebpf'],
    aggregation: 'none',
    ringSizeBytes: RING_BYTES,
    // Others on the machine make no difference.
    where: { treeOf: process.pid },
    ...flood.options,
  })
  const children = flooders(program)
  let pids: number[]
  try {
    await setTimeout(100)
    pids = Array.from({ length: PROCESSES }, () => spawnSync('/bin/true').pid)
  } finally {
    await stop(children)
  }
  const events = quark.finish()
  const { produced, lostRingFull, lost } = quark.stats()
  await quark.close()
  const ended = new Set(
    events.flatMap((event) =>
      event.kind === 'process' && event.actions.includes('exit') ? [event.process.pid] : [],
    ),
  )
  const missed = pids.filter((pid) => !ended.has(pid))
  assert.deepEqual(missed, [], 'processes beside the flood')
  const sumOf = (counts: Readonly<Record<string, number>>): number =>
    flood.records.reduce((sum, name) => sum + (counts[name] ?? 0), 0)
  const made = sumOf(produced)
  const unread = sumOf(lostRingFull)
  const seen = events.filter(({ kind }) => kind === flood.event).length
  t.diagnostic(`${seen} events, ${unread} declared lost, of ${made} records`)
  assert.equal(seen + unread, made)
  const declared = events.reduce((sum, event) => sum + (event.kind === 'lost' ? event.count : 0), 0)
  assert.equal(declared, lost)
  const ours = events.filter(
    (event) => event.kind === flood.event && children.some(({ pid }) => pid === event.process?.pid),
  ).length
  if (flood.once === undefined) assert.ok(unread > 0 && ours > 100, 'it is a flood')
  else assert.equal(ours, flood.once * FLOODERS)
}

/** A flood that is read does not make memory grow. */
async function endure(t: TestContext, flood: Flood, program: string): Promise<void> {
  const where = { treeOf: process.pid }
  const quark = await Quark.open({ backends: ['ebpf'], holdMs: 100, where, ...flood.options })
  const children = flooders(program)
  let seen = 0
  try {
    for (const event of quark.poll()) seen += event.kind === flood.event ? 1 : 0
    const before = process.memoryUsage.rss()
    const until = performance.now() + WATCHED_MS
    // A busy machine may need longer for the first ones.
    while (performance.now() < until || (seen === 0 && performance.now() < until + PATIENCE_MS)) {
      await quark.wait(50)
      for (const event of quark.poll()) seen += event.kind === flood.event ? 1 : 0
    }
    const grownBytes = process.memoryUsage.rss() - before
    t.diagnostic(`${seen} events in ${WATCHED_MS} ms, ${Math.round(grownBytes / 2 ** 20)} MiB more memory`)
    assert.ok(grownBytes < MOST_GROWTH_BYTES, `${grownBytes} bytes`)
    assert.ok(seen > 0)
  } finally {
    await stop(children)
    await quark.close()
  }
}

/** Tests a flood: nothing else starves, what is lost is declared, memory is bounded, and the same is reported once. */
export async function testFlood(t: TestContext, flood: Flood): Promise<void> {
  const directory = makeDirectory('flood')
  try {
    const program = writeProgram(directory, 'flood', repeatingProgram(ENDLESS, flood.steps))
    await starve(t, flood, program)
    await endure(t, flood, program)
  } finally {
    rmSync(directory, { recursive: true })
  }
}
