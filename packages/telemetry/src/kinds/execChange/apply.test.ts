import assert from 'node:assert/strict'
import { test } from 'node:test'
import { encodeRecord } from 'quark-ebpf/probe'
import { eventsOf, record, testPipeline } from '../../testing/process-records.js'
import type { ExecChange } from '../../process/exec-change.js'
import { noAggregation } from '../index.js'
import { execChangeLayout, FILE_PROGRAM, FILE_SCRIPT, scriptOpenLayout } from './records.js'

const SHELL = { pid: 10, ppid: 1, sid: 10 }
const WRITER = {
  writerPid: 20,
  writerStartBootNs: 20n,
  writerSid: 10,
  writerUid: 1000,
  writerComm: 'cp',
  openedNs: 90n,
  isMemfd: 0,
}

function process(pid: number, ppid: number, sid: number, argv: readonly string[] = ['x']): Uint8Array {
  return record('exec', pid, {
    pid,
    tid: pid,
    startBootNs: BigInt(pid),
    ppid,
    sid,
    known: 3,
    comm: `p${pid}`,
    argv: Buffer.from(argv.map((text) => `${text}\0`).join('')),
    argvBytes: argv.join(' ').length + 1,
  })
}

function executed(timeNs: number, pid: number, values: object = {}): Uint8Array {
  const header = { cpu: 0, seq: 0, timeNs: BigInt(timeNs) }
  return encodeRecord(execChangeLayout, header, {
    pid,
    startBootNs: BigInt(pid),
    sid: 10,
    file: FILE_PROGRAM,
    ...WRITER,
    name: './built',
    ...values,
  })
}

function opened(timeNs: number, pid: number, path: string): Uint8Array {
  const header = { cpu: 0, seq: 0, timeNs: BigInt(timeNs) }
  return encodeRecord(scriptOpenLayout, header, {
    pid,
    startBootNs: BigInt(pid),
    sid: 10,
    ...WRITER,
    path: { path },
  } as never)
}

type Changed = { readonly kind: string; readonly pid?: number; readonly execChange?: ExecChange }

function eventsWith(records: readonly Uint8Array[], options = {}): Changed[] {
  return eventsOf(testPipeline(options), [...records]) as unknown as Changed[]
}

const shell = process(SHELL.pid, SHELL.ppid, SHELL.sid)
const writer = process(WRITER.writerPid, SHELL.pid, 10)

test('the event of an exec has who wrote the program, and when', () => {
  const events = eventsWith([shell, writer, process(30, 10, 10), executed(31, 30)])
  const { execChange } = events.at(-1) ?? assert.fail()
  assert.ok(execChange)
  const { openedNs, writerEntityId, ...rest } = execChange
  assert.ok(openedNs > 0n && writerEntityId !== undefined)
  assert.deepEqual(rest, {
    file: 'program',
    script: undefined,
    relation: 'session',
    writerPid: 20,
    writerComm: 'cp',
    writerUid: 1000,
    memfd: false,
  })
  assert.deepEqual(
    events.slice(0, -1).map((event) => event.execChange),
    [undefined, undefined],
  )
})

test('a script has its name, and a file of memory says so', () => {
  const events = eventsWith([shell, process(30, 10, 10), executed(31, 30, { file: FILE_SCRIPT, isMemfd: 1 })])
  const { execChange } = events.at(-1) ?? assert.fail()
  assert.deepEqual([execChange?.file, execChange?.script, execChange?.memfd], ['script', './built', true])
  // It is not in the table.
  assert.equal(execChange?.writerEntityId, undefined)
})

test('a file that is opened is the script only if it has its name', () => {
  const rows: [argv: string[], path: string, script: string | undefined][] = [
    [['/bin/sh', './run.sh', 'data'], '/home/run.sh', '/home/run.sh'],
    [['/usr/bin/awk', '-f', 'run.awk'], '/home/run.awk', '/home/run.awk'],
    [['/bin/sh', './run.sh'], '/home/other.sh', undefined],
    [['run.sh'], '/home/run.sh', undefined],
  ]
  for (const [argv, path, script] of rows) {
    const events = eventsWith([shell, process(30, 10, 10, argv), opened(31, 30, path)])
    assert.equal(events.find(({ execChange }) => execChange)?.execChange?.script, script, path)
    assert.equal(events.length, 2)
  }
})

test('only the session and relatives of who wrote it are named', () => {
  const rows: [what: string, relation: string | undefined, records: Uint8Array[], values: object][] = [
    ['itself', 'session', [], { writerPid: 30, writerSid: 99 }],
    ['its session', 'session', [], {}],
    [
      'a child in another session',
      'tree',
      [process(25, 30, 25)],
      { writerPid: 25, writerStartBootNs: 25n, writerSid: 25 },
    ],
    ['a parent in another session', 'tree', [], { writerPid: 10, writerStartBootNs: 10n, writerSid: 99 }],
    [
      'a child of its shell',
      'tree',
      [process(25, 10, 25)],
      { writerPid: 25, writerStartBootNs: 25n, writerSid: 25 },
    ],
    [
      'another session',
      undefined,
      [process(26, 1, 26)],
      { writerPid: 26, writerStartBootNs: 26n, writerSid: 26 },
    ],
    ['one that is not known', undefined, [], { writerPid: 70, writerStartBootNs: 70n, writerSid: 70 }],
    [
      'one whose pid is of another one now',
      undefined,
      [process(25, 10, 25)],
      { writerPid: 25, writerStartBootNs: 7n, writerSid: 26 },
    ],
    ['one that is in no session either', 'session', [], { writerPid: 70, writerSid: 0, sid: 0 }],
  ]
  for (const [what, relation, others, values] of rows) {
    const records = [
      process(1, 0, 1),
      shell,
      process(20, 10, 10),
      ...others,
      process(30, 10, 10),
      executed(60, 30, values),
    ]
    const found = eventsWith(records, {}).find(({ execChange }) => execChange !== undefined)
    assert.equal(found?.execChange?.relation, relation, what)
  }
})

test('without aggregation it is an event of its own', () => {
  const records = [shell, writer, process(30, 10, 10), executed(31, 30), opened(32, 30, '/x')]
  const events = eventsWith(records, { aggregation: noAggregation() })
  assert.deepEqual(
    events.map(({ kind, pid, execChange }) => [kind, pid, execChange?.file]),
    [
      ['process', undefined, undefined],
      ['process', undefined, undefined],
      ['process', undefined, undefined],
      ['execChange', 30, 'program'],
      // Its own name is none of its arguments.
    ],
  )
})
