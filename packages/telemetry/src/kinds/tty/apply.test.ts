import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { encodeRecord } from 'quark-ebpf/probe'
import { eventsOf, record, testPipeline } from '../../testing/process-records.js'
import { RecordRedactor } from '../../redact/records.js'
import { Redactor } from '../../redact/redactor.js'
import { MOST_JOINED_BYTES } from './apply.js'
import type { TtyEvent } from './events.js'
import { ttyKind } from './index.js'
import { ORIGIN_TYPED, ttyLayout } from './records.js'

const WRITE = {
  pid: 7,
  ttyMajor: 136,
  ttyMinor: 3,
  devpts: 24,
  columns: 80,
  rows: 24,
  inputFlags: 0o400,
  outputFlags: 5,
  controlFlags: 0o277,
  localFlags: 0o1033,
  driver: 'pty_slave',
} as const

/** A write of so many bytes, of which as many as `mostBytes` are kept. */
function write(timeNs: number, data: string | Buffer, values: object = {}, mostBytes?: number): Uint8Array {
  const bytes = Buffer.from(data as string)
  const header = { cpu: 0, seq: 0, timeNs: BigInt(timeNs) }
  const size = BigInt(bytes.length)
  return encodeRecord(
    ttyLayout,
    header,
    { ...WRITE, givenBytes: size, writtenBytes: size, data: bytes, ...values },
    mostBytes === undefined ? {} : { data: mostBytes },
  )
}

function eventsWith(records: readonly Uint8Array[], options = {}): TtyEvent[] {
  const events = eventsOf(testPipeline(options), [...records]) as { kind: string }[]
  return events.filter(({ kind }) => kind === 'tty') as unknown as TtyEvent[]
}

const shell = record('exec', 1, { pid: 7, tid: 7, startBootNs: 1n, comm: 'bash' })

test('an event has the terminal, who wrote, and what', () => {
  const [event, ...more] = eventsWith([shell, write(100, 'hello\n')])
  assert.deepEqual(more, [])
  assert.ok(event)
  const { process, timeNs: _timeNs, relatives: _relatives, ...rest } = event
  assert.equal(process?.comm, 'bash')
  assert.deepEqual(rest, {
    kind: 'tty',
    origin: 'output',
    pid: 7,
    terminal: 'pts/3',
    ttyMajor: 136,
    ttyMinor: 3,
    devpts: 24,
    driver: 'pty_slave',
    columns: 80,
    rows: 24,
    text: 'hello\n',
    data: undefined,
    writtenBytes: 6,
    missingBytes: 0,
    writes: 1,
    spanNs: 0n,
    inputFlags: 0o400,
    outputFlags: 5,
    controlFlags: 0o277,
    localFlags: 0o1033,
  })
})

test('writes of a process at one terminal are one event, whatever else happens meanwhile', () => {
  const elsewhere = write(150, 'no', { ttyMinor: 4 })
  const container = write(160, 'neither', { devpts: 99 })
  const events = eventsWith([shell, write(100, 'a'), elsewhere, container, write(200, 'b'), write(300, 'c')])
  assert.deepEqual(
    events.map(({ text, writes, spanNs, terminal }) => [text, writes, spanNs, terminal]),
    [
      ['abc', 3, 200n, 'pts/3'],
      ['no', 1, 0n, 'pts/4'],
      ['neither', 1, 0n, 'pts/3'],
    ],
  )
})

test('another process, size, mode or origin, missing bytes and a second end an event', () => {
  const rows: readonly object[] = [
    { pid: 8 },
    { columns: 81 },
    { outputFlags: 4 },
    { localFlags: 0 },
    { origin: ORIGIN_TYPED },
  ]
  for (const values of rows) {
    const events = eventsWith([shell, write(100, 'a'), write(200, 'b', values), write(300, 'c')])
    assert.deepEqual(
      events.map(({ text }) => text),
      ['a', 'b', 'c'],
      JSON.stringify(values),
    )
  }
  const cut = write(100, 'a23456789', {}, 1)
  const events = eventsWith([shell, cut, write(200, 'b'), write(300, 'c')])
  assert.deepEqual(
    events.map(({ text, missingBytes }) => [text, missingBytes]),
    [
      ['a', 8],
      ['bc', 0],
    ],
  )
  assert.equal(eventsWith([shell, write(100, 'a'), write(1_000_000_101, 'b')]).length, 2)
})

test('several writes have a bound together, and one that is longer stands alone', () => {
  const long = 'x'.repeat(MOST_JOINED_BYTES)
  const rows: [sizes: number[], events: number[]][] = [
    [
      [2000, 2000, 96, 1],
      [MOST_JOINED_BYTES, 1],
    ],
    [
      [5000, 1],
      [5000, 1],
    ],
    [Array.from({ length: 300 }, () => 1), [256, 44]],
  ]
  for (const [sizes, expected] of rows) {
    const records = sizes.map((size, i) => write(100 + i, (long + long).slice(0, size)))
    assert.deepEqual(
      eventsWith([shell, ...records]).map(({ text }) => text?.length),
      expected,
    )
  }
})

