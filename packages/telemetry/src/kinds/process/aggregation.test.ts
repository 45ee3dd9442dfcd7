import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { AggregationTable } from '../../aggregate/table.js'
import type { QuarkEvent } from '../index.js'
import { eventsOf, record, testPipeline } from '../../testing/process-records.js'
import { defaultAggregation, minimalAggregation, noAggregation } from '../index.js'
import { PROC_EVENT_GID, PROC_EVENT_SID, PROC_EVENT_UID } from './kernel-ids.js'

/** One letter a record: Fork, Exec, coMm, Setsid, setUid, setgiD, eXit, exit with Usage (Y). `E2` is of pid 2. */
function recordsOf(sequence: string): Uint8Array[] {
  return sequence.split(' ').map((item, i) => {
    const pid = Number(item.slice(1) || 1)
    const identity = { pid, tid: pid, startBootNs: 1_000_000_000n }
    const timeNs = 1_000_000_001 + i
    switch (item[0]) {
      case 'F':
        return record('fork', timeNs, identity)
      case 'E':
        return record('exec', timeNs, identity)
      case 'M':
        return record('comm', timeNs, { ...identity, comm: `name${i}` })
      case 'S':
        return record('idChange', timeNs, { ...identity, what: PROC_EVENT_SID })
      case 'U':
        return record('idChange', timeNs, { ...identity, what: PROC_EVENT_UID })
      case 'D':
        return record('idChange', timeNs, { ...identity, what: PROC_EVENT_GID })
      case 'Y':
        return record('exitUsage', timeNs, identity)
      default:
        return record('exit', timeNs, identity)
    }
  })
}

const LETTERS = { fork: 'fork', exec: 'exec', exit: 'exit', idChange: 'idChange', commChange: 'comm' }

function textOf(event: QuarkEvent): string {
  if (event.kind !== 'process') return event.kind
  const actions = event.actions.map((action) => {
    if (action !== 'idChange') return LETTERS[action]
    return `idChange(${event.idChange?.changed.join(',')})`
  })
  const pid = event.process.pid === 1 ? '' : `@${event.process.pid}`
  return actions.join('+') + pid
}

function eventTexts(table: AggregationTable, sequence: string): string[] {
  return eventsOf(testPipeline({ aggregation: table }), recordsOf(sequence)).map(textOf)
}

test('records are joined by the rows of the table', async (t) => {
  // oxfmt-ignore
  const cases: [table: 'default' | 'minimal' | 'none', sequence: string, events: string[]][] = [
    ['default', 'F E X',             ['fork+exec+exit']],
    ['minimal', 'F E X',             ['fork', 'exec', 'exit']],
    ['none',    'F E X',             ['fork', 'exec', 'exit']],
    ['default', 'F X',               ['fork+exit']],
    ['default', 'F E E X',           ['fork+exec', 'exec+exit']],
    ['default', 'F M M M',           ['fork+comm']],
    ['minimal', 'F M M E M X',       ['fork+comm', 'exec+comm', 'exit']],
    ['default', 'F S E X',           ['fork+idChange(sid)', 'exec+exit']],
    ['default', 'F D U S E X',       ['fork+idChange(sid,uid,gid)', 'exec+exit']],
    ['default', 'F E S X',           ['fork+exec+exit+idChange(sid)']],
    ['default', 'F S X',             ['fork+exit+idChange(sid)']],
    ['default', 'S U X',             ['idChange(sid,uid)', 'exit']],
    ['minimal', 'S U X',             ['idChange(sid,uid)', 'exit']],
    ['none',    'S U X',             ['idChange(sid)', 'idChange(uid)', 'exit']],
    ['default', 'E M X',             ['exec+exit+comm']],
    ['default', 'M M X',             ['exit+comm']],
    ['minimal', 'M M X',             ['comm', 'exit']],
    ['default', 'M E X',             ['comm', 'exec+exit']],
    ['default', 'X X',               ['exit', 'exit']],
    ['default', 'F X X',             ['fork+exit', 'exit']],
    ['default', 'F E X M',           ['fork+exec+exit+comm']],
    ['default', 'F1 F2 E1 E2 X1 X2', ['fork+exec+exit', 'fork+exec+exit@2']],
    ['default', 'F E Y',             ['fork+exec+exit']],
    ['default', 'F Y Y',             ['fork+exit', 'exit']],
  ]
  const tables = { default: defaultAggregation, minimal: minimalAggregation, none: noAggregation }
  for (const [table, sequence, events] of cases) {
    await t.test(`${table}: ${sequence}`, () => {
      assert.deepEqual(eventTexts(tables[table](), sequence), events)
    })
  }
})

test('a table can be changed', async (t) => {
  await t.test('a pair can be kept apart', () => {
    const table = defaultAggregation().set('fork', 'exit', null)
    assert.deepEqual(eventTexts(table, 'F E X'), ['fork+exec', 'exit'])
  })
  await t.test('a pair can be joined always, once, or unless others have joined', () => {
    const table = noAggregation()
      .set('exit', 'exit', 'always')
      .set('fork', 'exec', 'once')
      .set('fork', 'comm', ['exec'])
    assert.deepEqual(eventTexts(table, 'F M M E X X X'), ['fork+exec+comm', 'exit'])
    assert.deepEqual(eventTexts(table, 'F E M'), ['fork+exec', 'comm'])
  })
  await t.test('a function decides, and sees what has joined', () => {
    const seen: unknown[] = []
    const table = defaultAggregation().set('fork', 'exit', (parent, child) => {
      seen.push([parent.name, parent.pid, parent.childCount, parent.has('exec'), parent.has('comm')])
      seen.push([child.name, child.timeNs - parent.timeNs])
      return parent.has('exec')
    })
    assert.deepEqual(eventTexts(table, 'F E X'), ['fork+exec+exit'])
    assert.deepEqual(eventTexts(table, 'F M X'), ['fork+comm', 'exit'])
    assert.deepEqual(seen, [
      ['fork', 1, 1, true, false],
      ['exit', 2],
      ['fork', 1, 1, false, true],
      ['exit', 2],
    ])
  })
  await t.test('an unknown name is refused', () => {
    assert.throws(() => defaultAggregation().set('fork', 'exits', 'once'), {
      name: 'RangeError',
      message: /^Cannot aggregate records named "exits" as there are none: use one of fork, exec, exit, /,
    })
  })
})
