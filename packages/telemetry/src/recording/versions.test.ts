import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { crc32 } from 'node:zlib'
import * as fc from 'fast-check'
import { chars, encodeRecord, record as shape, stringTail, u32, u64, u8 } from 'quark-ebpf/probe'
import { unknownHost } from '../context/host.js'
import type { BaseEvent } from '../event/event.js'
import type { KindTable } from '../event/table.js'
import { catalogueOf } from '../kinds/catalogue.js'
import { catalogue, kinds, type QuarkEvent } from '../kinds/index.js'
import type { Apply } from '../kinds/kind.js'
import { bareKind } from '../kinds/testing/bare-kind.js'
import { checkOptions } from '../options/check.js'
import type { OptionSpecs } from '../options/spec.js'
import { jsonOf, dumpOf } from '../outputs.js'
import { ManualClock } from '../pipeline/clock.js'
import { Quark, replayQuark } from '../quark.js'
import { FakeBackend } from '../testing/fake-backend.js'
import { record } from '../testing/process-records.js'
import { FRAME_STEP } from './format.js'
import { recordingHeader } from './header.js'
import { describeType, parseLayout } from './layouts.js'
import { RecordingReader } from './reader.js'
import { MemorySource } from './source.js'
import { Transcoder } from './transcode.js'
import { RecordingWriter } from './writer.js'

const MS = 1_000_000
const TESTDATA = new URL('../../src/recording/testdata/', import.meta.url)

let directory = ''
before(() => {
  directory = mkdtempSync(join(tmpdir(), 'quark-versions-'))
})
after(() => {
  rmSync(directory, { recursive: true })
})

async function eventsIn(quark: Quark): Promise<QuarkEvent[]> {
  const events: QuarkEvent[] = []
  for await (const event of quark) events.push(event)
  return events
}

/** The members of a value that an earlier version wrote, too; it wrote all durations as digits. */
function asBefore(before: unknown, now: unknown): unknown {
  if (typeof before === 'string' && typeof now === 'number') return String(now)
  if (typeof before !== 'object' || before === null || Array.isArray(before)) return now
  return Object.fromEntries(
    Object.entries(before).map(([name, value]) => [
      name,
      asBefore(value, (now as Readonly<Record<string, unknown>> | undefined)?.[name]),
    ]),
  )
}

test('a recording of 0.1.0 replays to the same events', async () => {
  await using quark = await Quark.replay(new URL('0.1.0.quarkrec', TESTDATA).pathname)
  const events = await eventsIn(quark)
  const expected = (name: string): string => readFileSync(new URL(name, TESTDATA), 'utf8')
  const lines = events.map((event) => JSON.parse(jsonOf(event)) as unknown)
  assert.deepEqual([quark.userName(0), quark.groupName(0)], [undefined, undefined])
  // It does not say which machine it is of, and that was not this one.
  assert.deepEqual(quark.host, unknownHost(undefined, quark.capabilities.kernel))
  const before = expected('0.1.0.ndjson').trimEnd().split('\n')
  assert.deepEqual(
    before.map((line, i) => asBefore(JSON.parse(line), lines[i])),
    before.map((line) => JSON.parse(line) as unknown),
  )
  assert.equal(lines.length, before.length)
  // 0.1.0 gave these ids, and did not say that they are coarse.
  for (const { process } of events) {
    assert.ok(process === undefined || process.entityId === undefined || process.entityIdCoarse)
  }
  assert.equal(events.map((event) => `${dumpOf(event)}\n`).join(''), expected('0.1.0.dump.txt'))
  assert.deepEqual(quark.capabilities.missing, [])
  assert.deepEqual(quark.stats().skipped, {})
})

const noteShape = shape(0xc801, 'note', { pid: u32, number: u64, text: stringTail(100) })
const foundShape = shape(0xc802, 'found', { number: u64 })

class Notes implements KindTable {
  size = 0
  evicted = 0
  learnt = { version: 1, save: () => ['learnt'], load: (value: unknown) => Array.isArray(value) }

  collect(): void {}

  collectInNs(): number {
    return Number.POSITIVE_INFINITY
  }

  stats(): Readonly<Record<string, number>> {
    return {}
  }
}

const toyOptions = {
  notes: { type: 'count', default: 1, min: 1, max: 9, isRecorded: true },
} as const satisfies OptionSpecs

const applyNote: Apply = (group) => {
  if (!group.next()) return undefined
  return {
    kind: 'note',
    timeNs: group.bytes.readBigUInt64LE(group.offsetBytes + noteShape.at.number),
  } as BaseEvent
}

const toyKind = bareKind('toy', 200, {
  options: toyOptions,
  table: () => new Notes(),
  records: [
    { name: 'note', layout: noteShape, apply: applyNote },
    { name: 'found', layout: foundShape, apply: () => undefined, isOwn: true },
  ],
})

