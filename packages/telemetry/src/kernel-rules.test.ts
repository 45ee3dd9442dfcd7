import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { encodeRecord, type RecordLayout } from 'quark-ebpf/probe'
import type { BaseEvent } from './event/event.js'
import { catalogue } from './kinds/index.js'
import { getpidLayout } from './kinds/getpid/records.js'
import { PROC_EVENT_UID } from './kinds/process/kernel-ids.js'
import { ptraceLayout } from './kinds/ptrace/records.js'
import { RuleEngine } from './rules/engine.js'
import { rulesOf } from './rule-sets.js'
import { RuledFilter } from './ruled-filter.js'
import { insert, record, strings, testPipeline } from './testing/process-records.js'
import { BASE_NS, RuledQueue } from './testing/ruled-queue.js'
import { Filter } from './where/filter.js'

const PIDS = 3

/** Something that happens: of the life of a process, or what it does; or the reader comes to its turn. */
interface Step {
  readonly what: 'fork' | 'exec' | 'exit' | 'comm' | 'idChange' | 'getpid' | 'ptrace' | 'execFailed' | 'pump'
  readonly pid: number
  readonly gapNs: number
  readonly number: number
  /** How often a process does it. */
  readonly times: number
}

const pid = fc.integer({ min: 1, max: PIDS })
const number = fc.nat(2)
const soon = fc.nat(1_000_000)
const times = fc.integer({ min: 1, max: 24 })
const activity = fc.constantFrom('getpid' as const, 'ptrace' as const)

const one: fc.Arbitrary<Step> = fc.record({
  what: fc.constantFrom('fork', 'exec', 'exit', 'comm', 'idChange', 'execFailed', 'getpid', 'ptrace', 'pump'),
  pid,
  gapNs: fc.oneof(soon, fc.integer({ min: 0, max: 600_000_000 })),
  number,
  times,
})
/** Enough for the kernel to be asked, if what happens next is not too near. */
const burst = fc
  .tuple(pid, activity, times, fc.integer({ min: 0, max: 300_000_000 }), fc.nat(3))
  .map(([by, what, count, gapNs, pumps]): Step[] => [
    { what, pid: by, gapNs: 1000, number: 0, times: count },
    ...Array.from({ length: pumps }, (): Step => ({ what: 'pump', pid: by, gapNs, number: 0, times: 1 })),
  ])
/** A process changes while what it did before is still held, or while the kernel is being asked. */
const overlap = fc
  .tuple(
    pid,
    activity,
    fc.constantFrom('exec' as const, 'comm' as const, 'idChange' as const, 'exit' as const),
    number,
    fc.array(fc.integer({ min: 0, max: 120_000_000 }), { minLength: 5, maxLength: 5 }),
  )
  .map(([by, what, change, value, [a = 0, b = 0, c = 0, d = 0, e = 0]]): Step[] => {
    const at = (it: Step['what'], gapNs: number, count = 1): Step => ({
      what: it,
      pid: by,
      gapNs,
      number: value,
      times: count,
    })
    return [
      at(what, a, 12),
      at('pump', b),
      at(change, c),
      at('pump', d),
      at(what, 1000, 12),
      at('pump', e),
      at(what, 1000, 12),
    ]
  })
const life = fc
  .tuple(
    fc.array(
      fc.record({ what: fc.constantFrom('fork' as const, 'exec' as const), pid, gapNs: soon, number, times }),
    ),
    fc.array(
      fc.oneof(
        { weight: 1, arbitrary: one.map((step) => [step]) },
        { weight: 3, arbitrary: burst },
        { weight: 2, arbitrary: overlap },
      ),
      {
        minLength: 4,
        maxLength: 30,
      },
    ),
  )
  .map(([first, then]): Step[] => [...first, ...then.flat()])

