import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { encodeRecord, record as shape, type RecordLayout, u32, u64 } from 'quark-ebpf/probe'

import { join, type JoinRow } from '../event/join.js'
import type { BaseEvent } from '../event/event.js'
import type { Apply, EventFilter, Kind, RecordType } from '../kinds/kind.js'
import { catalogue, kinds, type QuarkEvent } from '../kinds/index.js'
import type { ProcessEvent } from '../kinds/process/events.js'
import type { Pipeline } from '../pipeline/pipeline.js'
import { insert, record, testPipeline } from '../testing/process-records.js'
import { AggregationTable } from './table.js'

const sent = {
  name: 'sent',
  layout: shape(0x2001, 'toy_sent', { pid: u32, sender: u32, socket: u64 }),
}
const closed = {
  name: 'closed',
  layout: shape(0x2002, 'toy_closed', { socket: u64, fd: u32 }),
}

interface Toy {
  readonly records?: Partial<RecordType>
  readonly rows?: readonly JoinRow[]
}

/** A kind whose events are the fields of their records. */
function toyKind({ records = {}, rows = [] }: Toy, seen: unknown[]): Kind {
  const apply: Apply = (group) => {
    const found: string[] = []
    while (group.next()) {
      const type = group.type === sent.layout.type ? sent : closed
      const at = group.offsetBytes + type.layout.at.socket
      found.push(`${type.name} ${group.bytes.readBigUInt64LE(at)}`)
    }
    seen.push(found)
    return undefined
  }
  return {
    name: 'toy',
    number: 0x20,
    options: {},
    facts: () => [],
    records: [
      { ...sent, apply, ...records },
      { ...closed, apply, key: 'socket' },
    ],
    joins: { default: rows, minimal: [] },
  }
}

function toyPipeline(toy: Toy, releaseEarly = true): { pipeline: Pipeline; seen: unknown[] } {
  const seen: unknown[] = []
  const all = [...kinds, toyKind(toy, seen)]
  const rows = all.flatMap((kind) => kind.joins.default)
  const aggregation = AggregationTable.of(
    all.flatMap((kind) => kind.records),
    rows,
  )
  return { pipeline: testPipeline({ kinds: all, aggregation, releaseEarly }), seen }
}

function toy(type: { readonly layout: RecordLayout }, timeNs: number, values: object): Uint8Array {
  return encodeRecord(type.layout, { cpu: 1, seq: 0, timeNs: BigInt(timeNs) }, values as never)
}

function run({ pipeline, seen }: ReturnType<typeof toyPipeline>, records: readonly Uint8Array[]): unknown {
  for (const bytes of records) insert(pipeline, bytes)
  pipeline.flush([])
  return seen
}

const always: JoinRow[] = [
  ['sent', 'sent', 'always'],
  ['sent', 'closed', 'always'],
]

test('records are chained by the key that their type names, however many bits it has', () => {
  const bySocket = toyPipeline({ records: { key: 'socket' }, rows: always })
  const far = 1n << 40n
  const records = [
    toy(sent, 1, { pid: 1, socket: 7n }),
    toy(sent, 2, { pid: 2, socket: 7n + far }),
    toy(sent, 3, { pid: 3, socket: 7n }),
    toy(closed, 4, { socket: 7n + far }),
    toy(closed, 5, { socket: 0n }),
  ]
  assert.deepEqual(run(bySocket, records), [
    ['sent 7', 'sent 7'],
    [`sent ${7n + far}`, `closed ${7n + far}`],
    ['closed 0'],
  ])
  const byBoth = toyPipeline({ records: { key: ['pid', 'socket'] }, rows: always })
  assert.deepEqual(run(byBoth, [...records, toy(sent, 6, { pid: 1, socket: 7n })]), [
    ['sent 7', 'sent 7'],
    [`sent ${7n + far}`],
    ['sent 7'],
    [`closed ${7n + far}`],
    ['closed 0'],
  ])
})

test('a key that a record lacks, that is too long, or unlike others of its chain is refused', () => {
  for (const [records, problem] of [
    [{ key: 'port' }, /Cannot chain "sent" by "port": it is no field of 4, 8 or 16 bytes/],
    [{ key: ['socket', 'socket', 'pid'] }, /Cannot chain "sent" by 20 bytes: the limit is 16/],
  ] as const) {
    assert.throws(() => toyPipeline({ records }), { name: 'RangeError', message: problem })
  }
  const rows: JoinRow[] = [['exit', 'sent', 'once']]
  assert.throws(() => toyPipeline({ records: { chain: 'process', key: 'socket' }, rows }), {
    message: 'Cannot chain "sent" with "process": its key has 2 words, not 1',
  })
})