const withToys = catalogueOf([...kinds, toyKind] as const)

function headerOf(known: typeof catalogue | typeof withToys = catalogue, options: object = {}) {
  return recordingHeader({
    catalogue: known,
    settings: checkOptions(known.options, options),
    clock: new ManualClock({ bootNs: 5n, bootEpochNs: 0n }),
    kernel: '6.18.0',
    backend: new FakeBackend(),
  })
}

let files = 0

function written(header: ReturnType<typeof headerOf>, fill: (writer: RecordingWriter) => void): string {
  const path = join(directory, `recording-${(files += 1)}`)
  const writer = new RecordingWriter(path, header)
  fill(writer)
  writer[Symbol.dispose]()
  return path
}

/** Two processes, with notes of the toy kind and losses between their records. */
function fill(writer: RecordingWriter, hasToys: boolean): void {
  let seq = 0
  const keep = (bytes: Uint8Array): void => writer.record(bytes, 0, bytes.length)
  const note = (timeNs: number): void => {
    seq += 1
    const values = { pid: 10, number: BigInt(seq), text: 'a note' }
    if (hasToys) keep(encodeRecord(noteShape, { cpu: 0, seq, timeNs: BigInt(timeNs) }, values))
    else keep(record('threadFork', timeNs, { pid: 99, tid: 100 + seq }, { seq }))
  }
  if (hasToys) {
    writer.table('toy', ['learnt'])
    keep(encodeRecord(foundShape, { cpu: 0, seq: 0, timeNs: 0n }, { number: 1n }))
  }
  writer.snapshot(MS)
  for (const pid of [10, 11]) {
    const at = pid * 100 * MS
    const who = { pid, tid: pid, startBootNs: BigInt(at), ppid: 1 }
    keep(record('fork', at, who, { seq: (seq += 1) }))
    note(at + 1)
    keep(record('exec', at + 2, { ...who, comm: 'true' }, { seq: (seq += 1) }))
    note(at + 3)
    // A record is lost.
    seq += 1
    keep(record('exit', at + 4, who, { seq: (seq += 1) }))
    writer.step(at + 50 * MS)
  }
  writer.end(2000 * MS)
}

test('a kind that the reader does not know is passed over, and reported; the rest is as it was', async () => {
  const path = written(headerOf(withToys, { notes: 7 }), (writer) => fill(writer, true))
  await using knowing = await replayQuark(withToys, path, {})
  assert.equal((await eventsIn(knowing)).filter(({ kind }) => (kind as string) === 'note').length, 4)
  assert.deepEqual([knowing.capabilities.missing, knowing.stats().skipped], [[], {}])

  await using quark = await Quark.replay(path)
  const events = (await eventsIn(quark)).map(jsonOf)
  // The same recording with records of threads, which leave numbers and processes alike.
  await using plain = await Quark.replay(written(headerOf(), (writer) => fill(writer, false)))
  const others = (await eventsIn(plain)).filter(({ kind }) => kind !== 'thread')
  assert.deepEqual(events, others.map(jsonOf))
  assert.equal(events.filter((line) => line.includes('"lost"')).length, 2)
  const skipped = 'this version of quark does not know these records: they are skipped'
  assert.deepEqual(quark.capabilities.missing, [
    { fact: 'toy.note', reason: skipped },
    { fact: 'toy.found', reason: skipped },
    { fact: 'option notes', reason: 'this version of quark does not know the kind "toy"' },
  ])
  assert.deepEqual(quark.stats().skipped, { 'table of toy': 1, 'toy.found': 1, 'toy.note': 4 })
})

test('records go by the names of their kinds and types, whatever their numbers and layouts were', async () => {
  const before = shape(0xc805, 'note', { text: stringTail(100), colour: u8, number: u32 })
  const otherToys = catalogueOf([
    ...kinds,
    { ...toyKind, records: [{ name: 'note', layout: before, apply: applyNote }] },
  ] as const)
  const path = written(headerOf(otherToys), (writer) => {
    for (const number of [5, 6]) {
      const bytes = encodeRecord(
        before,
        { cpu: 0, seq: number - 4, timeNs: 1n },
        { number, text: 'x', colour: 3 },
      )
      writer.record(bytes, 0, bytes.length)
    }
    writer.record(encodeRecord(before, { cpu: 0, seq: 3, timeNs: 1n }, {}), 0, 20)
    writer.step(5000 * MS)
    writer.end(5000 * MS)
  })
  await using quark = await replayQuark(withToys, path, {})
  assert.deepEqual(
    (await eventsIn(quark)).map(({ kind, timeNs }) => [kind, timeNs]),
    [
      ['note', 5n],
      ['note', 6n],
      ['lost', 1n],
    ],
  )
  assert.deepEqual(quark.capabilities.missing, [
    { fact: 'toy.note.colour', reason: 'this version of quark does not know this field: it is left out' },
  ])
  assert.deepEqual([quark.stats().produced, quark.stats().lostRejected], [{ note: 3 }, 1])
})