/** Clauses of which each is true of some of the events. */
const clause = fc.oneof(
  fc.integer({ min: 1, max: PIDS }).map((pid) => `process.pid ${pid}`),
  fc.nat(2).map((uid) => `process.uid ${uid}`),
  fc.constantFrom('process.uid 1..2', 'process.gid [ 1 3 ]'),
  fc.nat(2).map((number) => `process.exe /exe${number}`),
  fc.constantFrom('process.exe /exe*', 'process.exe *0', 'process.comm e1', 'process.comm c*'),
  fc.nat(2).map((number) => `process.arg ${number}`),
  fc.constantFrom('process.ppid 2', 'process.sid 1', 'process.cwd /cwd1'),
  fc.integer({ min: 1, max: 3 }).map((tag) => `poison ${tag}`),
  fc.constantFrom(
    'event.kind getpid',
    'event.kind ptrace',
    'event.kind process',
    'event.kind [ getpid ptrace ]',
  ),
  fc.constantFrom('event.action request', 'event.action exec', 'file.path /x', 'socket.port 22'),
  fc.integer({ min: 1, max: PIDS }).map((pid) => `ancestor.pid ${pid}`),
)
const negated = fc.tuple(fc.boolean(), clause).map(([isNot, one]) => (isNot ? `not ${one}` : one))
const condition = fc.oneof(
  negated,
  fc.array(negated, { minLength: 1, maxLength: 3 }).map((all) => all.join(' ')),
  fc.tuple(negated, negated, negated).map(([a, b, c]) => `( ${a} or ${b} ) ${c}`),
)
const rule = fc
  .tuple(
    fc.oneof(
      { weight: 5, arbitrary: fc.constant('drop') },
      { weight: 2, arbitrary: fc.constantFrom('pass', 'warn') },
      { weight: 2, arbitrary: fc.constantFrom('poison 1', 'poison 2', 'poison 0') },
    ),
    condition,
  )
  .map(([action, on]) => `${action} on ${on}`)
const ruleText = fc
  .tuple(
    fc.array(rule, { minLength: 1, maxLength: 6 }),
    fc.constantFrom(
      '',
      '\ndrop on event.kind getpid',
      '\ndrop on any',
      '\npass on poison 1\npoison 1 on event.kind getpid\ndrop on event.kind ptrace',
      '\npoison 2 on poison 1\npass on poison 1\npoison 1 on event.kind ptrace\ndrop on any',
    ),
  )
  .map(([rules, last]) => rules.join('\n') + last)

/** The records of a step; each fork begins another process. */
function recordsOf(steps: readonly Step[]): { at: number; bytes?: Uint8Array; pid: number }[] {
  const starts = new Map<number, number>()
  let at = BASE_NS
  return steps.flatMap(({ what, pid, gapNs, number, times }) => {
    at += gapNs + 1
    if (what === 'pump') return [{ at, pid }]
    if (what === 'fork' || !starts.has(pid)) starts.set(pid, at)
    const startBootNs = BigInt(starts.get(pid) ?? 0)
    const who = { pid, tid: pid, startBootNs, ppid: (pid % PIDS) + 1, sid: number, pgid: number }
    const ids = { uid: number, gid: number + 1 }
    const path = (name: string) => ({
      path: `/${name}${number}`,
      root: '/',
      truncated: false,
      deleted: false,
    })
    const activity = (layout: RecordLayout): { at: number; bytes: Uint8Array; pid: number }[] =>
      Array.from({ length: times }, () => {
        at += 1000
        const bytes = encodeRecord(layout, { cpu: 0, seq: 0, timeNs: BigInt(at) }, { pid, startBootNs })
        return { at, pid, bytes }
      })
    switch (what) {
      case 'getpid':
        return activity(getpidLayout as unknown as RecordLayout)
      case 'ptrace':
        return activity(ptraceLayout as unknown as RecordLayout)
      case 'fork':
        return [
          {
            at,
            pid,
            bytes: record('fork', at, {
              ...who,
              ...ids,
              creatorPid: who.ppid,
              comm: `f${number}`,
              cwd: path('cwd'),
            }),
          },
        ]
      case 'exec':
        return [
          {
            at,
            pid,
            bytes: record('exec', at, {
              ...who,
              ...ids,
              comm: `e${number}`,
              exe: path('exe'),
              cwd: path('cwd'),
              argv: strings('x', String(number)),
            }),
          },
        ]
      case 'exit':
        return [{ at, pid, bytes: record('exit', at, { ...who, leaderExitCode: number << 8 }) }]
      case 'comm':
        return [{ at, pid, bytes: record('comm', at, { pid, tid: pid, startBootNs, comm: `c${number}` }) }]
      case 'execFailed':
        return [
          {
            at,
            pid,
            bytes: record('execFailed', at, { pid, tid: pid, startBootNs, result: -2, filename: '/none' }),
          },
        ]
      default:
        return [
          {
            at,
            pid,
            bytes: record('idChange', at, { ...who, ...ids, what: PROC_EVENT_UID, comm: `i${number}` }),
          },
        ]
    }
  })
}

