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

/** An id change to these ids, or another record of process 1. */
type Change = readonly [uid: number, euid: number, suid: number, caps?: bigint] | 'X' | 'M'

function changesOf(first: Uint8Array[], changes: readonly Change[], table = defaultAggregation()): string[] {
  const who = { pid: 1, tid: 1, startBootNs: 1_000_000_000n }
  const records = changes.map((change, i) => {
    const timeNs = 1_000_000_100 + i
    if (change === 'X') return record('exit', timeNs, who)
    if (change === 'M') return record('comm', timeNs, { ...who, comm: 'name' })
    const [uid, euid, suid, caps = 0n] = change
    const rights = { uid, euid, suid, capPermitted: caps, capEffective: caps }
    return record('idChange', timeNs, { ...who, ...rights, what: PROC_EVENT_UID })
  })
  return eventsOf(testPipeline({ aggregation: table }), [...first, ...records]).map((event) => {
    assert.ok(event.kind === 'process')
    const { uid, euid, suid, capEffective } = event.process
    return `${textOf(event)} ${uid},${euid},${suid} ${capEffective}`
  })
}

test('no event hides that a process had uid 0 or a capability', async (t) => {
  const who = { pid: 1, tid: 1, startBootNs: 1_000_000_000n }
  const user = { ...who, uid: 1000, euid: 1000, suid: 1000 }
  const idle = [
    record('exec', 1_000_000_001, { ...user, suid: 0 }),
    record('exec', 1_000_000_002, { ...user, suid: 0 }),
  ]
  const fork = [record('fork', 1_000_000_001, { ...user, suid: 0 })]
  const setuid = [...fork, record('exec', 1_000_000_002, { ...who, uid: 1000, euid: 0, suid: 0 })]
  const root = [record('exec', 1_000_000_001, { ...who, capPermitted: 3n, capEffective: 3n })]
  const raised: Change = [1000, 0, 0]
  const back: Change = [1000, 1000, 0]
  const change = 'idChange(uid)'
  // oxfmt-ignore
  const cases: [name: string, first: Uint8Array[], changes: Change[], events: string[]][] = [
    ['root and back', idle, [raised, back],
      ['exec 1000,1000,0 0', 'exec 1000,1000,0 0', `${change} 1000,0,0 0`, `${change} 1000,1000,0 0`]],
    ['root and back, twice', [], [back, raised, back, raised, back, 'X'],
      [raised, back, raised, back].map((ids) => `${change} ${ids.join()} 0`).concat('exit 1000,1000,0 0')],
    ['root that is dropped for a while', root.slice(0, 1), [[0, 1000, 0], [0, 0, 0], 'X'],
      ['exec 0,0,0 3', `${change} 0,1000,0 0`, `${change} 0,0,0 0`, 'exit 0,0,0 0']],
    ['root and back in a new process', fork, [raised, back, 'X'],
      [`fork+${change} 1000,0,0 0`, `${change} 1000,1000,0 0`, 'exit 1000,1000,0 0']],
    ['a set-user-ID program that gives it up', setuid, [[1000, 1000, 1000], 'X'],
      ['fork+exec 1000,0,0 0', `${change} 1000,1000,1000 0`, 'exit 1000,1000,1000 0']],
    ['root that is kept', fork, [raised, [0, 0, 0], 'X'], [`fork+exit+${change} 0,0,0 0`]],
    ['root that is dropped step by step', root, [[0, 0, 0, 3n], [0, 0, 0, 1n], [1000, 1000, 1000]],
      ['exec 0,0,0 3', `${change} 1000,1000,1000 0`]],
    ['capabilities', fork, [[1000, 1000, 0, 1n << 40n], [1000, 1000, 0], 'X'],
      [`fork+${change} 1000,1000,0 ${1n << 40n}`, `${change} 1000,1000,0 0`, 'exit 1000,1000,0 0']],
  ]
  for (const [name, first, changes, events] of cases) {
    await t.test(name, () => assert.deepEqual(changesOf(first, changes), events))
  }
  await t.test('also with a table of the caller', () => {
    const table = defaultAggregation().set('comm', 'idChange', 'always').set('exec', 'idChange', 'always')
    assert.deepEqual(changesOf([idle[0] as Uint8Array], ['M', raised, 'M', back], table), [
      `exec+${change}+comm 1000,0,0 0`,
      `${change} 1000,1000,0 0`,
    ])
    assert.deepEqual(changesOf([], ['M', raised, back], table), [
      `${change}+comm 1000,0,0 0`,
      `${change} 1000,1000,0 0`,
    ])
  })
  await t.test('what was before is in the event', () => {
    const changes = [0, 1000, 0].map((euid, i) =>
      record('idChange', 1_000_000_100 + i, { ...user, euid, suid: 0, what: PROC_EVENT_UID }),
    )
    const steps = eventsOf(testPipeline(), [...idle, ...changes]).map((event) => {
      const { from, to } = (event.kind === 'process' ? event.idChange : undefined) ?? {}
      return `${from?.euid}->${to?.euid}`
    })
    assert.deepEqual(steps.slice(2), ['1000->0', '0->1000', '1000->0'])
  })
})
