import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { encodeRecord } from 'quark-ebpf/probe'
import type { BaseEvent } from '../../event/event.js'
import { eventsOf, insert, record, testPipeline } from '../../testing/process-records.js'
import type { FileEvent } from './events.js'
import {
  closedLayout,
  DID_CHMOD,
  DID_CLOSE,
  DID_CREATE,
  DID_LINK,
  DID_MODIFY,
  DID_MOVE,
  DID_REMOVE,
  doneLayout,
  movedLayout,
  movingLayout,
  namedLayout,
  seenEndLayout,
  seenLayout,
} from './records.js'
import type { FileTable } from './table.js'

const shell = record('exec', 1, { pid: 7, tid: 7, startBootNs: 1n, comm: 'sh' })
const FILE = { pid: 7, device: (8 << 20) | 1, inode: 11n, generation: 5 } as const
const BASE = { path: '/tmp', root: '/' } as const

/** Times are in µs. */
const toNs = (timeUs: number) => BigInt(timeUs) * 1000n
const header = (timeUs: number) => ({ cpu: 0, seq: 0, timeNs: toNs(timeUs) })
const text = (value: string) => Buffer.from(value)

function done(timeUs: number, what: number, path = '/tmp/f'): Uint8Array {
  return encodeRecord(doneLayout, header(timeUs), { ...FILE, what, path: { path, root: '/' } })
}

function removed(timeUs: number, name: string): Uint8Array {
  return encodeRecord(namedLayout, header(timeUs), { pid: 7, what: DID_REMOVE, base: BASE, name: text(name) })
}

/** What fanotify reports between two times. */
function seen(
  id: number,
  [sinceUs, untilUs]: readonly [number, number],
  what: number,
  path: string,
  file: object = FILE,
): Uint8Array[] {
  const values = { ...FILE, ...file, what, id }
  return [
    encodeRecord(seenLayout, header(sinceUs), {
      ...values,
      hasInode: 2,
      untilNs: toNs(untilUs),
      path: text(path),
    }),
    encodeRecord(seenEndLayout, header(untilUs), { ...values, spanUs: untilUs - sinceUs }),
  ]
}

function told(records: readonly Uint8Array[], files?: readonly string[]): string[] {
  const options = files === undefined ? {} : { files }
  const events = eventsOf(testPipeline(options), [shell, ...records]) as { kind: string }[]
  return (events.filter(({ kind }) => kind === 'file') as unknown as FileEvent[]).map(
    ({ actions, path, inode, unverified, inexact, writtenBytes }) =>
      [
        actions.join('+'),
        path,
        inode,
        unverified ? 'unverified' : undefined,
        inexact ? 'inexact' : undefined,
        writtenBytes,
      ]
        .filter((part) => part !== undefined)
        .join(' '),
  )
}

test('what a call and fanotify say of the same is one event, with the better name', () => {
  const [report, end] = seen(1, [100, 300], DID_REMOVE, '/tmp/q/f') as [Uint8Array, Uint8Array]
  assert.deepEqual(told([report, removed(200, 's/f'), end]), ['remove /tmp/q/f 11'])
})

test('a name in a directory that the kernel gave is where the process sees it', () => {
  const [report, end] = seen(1, [100, 300], DID_REMOVE, '/upper/f') as [Uint8Array, Uint8Array]
  assert.deepEqual(told([report, removed(200, 'f'), end]), ['remove /tmp/f 11'])
  // A name with directories may lead anywhere.
  assert.deepEqual(told([report, removed(200, 'd/f'), end]), ['remove /upper/f 11'])
  assert.deepEqual(told([report, removed(200, '/tmp/f'), end]), ['remove /upper/f 11'])
})

test('what only one of them says is an event', () => {
  assert.deepEqual(told([removed(200, '../f')]), ['remove /f unverified'])
  assert.deepEqual(told(seen(1, [100, 300], DID_CREATE | DID_MODIFY, '/tmp/f')), [
    'create+modify /tmp/f 11 inexact',
  ])
})

