import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { inspect } from 'node:util'
import { AUDIT_SYSCALL, clockNs } from 'quark-ebpf'
import { encodeRecord } from 'quark-ebpf/probe'
import type { BaseEvent } from '../../../event/event.js'
import type { Made } from '../../../event/forms.js'
import type { AuditEvent } from '../../../facts/rungs.js'
import { kindSwitches, withAllKinds } from '../../../options/all-kinds.js'
import { checkOptions } from '../../../options/check.js'
import { optionsPage } from '../../../options/testing/docs.js'
import { ecsWriter } from '../../../output/ecs.js'
import { jsonWriter } from '../../../output/json.js'
import { ecsParts, jsonParts } from '../../../output/testing/docs.js'
import { textWriter } from '../../../output/text.js'
import { dumpWriter } from '../../../output/dump.js'
import { ManualClock } from '../../../pipeline/clock.js'
import type { Quark } from '../../../quark.js'
import { replayQuark } from '../../../quark.js'
import { recordingHeader } from '../../../recording/header.js'
import { RecordingWriter } from '../../../recording/writer.js'
import { FakeBackend } from '../../../testing/fake-backend.js'
import { rungRows, rungTable } from '../../../testing/rung-fields.js'
import { Collector } from '../../../summary/collector.js'
import { tableOf } from '../../../summary/text.js'
import { schemaCheck } from '../../../testing/schema.js'
import { catalogueOf } from '../../catalogue.js'
import { kinds } from '../../index.js'
import { auditedPriorities } from './audited.js'
import type { PriorityEvent } from './events.js'
import { priorityFacts } from './facts.js'
import { priorityKind } from './index.js'
import { foundLayout, noteLayout, priorityLayout } from './records.js'
import { PriorityTable } from './table.js'

/** All that it takes to have the kind. */
const catalogue = catalogueOf([...kinds, priorityKind] as const)

const MS = 1_000_000
const BOOT_EPOCH_NS = 1_700_000_000_000_000_000n

let directory = ''
before(() => {
  directory = mkdtempSync(join(tmpdir(), 'quark-priority-'))
})
after(() => rmSync(directory, { recursive: true }))

/** A recording in which a group becomes less nice, step by step. */
function record(name: string): string {
  const path = join(directory, name)
  const settings = checkOptions(catalogue.options, { priorities: true })
  const clock = new ManualClock({ bootNs: 5n, bootEpochNs: BOOT_EPOCH_NS })
  const backend = new FakeBackend()
  const writer = new RecordingWriter(
    path,
    recordingHeader({ catalogue, settings, clock, kernel: '6.18.0', backend }),
    true,
  )
  let seq = 0
  const write = (bytes: Uint8Array): void => writer.record(bytes, 0, bytes.length)
  const at = (ms: number) => ({ cpu: 0, seq: ++seq, timeNs: BigInt(ms * MS) })
  const target = { which: 1, who: 77 }
  write(encodeRecord(foundLayout, { cpu: 0, seq: 0, timeNs: 0n }, { ...target, nice: 5 }))
  write(encodeRecord(priorityLayout, at(1), { pid: 7, ...target, nice: 10 }))
  write(encodeRecord(priorityLayout, at(2), { pid: 7, which: 2, who: 1000, nice: 1 }))
  write(encodeRecord(noteLayout, at(3), { ...target, nice: 10, text: Buffer.from('a \x1b[31mrest') }))
  write(encodeRecord(noteLayout, at(4), { ...target, nice: 11, text: Buffer.from('of nothing') }))
  write(encodeRecord(priorityLayout, at(5), { pid: 7, ...target, nice: -5 }))
  writer.step(6 * MS)
  writer.end(7 * MS)
  writer[Symbol.dispose]()
  return path
}

async function replay(options: object): Promise<{ quark: Quark; events: BaseEvent[] }> {
  const quark = await replayQuark(catalogue, record('recording'), options)
  const events: BaseEvent[] = []
  for await (const event of quark) events.push(event)
  return { quark, events }
}

const event: Made<PriorityEvent> = {
  kind: 'priority',
  timeNs: BOOT_EPOCH_NS + 1_000_000n,
  target: 'group',
  who: 77,
  nice: 10,
  before: 5,
  note: 'a \x1b[31mrest',
  process: undefined,
}

