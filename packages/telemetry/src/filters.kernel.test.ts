import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Readable, Writable } from 'node:stream'
import { test } from 'node:test'
import { kernelBtf, ProbeSession } from 'quark-ebpf'
import { TimeBase } from './event/time-base.js'
import type { QuarkEvent, QuarkOptions, ReplayOptions } from './kinds/index.js'
import { jsonOf } from './outputs.js'
import { ProcessRecord } from './process/entry.js'
import { ProcessTable } from './process/table.js'
import { inheritProbe } from './process/tracked/kernel.js'
import { KernelSet } from './process/tracked/kernel-set.js'
import { Tracking } from './process/tracked/tracking.js'
import { Quark } from './quark.js'
import { kprobeTest } from './testing/kprobe-test.js'

const LIMIT = { timeout: 60_000 }

/** A test for each backend that can watch processes here. */
function testBackends(name: string, body: (options: QuarkOptions) => Promise<void>): void {
  test(`ebpf: ${name}`, LIMIT, () => body({ backends: ['ebpf'] }))
  kprobeTest(`kprobe: ${name}`, () => body({ backends: ['kprobe'] }))
  test(`procConnector: ${name}`, LIMIT, () => body({ backends: ['procConnector'] }))
}

/** Whether arguments of processes that end at once are known. */
function knowsShortLives({ capabilities }: Quark): boolean {
  return capabilities.backend !== 'procConnector'
}

/** A shell that waits for a line before it does something. */
type Shell = ChildProcess & { readonly pid: number; readonly stdin: Writable; readonly stdout: Readable }

function blocked(script: string): Shell {
  return spawn('/bin/sh', ['-c', `read x; ${script}`], { stdio: ['pipe', 'pipe', 'ignore'] }) as Shell
}

/** Lets shells go on, and waits until all that they made has ended: whatever has their output. */
async function letGo(...shells: readonly Shell[]): Promise<void> {
  await Promise.all(
    shells.map((shell) => {
      const ended = once(shell, 'close')
      shell.stdout.resume()
      shell.stdin.end('\n')
      return ended
    }),
  )
}

/** Takes events all the while: where /proc has what is known, the sooner the more. */
class Reader {
  readonly events: QuarkEvent[] = []
  readonly #quark: Quark
  readonly #reading: Promise<void>
  #isOver: (events: readonly QuarkEvent[]) => boolean = () => false

  constructor(quark: Quark) {
    this.#quark = quark
    this.#reading = this.#read()
  }

  async #read(): Promise<void> {
    while (!this.#isOver(this.events)) {
      this.events.push(...this.#quark.poll())
      await this.#quark.wait(20)
    }
  }

