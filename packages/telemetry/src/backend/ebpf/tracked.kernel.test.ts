import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { test } from 'node:test'
import { kernelBtf, KernelError, ProbeSession, type RecordSink } from 'quark-ebpf'
import { eq, lookup, map, probe, record, store, struct, tracepoint, u32 } from 'quark-ebpf/probe'
import { catalogue } from '../../kinds/index.js'
import { processFacts } from '../../kinds/process/facts.js'
import { checkOptions } from '../../options/check.js'
import { ManualClock } from '../../pipeline/clock.js'
import { execLayout, exitLayout, forkLayout } from '../../kinds/process/records.js'
import { EXCLUDED, FOLLOWED, marksOf } from '../../process/tracked/flags.js'
import { asking, inheritProbe, trackedProcesses } from '../../process/tracked/kernel.js'
import { KernelSet } from '../../process/tracked/kernel-set.js'
import { Tracking } from '../../process/tracked/tracking.js'
import type { Task } from '../../process/kernel-types.js'
import { Sources } from '../sources.js'
import { EbpfBackend } from './ebpf.js'

const LIMIT = { timeout: 60_000 }
const forkedLayout = record(0x7001, 't_forked', { pid: u32, stored: u32 })
const facts = processFacts({
  settings: checkOptions(catalogue.options, {}),
  hierarchy: undefined,
  isTracked: true,
})

function open(tracking: Tracking): EbpfBackend {
  return EbpfBackend.open({
    facts,
    sources: new Sources(new ManualClock()),
    ringSizeBytes: 1 << 20,
    tracking,
  })
}

/** Notes which records of which pids came. */
class Seen implements RecordSink {
  readonly types = new Map<number, number[]>()

  record(words: Uint32Array, _bytes: Buffer, offset: number): void {
    const type = (words[offset >> 2] as number) & 0xffff
    const layout = {
      [forkLayout.type]: forkLayout,
      [execLayout.type]: execLayout,
      [exitLayout.type]: exitLayout,
    }[type]
    if (layout === undefined) return
    const pid = words[(offset + layout.at['pid']!) >> 2] as number
    this.types.set(pid, [...(this.types.get(pid) ?? []), type])
  }
}

/** A shell that waits for a line before it does something. */
function blocked(script: string): ChildProcess & { readonly pid: number } {
  const shell = spawn('/bin/sh', ['-c', `read x; ${script}`], { stdio: ['pipe', 'ignore', 'ignore'] })
  return shell as ChildProcess & { readonly pid: number }
}

async function letGo(...shells: readonly ChildProcess[]): Promise<void> {
  await Promise.all(
    shells.map((shell) => {
      const ended = once(shell, 'exit')
      shell.stdin?.end('\n')
      return ended
    }),
  )
}

function drained(backend: EbpfBackend): Seen {
  const seen = new Seen()
  while (backend.drain(seen, 10_000) > 0);
  return seen
}

test('programs write records of a followed tree only, also of what outlives its parents', LIMIT, async () => {
  const followed = blocked('(/bin/sleep 0.2 & exit 0); (sh -c "sh -c /bin/true") ; /bin/true; exit 3')
  const stranger = blocked('/bin/true; /bin/true')
  const tracking = new Tracking({ treeOf: [followed.pid], excludePids: [] })
  using backend = open(tracking)
  assert.equal(tracking.isInKernel, true, tracking.problem)
  await Promise.all([letGo(followed), letGo(stranger)])
  await new Promise((resolve) => setTimeout(resolve, 400))
  const { types } = drained(backend)
  assert.equal(types.has(stranger.pid), false)
  assert.equal(types.get(followed.pid)?.join(), String(exitLayout.type))
  // At least the shell that ended at once, sleep which outlived it, and two more.
  const whole = [...types.values()].filter((of) => of[0] === forkLayout.type && of.at(-1) === exitLayout.type)
  assert.ok(whole.length >= 4, [...types.values()].join(' '))
})

/** A session in which children inherit, and nothing is ever removed. */
function inheriting(): { readonly session: ProbeSession; readonly set: KernelSet } {
  const probe = inheritProbe()
  const session = ProbeSession.open({ btf: kernelBtf(), ringSizeBytes: 1 << 16 }, [probe])
  session.attach(probe)
  return { session, set: new KernelSet(session) }
}