test('an event of a new kind has the forms of all others', async () => {
  const [first] = (await replay({})).events as PriorityEvent[]
  assert.ok(first !== undefined)
  const { process: _none, ...known } = event
  assert.deepEqual(first.toObject(), known)
  assert.deepEqual(structuredClone(first.toObject()), known)
  assert.equal(JSON.stringify(first), jsonWriter(catalogue)(event))
  assert.match(
    inspect(first),
    /^PriorityEvent \{\n {2}kind: 'priority',\n[^]*\n {2}note: 'a \\x1B\[31mrest'\n\}$/,
  )
})

test('a replay delivers priorities with the notes about them, and with what they were before', async () => {
  const { quark, events } = await replay({})
  const [first, user, last] = events
  assert.deepEqual({ ...first }, event)
  assert.deepEqual(
    { ...user },
    {
      ...event,
      timeNs: BOOT_EPOCH_NS + 2_000_000n,
      target: 'user',
      who: 1000,
      nice: 1,
      before: undefined,
      note: undefined,
    },
  )
  assert.deepEqual(
    { ...last },
    { ...event, timeNs: BOOT_EPOCH_NS + 5_000_000n, nice: -5, before: 10, note: undefined },
  )
  assert.equal(events.length, 3)
  const { tables, produced, aggregations } = quark.stats()
  assert.deepEqual(tables['priority'], { size: 2, evicted: 0 })
  assert.equal(produced['priority'], 3)
  assert.equal(produced['priorityNote'], 2)
  assert.equal(aggregations, 1)
})

test('notes stay alone where nothing joins', async () => {
  const { events } = await replay({ aggregation: 'none' })
  assert.deepEqual(
    events.map((one) => (one as PriorityEvent).note),
    [undefined, undefined, undefined],
  )
})

test('the table holds as many priorities as its limit, and what it evicts is reported with its name', async () => {
  const { quark, events } = await replay({ maxPriorities: 1 })
  const lost = events.filter(({ kind }) => kind === 'lost')
  assert.deepEqual(
    lost.map((one) => ({
      cause: (one as unknown as { cause: string }).cause,
      table: (one as unknown as { table: string }).table,
    })),
    lost.map(() => ({ cause: 'evicted', table: 'priority' })),
  )
  assert.ok(lost.length > 0)
  assert.deepEqual(quark.stats().tables['priority'], { size: 1, evicted: 2 })
  const table = new PriorityTable(2)
  for (const who of [1, 2, 3]) table.set(0, who, who)
  assert.deepEqual([table.set(0, 1, 0), table.set(0, 3, 0)], [undefined, 3])
})

