import assert from 'node:assert/strict'
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { QuarkEvent } from './kinds/index.js'
import { RULES_IN_KERNEL } from './process/ruled/ruling.js'
import { Quark } from './quark.js'
import type { RuleSet } from './rules/rule-set.js'
import { rulesOf } from './rule-sets.js'

/** Guests without hardware for that are slow. */
const LIMIT = { timeout: 400_000 }
const ENOUGH_MS = 60_000

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

/** Takes events until there are enough, for at most a minute. */
async function takeUntil(
  quark: Quark,
  isEnough: (events: readonly QuarkEvent[]) => boolean,
): Promise<QuarkEvent[]> {
  const events: QuarkEvent[] = []
  const endMs = Date.now() + ENOUGH_MS
  while (!isEnough(events) && Date.now() < endMs) events.push(...(await take(quark, 20)))
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
      // Events come in the order of time: when those of the quiet one are here, all earlier ones are.
      const hasQuiet = (all: readonly QuarkEvent[]): boolean => calls(all, quiet.pid) >= 20
      let events: QuarkEvent[] = []
      const isLeftOut = (): boolean => (rules.counters()[0]?.leftOut ?? 0) > 0
      for (let round = 0; round < 100 && !isLeftOut(); round++) {
        await noisy.work(20)
        await quiet.work(20)
        events = await takeUntil(quark, hasQuiet)
        assert.equal(calls(events, noisy.pid), 0)
        // Node calls it now and then, too.
        assert.ok(hasQuiet(events))
        // It is counted now and then.
        await take(quark, 300)
      }
      assert.ok(isLeftOut())
      const before = quark.stats().produced['getpid'] ?? 0
      await noisy.work(500)
      await quiet.work(20)
      events = await takeUntil(quark, hasQuiet)
      assert.equal(calls(events, noisy.pid), 0)
      assert.ok(hasQuiet(events))
      await take(quark, 300)
      const written = (quark.stats().produced['getpid'] ?? 0) - before
      assert.ok(written < 400, `${written} records, of which 500 need not be written`)
      const [counter] = rules.counters()
      assert.ok((counter?.leftOut ?? 0) >= 500, JSON.stringify(counter))
      assert.ok((counter?.hits ?? 0) >= 520, JSON.stringify(counter))
      // From its first event on: nothing that was decided before counts.
      await noisy.work(30, 'other')
      events = await takeUntil(quark, (all) => calls(all, noisy.pid) >= 30)
      assert.ok(calls(events, noisy.pid) >= 30)
    } finally {
      await Promise.all([noisy.end(), quiet.end()])
    }
  },
)

function sh(script: string): void {
  execFileSync('/bin/sh', ['-c', script])
}

test(
  'trees of which rules drop everything are left out, also what outlives its parents; others are not',
  LIMIT,
  async () => {
    const [noisy, quiet] = [blocked('daemon & loop; true'), blocked('loop; exit 0')]
    const rules = rulesOf(`poison 5 on process.pid ${noisy.pid}\ndrop on poison 5\npass on any`)
    await using quark = await Quark.open({ rules, holdMs: 50 })
    const { attached, missing } = quark.capabilities
    assert.ok(
      attached.some(({ fact }) => fact === RULES_IN_KERNEL),
      JSON.stringify(missing),
    )
    await letGo(noisy)
    await letGo(quiet)
    const isOf = (event: QuarkEvent, marker: string): boolean =>
      event.kind === 'process' && event.actions.includes('exec') && event.process.argv?.at(-1) === marker
    const isQuiet = (event: QuarkEvent): boolean => isOf(event, `of ${quiet.pid}`)
    const events = await takeUntil(quark, (all) => all.filter(isQuiet).length >= 100)
    // Of what is left out there is nothing that the rule could be asked about; others on this machine have no tag.
    const [, dropping] = rules.counters()
    assert.ok((dropping?.hits ?? 0) < 60, `${dropping?.hits} events of 100 programs that are left out`)
    assert.equal(events.filter((event) => isOf(event, `of ${noisy.pid}`)).length, 0)
    assert.equal(events.filter(isQuiet).length, 100)
    // A process that is made later and gets no tag passes, whatever pid it has.
    sh('/bin/echo later >/dev/null')
    const isLater = (event: QuarkEvent): boolean =>
      event.kind === 'process' && event.process.argv?.at(-1) === 'later'
    assert.ok((await takeUntil(quark, (all) => all.some(isLater))).some(isLater))
  },
)

/** A shell that waits for a line before it runs a hundred programs, or leaves something behind. */
function blocked(script: string): ChildProcess & { readonly pid: number } {
  const program = `loop() { i=0; while [ $i -lt 50 ]; do /bin/true "of $$"; /bin/sh -c 'exit 0' "of $$"; i=$((i+1)); done; }
    daemon() { (sleep 0.1; /bin/true "of $$") & exit 0; }
    read x; ${script}`
  return spawn('/bin/sh', ['-c', program], { stdio: ['pipe', 'ignore', 'ignore'] }) as ChildProcess & {
    readonly pid: number
  }
}

async function letGo(shell: ChildProcess): Promise<void> {
  const ended = once(shell, 'exit')
  shell.stdin?.end('\n')
  await ended
}