test('a call in a directory that is not asked for takes no report of one that is', () => {
  const [report, end] = seen(1, [100, 300], DID_REMOVE, '/in/f') as [Uint8Array, Uint8Array]
  const records = [report, removed(150, '/out/f'), removed(200, '/in/f'), removed(250, '/out/f'), end]
  assert.deepEqual(told(records, ['/in']), ['remove /in/f 11'])
  // Nor one that comes later.
  assert.deepEqual(told([removed(150, '/out/f'), removed(200, '/in/f'), report, end], ['/in']), [
    'remove /in/f 11',
  ])
  // It may be the same through another mount.
  assert.deepEqual(told([report, removed(150, '/out/f'), end], ['/in']), ['remove /in/f 11 inexact'])
})

test('what is opened through a mount that is not asked for is where fanotify reports it', () => {
  const what = DID_CREATE | DID_MODIFY
  const [report, end] = seen(1, [100, 300], what, '/in/f') as [Uint8Array, Uint8Array]
  assert.deepEqual(told([report, done(200, what, '/out/f'), end], ['/in']), ['create+modify /in/f 11'])
  assert.deepEqual(told([done(200, what, '/out/f')], ['/in']), [])
  // Seen later than the call, it is an event by itself.
  assert.deepEqual(told([done(90, what, '/out/f'), report, end], ['/in']), ['create+modify /in/f 11 inexact'])
})

test('what is written for long to a file that was made is told at its beginning, and when it is closed', () => {
  const writes = [1000, 2000, 3000].flatMap((timeUs) =>
    seen(timeUs, [timeUs, timeUs + 100], DID_MODIFY, '/tmp/f'),
  )
  const closed = encodeRecord(closedLayout, header(5000), {
    ...FILE,
    what: DID_MODIFY | DID_CLOSE,
    writtenBytes: 30n,
  })
  const records = [done(100, DID_CREATE), ...writes, closed]
  assert.deepEqual(toldSlowly(records), ['create', 'modify', 'modify+close'])
  // Whoever opens it again begins anew.
  const again = seen(4, [6000, 6100], DID_MODIFY, '/tmp/f')
  assert.deepEqual(toldSlowly([...records, ...again]), ['create', 'modify', 'modify+close', 'modify'])
})

test('a file has its process also where that has ended, and nobody has read for long', () => {
  const pipeline = testPipeline({ graceMs: 1000 })
  const who = { pid: 7, tid: 7, startBootNs: 1n }
  for (const bytes of [record('fork', 1000, who), done(2, DID_CREATE), record('exit', 3000, who)])
    insert(pipeline, bytes)
  const events: BaseEvent[] = []
  pipeline.pump(100e6, events)
  assert.deepEqual(
    events.map(({ kind }) => kind),
    ['process'],
  )
  pipeline.pump(60e9, events)
  const file = events.find(({ kind }) => kind === 'file') as FileEvent | undefined
  assert.equal(file?.process?.pid, 7)
})

test('a report that comes late is not told once more', () => {
  const [report, end] = seen(1, [150, 300], DID_REMOVE, '/tmp/f') as [Uint8Array, Uint8Array]
  const pipeline = testPipeline({})
  const events = [eventsOf(pipeline, [shell, removed(200, 'f')]), eventsOf(pipeline, [report, end])].flat()
  assert.equal((events as { kind: string }[]).filter(({ kind }) => kind === 'file').length, 1)
})

/** What is told when records are handed over one after the other, each when the time of the one before is over. */
function toldSlowly(records: readonly Uint8Array[]): string[] {
  const pipeline = testPipeline({})
  const events = [[shell], ...records.map((one) => [one])].flatMap((some) => eventsOf(pipeline, some))
  return (events as { kind: string }[])
    .filter(({ kind }) => kind === 'file')
    .map((event) => (event as unknown as FileEvent).actions.join('+'))
}

test('in whatever order the records of one change are handed over, it is told once', () => {
  const calls: readonly (readonly [number, Uint8Array])[] = [
    [DID_REMOVE, removed(200, 'f')],
    [DID_CREATE, done(200, DID_CREATE)],
    [DID_MODIFY, done(200, DID_MODIFY)],
  ]
  for (const [what, call] of calls) {
    const [report, end] = seen(1, [150, 300], what, '/tmp/f') as [Uint8Array, Uint8Array]
    for (const order of [
      [report, call, end],
      [call, report, end],
      [report, end, call],
    ])
      assert.equal(toldSlowly(order).length, 1, `${what}: ${toldSlowly(order).join(', ')}`)
  }
})

