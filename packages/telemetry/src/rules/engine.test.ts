import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ProcessRecord } from '../process/entry.js'
import type { ProcessTable } from '../process/table.js'
import { RuleEngine } from './engine.js'
import { RuleSet } from './rule-set.js'

const TICK = 100

function processOf(pid: number, ppid: number, startTicks = TICK): ProcessRecord {
  return { pid, ppid, startTicks, startLo: startTicks * 7, startHi: 0 } as unknown as ProcessRecord
}

function begun(text: string, processes: readonly ProcessRecord[]): RuleEngine {
  const engine = new RuleEngine(RuleSet.parse(text, []))
  const byPid = new Map(processes.map((process) => [process.pid, process]))
  engine.begin({
    all: () => byPid.values(),
    peek: (pid: number) => byPid.get(pid),
  } as unknown as ProcessTable)
  return engine
}

const RULES = 'poison 5 on process.pid 30\npass on poison 5\ndrop on any'

test('descendants that exist already have the tag, in whatever order they have pids, and began within one tick', () => {
  const processes = [processOf(7, 9), processOf(9, 30), processOf(30, 1), processOf(8, 7), processOf(31, 1)]
  const engine = begun(RULES, processes)
  const wanted = processes.filter((process) => engine.wants({ kind: 'process', process, actions: ['exec'] }))
  assert.deepEqual(wanted.map(({ pid }) => pid).sort(), [30, 7, 8, 9].sort())
})

test('processes that are each other’s parents, as pids come again, end no search', () => {
  const engine = begun(RULES, [processOf(7, 9), processOf(9, 7), processOf(30, 30)])
  assert.ok(!engine.wants({ kind: 'process', process: processOf(7, 9) }))
  assert.ok(engine.wants({ kind: 'process', process: processOf(30, 30) }))
})

test('a process keeps its tag when its exact start is learnt, and another one that gets the pid has none', () => {
  const engine = begun(RULES, [processOf(30, 1)])
  const exact = { ...processOf(30, 1), startLo: 12_345 } as unknown as ProcessRecord
  assert.ok(engine.wants({ kind: 'process', process: exact }))
  const engineOfChild = begun(RULES, [processOf(30, 1), processOf(40, 30)])
  assert.ok(!engineOfChild.wants({ kind: 'process', process: processOf(40, 30, TICK + 5000) }))
})