/** What is to be the same whoever decides. */
function shown(events: readonly QuarkEvent[], pids: ReadonlySet<number>): string[] {
  return events.flatMap((event) => {
    const { kind, process } = event
    if (process === undefined || !pids.has(process.pid)) return []
    const actions = kind === 'process' ? event.actions.join() : ''
    return [`${process.pid} ${kind} ${actions} ${process.comm} ${process.exe} ${process.uid}`]
  })
}

/** Rules about two processes, of which each may be decided in the kernel in part. */
const RANDOM =
  `process.comm node*, process.comm a*, process.exe *node*, process.uid 0, process.arg *worker*, event.kind getpid,
event.kind process, poison 1, poison 2, process.pid FIRST, process.pid SECOND, file.path /x, ancestor.comm sh,
event.action comm-change, not process.comm b*, not poison 1`.split(/,\s+/)
function randomRules(next: () => number, pids: readonly [number, number]): string {
  const pick = <T>(list: readonly T[]): T => list[Math.floor(next() * list.length)] as T
  const rules = Array.from({ length: 1 + Math.floor(next() * 5) }, () => {
    const action = pick(['drop', 'drop', 'drop', 'pass', 'poison 1', 'poison 2'])
    return `${action} on ${[pick(RANDOM), ...(next() < 0.5 ? [pick(RANDOM)] : [])].join(' ')}`
  })
  return rules.join('\n').replaceAll('FIRST', String(pids[0])).replaceAll('SECOND', String(pids[1]))
}

test('random rules: what is delivered is what user space alone delivers', { timeout: 600_000 }, async (t) => {
  const seed = Date.now() % 2 ** 31
  t.diagnostic(`seed ${seed}`)
  let state = seed
  const next = (): number => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fff_ffff
    return state / 0x8000_0000
  }
  const directory = mkdtempSync(join(tmpdir(), 'quark-kernel-rules-'))
  t.after(() => rmSync(directory, { recursive: true, force: true }))
  let leftOut = 0
  for (let round = 0; round < 6; round++) {
    const workers = [worker(), worker()] as const
    const pids = [workers[0].pid, workers[1].pid] as const
    await Promise.all(workers.map((one) => one.work(1)))
    // In one round the kernel certainly decides something.
    const certain = round === 0 ? `drop on process.pid ${pids[0]} event.kind getpid\n` : ''
    const last = round < 3 ? 'drop on event.kind getpid process.comm node*' : ''
    const text = `${certain}${randomRules(next, pids)}\n${last}`
    const options = { getpid: true, holdMs: 20, aggregation: 'none' } as const
    const inKernel = rulesOf(text)
    const alone = rulesOf(text)
    const first = await Quark.open({ ...options, rules: inKernel })
    // A recording has all records: its rules are decided in user space.
    const second = await Quark.open({ ...options, rules: alone, record: join(directory, `r${round}`) })
    const events: [QuarkEvent[], QuarkEvent[]] = [[], []]
    for (const name of [undefined, undefined, 'aworker', undefined, 'bworker', undefined]) {
      await Promise.all(workers.map((one) => one.work(40, name)))
      const [some, same] = await Promise.all([take(first, 150), take(second, 150)])
      events[0].push(...some)
      events[1].push(...same)
    }
    await Promise.all(workers.map((one) => one.end()))
    await new Promise((resolve) => setTimeout(resolve, 100))
    events[0].push(...first.finish())
    events[1].push(...second.finish())
    leftOut += inKernel.counters().reduce((sum, counter) => sum + counter.leftOut, 0)
    await Promise.all([first.close(), second.close()])
    for (const pid of pids) {
      const [some, same] = events.map((all) => shown(all, new Set([pid])))
      // What happened before both were open is not compared.
      assert.deepEqual(some, same, text)
    }
  }
  assert.ok(leftOut > 0, 'the kernel left nothing out: the test shows nothing')
})

test('other rules decide from a moment on, also about what the kernel left out', LIMIT, async () => {
  const one = worker()
  try {
    await one.work(1)
    const all = rulesOf(`drop on process.pid ${one.pid} event.kind getpid`)
    await using quark = await Quark.open({ rules: all, getpid: true, holdMs: 50 })
    const leftOut = (rules: RuleSet): number => rules.counters()[0]?.leftOut ?? 0
    /** Works until the kernel has left out so many calls; none of them is an event. */
    const work = async (rules: RuleSet, most: number): Promise<void> => {
      for (let round = 0; round < 100 && leftOut(rules) < most; round++) {
        await one.work(50)
        assert.equal(calls(await take(quark, 300), one.pid), 0)
      }
      assert.ok(leftOut(rules) >= most, 'the kernel decides')
    }
    await work(all, 100)
    const none = rulesOf('pass on event.kind process\npass on any')
    // What is still held, or on its way, is decided by the earlier rules.
    await one.work(50)
    quark.setRules(none)
    await one.work(60)
    const events = await takeUntil(quark, (all) => calls(all, one.pid) >= 60)
    assert.ok(calls(events, one.pid) >= 60 && calls(events, one.pid) < 80, `${calls(events, one.pid)}`)
    const again = rulesOf(`drop on process.pid ${one.pid} event.kind getpid`)
    quark.setRules(again)
    await take(quark, 300)
    await work(again, 100)
  } finally {
    await one.end()
  }
})