test('a second change after a report that was told is an event of its own', () => {
  const reports = [seen(1, [150, 300], DID_REMOVE, '/tmp/f'), seen(2, [400, 500], DID_REMOVE, '/tmp/f')]
  const [first, second] = reports as [Uint8Array[], Uint8Array[]]
  const [report, end] = second as [Uint8Array, Uint8Array]
  assert.deepEqual(toldSlowly([...first, report, removed(450, 'f'), end]), ['remove', 'remove'])
  assert.deepEqual(toldSlowly([...first, done(450, DID_MODIFY)]), ['remove', 'modify'])
  // Two calls, of which one was told already.
  assert.deepEqual(toldSlowly([...first, removed(200, 'f'), removed(210, 'f')]), ['remove', 'remove'])
})

test('from opening to closing it is one event, and the next opening another one', () => {
  const closed = (timeUs: number) =>
    encodeRecord(closedLayout, header(timeUs), { ...FILE, what: DID_CLOSE, writtenBytes: 3n })
  assert.deepEqual(
    told([done(100, DID_CREATE), done(110, DID_MODIFY), closed(120), done(130, DID_MODIFY), closed(140)]),
    ['create+modify+close /tmp/f 11 3', 'modify+close /tmp/f 11 3'],
  )
})

test('a report about another file that got the inode is an event of its own', () => {
  const [report, end] = seen(1, [90, 300], DID_CREATE, '/tmp/g', { generation: 6 }) as [
    Uint8Array,
    Uint8Array,
  ]
  assert.deepEqual(told([report, done(100, DID_CREATE), end]), [
    'create /tmp/f 11',
    'create /tmp/g 11 inexact',
  ])
})

test('what the kernel says of a name is certain, and nothing waits for fanotify', () => {
  const exact = { ...FILE, isExact: 1, base: BASE, links: 1 }
  const gone = encodeRecord(namedLayout, header(200), { ...exact, what: DID_REMOVE, name: text('f') })
  const twoNames = { ...exact, toBase: { path: '/srv', root: '/' }, name: text('f'), toName: text('g') }
  const moved = encodeRecord(movedLayout, header(300), { ...twoNames, what: DID_MOVE })
  assert.deepEqual(told([gone, moved]), ['remove /tmp/f 11', 'move /srv/g 11'])
})

test('what functions of the kernel say is where things are, and a report of the same is not told once more', () => {
  const exact = { ...FILE, isExact: 1, base: { path: '/tmp/q/f', root: '/' }, links: 1 }
  const gone = encodeRecord(namedLayout, header(200), { ...exact, what: DID_REMOVE })
  const [report, end] = seen(1, [100, 300], DID_REMOVE, '/tmp/q/f') as [Uint8Array, Uint8Array]
  assert.deepEqual(told([report, gone, end]), ['remove /tmp/q/f 11'])
  const unknown = { ...exact, inode: 0n, device: 0, generation: 0 }
  const made = encodeRecord(namedLayout, header(200), { ...unknown, what: DID_CREATE })
  assert.deepEqual(told([made]), ['create /tmp/q/f'])
})

test('where a file was is known from before it was moved, if that was done', () => {
  const moving = (timeUs: number, path: string) =>
    encodeRecord(movingLayout, header(timeUs), { ...FILE, what: DID_MOVE, path: { path, root: '/' } })
  const moved = (timeUs: number, path: string) => {
    const toBase = { path, root: '/' }
    return encodeRecord(movedLayout, header(timeUs), { ...FILE, isExact: 1, what: DID_MOVE, toBase })
  }
  const records = [moving(100, '/tmp/failed'), moving(200, '/tmp/a'), moved(210, '/b'), moved(300, '/c')]
  const events = eventsOf(testPipeline({}), [shell, ...records]) as unknown as FileEvent[]
  const files = events.filter(({ kind }) => kind === 'file')
  assert.deepEqual(
    files.map(({ oldPath, path, unverified }) => [oldPath, path, unverified]),
    [
      ['/tmp/a', '/b', false],
      [undefined, '/c', false],
    ],
  )
})

test('a file that had no name has no former one', () => {
  const linked = (links: number) =>
    eventsOf(testPipeline({}), [
      shell,
      encodeRecord(movedLayout, header(200), {
        ...FILE,
        isExact: 1,
        links,
        what: DID_LINK,
        base: BASE,
        toBase: BASE,
        name: text('#7'),
        toName: text('g'),
      }),
    ]) as unknown as FileEvent[]
  const oldPaths = [1, 2].map((links) => linked(links).find(({ kind }) => kind === 'file')?.oldPath)
  assert.deepEqual(oldPaths, [undefined, '/tmp/#7'])
})