test('a record joins one of another kind by a key that is no pid', () => {
  const joined: unknown[] = []
  const all = toyPipeline({ records: { key: 'socket' }, rows: [] })
  const layout = shape(0x2101, 'guest', { socket: u64 })
  const guest: Kind = {
    name: 'guest',
    number: 0x21,
    options: {},
    facts: () => [],
    records: [
      {
        name: 'guest',
        layout,
        key: 'socket',
        chain: 'toy',
        apply: () => undefined,
        applyJoined: (place) =>
          joined.push(place.bytes.readBigUInt64LE(place.offsetBytes + layout.at.socket)),
      },
    ],
    joins: { default: [['sent', 'guest', 'always']], minimal: [] },
  }
  const hosts = [...kinds, toyKind({ records: { key: 'socket' } }, all.seen), guest]
  const aggregation = AggregationTable.of(
    hosts.flatMap((kind) => kind.records),
    hosts.flatMap((kind) => kind.joins.default),
  )
  const pipeline = testPipeline({ kinds: hosts, aggregation })
  insert(pipeline, toy(sent, 1, { pid: 1, socket: 7n }))
  insert(pipeline, toy({ layout }, 2, { socket: 7n }))
  insert(pipeline, toy({ layout }, 3, { socket: 8n }))
  pipeline.flush([])
  assert.deepEqual([all.seen, joined], [[['sent 7']], [7n]])
})

test('a predicate of a row sees the fields of both records', () => {
  const row = join(sent, sent, ({ parent, child }) => {
    const sender: number = parent.fields.sender
    return sender === child.fields.sender && parent.field('socket') === child.fields.socket
  })
  const records = [
    toy(sent, 1, { pid: 1, sender: 5, socket: 1n }),
    toy(sent, 2, { pid: 1, sender: 5, socket: 1n }),
    toy(sent, 3, { pid: 1, sender: 6, socket: 1n }),
    toy(sent, 4, { pid: 1, sender: 6, socket: 2n }),
  ]
  assert.deepEqual(run(toyPipeline({ rows: [row] }), records), [['sent 1', 'sent 1'], ['sent 1'], ['sent 2']])
})

test('a predicate of a caller sees fields by name, also text, and undefined where there is none', () => {
  const seen: unknown[] = []
  const table = new AggregationTable(catalogue.recordTypes).set('fork', 'exec', (fork, exec) => {
    seen.push(fork.field('ppid'), exec.field('comm'), exec.field('exe'), exec.field('nothing'), exec.pid)
    return true
  })
  const pipeline = testPipeline({ aggregation: table })
  insert(pipeline, record('fork', 1, { pid: 5, ppid: 4 }))
  insert(pipeline, record('exec', 2, { pid: 5, comm: 'true' }))
  const events: QuarkEvent[] = []
  pipeline.flush(events)
  assert.equal(events.length, 1)
  assert.deepEqual(seen, [4, 'true', undefined, undefined, 5])
})

test('a record that a row joins with one of another kind is given to its own kind, with the event', () => {
  const joined: unknown[] = []
  const rows: JoinRow[] = [
    ['exec', 'sent', 'always'],
    ['exit', 'sent', ({ parent, child }) => parent.timeNs < child.timeNs],
  ]
  const records: Partial<RecordType> = {
    chain: 'process',
    applyJoined: (place, event) => {
      const actions = event?.kind === 'process' ? (event as ProcessEvent).actions.join('+') : event?.kind
      joined.push([place.bytes.readBigUInt64LE(place.offsetBytes + sent.layout.at.socket), actions])
    },
  }
  const all = toyPipeline({ records, rows })
  const events: QuarkEvent[] = []
  for (const bytes of [
    record('fork', 1, { pid: 5 }),
    toy(sent, 2, { pid: 5, socket: 1n }),
    record('exec', 3, { pid: 5 }),
    toy(sent, 4, { pid: 5, socket: 2n }),
    record('exec', 5, { pid: 5 }),
    toy(sent, 6, { pid: 5, socket: 3n }),
    record('exit', 7, { pid: 5 }),
  ]) {
    insert(all.pipeline, bytes)
  }
  all.pipeline.flush(events)
  // No row joins it with a fork, which it does not end either.
  assert.deepEqual(
    events.map((event) => event.kind === 'process' && event.actions.join('+')),
    ['fork+exec', 'exec+exit'],
  )
  assert.deepEqual(all.seen, [['sent 1'], ['sent 2']])
  assert.deepEqual(joined, [[3n, 'exec+exit']])
  const { insertions, removals, aggregations } = all.pipeline.counters
  assert.deepEqual([insertions, removals, aggregations], [7, 7, 2])
})