/** Makes a process that has this pid, which is free. */
async function spawnAs(pid: number): Promise<ChildProcess> {
  for (let tries = 0; tries < 200; tries++) {
    writeFileSync('/proc/sys/kernel/ns_last_pid', String(pid - 1))
    const child = spawn('/bin/sleep', ['60'], { stdio: 'ignore' })
    if (child.pid === pid) return child
    await endOf(child)
  }
  return assert.fail(`no process got the pid ${pid}`)
}

async function endOf(child: ChildProcess): Promise<void> {
  const ended = once(child, 'exit')
  child.kill('SIGKILL')
  await ended
}

test('a pid that is used again has nothing of the process that had it before', LIMIT, async () => {
  const tool = blocked('exit 0')
  const { session, set } = inheriting()
  using _session = session
  set.exclude(tool.pid, 5)
  assert.deepEqual([...set.entries()], [[tool.pid, marksOf(EXCLUDED, 5)]])
  await letGo(tool)
  // Nothing has removed it: as if the program that does had been skipped.
  assert.equal(set.has(tool.pid), true)
  const stranger = await spawnAs(tool.pid)
  assert.deepEqual([...set.entries()], [[tool.pid, 0]])
  await endOf(stranger)
})

test('what had ended before it was put in is taken out', LIMIT, async () => {
  const [tool, other] = [blocked('exit 0'), blocked('exit 0')]
  const { session, set } = inheriting()
  using _session = session
  set.exclude(tool.pid, 5)
  set.exclude(other.pid, 6)
  await letGo(tool)
  set.verify()
  assert.deepEqual([...set.entries()], [[other.pid, marksOf(EXCLUDED, 6)]])
  set.include(5)
  set.include(6)
  assert.deepEqual([...set.entries()], [[other.pid, 0]])
  await letGo(other)
})

test('children that find no room in the set are counted', LIMIT, async () => {
  const tool = blocked('/bin/true; /bin/true; exit 0')
  const { session, set } = inheriting()
  using _session = session
  set.follow(tool.pid)
  const map = session.map(trackedProcesses)
  assert.equal(set.untracked, 0)
  // Pids that no process has.
  for (let pid = 0x7000_0000; ; pid++) {
    try {
      map.set(pid, { flags: FOLLOWED, exclusion: 0 })
    } catch (error) {
      assert.ok(error instanceof KernelError && error.errnoName === 'E2BIG')
      break
    }
  }
  await letGo(tool)
  assert.ok(set.untracked >= 2, String(set.untracked))
  const before = set.untracked
  const late = blocked('exit 0')
  set.exclude(late.pid, 1)
  assert.ok(set.untracked > before)
  await letGo(late)
  session.close()
  assert.ok(set.untracked > before, 'readable when the session is closed')
})

test('a probe that asks the set does to maps what it did, for every process', LIMIT, async () => {
  const seen = map({ name: 't_seen', type: 'hash', key: u32, value: u32, maxEntries: 4096 })
  const forked = probe(
    {
      name: 't_forked',
      record: forkedLayout,
      hook: tracepoint('sched_process_fork', [
        struct<Task>('task_struct', 'parent'),
        struct<Task>('task_struct', 'child'),
      ]),
    },
    (_parent, child) => ({
      when: eq(child.pid, child.tgid),
      effects: [store(seen, child.tgid, 7)],
      fill: { pid: child.tgid, stored: lookup(seen, child.tgid) },
    }),
  )
  const [followed, other] = [blocked('/bin/true; exit 0'), blocked('/bin/true; exit 0')]
  const inherit = inheritProbe()
  const asked = asking(forked, true)
  using session = ProbeSession.open({ btf: kernelBtf(), ringSizeBytes: 1 << 16 }, [inherit, asked])
  session.attach(inherit)
  new KernelSet(session).follow(followed.pid)
  session.attach(asked)
  await letGo(followed, other)
  const pids: number[] = []
  session.drain({
    record: (words, _bytes, offset) => {
      pids.push(words[(offset + forkedLayout.at.pid) >> 2] as number)
      assert.equal(words[(offset + forkedLayout.at.stored) >> 2], 7)
    },
  })
  const stored = [...session.map(seen).keys()]
  assert.ok(pids.length >= 1)
  for (const pid of pids) assert.ok(stored.includes(pid))
  assert.ok(stored.length > pids.length, 'that of the other process is in the map, too')
  const sequences = session.sequences().reduce((sum, seq) => sum + seq, 0)
  assert.equal(sequences, pids.length, 'what is not written has no number')
})
