import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { BaseEvent } from '../event/event.js'
import type { KindTable } from '../event/table.js'
import { kinds } from '../kinds/index.js'
import { bareKind } from '../kinds/testing/bare-kind.js'
import { insert, record, testPipeline } from '../testing/process-records.js'

/** A table with a limit. */
class ToyTable implements KindTable {
  size = 0
  evicted = 0
  readonly collectedNs: number[] = []

  collect(nowNs: number): void {
    this.collectedNs.push(nowNs)
  }

  collectInNs(nowNs: number): number {
    return Math.max(0, 5e9 - nowNs)
  }

  stats(): Readonly<Record<string, number>> {
    return { size: this.size }
  }
}

function lossesOf(events: readonly BaseEvent[]): unknown[] {
  return events.flatMap((event) => {
    if (event.kind !== 'lost') return []
    const { cause, count, table } = event as { cause?: string; count?: number; table?: string }
    return [[cause, count, table]]
  })
}

test('the pipeline collects the tables of all kinds, and reports what each had no room for', () => {
  const toys = new ToyTable()
  const toy = bareKind('toy', 200, { options: {}, table: () => toys })
  const pipeline = testPipeline({ kinds: [...kinds, toy], maxProcesses: 2 })
  assert.equal(pipeline.tables.table('toy'), toys)
  assert.throws(() => pipeline.tables.table('other'), {
    name: 'RangeError',
    message: 'Kind "other" has no table',
  })
  assert.equal(pipeline.dueInNs(1e9), 4e9)

  const events: BaseEvent[] = []
  toys.evicted = 2
  for (let pid = 1; pid <= 3; pid++)
    insert(pipeline, record('fork', 1e9 + pid, { pid, startBootNs: BigInt(pid) }))
  pipeline.pump(3e9, events)
  toys.evicted = 5
  pipeline.flush(events)
  assert.deepEqual(toys.collectedNs, [3e9])
  // The table of processes was the only one at first: its losses have no name.
  assert.deepEqual(lossesOf(events), [
    ['evicted', 2, 'toy'],
    ['evicted', 1, undefined],
    ['evicted', 3, 'toy'],
  ])
})

test('a kind without a table has none, and processes and cgroups are looked up in nothing', () => {
  const pipeline = testPipeline({ kinds: [bareKind('toy', 200, { options: {} })] })
  assert.equal(pipeline.tables.processes.lookup(1), undefined)
  assert.equal(pipeline.tables.cgroups.pathOf(1), undefined)
  assert.equal(pipeline.dueInNs(0), Number.POSITIVE_INFINITY)
  assert.equal(pipeline.flush([]), 0)
})