test('bytes that are no UTF-8 are there as such, and what could not be read is absent', () => {
  const half = Buffer.from([0x61, 0xc3])
  const [broken] = eventsWith([shell, write(100, half)])
  assert.deepEqual([broken?.text, broken?.data], ['a\ufffd', new Uint8Array(half)])
  const [whole] = eventsWith([shell, write(100, half), write(110, Buffer.from([0xb6]))])
  assert.deepEqual([whole?.text, whole?.data], ['aö', undefined])
  const [unread] = eventsWith([shell, write(100, '', { writtenBytes: 5n, data: undefined })])
  assert.deepEqual([unread?.text, unread?.data, unread?.missingBytes], [undefined, undefined, 5])
  const [more] = eventsWith([shell, write(100, 'abc', { writtenBytes: 2n })])
  assert.deepEqual([more?.text, more?.missingBytes], ['ab', 0])
})

test('a terminal without a size, a driver or a name lacks them', () => {
  const values = { ttyMajor: 200, devpts: 0, columns: 0, rows: 0, driver: undefined }
  const [event] = eventsWith([write(100, 'x', values)])
  const { terminal, devpts, columns, rows, driver, process } = event ?? assert.fail()
  assert.deepEqual(
    [terminal, devpts, columns, rows, driver, process],
    [undefined, undefined, undefined, undefined, undefined, undefined],
  )
})

test('any bytes become an event that never throws, and adds up', () => {
  const u64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n })
  const any = fc.record({
    data: fc.uint8Array({ maxLength: 64 }),
    givenBytes: u64,
    writtenBytes: u64,
    origin: fc.nat({ max: 0xffffffff }),
    driver: fc.string({ maxLength: 8 }),
  })
  fc.assert(
    fc.property(fc.array(any, { maxLength: 6 }), fc.nat({ max: 64 }), (writes, mostBytes) => {
      const records = writes.map(({ data, ...values }, i) =>
        write(100 + i, Buffer.from(data), values, mostBytes),
      )
      for (const { text, data, writtenBytes, missingBytes } of eventsWith(records)) {
        assert.ok(missingBytes >= 0)
        assert.ok((data ?? Buffer.from(text ?? '')).length <= 64 * writes.length)
        assert.ok(missingBytes <= writtenBytes)
      }
    }),
  )
})

test('secrets are taken out of what is shown, and a replay knows that nothing is missing', () => {
  const redaction = new Redactor()
  const text = 'token ghp_abcdefghijklmnopqrstuvwxyz0123456789 and more\n'
  const records = new RecordRedactor(redaction, ttyKind.records)
  const real = write(100, text)
  const redacted = records.redacted(real, 0, real.length) ?? assert.fail('nothing was redacted')
  assert.ok(!Buffer.from(redacted).includes('ghp_'))
  const [replayed] = eventsWith([redacted])
  assert.match(replayed?.text ?? '', /^token \[REDACTED\S*\] and more\n$/)
  assert.deepEqual([replayed?.missingBytes, replayed?.writtenBytes], [0, text.length])
  // What is cut does not count what was taken out as written.
  const short = records.redacted(write(100, text, { writtenBytes: 5n }), 0, real.length)
  assert.ok(short !== undefined)
  assert.equal(eventsWith([short])[0]?.missingBytes, 0)
})

test('without the option nothing is attached', () => {
  const settings = { tty: false, maxTtyBytes: 8192 } as never
  assert.deepEqual(ttyKind.facts({ settings, hierarchy: undefined }), [])
})

test('the records of a real session are what was seen of it', () => {
  const hex = readFileSync(new URL('../../../src/kinds/tty/testdata/session.hex', import.meta.url), 'latin1')
  const records = hex.split('\n\n').map((record) => Buffer.from(record.replaceAll('\n', ''), 'hex'))
  const events = eventsWith(records)
  assert.deepEqual(
    events.map(({ origin, text, data, columns, rows, writes, driver }) => {
      return [
        origin,
        data === undefined ? text : Buffer.from(data).toString('latin1'),
        columns,
        rows,
        writes,
        driver,
      ]
    }),
    [
      ['output', 'prompt$ ', 100, 30, 1, 'pty_slave'],
      ['typed', 'typed\r', 100, 30, 1, 'pty_slave'],
      ['output', '\u001b[1mbold\u001b[0m typed\n', 100, 30, 1, 'pty_slave'],
      // What was typed meanwhile is not shown.
      ['output', 'gr\xc3\xbc\xc3\x9fe\n\xff\nto the terminal\n', 80, 24, 3, 'pty_slave'],
    ],
  )
})