test('a transcoder keeps numbers that fit, text up to a NUL, and tails; what is new is unknown', () => {
  const from = shape(1, 'a', {
    wide: u64,
    large: u64,
    narrow: u8,
    name: chars(16),
    first: stringTail(50),
    second: stringTail(50),
    turned: u32,
  })
  const to = shape(2, 'b', {
    second: stringTail(50),
    fresh: u32,
    name: chars(8),
    narrow: u64,
    large: u32,
    wide: u32,
    third: stringTail(50),
    first: stringTail(50),
    turned: chars(8),
  })
  const transcoder = new Transcoder(
    describeType('k', { name: 'r', layout: from }),
    describeType('k', { name: 'r', layout: to }),
  )
  assert.deepEqual(transcoder.dropped, ['turned'])
  const header = { cpu: 3, seq: 9, timeNs: 77n }
  const bytes = encodeRecord(from, header, {
    wide: 5n,
    large: 1n << 40n,
    narrow: 255,
    name: 'fifteen-letters',
    first: 'one',
    second: 'two',
    turned: 1,
  })
  assert.ok(transcoder.write(bytes, 0, bytes.length))
  const expected = encodeRecord(to, header, {
    wide: 5,
    narrow: 255n,
    name: 'fifteen',
    first: 'one',
    second: 'two',
  })
  assert.deepEqual(Buffer.from(transcoder.bytes.subarray(0, transcoder.lengthBytes)), Buffer.from(expected))
  for (let length = 0; length < bytes.length; length++) assert.ok(!transcoder.write(bytes, 0, length))
})

test('frames of kinds that the reader does not know are passed over, and counted, unless they are essential', async () => {
  const path = written(headerOf(), (writer) => fill(writer, false))
  const bytes = readFileSync(path)
  const end = bytes.length - 16 - 24
  const header = Buffer.alloc(16)
  header.writeUInt32LE(99, 0)
  header.writeUInt32LE(crc32(header.subarray(12), crc32(header.subarray(0, 8))), 8)
  writeFileSync(path, Buffer.concat([bytes.subarray(0, end), header, header, bytes.subarray(end)]))
  await using quark = await Quark.replay(path)
  await using plain = await Quark.replay(written(headerOf(), (writer) => fill(writer, false)))
  assert.deepEqual((await eventsIn(quark)).map(jsonOf), (await eventsIn(plain)).map(jsonOf))
  assert.deepEqual(quark.stats().skipped, { 'frame 99': 2 })
})

test('a recording is read from bytes, wherever they are', () => {
  const path = written(headerOf(), (writer) => fill(writer, false))
  // Memory that begins anywhere.
  const bytes = Uint8Array.from([1, ...readFileSync(path)]).subarray(1)
  const kept = Uint8Array.from(bytes)
  using reader = new RecordingReader(new MemorySource(bytes, 'some bytes'))
  assert.equal(reader.path, 'some bytes')
  let steps = 0
  for (let frame = reader.next(); frame !== undefined; frame = reader.next()) {
    if (frame.kind !== FRAME_STEP) continue
    steps += 1
    reader.records(frame, (words, _bytes, at) => void (words[at >> 2] = 0))
  }
  assert.equal(steps, 2)
  assert.deepEqual(bytes, kept)
  assert.throws(() => new RecordingReader(new MemorySource(bytes.subarray(0, 100))), {
    message: 'Cannot read recording "memory": its header is cut short at byte 12',
  })
})

test('parseLayout() reads the texts of 0.1.0, and refuses all others', () => {
  assert.deepEqual(
    parseLayout(
      'quark_comm (type 5, 40 bytes fixed)\n    16 pid: u32\n    24 comm: chars\n    36 name: kernelString tail',
    ),
    {
      kind: '',
      name: 'quark_comm',
      type: 5,
      size: 40,
      fields: [
        { name: 'pid', type: 'u32', offset: 16, size: 4 },
        { name: 'comm', type: 'chars', offset: 24, size: 12 },
      ],
      tails: [{ name: 'name', type: 'string', offset: 36 }],
    },
  )
  const line = fc.record({ offset: fc.nat(70), kind: fc.constantFrom('u32', 'u64', 'chars', 'path tail') })
  fc.assert(
    fc.property(fc.array(line, { maxLength: 5 }), fc.nat(80), (lines, size) => {
      const rows = lines.map(({ offset, kind }, at) => `    ${offset} f${at}: ${kind}`)
      const layout = parseLayout([`x (type 1, ${size} bytes fixed)`, ...rows].join('\n'))
      for (const { offset, size: bytes } of layout?.fields ?? []) {
        assert.ok(offset >= 16 && bytes > 0 && offset + bytes <= size)
      }
    }),
  )
})
