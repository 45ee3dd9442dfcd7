import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import {
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { crc32 } from 'node:zlib'
import * as fc from 'fast-check'
import { checkOptions } from '../options/check.js'
import { ManualClock } from '../pipeline/clock.js'
import { OptionError, QuarkError, RecordingError } from '../errors.js'
import type { LostEvent } from '../event/event.js'
import type { QuarkEvent } from '../kinds/index.js'
import { catalogue, minimalAggregation } from '../kinds/index.js'
import type { ReplayOptions } from '../kinds/index.js'
import { jsonOf } from '../outputs.js'
import { Quark } from '../quark.js'
import { FakeBackend } from '../testing/fake-backend.js'
import { record, strings } from '../testing/process-records.js'
import {
  FRAME_CGROUPS,
  FRAME_END,
  FRAME_ESSENTIAL,
  FRAME_SNAPSHOT,
  FRAME_STEP,
  type RecordingHeader,
} from './format.js'
import { recordingHeader } from './header.js'
import { openRecording } from './file.js'
import type { Frame } from './reader.js'
import { RecordingWriter } from './writer.js'

const MS = 1_000_000

let directory = ''
before(() => {
  directory = mkdtempSync(join(tmpdir(), 'quark-recording-'))
})
after(() => {
  rmSync(directory, { recursive: true })
})

function headerWith(options: object = {}): RecordingHeader {
  return recordingHeader({
    catalogue,
    settings: checkOptions(catalogue.options, options),
    clock: new ManualClock({ bootNs: 5n, bootEpochNs: 1_700_000_000_000_000_000n }),
    kernel: '6.18.0',
    backend: new FakeBackend(),
  })
}

let files = 0

/** Writes a recording and returns its path. */
function written(fill: (writer: RecordingWriter) => void, header: RecordingHeader = headerWith()): string {
  const path = join(directory, `recording-${(files += 1)}`)
  const writer = new RecordingWriter(path, header)
  fill(writer)
  writer[Symbol.dispose]()
  return path
}

function file(bytes: Uint8Array): string {
  const path = join(directory, `file-${(files += 1)}`)
  writeFileSync(path, bytes)
  return path
}

function keep(writer: RecordingWriter, bytes: Uint8Array): void {
  writer.record(bytes, 0, bytes.length)
}

/** A process that lives for 10 ms; its event is due 1 s after it began, or 20 ms after it ended. */
function life(writer: RecordingWriter, pid: number, startNs: number): void {
  const at = { pid, tid: pid, startBootNs: BigInt(startNs) }
  keep(writer, record('fork', startNs, { ...at, ppid: 1 }))
  keep(writer, record('exec', startNs + MS, { ...at, ppid: 1, argv: strings('true', `${pid}`) }))
  keep(writer, record('exit', startNs + 10 * MS, at))
}

/** A recording with a frame of each kind. */
function fillAll(writer: RecordingWriter): void {
  writer.table('cgroup', [['18446744073709551615', '/a.slice']])
  keep(writer, record('snapshot', 0, { pid: 1, tid: 1, known: 15, comm: 'init' }))
  writer.snapshot(MS)
  life(writer, 10, 100 * MS)
  writer.step(200 * MS)
  writer.lost({ cause: 'recursion', count: 3 })
  writer.missing({ cpu: 1, seq: 4 })
  writer.clock(1_800_000_000_000_000_000n)
  life(writer, 11, 300 * MS)
  writer.step(310 * MS)
  writer.end(400 * MS)
}

async function replayed(path: string, options?: ReplayOptions): Promise<QuarkEvent[]> {
  const events: QuarkEvent[] = []
  const quark = await Quark.replay(path, options)
  try {
    for await (const event of quark) events.push(event)
  } finally {
    await quark.close()
  }
  return events
}

/** What was delivered before the error, and the error. */
async function broken(path: string): Promise<{ pids: (number | undefined)[]; error: RecordingError }> {
  const pids: (number | undefined)[] = []
  const quark = await Quark.replay(path)
  try {
    for await (const { process } of quark) pids.push(process?.pid)
  } catch (error) {
    assert.ok(error instanceof RecordingError, String(error))
    return { pids, error }
  } finally {
    await quark.close()
  }
  return assert.fail('the recording was not found to be broken')
}

function framesOf(path: string): Frame[] {
  const reader = openRecording(path)
  try {
    const frames: Frame[] = []
    for (let frame = reader.next(); frame !== undefined; frame = reader.next()) frames.push(frame)
    return frames
  } finally {
    reader[Symbol.dispose]()
  }
}

/** A frame of any kind and payload, with a checksum that is right. */
function frame(kind: number, payload: Uint8Array, flags = FRAME_ESSENTIAL): Buffer {
  const header = Buffer.alloc(16)
  header.writeUInt32LE(kind, 0)
  header.writeUInt32LE(payload.length, 4)
  header.writeUInt32LE(flags, 12)
  const before = crc32(header.subarray(12), crc32(header.subarray(0, 8)))
  header.writeUInt32LE(crc32(payload, before), 8)
  return Buffer.concat([header, payload, Buffer.alloc(-payload.length & 7)])
}

function start(header: unknown, version = 2): Buffer {
  const json = Buffer.from(JSON.stringify(header) ?? '')
  const head = Buffer.alloc(16)
  head.write('QUARKREC', 0, 'latin1')
  head.writeUInt32LE(version, 8)
  head.writeUInt32LE(json.length, 12)
  return Buffer.concat([head, json, Buffer.alloc(-json.length & 7)])
}

/** Reads a file to its end, and returns its events unless it is refused; another error is passed on. */
async function survives(bytes: Uint8Array): Promise<QuarkEvent[] | undefined> {
  const path = file(bytes)
  try {
    return await replayed(path)
  } catch (error) {
    if (!(error instanceof RecordingError)) throw error
    assert.equal(error.path, path)
    assert.ok(error.offset >= 0 && error.offset <= bytes.length + 16, `offset ${error.offset}`)
    return undefined
  } finally {
    rmSync(path)
  }
}

test('a reader gets back what a writer was given', () => {
  const records = fc.array(fc.uint8Array({ maxLength: 100 }), { maxLength: 20 })
  fc.assert(
    fc.property(fc.array(records, { maxLength: 5 }), fc.maxSafeNat(), (steps, nowNs) => {
      const path = written((writer) => {
        for (const step of steps) {
          for (const bytes of step) keep(writer, bytes)
          writer.step(nowNs)
        }
      })
      const reader = openRecording(path)
      for (const step of steps) {
        const got: Uint8Array[] = []
        const found = reader.next()
        assert.equal(found?.kind, FRAME_STEP)
        const at = reader.records(found, (_words, bytes, offset, length) => {
          assert.equal(offset % 8, 0)
          got.push(new Uint8Array(bytes.subarray(offset, offset + length)))
        })
        assert.equal(at, nowNs)
        assert.deepEqual(got, step)
      }
      assert.equal(reader.next(), undefined)
      reader[Symbol.dispose]()
      rmSync(path)
    }),
    { numRuns: 50 },
  )
})

test('the header of a recording is that of the recorded queue', () => {
  const header = headerWith({ holdMs: 7, aggregation: 'minimal' })
  const reader = openRecording(written(() => undefined, header))
  assert.deepEqual(reader.header, JSON.parse(JSON.stringify(header)))
  assert.deepEqual(
    [reader.header.options['holdMs'], reader.header.options['aggregation'], reader.header.openBootNs],
    [7, 'minimal', '5'],
  )
  reader[Symbol.dispose]()
  reader[Symbol.dispose]()
})

test('a record is copied when it is given, and only the named part of it', () => {
  const memory = Buffer.from('xxabcdxx')
  const path = written((writer) => {
    writer.record(memory, 2, 4)
    memory.fill(0)
    writer.step(0)
  })
  const [step] = framesOf(path)
  assert.equal(Buffer.from(step?.payload ?? []).toString('latin1', 16, 20), 'abcd')
})

test('a replay has every event, and the times of the clock that was set', async () => {
  const events = await replayed(written(fillAll), { snapshot: true })
  assert.deepEqual(
    events.map(({ kind, process, timeNs }) => [kind, process?.pid, timeNs]),
    [
      ['snapshot', 1, 1_700_000_000_000_000_000n],
      ['process', 10, 1_700_000_000_100_000_000n],
      ['lost', undefined, 1_800_000_000_200_000_000n],
      ['lost', undefined, 1_800_000_000_200_000_000n],
      ['process', 11, 1_800_000_000_300_000_000n],
    ],
  )
})

test('a replay uses the recorded options unless it is given others', async () => {
  const record = (options: object): string => written(fillAll, headerWith(options))
  const actions = async (path: string, options?: ReplayOptions): Promise<number[]> => {
    const events = await replayed(path, options)
    return [10, 11].map((pid) => events.filter(({ process }) => process?.pid === pid).length)
  }
  assert.deepEqual(await actions(record({})), [1, 1])
  assert.deepEqual(await actions(record({ aggregation: 'none' })), [3, 3])
  assert.deepEqual(await actions(record({}), { aggregation: 'none' }), [3, 3])
  assert.deepEqual(await actions(record({ aggregation: 'none' }), { aggregation: 'default' }), [1, 1])
  // Left out, however it is written.
  const leftOut = { aggregation: undefined, holdMs: undefined } as unknown as ReplayOptions
  assert.deepEqual(await actions(record({ aggregation: 'none' }), leftOut), [3, 3])
})

test("a table of the recorded queue's own must be given again", async () => {
  const path = written(fillAll, headerWith({ aggregation: minimalAggregation() }))
  await assert.rejects(Quark.replay(path), (error: unknown) => {
    assert.ok(error instanceof OptionError)
    assert.equal(error.option, 'aggregation')
    assert.match(error.message, /its own aggregation table: give it to the replay too/)
    return true
  })
  assert.equal((await replayed(path, { aggregation: minimalAggregation() })).length > 0, true)
})

test('a replay of a file without an end mark delivers what is there and then says that it was cut short', async () => {
  const path = written((writer) => {
    life(writer, 10, 100 * MS)
    writer.step(200 * MS)
    // Too young to be due at its step.
    life(writer, 11, 300 * MS)
    writer.step(301 * MS)
  })
  const { pids, error } = await broken(path)
  assert.deepEqual(pids, [10, 11])
  assert.match(
    error.message,
    /^Cannot read recording ".*": it was cut short: it has no end mark at byte \d+$/,
  )
  assert.equal(error.offset, readFileSync(path).length)
})

test('a file that ends within a frame delivers the steps before, and says where it was cut', async () => {
  const path = written((writer) => {
    life(writer, 10, 100 * MS)
    writer.step(200 * MS)
    life(writer, 11, 300 * MS)
    writer.step(400 * MS)
  })
  const bytes = readFileSync(path)
  const frames = framesOf(path)
  const { pids, error } = await broken(file(bytes.subarray(0, bytes.length - 8)))
  assert.deepEqual(pids, [10])
  assert.match(error.message, /it was cut short: it has no end mark at byte/)
  assert.equal(error.isCutShort, true)
  assert.equal(error.offset, frames[1]!.offset - 16)
})

test('a record that is longer than its frame is refused, with its place', async () => {
  const payload = Buffer.alloc(24)
  payload.writeUInt32LE(9, 8)
  const { error } = await broken(file(Buffer.concat([start(headerWith()), frame(FRAME_STEP, payload)])))
  assert.match(error.message, /a record is longer than its frame/)
})

test('a changed record is refused by its checksum', async () => {
  const path = written((writer) => {
    life(writer, 10, 100 * MS)
    writer.step(200 * MS)
    writer.end(200 * MS)
  })
  const bytes = readFileSync(path)
  const at = bytes.indexOf('true\0')
  bytes.write('fals', at)
  const { pids, error } = await broken(file(bytes))
  assert.deepEqual([pids, error.offset], [[], framesOf(path)[0]!.offset - 16])
  assert.match(error.message, /a frame has a wrong checksum/)
})

test('broken records are reported as lost, not thrown', async () => {
  const path = written((writer) => {
    keep(writer, new Uint8Array())
    keep(writer, new Uint8Array(1))
    keep(writer, record('exec', 0, { pid: 5 }).subarray(0, 40))
    keep(writer, new Uint8Array(40).fill(0xff))
    life(writer, 10, 100 * MS)
    writer.step(200 * MS)
    writer.end(200 * MS)
  })
  const events = await replayed(path)
  assert.deepEqual(
    events.map((event) => (event.kind === 'lost' ? [event.cause, event.count] : event.process?.pid)),
    [['rejected', 4], 10],
  )
})

const REFUSED: readonly [name: string, bytes: () => Uint8Array, problem: RegExp, offset: number][] = [
  ['an empty file', () => Buffer.alloc(0), /it is not a quark recording/, 0],
  [
    'another file',
    () => Buffer.from('#!/bin/sh\necho this is no recording\n'),
    /it is not a quark recording/,
    0,
  ],
  ['a later version', () => start(headerWith(), 3), /its version is 3, this quark reads 1 to 2/, 8],
  ['a header that is cut', () => start(headerWith()).subarray(0, 99), /its header is cut short/, 12],
  ['a header that is no JSON', () => start(undefined), /broken JSON/, 16],
  ['a header that is null', () => start(null), /JSON of another form/, 16],
  [
    'a header without times',
    () => start({ ...headerWith(), bootEpochNs: 'now' }),
    /JSON of another form/,
    16,
  ],
  ['options that are none', () => start({ ...headerWith(), options: [] }), /JSON of another form/, 16],
  [
    'a field that ends beyond its record',
    () => {
      const header = headerWith()
      const [type] = header.types
      return start({ ...header, types: [{ ...type, size: 24 }] })
    },
    /JSON of another form/,
    16,
  ],
  [
    'a layout of 0.1.0 that is none',
    () => start({ ...headerWith(), layouts: ['fork'] }, 1),
    /another form/,
    16,
  ],
  ['an unusable option', () => start({ ...headerWith(), options: { holdMs: -1 } }), /"holdMs" must be/, 0],
  ['an unknown option', () => start({ ...headerWith(), options: { speed: 1 } }), /unknown option "speed"/, 0],
]

for (const [name, bytes, problem, offset] of REFUSED) {
  test(`refused with clear text: ${name}`, async () => {
    const path = file(bytes())
    await assert.rejects(Quark.replay(path), (error: unknown) => {
      assert.ok(error instanceof RecordingError, String(error))
      assert.match(error.message, problem)
      assert.ok(error.message.startsWith(`Cannot read recording "${path}": `))
      assert.deepEqual([error.path, error.offset, error.code], [path, offset, 'ERR_QUARK_RECORDING'])
      return true
    })
    assert.deepEqual(openFiles(), [])
  })
}

test('a file that cannot be opened or read is refused with the cause', async () => {
  for (const [path, code] of [
    [join(directory, 'missing'), 'ENOENT'],
    [directory, 'EISDIR'],
  ] as const) {
    await assert.rejects(Quark.replay(path), (error: unknown) => {
      assert.ok(error instanceof RecordingError)
      assert.equal((error.cause as NodeJS.ErrnoException).code, code)
      return true
    })
  }
  assert.deepEqual(openFiles(), [])
})

test('essential frames of unknown kinds, and frames with JSON of another form, are refused', async () => {
  const cases: [kind: number, payload: string, problem: RegExp][] = [
    [99, '{}', /a frame has the unknown kind 99/],
    [0, '', /a frame has the unknown kind 0/],
    [FRAME_CGROUPS, '[["x", "/"]]', /JSON of another form/],
    [FRAME_CGROUPS, '{}', /JSON of another form/],
    [4, '{"cause":"fun","count":1}', /JSON of another form/],
    [4, '{"cause":"rejected","count":-1}', /JSON of another form/],
    [5, '{"bootEpochNs":5}', /JSON of another form/],
    [5, 'null', /JSON of another form/],
    [FRAME_END, '{"cpu":1,"seq":4}', /JSON of another form/],
    [7, '{"cpu":4294967295,"seq":1}', /JSON of another form/],
    [7, '{"cpu":1}', /JSON of another form/],
    [5, '{', /broken JSON/],
    [FRAME_STEP, '1234567', /a step has no time/],
  ]
  for (const [kind, payload, problem] of cases) {
    const head = start(headerWith())
    const { error } = await broken(file(Buffer.concat([head, frame(kind, Buffer.from(payload))])))
    assert.match(error.message, problem)
    assert.equal(error.offset, head.length + 16)
  }
})

test('a file with one changed bit is whole or refused', async () => {
  const path = written(fillAll)
  const whole = readFileSync(path)
  const events = (await replayed(path)).map(jsonOf)
  const headerEnd = framesOf(path)[0]!.offset - 16
  await fc.assert(
    fc.asyncProperty(fc.nat(whole.length - 1), fc.nat(7), async (at, bit) => {
      const bytes = Buffer.from(whole)
      bytes[at]! ^= 1 << bit
      const found = await survives(bytes)
      // The header's options may be others and still be options.
      if (found !== undefined && at >= headerEnd) assert.deepEqual(found.map(jsonOf), events)
    }),
    { numRuns: 300 },
  )
})

test('a file that is cut anywhere is refused, and what came before is delivered as it was', async () => {
  const path = written(fillAll)
  const whole = readFileSync(path)
  const events = await replayed(path)
  await fc.assert(
    fc.asyncProperty(fc.nat(whole.length - 1), async (length) => {
      const cut = file(whole.subarray(0, length))
      const got: QuarkEvent[] = []
      await assert.rejects(async () => {
        const quark = await Quark.replay(cut)
        try {
          for await (const event of quark) got.push(event)
        } finally {
          await quark.close()
        }
      }, RecordingError)
      const expected: QuarkEvent[] = events.slice(0, got.length)
      // Losses have the time at which they are noticed: a step of the clock may be cut off that came before the end.
      for (let at = got.length - 1; got[at]?.kind === 'lost'; at -= 1) {
        const { timeNs } = got[at] as QuarkEvent
        expected[at] = { ...(expected[at] as LostEvent), timeNs }
      }
      assert.deepEqual(got.map(jsonOf), expected.map(jsonOf))
      rmSync(cut)
    }),
    { numRuns: 100 },
  )
})

test('random bytes, and frames of random bytes with right checksums, throw nothing but a RecordingError', async () => {
  const payload = fc.oneof(
    fc.uint8Array({ maxLength: 300 }),
    fc.json().map((text) => Buffer.from(text)),
    // A step of records whose first bytes are likely ones.
    fc
      .array(fc.tuple(fc.nat(14), fc.uint8Array({ maxLength: 400 })), { maxLength: 6 })
      .map((records) => stepOf(records)),
  )
  const frames = fc.array(fc.tuple(fc.nat(8), payload), { maxLength: 6 })
  const head = start(headerWith())
  const recordings = frames.map((list) =>
    Buffer.concat([head, ...list.map(([kind, bytes]) => frame(kind, bytes))]),
  )
  const any = fc.oneof(
    { weight: 1, arbitrary: fc.uint8Array({ maxLength: 200 }) },
    { weight: 1, arbitrary: fc.json().map((text) => start(JSON.parse(text))) },
    { weight: 8, arbitrary: recordings },
  )
  await fc.assert(
    fc.asyncProperty(any, async (bytes) => void (await survives(bytes))),
    { numRuns: 500 },
  )
})

function stepOf(records: readonly (readonly [type: number, bytes: Uint8Array])[]): Buffer {
  const parts: Buffer[] = [Buffer.alloc(8, 1)]
  for (const [type, bytes] of records) {
    const copy = Buffer.from(bytes)
    if (copy.length >= 2) copy.writeUInt16LE(type, 0)
    const length = Buffer.alloc(8)
    length.writeUInt32LE(copy.length, 0)
    parts.push(length, copy, Buffer.alloc(-copy.length & 7))
  }
  return Buffer.concat(parts)
}

function openFiles(): string[] {
  return readdirSync('/proc/self/fd').flatMap((fd) => {
    try {
      const target = readlinkSync(`/proc/self/fd/${fd}`)
      return target.startsWith(directory) || target === '/dev/full' ? [target] : []
    } catch {
      return []
    }
  })
}

function isSystemError(error: unknown, path: string, code: string): true {
  assert.ok(error instanceof QuarkError, String(error))
  assert.equal(error.code, 'ERR_QUARK_SYSTEM')
  assert.ok(error.message.startsWith(`Cannot write recording "${path}": ${code}`), error.message)
  assert.equal((error.cause as NodeJS.ErrnoException).code, code)
  return true
}

test('a path that cannot be written is reported with the cause', () => {
  for (const [path, code] of [
    [directory, 'EISDIR'],
    [join(directory, 'missing', 'recording'), 'ENOENT'],
    ['/dev/full', 'ENOSPC'],
  ] as const) {
    assert.throws(
      () => new RecordingWriter(path, headerWith()),
      (error: unknown) => isSystemError(error, path, code),
    )
  }
  assert.deepEqual(openFiles(), [])
})

test('a recording is private to its user, and replaces what was there only if it is to', () => {
  const old = Buffer.alloc(1 << 20, 'old')
  const path = file(old)
  assert.throws(() => new RecordingWriter(path, headerWith()), /Cannot write recording ".*": the file exists/)
  assert.deepEqual(readFileSync(path), old)
  const writer = new RecordingWriter(path, headerWith(), true)
  writer.end(5)
  writer.end(6)
  const frames = framesOf(path)
  assert.deepEqual(
    frames.map(({ kind, payload }) => [kind, Buffer.from(payload).toString()]),
    [[FRAME_END, '{"nowNs":5}']],
  )
  assert.equal(statSync(written(() => undefined)).mode & 0o777, 0o600)
})

test('a file with nothing in it, and what is no file, are written to', () => {
  for (const path of [file(Buffer.alloc(0)), '/dev/null'])
    new RecordingWriter(path, headerWith())[Symbol.dispose]()
})

test('a FIFO that nobody reads is refused, and does not stop the process', () => {
  const path = join(directory, 'fifo')
  execFileSync('mkfifo', [path])
  assert.throws(
    () => new RecordingWriter(path, headerWith()),
    /Cannot write recording .*nobody reads this FIFO/,
  )
})

test('a frame reaches the file after a second, also if no other follows', async () => {
  const path = join(directory, 'slow')
  const writer = new RecordingWriter(path, headerWith())
  const before = readFileSync(path).length
  writer.step(1)
  assert.equal(readFileSync(path).length, before)
  while (readFileSync(path).length === before) await new Promise((resolve) => setTimeout(resolve, 50))
  writer.step(2)
  writer.end(3)
  assert.equal(framesOf(path).length, 3)
})

test('frames reach the file before they are many', () => {
  const path = join(directory, 'large')
  const writer = new RecordingWriter(path, headerWith())
  const record = new Uint8Array(1000)
  for (let i = 0; i < 1000; i++) {
    keep(writer, record)
    writer.step(i)
  }
  const size = readFileSync(path).length
  assert.ok(size > 700_000, `only ${size} bytes of a million are in the file`)
  writer.abandon()
  assert.equal(readFileSync(path).length, size)
  assert.ok(framesOf(path).every(({ kind }) => kind === FRAME_STEP))
  // What comes later goes nowhere.
  writer.step(1)
  writer[Symbol.dispose]()
  assert.equal(readFileSync(path).length, size)
})

test('what a snapshot found is delivered as a whole, in order of time', async () => {
  const path = written(
    (writer) => {
      for (let pid = 1; pid <= 3; pid++) keep(writer, record('snapshot', 0, { pid, tid: pid, known: 15 }))
      writer.snapshot(0)
      writer.end(0)
    },
    headerWith({ snapshot: true }),
  )
  assert.deepEqual(
    framesOf(path).map(({ kind }) => kind),
    [FRAME_SNAPSHOT, FRAME_END],
  )
  const quark = await Quark.replay(path)
  assert.deepEqual(
    quark.poll().map(({ process }) => process?.pid),
    [1, 2, 3],
  )
  assert.equal(quark.isEnded, true)
  await quark.close()
})