test('text, dump, JSON and ECS have the event as it is declared', () => {
  assert.match(textWriter(catalogue)(event), / nice +- .* # of group 77, nice 5→10, \$'a \\033\[31mrest'$/)
  const [heading, ...lines] = dumpWriter(catalogue)(event).split('\n')
  assert.match(heading ?? '', /PRIORITY/)
  assert.deepEqual(
    lines.map((line) => line.trim()),
    ['PRIO\ttarget=group who=77 nice=10 before=5', 'NOTE\ttext=a \\x1b[31mrest'],
  )
  const line = jsonWriter(catalogue)(event)
  schemaCheck(catalogue)(line)
  assert.deepEqual(JSON.parse(line), {
    kind: 'priority',
    time: '2023-11-14T22:13:20.001000000Z',
    target: 'group',
    who: 77,
    nice: 10,
    before: 5,
    note: 'a \x1b[31mrest',
  })
  const nobody = { userName: () => undefined, groupName: () => undefined }
  const document = JSON.parse(ecsWriter(catalogue, nobody)(event)) as Record<string, object>
  assert.deepEqual(document['quark'], {
    priority: { target: 'group', who: 77, nice: 10, before: 5, note: 'a \x1b[31mrest' },
  })
  assert.deepEqual(document['event'], {
    kind: 'event',
    category: ['process'],
    type: ['change'],
    action: 'priority-set',
    dataset: 'quark.priority',
    ...('module' in (document['event'] ?? {}) ? { module: 'quark' } : {}),
  })
})

test('a summary has what the event declares for it, once there was such an event', () => {
  const collector = new Collector(catalogue.events)
  assert.ok(!('priorities' in collector.report()))
  for (let i = 0; i < 3; i += 1) collector.add(event)
  const report = collector.report({ seconds: 1 })
  assert.equal(report['priorities'], 3)
  assert.deepEqual(report['mostPriorities'], [{ command: '(unknown)', value: 3 }])
  assert.equal(
    tableOf(catalogue.events, report),
    [
      '0 processes in 1.00s (0.0 per second)',
      '0 ended, 0 failed, 0 killed, 0 execs',
      '3 priorities set',
      'nothing was lost',
      '',
      'Set priorities most',
      '         3  (unknown)',
      '',
    ].join('\n'),
  )
  schemaCheck(catalogue)(JSON.stringify({ time: '2026-01-02T03:04:05.678Z', ...report }))
})

test('the docs have the event and the options', () => {
  assert.match(
    jsonParts(catalogue)['members'] ?? '',
    /### Event `priority`[^]*\| `note` \| string \| what somebody wrote/,
  )
  assert.match(ecsParts(catalogue)['quark'] ?? '', /\| `quark\.priority\.nice` \| long \| `priority.nice` \|/)
  const page = optionsPage([priorityKind], (name) => `kinds/testing/${name}`)
  assert.match(page, /^## The kind `priority`$[^]*^\| `maxPriorities` \|/m)
})

test('the option all switches the kind on, as those of the library, unless it is given', () => {
  const { options } = catalogue
  const switches = kindSwitches(options)
  assert.ok(switches.includes('priorities') && switches.includes('sockets'))
  const settings = (given: object) =>
    checkOptions(options, withAllKinds(options, given)) as Record<string, unknown>
  for (const name of switches) {
    assert.equal(settings({})[name], false, name)
    assert.equal(settings({ all: true })[name], true, name)
    assert.equal(settings({ all: true, [name]: false })[name], false, name)
  }
  assert.deepEqual(settings({ all: true, files: ['/etc'] })['files'], ['/etc'])
  const others = Object.keys(settings({})).filter((name) => !switches.includes(name) && name !== 'all')
  for (const name of others) assert.deepEqual(settings({ all: true })[name], settings({})[name], name)
  assert.equal(priorityFacts({ settings: settings({ all: true }) as never, hierarchy: undefined }).length, 1)
})

test('both rungs fill the same record, and a backend without one has a reason', () => {
  const settings = checkOptions(catalogue.options, { priorities: true, priorityNotes: '/notes' })
  const facts = priorityFacts({ settings, hierarchy: undefined })
  assert.equal(
    rungTable(rungRows(facts, {})),
    [
      'FACT           RUNG                   RECORD        FIELDS THAT IT CANNOT FILL',
      // The test is for a kernel without BTF, and what is known of it lacks one register.
      'priorities     ebpf sysExit/sys_exit  priority      nice',
      'priorities     audit setpriority      priority      -',
      'priorityNotes  source fifo/notes      priorityNote  -',
    ].join('\n'),
  )
  assert.deepEqual(priorityFacts({ settings: checkOptions(catalogue.options, {}), hierarchy: undefined }), [])
})

test('audited calls become records; those of other kinds do not', () => {
  const pushed: object[] = []
  let settled = 0
  const maker = auditedPriorities.maker.open({
    unknownCpu: 4,
    records: {
      push: (layout, at, values) => pushed.push({ name: layout.name, ...at, ...values }),
      settle: () => (settled += 1),
    },
  })
  const timeNs = clockNs('boottime')
  const call = (number: number, args: Record<string, string>): AuditEvent => ({
    type: AUDIT_SYSCALL,
    call: { architecture: 'x86_64', number },
    pid: 9,
    fields: new Map(Object.entries(args)),
    records: [],
    timeNs,
  })
  maker.take([
    call(141, { a0: '0', a1: '4d', a2: 'fffffffffffffffb' }),
    call(59, { a0: '0', a1: '1', a2: '2' }),
    call(141, { a0: 'what' }),
  ])
  maker.make([])
  assert.deepEqual(pushed, [{ name: 'priority', cpu: 4, timeNs, pid: 9, which: 0, who: 77, nice: -5 }])
  assert.equal(settled, 1)
})