test('records of another kind leave the events of processes as they are', () => {
  const processes = fc.record({
    name: fc.constantFrom('fork', 'exec', 'exit', 'comm', 'idChange'),
    pid: fc.integer({ min: 1, max: 3 }),
    gapNs: fc.nat(300_000_000),
  })
  const others = fc.record({
    name: fc.constantFrom('sent', 'closed'),
    pid: fc.integer({ min: 1, max: 3 }),
    gapNs: fc.nat(300_000_000),
  })
  // Also in the chains of processes, where a row names it with a record that never comes.
  const ways: Toy[] = [
    { rows: always },
    { records: { chain: 'process' }, rows: always },
    { records: { chain: 'process' }, rows: [...always, ['snapshot', 'sent', 'always']] },
  ]
  fc.assert(
    fc.property(fc.array(fc.oneof(processes, others), { maxLength: 40 }), fc.nat(2), (steps, way) => {
      const runs = [true, false].map((isMixed) => {
        // How long one event is held early decides when the next one is looked at, whatever their kinds.
        const { pipeline } = toyPipeline(ways[way] as Toy, false)
        const events: QuarkEvent[] = []
        let timeNs = 5_000_000_000
        for (const { name, pid, gapNs } of steps) {
          timeNs += gapNs
          const who = { pid, tid: pid, startBootNs: 4_000_000_000n, comm: `${timeNs}` }
          if (name === 'sent') {
            if (isMixed) insert(pipeline, toy(sent, timeNs, { pid, socket: 1n }))
          } else if (name === 'closed') {
            if (isMixed) insert(pipeline, toy(closed, timeNs, { socket: 1n }))
          } else insert(pipeline, record(name as 'fork', timeNs, who))
          pipeline.pump(timeNs, events)
        }
        pipeline.flush(events)
        return events.map((event) => [
          event.timeNs,
          event.kind === 'process' ? [...event.actions, event.process.comm] : event.kind,
        ])
      })
      assert.deepEqual(runs[0], runs[1])
    }),
    { numRuns: 300 },
  )
})

test('records that hold several things become several events, none beyond a limit, and each is filtered', () => {
  const waiting: BaseEvent[] = []
  const records: Partial<RecordType> = {
    apply: (group) => {
      group.next()
      const count = group.words[(group.offsetBytes + sent.layout.at.sender) >> 2] as number
      const timeNs = BigInt(group.words[(group.offsetBytes >> 2) + 2] as number)
      for (let at = 0; at < count; at++) waiting.push({ kind: `part${at}`, timeNs })
      return waiting.shift()
    },
    more: () => waiting.shift(),
  }
  const filter: EventFilter = { refused: 0, begin: () => {}, wants: ({ kind }) => kind !== 'part2' }
  for (const way of ['pump', 'flush'] as const) {
    const all = [...kinds, toyKind({ records }, [])]
    const pipeline = testPipeline({ kinds: all, filter, holdMs: 0 })
    for (const [at, sender] of [3, 0, 4].entries())
      insert(pipeline, toy(sent, at + 1, { pid: at + 1, sender }))
    const batches: unknown[] = []
    for (;;) {
      const events: BaseEvent[] = []
      if (way === 'pump') pipeline.pump(10e9, events, 2)
      else pipeline.flush(events, 2)
      if (events.length === 0) break
      assert.ok(batches.length === 2 || pipeline.dueInNs(10e9) === 0)
      batches.push(events.map(({ kind, timeNs }) => `${timeNs} ${kind}`))
    }
    assert.deepEqual(batches, [['1 part0', '1 part1'], ['3 part0', '3 part1'], ['3 part3']], way)
  }
})