function run(
  text: string,
  steps: readonly Step[],
): { plain: RuledQueue; ruled: RuledQueue; same: () => void } {
  const plain = new RuledQueue(text, false)
  const ruled = new RuledQueue(text, true)
  for (const { at, bytes } of recordsOf(steps)) {
    for (const queue of [plain, ruled]) {
      queue.to(at)
      if (bytes === undefined) queue.pump()
      else queue.take(bytes)
    }
  }
  const same = (): void => {
    assert.deepEqual(ruled.finish(), plain.finish())
    const counts = ({ rules }: RuledQueue): unknown =>
      rules.counters().map(({ evals, hits }) => [evals, hits])
    assert.deepEqual(counts(ruled), counts(plain))
  }
  return { plain, ruled, same }
}

test('whatever the rules and the records: the kernel and user space together deliver and count as user space alone', () => {
  let leftOut = 0
  fc.assert(
    fc.property(ruleText, life, (text, steps) => {
      const { ruled, same } = run(text, steps)
      same()
      leftOut += ruled.leftOut
    }),
    { numRuns: 200 },
  )
  assert.ok(leftOut > 500, `only ${leftOut} records were left out: the test shows nothing`)
})

test('a process of which enough was dropped is left out until it changes', () => {
  const at = (what: Step['what'], times = 1, gapNs = 500_000_000): Step => ({
    what,
    pid: 1,
    gapNs,
    number: 0,
    times,
  })
  const activities = (times: number): Step[] => [at('getpid', times), at('pump'), at('pump')]
  const steps = [
    at('exec'),
    ...activities(10),
    ...activities(20),
    at('comm'),
    ...activities(5),
    ...activities(5),
    ...activities(7),
  ]
  const { ruled, same } = run('drop on process.exe /exe0 event.kind getpid', steps)
  same()
  assert.equal(ruled.leftOut, 27)
  assert.deepEqual(
    ruled.rules.counters().map(({ hits, leftOut }) => [hits, leftOut]),
    [[47, 27]],
  )
})

test('other rules decide about records from their time on', () => {
  const filterOf = (text: string): RuleEngine => new RuleEngine(rulesOf(text))
  const plain = new Filter(
    {},
    { events: catalogue.events, userId: () => undefined, userNames: () => [], tracking: undefined },
  )
  const filter = new RuledFilter(filterOf('drop on process.uid 1'), plain)
  const pipeline = testPipeline({ filter })
  for (const [at, pid, uid] of [
    [1000, 11, 1],
    [2000, 12, 2],
    [3000, 13, 1],
    [4000, 14, 2],
  ] as const) {
    insert(pipeline, record('exec', at, { pid, tid: pid, startBootNs: 1n, uid, comm: 'x' }))
  }
  pipeline.atTurn(3000, () => filter.replaceRules(filterOf('drop on process.uid 2')))
  const events: BaseEvent[] = []
  pipeline.flush(events)
  assert.deepEqual(
    events.map((event) => (event as { process?: { pid: number } }).process?.pid),
    [12, 13],
  )
})