  /** All events, once those so far are enough, with what is held then. */
  async until(isOver: (events: readonly QuarkEvent[]) => boolean): Promise<readonly QuarkEvent[]> {
    this.#isOver = isOver
    await this.#reading
    this.events.push(...this.#quark.finish())
    return this.events
  }

  /** Waits until all has been delivered that happened so far. */
  async caughtUp(): Promise<void> {
    const marker = blocked('exit 0')
    await letGo(marker)
    while (!hasEnded(marker.pid)(this.events)) await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

function hasEnded(pid: number): (events: readonly QuarkEvent[]) => boolean {
  return (events) =>
    events.some(
      (event) => event.kind === 'process' && event.process.pid === pid && event.actions.includes('exit'),
    )
}

function commandsOf(events: readonly QuarkEvent[]): string[] {
  return events.flatMap((event) => (event.kind === 'process' ? (event.process.argv ?? []).join(' ') : []))
}

/** Whether an event is about a process or one of its children. */
function isOf({ process }: QuarkEvent, pid: number): boolean {
  return process?.pid === pid || process?.ppid === pid || process?.creatorPid === pid
}

/** A tree of which one process outlives its parents, in another session. */
const TREE =
  '(setsid /bin/sh -c "/bin/sleep 0.4; exit 0" & exit 0); /bin/sh -c "/bin/true; /bin/true"; exit 3'

for (const bystanders of [1, 100]) {
  testBackends(
    `a tree is followed whole, and nothing else is, beside ${bystanders} others`,
    async (chosen) => {
      const root = blocked(TREE)
      const others = blocked(`i=0; while [ $i -lt ${bystanders} ]; do /bin/echo $i; i=$((i+1)); done`)
      await using quark = await Quark.open({ ...chosen, snapshot: true, where: { treeOf: root.pid } })
      const reader = new Reader(quark)
      await letGo(root, others)
      const events = await reader.until(() => quark.treeSize() === 0)
      const commands = commandsOf(events)
      if (knowsShortLives(quark)) {
        assert.ok(commands.includes('/bin/sleep 0.4'), commands.join('\n'))
        const ofTrue = events.filter(({ process }) => process?.argv?.join() === '/bin/true')
        assert.equal(new Set(ofTrue.map(({ process }) => process?.pid)).size, 2)
      }
      const strangers = events.filter(
        ({ process }) => process?.pid === others.pid || process?.ppid === others.pid,
      )
      assert.deepEqual(strangers, [])
      const snapshots = events.filter(({ kind }) => kind === 'snapshot')
      assert.deepEqual(
        snapshots.map(({ process }) => process?.pid),
        [root.pid],
      )
      // All processes of the tree are known from their begin to their end.
      const pids = new Set(events.flatMap(({ process }) => process?.pid ?? []))
      for (const pid of pids) assert.ok(hasEnded(pid)(events), `the end of ${pid}`)
      // The parent of the root has its name, although its events are not wanted.
      const [first] = snapshots
      assert.equal(first?.relatives?.parent?.pid, process.pid)
      const inKernel = !quark.capabilities.missing.some(({ fact }) => fact === 'filtersInKernel')
      assert.equal(inKernel, quark.capabilities.backend === 'ebpf')
      const { produced } = quark.stats()
      if (inKernel) assert.ok((produced['fork'] ?? 0) < 10, JSON.stringify(produced))
      else assert.ok(quark.stats().filtered >= bystanders)
    },
  )
}

testBackends(
  'a tree that is left out is so from its first record on, and again when it is not any more',
  async (chosen) => {
    const tool = blocked('/bin/sleep 0.13 & /bin/sleep 0.1; wait; echo done; read y; /bin/sleep 0.12; exit 0')
    const other = blocked('/bin/sleep 0.1')
    await using quark = await Quark.open({ ...chosen, snapshot: true, excludePids: [tool.pid] })
    const reader = new Reader(quark)
    tool.stdin.write('\n')
    await Promise.all([letGo(other), once(tool.stdout, 'data')])
    await reader.caughtUp()
    const before = [...reader.events]
    assert.equal(quark.include(tool.pid), true)
    assert.equal(quark.include(tool.pid), false)
    await letGo(tool)
    const events = await reader.until(hasEnded(tool.pid))
    assert.deepEqual(
      before.filter((event) => isOf(event, tool.pid)),
      [],
    )
    const found = before.filter(({ kind }) => kind === 'snapshot').map(({ process }) => process?.pid)
    assert.ok(found.includes(process.pid))
    assert.ok(hasEnded(other.pid)(before))
    const later = events.slice(before.length).filter(({ process }) => process?.ppid === tool.pid)
    assert.ok(later.length > 0, 'children that it has made since')
    if (knowsShortLives(quark)) assert.ok(commandsOf(later).includes('/bin/sleep 0.12'))
  },
)

testBackends(
  'a process that is left out while the queue runs takes its descendants with it',
  async (chosen) => {
    const tool = blocked('/bin/sleep 0.13; (/bin/sh -c "/bin/sleep 0.13; exit 0"); exit 0')
    const other = blocked('/bin/sleep 0.1; exit 0')
    await using quark = await Quark.open({ ...chosen, excludePids: [] })
    assert.equal(quark.exclude(tool.pid), true)
    assert.equal(quark.exclude(0x7fff_fff0), false)
    const reader = new Reader(quark)
    await letGo(tool, other)
    await reader.caughtUp()
    const events = await reader.until(hasEnded(other.pid))
    assert.equal(commandsOf(events).includes('/bin/sleep 0.13'), false)
    assert.deepEqual(
      events.filter((event) => isOf(event, tool.pid)),
      [],
    )
  },
)

testBackends('a replay with the same filter has the same events', async (chosen) => {
  const path = join(tmpdir(), `quark-filters-${process.pid}-${String(chosen.backends)}`)
  try {
    const root = blocked(TREE)
    const others = blocked('/bin/sleep 0.1; /bin/sleep 0.1')
    const all: QuarkEvent[] = []
    {
      await using quark = await Quark.open({ ...chosen, snapshot: true, record: path })
      const reader = new Reader(quark)
      await letGo(root, others)
      await reader.caughtUp()
      all.push(...(await reader.until(() => true)))
    }
    assert.ok(hasEnded(root.pid)(all) && hasEnded(others.pid)(all))
    await using replay = await Quark.replay(path, { where: { treeOf: root.pid } })
    const events: QuarkEvent[] = []
    for await (const event of replay) events.push(event)
    assert.ok(hasEnded(root.pid)(events))
    assert.deepEqual(
      events.filter((event) => isOf(event, others.pid)),
      [],
    )
    const ofTree = new Set(events.flatMap(({ process }) => process?.pid ?? []))
    assert.ok(ofTree.size >= 5, `${ofTree.size} processes`)
    const whole = all.filter(({ kind, process }) => kind === 'lost' || ofTree.has(process?.pid ?? -1))
    assert.equal(events.length, whole.length)
    assert.equal(replay.stats().filtered, all.length - whole.length)
    assert.equal(replay.treeSize(), 0)
  } finally {
    rmSync(path, { force: true })
  }
})

test(
  'what the kernel left out is in no recording; a replay with the same filter has the rest',
  LIMIT,
  async () => {
    const path = join(tmpdir(), `quark-filters-${process.pid}-tree`)
    try {
      const root = blocked(TREE)
      const others = blocked('/bin/sleep 0.1')
      const where = { treeOf: root.pid }
      const live: QuarkEvent[] = []
      {
        await using quark = await Quark.open({ backends: ['ebpf'], snapshot: true, where, record: path })
        const reader = new Reader(quark)
        await letGo(root, others)
        live.push(...(await reader.until(() => quark.treeSize() === 0)))
      }
      const lines = async (options: ReplayOptions): Promise<string[]> => {
        await using replay = await Quark.replay(path, options)
        const written: string[] = []
        for await (const event of replay) written.push(jsonOf(event))
        return written
      }
      const same = await lines({ where })
      assert.deepEqual(
        same,
        live.map((event) => jsonOf(event)),
      )
      const all = await lines({})
      assert.ok(all.length > same.length, 'snapshots of the ancestors')
      assert.equal(
        all.some((line) => line.includes(`"pid":${others.pid},`)),
        false,
      )
    } finally {
      rmSync(path, { force: true })
    }
  },
)

test('what ended while the kernel left it out is not in the table for ever', LIMIT, async () => {
  const tool = blocked('exit 0')
  const tracking = new Tracking({ treeOf: [], excludePids: [tool.pid] })
  const table = new ProcessTable({ graceMs: 0, maxProcesses: 100 }, new TimeBase(0n))
  for (const pid of [tool.pid, process.pid]) {
    const found = new ProcessRecord(pid, new TimeBase(0n))
    found.ppid = 1
    table.applySnapshot(found)
  }
  const session = ProbeSession.open({ btf: kernelBtf(), ringSizeBytes: 1 << 16 }, [inheritProbe()])
  using _session = session
  session.attach(inheritProbe())
  const set = new KernelSet(session)
  tracking.putInto(set)
  tracking.useKernel(set)
  tracking.begin(table)
  tracking.tidy(table, 1)
  assert.equal(table.size, 2)
  await letGo(tool)
  tracking.tidy(table, 2)
  assert.equal(table.size, 2, 'not at every poll')
  tracking.tidy(table, 20_000)
  assert.deepEqual(
    [...table.living()].map(([pid]) => pid),
    [process.pid],
  )
})