test('a new file that is closed was written to, if bytes were', () => {
  const closed = encodeRecord(closedLayout, header(120), {
    ...FILE,
    what: DID_MODIFY | DID_CLOSE,
    writtenBytes: 3n,
  })
  const report = seen(1, [90, 300], DID_CREATE | DID_MODIFY, '/tmp/f')
  assert.deepEqual(told([done(100, DID_CREATE), ...report, closed]), ['create+modify+close /tmp/f 11 3'])
})

test('nothing waits for an end that came before, and what it left is an event', () => {
  const after = (what: number) => {
    const pipeline = testPipeline({})
    const created = done(100, DID_CREATE | DID_MODIFY)
    const events = eventsOf(pipeline, [shell, created, ...seen(1, [110, 300], what, '/tmp/f')])
    // So much later that nothing can be about the first report any more.
    eventsOf(pipeline, seen(2, [10_000_000, 10_000_001], DID_REMOVE, '/tmp/g'))
    const files = (events as { kind: string }[]).filter(({ kind }) => kind === 'file')
    return { events: files.length, size: pipeline.tables.table<FileTable>('file').size }
  }
  // The last report waits, and the file that is written to.
  assert.deepEqual(after(DID_MODIFY), { events: 1, size: 2 })
  assert.deepEqual(after(DID_MODIFY | DID_CHMOD), { events: 2, size: 2 })
})

test('any records become events without an error', () => {
  const u32 = fc.nat({ max: 0xffffffff })
  const u64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n })
  const name = fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes))
  const place = fc.record({ path: fc.string({ maxLength: 20 }), root: fc.string({ maxLength: 5 }) })
  const identity = {
    pid: fc.constantFrom(0, 7, 0xffffffff),
    device: u32,
    inode: u64,
    generation: u32,
    what: u32,
  }
  const at = fc.nat({ max: 1000 }).map(header)
  const any = fc.oneof(
    fc
      .tuple(at, fc.record({ ...identity, mode: u32, sizeBytes: u64, mtimeNs: u64, path: place }))
      .map(([h, v]) => encodeRecord(doneLayout, h, v)),
    fc
      .tuple(at, fc.record({ ...identity, writtenBytes: u64 }))
      .map(([h, v]) => encodeRecord(closedLayout, h, v)),
    fc.tuple(at, fc.record({ ...identity, path: place })).map(([h, v]) => encodeRecord(movingLayout, h, v)),
    fc
      .tuple(at, fc.record({ ...identity, isExact: u32, base: place }))
      .map(([h, v]) => encodeRecord(namedLayout, h, v)),
    fc
      .tuple(at, fc.record({ ...identity, isExact: u32, base: place, toBase: place }))
      .map(([h, v]) => encodeRecord(movedLayout, h, v)),
    fc
      .tuple(at, fc.record({ pid: u32, what: u32, base: place, name }))
      .map(([h, v]) => encodeRecord(namedLayout, h, v)),
    fc
      .tuple(
        at,
        fc.record({
          pid: u32,
          what: fc.constantFrom(DID_MOVE, 1 << 13, 1 << 3),
          base: place,
          toBase: place,
          name,
          toName: name,
        }),
      )
      .map(([h, v]) => encodeRecord(movedLayout, h, v)),
    fc
      .tuple(
        at,
        fc.record({
          ...identity,
          id: fc.nat({ max: 3 }),
          hasInode: u32,
          hasAttributes: u32,
          untilNs: u64,
          path: name,
          oldPath: name,
        }),
      )
      .map(([h, v]) => encodeRecord(seenLayout, h, v)),
    fc
      .tuple(at, fc.record({ ...identity, id: fc.nat({ max: 3 }), spanUs: fc.nat({ max: 2000 }) }))
      .map(([h, v]) => encodeRecord(seenEndLayout, h, v)),
  )
  fc.assert(
    fc.property(fc.array(any, { maxLength: 20 }), (records) => {
      for (const event of told(records)) assert.equal(typeof event, 'string')
    }),
    { numRuns: 300 },
  )
})
