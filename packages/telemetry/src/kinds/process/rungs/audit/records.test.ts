import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AUDIT_ANOM_ABEND, AUDIT_CWD, AUDIT_EOE, AUDIT_EXECVE, AUDIT_SYSCALL } from 'quark-ebpf'
import * as fc from 'fast-check'
import { catalogue, type QuarkEvent } from '../../../index.js'
import { checkOptions } from '../../../../options/check.js'
import { auditRecord } from '../../../../testing/audit-record.js'
import { insert, testPipeline } from '../../../../testing/process-records.js'
import { auditArchitectures, numbersOf } from '../../../../backend/audit/architectures.js'
import { AuditEvents } from '../../../../backend/audit/events.js'
import { AuditRecords } from './records.js'
import { PROCESS_CALLS } from './calls.js'
import { Outbox } from '../../../../backend/outbox.js'
import { findStat } from '../../../../process/procfs/enrich.js'

/** Above every pid that a kernel gives: nothing is found of it in /proc. */
const PID = 5_000_000
const PARENT = PID + 1
/** The first architecture of this machine, and a number of each call. */
const { arch, architecture } = auditArchitectures()[0]!
const NUMBERS: Readonly<Record<string, number | undefined>> = Object.fromEntries(
  Object.entries(PROCESS_CALLS).map(([name, call]) => [name, numbersOf([call], architecture)[0]]),
)
const IDS = 'uid=1 gid=2 euid=3 suid=4 fsuid=3 egid=5 sgid=6 fsgid=5'

class Session {
  readonly outbox = new Outbox(1, 100)
  readonly records: AuditRecords
  readonly auditEvents = new AuditEvents(() => 0n, Object.values(PROCESS_CALLS), [AUDIT_ANOM_ABEND])
  #serial = 0

  constructor(live: Map<number, bigint> = new Map()) {
    const settings = checkOptions(catalogue.options, { maxArgvBytes: 8, failedExecs: true })
    this.records = new AuditRecords(
      { settings, hierarchy: undefined },
      { records: this.outbox, unknownCpu: 0 },
      live,
    )
  }

