import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { rmSync } from 'node:fs'
import { test } from 'node:test'
import type { QuarkEvent } from './kinds/index.js'
import type { BackendName } from './options/declare.js'
import type { Process } from './process/process.js'
import { Quark } from './quark.js'
import { exitingProgram, sleepingProgram } from './testing/elf.js'
import { kprobeTest } from './testing/kprobe-test.js'
import { collectUntilExit, makeDirectory, writeProgram } from './testing/scenario.js'

const LIMIT = { timeout: 120_000 }
const LAST_PID = '/proc/sys/kernel/ns_last_pid'
const ROUNDS = 300
const TICK_NS = 10_000_000n

/** Whether this queue knows exact starts of older processes: only the eBPF backend can, and not on all kernels. */
function isExact(quark: Quark): boolean {
  const { attached, missing } = quark.capabilities
  const isAttached = attached.some(({ fact }) => fact === 'exactStarts')
  assert.equal(isAttached, !missing.some(({ fact }) => fact === 'exactStarts'))
  return isAttached
}

test('processes that have one pid within 10 ms have entity ids of their own', LIMIT, async (t) => {
  const directory = makeDirectory('entity-ids')
  t.after(() => rmSync(directory, { recursive: true }))
  const end = writeProgram(directory, 'end', exitingProgram(0))
  // Far from the pids that others get meanwhile. Each round has its own: some may be taken.
  const first = process.pid > 16_000 ? 4_000 : 20_000
  const again = `echo $pid >${LAST_PID}; ${end}`
  const script = `pid=${first}; while [ $pid -lt ${first + 8 * ROUNDS} ]; do ${again}; ${again}; pid=$((pid+8)); done`
  await using quark = await Quark.open({})
  const shell = spawn('/bin/sh', ['-c', script], { stdio: ['ignore', 'ignore', 'inherit'] })
  const events = await collectUntilExit(quark, shell.pid!)
  const processes = events.flatMap((event) =>
    event.kind === 'process' && event.actions.includes('fork') ? [event.process] : [],
  )
  const ticks = new Set(processes.map(({ pid, startTimeNs = 0n }) => `${pid} ${startTimeNs / TICK_NS}`))
  assert.ok(
    ticks.size < processes.length,
    `${processes.length} processes, none of which reused a pid within a tick`,
  )
  const isCoarse = !isExact(quark)
  const idOf = ({ entityId, uniqueEntityId }: Process): string | undefined =>
    isCoarse ? uniqueEntityId : entityId
  assert.equal(new Set(processes.map(idOf)).size, processes.length)
  for (const { entityIdCoarse } of processes) assert.equal(entityIdCoarse, isCoarse)
})

/** The process in the first event of that kind and pid. */
async function untilSeen(quark: Quark, kind: 'process' | 'snapshot', pid: number): Promise<Process> {
  for await (const batch of quark.batches()) {
    const event = batch.find(
      (one): one is Extract<QuarkEvent, { kind: 'process' | 'snapshot' }> =>
        one.kind === kind && one.process?.pid === pid,
    )
    if (event !== undefined) return event.process
  }
  throw new Error(`Cannot find process ${pid}`)
}

/** One queue sees a process start, another one finds it. */
async function compare(backend: BackendName): Promise<void> {
  const directory = makeDirectory('entity-ids')
  const sleeper = writeProgram(directory, 'sleeper', sleepingProgram())
  const options = { backends: [backend] } as const
  await using first = await Quark.open({ ...options, holdMs: 50 })
  const child = spawn(sleeper, [], { stdio: 'ignore' })
  const ended = once(child, 'exit')
  try {
    const seen = await untilSeen(first, 'process', child.pid!)
    await using second = await Quark.open({ ...options, snapshot: true })
    const found = await untilSeen(second, 'snapshot', child.pid!)
    assert.ok(seen.entityId !== undefined)
    assert.equal(found.entityId, seen.entityId)
    const exact = isExact(second)
    assert.equal(isExact(first), exact)
    assert.deepEqual([seen.entityIdCoarse, found.entityIdCoarse], [!exact, !exact])
    assert.equal(found.uniqueEntityId, undefined)
    assert.equal(seen.uniqueEntityId === undefined, exact)
  } finally {
    child.kill('SIGKILL')
    await ended
    rmSync(directory, { recursive: true })
  }
}

const SAME = 'a process that was seen to start has the entity id with which another queue finds it'

test(SAME, LIMIT, () => compare('ebpf'))
kprobeTest(`${SAME}: kprobes`, () => compare('kprobe'))
test(`${SAME}: proc connector`, LIMIT, () => compare('procConnector'))
