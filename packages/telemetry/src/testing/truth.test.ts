import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ProcessAction, ProcessEvent } from '../kinds/process/events.js'
import type { Process } from '../process/process.js'
import { byProcess, complaints, descendants, lifeComplaints, parseTruths, type Truth } from './truth.js'

const LIMITS = { maxArgvBytes: 16 }

function event(actions: ProcessAction[], fields: Partial<Process>, timeNs = 1n): ProcessEvent {
  const process = {
    pid: 10,
    ppid: 1,
    startTimeNs: 1n,
    argvTruncated: false,
    exeDeleted: false,
    coreDumped: false,
    ...fields,
  }
  return {
    kind: 'process',
    actions,
    timeNs,
    process: process as Process,
    idChange: undefined,
  } as unknown as ProcessEvent
}

function argv(...strings: string[]): Partial<Process> {
  const argvBytes = Buffer.from(strings.map((string) => `${string}\0`).join(''))
  return { argv: strings, argvBytes, argvSizeBytes: argvBytes.length }
}

test('complaints() finds every sort of untruth', () => {
  const truth: Truth = { step: 's', pid: 10, ppid: 1, argv: ['a', ''], exitCode: 3 }
  const good = event(['fork', 'exec', 'exit'], { ...argv('a', ''), exitCode: 3 })
  const rows: { name: string; events: ProcessEvent[]; expected: RegExp | undefined }[] = [
    { name: 'true', events: [good], expected: undefined },
    { name: 'absent', events: [], expected: /appears as 0 processes/ },
    {
      name: 'twice',
      events: [good, event(['exit'], { exitCode: 3, ...argv('a', '') })],
      expected: /only exit/,
    },
    {
      name: 'no fork',
      events: [event(['exec', 'exit'], { ...argv('a', ''), exitCode: 3 })],
      expected: /only fork/,
    },
    {
      name: 'no exec',
      events: [event(['fork', 'exit'], { ...argv('a', ''), exitCode: 3 })],
      expected: /exec appears 0/,
    },
    {
      name: 'other parent',
      events: [event(['fork', 'exec', 'exit'], { ...argv('a', ''), exitCode: 3, ppid: 2 })],
      expected: /ppid is 2, and in truth 1/,
    },
    {
      name: 'argument lost',
      events: [event(['fork', 'exec', 'exit'], { ...argv('a'), exitCode: 3 })],
      expected: /argv has 2 bytes/,
    },
    {
      name: 'signal instead',
      events: [event(['fork', 'exec', 'exit'], { ...argv('a', ''), exitSignal: 3 })],
      expected: /signal 3, and in truth with 3/,
    },
    {
      name: 'ids',
      events: [
        {
          ...good,
          idChange: {
            changed: ['uid'],
            from: {},
            to: { sid: 1, uid: 1, euid: 1, suid: 1, gid: 1, egid: 1, sgid: 1 },
          },
        },
      ],
      expected: /none happened/,
    },
    {
      name: 'backwards',
      events: [event(['fork', 'exec'], {}, 5n), event(['exit'], { ...argv('a', ''), exitCode: 3 }, 4n)],
      expected: /out of order/,
    },
  ]
  for (const { name, events, expected } of rows) {
    const found = complaints([truth], byProcess(events), LIMITS)
    if (expected === undefined) {
      assert.deepEqual(found, [], name)
    } else {
      assert.match(found.join('\n'), expected, name)
    }
  }
})

test('complaints() demands that long argv is cut at the limit and marked as cut', () => {
  const whole = 'x'.repeat(20)
  const truth: Truth = { step: 's', pid: 10, argv: [whole] }
  const cut = { argvBytes: Buffer.from(whole.slice(0, 16)), argvTruncated: true, argvSizeBytes: 21 }
  assert.deepEqual(complaints([truth], byProcess([event(['fork', 'exec', 'exit'], cut)]), LIMITS), [])
  const silent = event(['fork', 'exec', 'exit'], { ...cut, argvTruncated: false })
  assert.match(
    complaints([truth], byProcess([silent]), LIMITS).join(),
    /is whole of 21 bytes, and in truth cut/,
  )
})

test('parseTruths() joins what several steps say of one process', () => {
  const lines = '{"step":"a","pid":1,"ppid":2}\n{"step":"a","pid":1,"exitCode":0}\n{"step":"b","pid":1}\n'
  assert.deepEqual(parseTruths(lines), [
    { step: 'a', pid: 1, ppid: 2, exitCode: 0 },
    { step: 'b', pid: 1 },
  ])
})

test('descendants() follows parents, and byProcess() distinguishes processes with a reused pid', () => {
  const events = [
    event(['fork'], { pid: 10, ppid: 1 }),
    event(['fork'], { pid: 11, ppid: 10 }),
    event(['fork'], { pid: 12, ppid: 1 }),
    event(['exit'], { pid: 11, ppid: 10 }),
    event(['fork', 'exit'], { pid: 11, ppid: 10, startTimeNs: 2n }),
  ]
  const family = descendants(byProcess(events), 10)
  assert.deepEqual(
    family.map(({ pid, startTimeNs }) => [pid, startTimeNs]),
    [
      [10, 1n],
      [11, 1n],
      [11, 2n],
    ],
  )
  assert.deepEqual(
    family.map(lifeComplaints).map(({ length }) => length),
    [1, 0, 0],
  )
})