  line(type: number, text: string, timeMs = 1000): void {
    const record = auditRecord(type, text, { timeMs, serial: this.#serial })
    if (record !== undefined) this.auditEvents.take(record)
  }

  /** One event: a call and what belongs to it. */
  call(call: string, text: string, others: readonly [number, string][] = [], timeMs = 1000): void {
    this.#serial += 1
    const start = `arch=${arch.toString(16)} syscall=${NUMBERS[call]}`
    this.line(
      AUDIT_SYSCALL,
      `${start} ${text} ppid=${PARENT} pid=${PID} ${IDS} comm="name" exe="/bin/name"`,
      timeMs,
    )
    for (const [type, other] of others) this.line(type, other, timeMs)
    this.line(AUDIT_EOE, '', timeMs)
  }

  make(): void {
    this.records.take(this.auditEvents.takeComplete())
    this.records.make([])
  }

  events(): QuarkEvent[] {
    this.make()
    const pipeline = testPipeline()
    const sink = {
      record: (_words: Uint32Array, bytes: Buffer, offset: number, length: number) =>
        insert(pipeline, bytes.subarray(offset, offset + length)),
    }
    this.outbox.drain(sink, 1000)
    const events: QuarkEvent[] = []
    pipeline.flush(events)
    return events
  }
}

test('an exec has all that audit reports, and the rest is absent', () => {
  const session = new Session()
  session.call('exec', 'success=yes exit=0', [
    [AUDIT_EXECVE, 'argc=2 a0="name" a1=E4'],
    [AUDIT_CWD, 'cwd="/work"'],
  ])
  session.call('exitGroup', 'a0=103', [], 1002)
  const [event, ...rest] = session.events()
  assert.deepEqual(rest, [])
  assert.ok(event?.kind === 'process')
  assert.deepEqual(event.actions, ['exec', 'exit'])
  const { pid, ppid, uid, gid, euid, suid, egid, sgid, comm, exe, cwd, argvBytes, exitCode } = event.process
  assert.deepEqual([pid, ppid, uid, gid, euid, suid, egid, sgid], [PID, PARENT, 1, 2, 3, 4, 5, 6])
  assert.deepEqual([comm, exe, cwd, exitCode], ['name', '/bin/name', '/work', 3])
  assert.equal(Buffer.from(argvBytes ?? []).toString('latin1'), 'name\0\xe4\0')
  const { capEffective, ttyMajor, netNs, sid, startTimeNs, env } = event.process
  assert.deepEqual(
    { capEffective, ttyMajor, netNs, sid, startTimeNs, env },
    {
      capEffective: undefined,
      ttyMajor: undefined,
      netNs: undefined,
      sid: undefined,
      startTimeNs: undefined,
      env: undefined,
    },
  )
  assert.equal(session.records.unenriched, 1)
})

test('argv is cut at its limit, and its size is reported', () => {
  const session = new Session()
  session.call('exec', 'success=yes exit=0', [[AUDIT_EXECVE, 'argc=1 a0="123456789"']])
  const [event] = session.events()
  assert.ok(event?.kind === 'process')
  assert.deepEqual([event.process.argvTruncated, event.process.argvSizeBytes], [true, 10])
})

test('how a process ended is reported as far as audit knows', async (t) => {
  const cases = [
    {
      name: 'a call ends it',
      act: (session: Session) => session.call('exitGroup', 'a0=ff'),
      end: [255, undefined],
    },
    {
      name: 'a signal that dumps core',
      act: (session: Session) => session.line(AUDIT_ANOM_ABEND, `pid=${PID} comm="name" sig=11 res=1`),
      end: [undefined, 11],
    },
    {
      name: 'another signal: it is gone at two polls',
      act: ({ records }: Session) => {
        records.endKilled(2_000_000_000n)
        records.endKilled(4_000_000_000n)
      },
      end: [undefined, undefined],
    },
    {
      name: 'exit(2) of its only thread',
      act: (session: Session) => {
        session.call('exit', 'a0=4')
        session.make()
        session.records.settleExits(0)
      },
      end: [4, undefined],
    },
  ]
  for (const { name, act, end } of cases) {
    await t.test(name, () => {
      const session = new Session(new Map([[PID, 7n]]))
      act(session)
      act(session)
      session.make()
      act(session)
      const [event, ...rest] = session.events()
      assert.deepEqual(rest, [])
      assert.ok(event?.kind === 'process')
      assert.deepEqual(event.actions, ['exit'])
      assert.deepEqual([event.process.exitCode, event.process.exitSignal], end)
    })
  }
})

test('a clone makes a process unless it makes a thread', () => {
  const session = new Session()
  session.call('clone', `success=yes exit=${PID + 2} a0=1200011`)
  session.call('clone', `success=yes exit=${PID + 3} a0=3d0f00`)
  session.call('clone', `success=yes exit=${PID + 4} a0=8011`)
  session.call('clone', `success=no exit=-11 a0=11`)
  // Nothing says what a clone3 made that is gone.
  session.call('clone3', `success=yes exit=${PID + 5} a0=7ffc0000`)
  const reported = session.events().flatMap((event) => (event.kind === 'process' ? [event.process] : []))
  assert.deepEqual(
    reported.map(({ pid, ppid, uid, comm }) => [pid, ppid, uid, comm]),
    [
      [PID + 2, PID, 1, 'name'],
      [PID + 4, PARENT, 1, 'name'],
    ],
  )
  assert.equal(session.records.unenriched, 3)
})

test('a process whose pid was reused gets no facts of the one that has it now', async (t) => {
  // The pid is this process's, which is there to be found.
  const { startBootNs } = findStat({ pid: process.pid, tid: process.pid, timeNs: 2n ** 63n })!
  const startMs = Number(startBootNs / 1_000_000n)
  const found = { startMs, cwd: process.cwd() }
  const clone = (session: Session, timeMs: number): void =>
    session.call('clone', `success=yes exit=${process.pid} a0=11`, [], timeMs)
  const cases = [
    { name: 'it was made just then', timesMs: [startMs - 500], expected: [found] },
    {
      name: 'it was made long before',
      timesMs: [startMs - 5000],
      expected: [{ startMs: startMs - 5000, cwd: undefined }],
    },
    {
      name: 'another one was made soon after',
      timesMs: [startMs - 500, startMs - 20],
      expected: [{ startMs: startMs - 500, cwd: undefined }, found],
    },
  ]
  for (const { name, timesMs, expected } of cases) {
    await t.test(name, () => {
      const session = new Session()
      for (const timeMs of timesMs) clone(session, timeMs)
      assert.deepEqual(begun(session.events()), expected)
    })
  }
  await t.test('its start was known before its fork was reported', () => {
    const session = new Session()
    const exec = `arch=${arch.toString(16)} syscall=${NUMBERS['exec']} success=yes pid=${process.pid} comm="name"`
    session.line(AUDIT_SYSCALL, exec, startMs + 10)
    session.line(AUDIT_EOE, '', startMs + 10)
    clone(session, startMs - 20)
    clone(session, startMs + 500)
    assert.deepEqual(begun(session.events()), [{ startMs, cwd: undefined }, found])
  })
  await t.test('another one was made while /proc was read', () => {
    const session = new Session()
    clone(session, startMs - 500)
    const earlier = session.auditEvents.takeComplete()
    session.records.take(earlier)
    clone(session, startMs - 20)
    session.records.make(session.auditEvents.complete)
    assert.deepEqual(begun(session.events()), [{ startMs: startMs - 500, cwd: undefined }, found])
  })
})

/** Starts and directories of processes, as their forks report them. */
function begun(events: readonly QuarkEvent[]): { startMs: number; cwd: string | undefined }[] {
  return events.flatMap((event) =>
    event.kind === 'process' && event.actions.includes('fork')
      ? [{ startMs: Number((event.process.startTimeNs ?? 0n) / 1_000_000n), cwd: event.process.cwd }]
      : [],
  )
}

test('ids that a call left as they were are no change', () => {
  const session = new Session()
  session.call('exec', 'success=yes exit=0')
  session.call('uid', 'success=yes exit=0')
  session.call('setsid', `success=yes exit=${PID}`)
  const actions = session
    .events()
    .flatMap((event) => (event.kind === 'process' ? [event.idChange?.changed] : []))
  assert.deepEqual(actions, [undefined, ['sid']])
})

test('an event whose end is lost is reported when many others have come', () => {
  const session = new Session()
  session.line(
    AUDIT_SYSCALL,
    `arch=${arch.toString(16)} syscall=${NUMBERS['exec']} success=yes pid=${PID} comm="name"`,
  )
  session.make()
  assert.equal(session.outbox.length, 0)
  for (let i = 0; i < 256; i++) {
    session.auditEvents.take(auditRecord(0, '', { timeMs: 1000, serial: i + 9 })!)
  }
  session.make()
  assert.equal(session.outbox.length, 1)
})

test('any records are taken', () => {
  const type = fc.constantFrom(AUDIT_SYSCALL, AUDIT_EXECVE, AUDIT_CWD, AUDIT_EOE, AUDIT_ANOM_ABEND, 1327)
  const call = fc.constantFrom(...Object.values(NUMBERS))
  const text = fc.oneof(
    fc.string(),
    fc
      .tuple(call, fc.string())
      .map(([number, rest]) => `arch=${arch.toString(16)} syscall=${number} success=yes ${rest}`),
    fc
      .tuple(call, fc.nat())
      .map(
        ([number, exit]) =>
          `arch=${arch.toString(16)} syscall=${number} success=yes exit=${exit} pid=${PID} a0=11 exe=2F61 comm=(null)`,
      ),
  )
  fc.assert(
    fc.property(fc.array(fc.tuple(type, text)), (lines) => {
      const session = new Session()
      for (const [one, rest] of lines) session.line(one, rest)
      session.records.settleExits(1e9)
      session.events()
    }),
  )
})
