import assert from 'node:assert/strict'
import test from 'node:test'
import { assertEcs, CONTEXT, flatten, parse, valueAt } from './output/testing/ecs.js'
import type { Process } from './process/process.js'
import { declarations } from './stream.js'
import { type SummarisedEvent, Summary, summaryEcs, summaryText } from './summaries.js'
import { schemaCheck } from './testing/schema.js'

const MS = 1_000_000n
let pids = 100

/** A process event of which only this is known. */
function event(actions: readonly string[], known: Partial<Process>): SummarisedEvent {
  pids += 1
  return { kind: 'process', actions, timeNs: 0n, process: { pid: pids, uid: 0, ...known } as Process }
}

/** A whole process: from its fork to its end. */
function whole(exe: string, ms: number, known: Partial<Process> = {}): SummarisedEvent {
  const process = { exe, argv: [exe, 'argument'], exitCode: 0, durationNs: BigInt(ms) * MS, ...known }
  return event(['fork', 'exec', 'exit'], process)
}

function usage(cpuMs: number, peakRssBytes: number): Pick<Process, 'usage'> {
  const [readBytes, writeBytes] = [0n, 0n]
  return { usage: { userTimeNs: BigInt(cpuMs) * MS, systemTimeNs: 0n, peakRssBytes, readBytes, writeBytes } }
}

test('a summary counts what began, ended, failed and was killed', () => {
  const summary = new Summary()
  summary.add(whole('/bin/true', 1))
  summary.add(whole('/bin/false', 2, { exitCode: 1 }))
  summary.add(whole('/bin/sleep', 3, { exitCode: undefined, exitSignal: 9 }))
  summary.add(event(['fork'], { exe: '/bin/sh' }))
  summary.add(event(['exec'], { exe: '/bin/sh' }))
  summary.add({ kind: 'execFailed', timeNs: 0n, process: undefined })
  summary.add({ kind: 'lost', timeNs: 0n, process: undefined, count: 7 } as SummarisedEvent)
  summary.add({ kind: 'snapshot', timeNs: 0n, process: { pid: 1 } as Process })
  const report = summary.report({ seconds: 2 })
  assert.deepEqual(report.processes, { began: 4, ended: 3, failed: 1, killed: 1 })
  assert.equal(report.processesPerSecond, 2)
  assert.equal(report.execs, 4)
  assert.equal(report.failedExecs, 1)
  assert.equal(report.lost, 7)
  assert.deepEqual(report.mostFailed, [
    { command: '/bin/false', value: 1 },
    { command: '/bin/sleep', value: 1 },
  ])
})

test('commands are ordered by runs, time, CPU and memory, each by its own', () => {
  const summary = new Summary({ rows: 2 })
  for (let i = 0; i < 5; i += 1) summary.add(whole('/bin/often', 1, usage(1, 1000)))
  summary.add(whole('/bin/long', 100, usage(2, 2000)))
  summary.add(whole('/bin/busy', 20, usage(50, 3000)))
  summary.add(whole('/bin/large', 10, { ...usage(3, 9_000_000), uid: 7 }))
  const report = summary.report({ userName: (uid) => (uid === 7 ? 'seven' : undefined) })
  assert.deepEqual(report.mostRuns, [
    { command: '/bin/often', value: 5 },
    { command: '/bin/busy', value: 1 },
  ])
  assert.deepEqual(
    report.mostTime.map(({ command }) => command),
    ['/bin/long', '/bin/busy'],
  )
  assert.deepEqual(
    report.longest.map(({ command, value }) => [command, value]),
    [
      ['/bin/long', 0.1],
      ['/bin/busy', 0.02],
    ],
  )
  assert.deepEqual(
    report.mostCpu?.map(({ command, value }) => [command, value]),
    [
      ['/bin/busy', 0.05],
      ['/bin/often', 0.005],
    ],
  )
  assert.deepEqual(
    report.mostMemory?.map(({ command, value }) => [command, value]),
    [
      ['/bin/large', 9_000_000],
      ['/bin/busy', 3000],
    ],
  )
  assert.deepEqual(report.users, [
    { uid: 0, processes: 7, cpuSeconds: 0.057 },
    { uid: 7, name: 'seven', processes: 1, cpuSeconds: 0.003 },
  ])
  assert.equal(report.longest[0]?.arguments, '/bin/long argument')
})

test('what is not known is absent: CPU and memory without usage, failed execs that nobody watches', () => {
  const summary = new Summary()
  summary.add(event(['fork', 'exec', 'exit'], { comm: 'true' }))
  const report = summary.report()
  assert.ok(!('mostCpu' in report) && !('mostMemory' in report) && !('failedExecs' in report))
  assert.deepEqual(report.mostRuns, [{ command: 'true', value: 1 }])
  assert.deepEqual(report.longest, [])
  assert.equal(report.processesPerSecond, 0)
})

test('names without end take bounded room, and the text says what may be wrong', () => {
  const summary = new Summary()
  for (let i = 0; i < 3000; i += 1) {
    summary.add(whole(`/tmp/${'x'.repeat(4000)}${i}`, 1, { argv: ['y'.repeat(100_000)] }))
    summary.add(whole('/usr/bin/often', 1))
  }
  const report = summary.report({ seconds: 1 })
  assert.equal(report.mostRuns[0]?.command, '/usr/bin/often')
  assert.equal(report.mostRuns[0]?.value, 3000)
  assert.equal(report.isCut, true)
  assert.ok(JSON.stringify(report).length < 20_000)
  const text = summaryText(report, { columns: 80 })
  assert.match(text, /^ +~[\d.]+ms {2}…x+/m)
  assert.match(text, /^more commands than are kept/m)
  for (const line of text.split('\n')) assert.ok(line.length <= 80, line)
})

test('the text has no more of a terminal than line ends, whatever names hold', () => {
  const summary = new Summary()
  summary.add(whole('/tmp/\u001b[2J\n\u202e', 1, { argv: ['a\rb'] }))
  const text = summaryText(summary.report())
  assert.match(text, /\/tmp\/\\x1b\[2J\\n\\u\{202e\}/)
  assert.match(text, /\$'a\\rb'/)
  assert.doesNotMatch(text.replaceAll('\n', ''), /\p{Cc}|\u202e/u)
})

test('the text of a run in which nothing happened is short', () => {
  assert.equal(
    summaryText(new Summary().report({ seconds: 1.5 })),
    '0 processes in 1.50s (0.0 per second)\n0 ended, 0 failed, 0 killed, 0 execs\nnothing was lost\n',
  )
})

test('the number of rows is checked', () => {
  for (const rows of [0, 1.5, 101, Number.NaN]) assert.throws(() => new Summary({ rows }), RangeError)
})

/** A summary with every member that processes have. */
function busy(): Summary {
  const summary = new Summary()
  for (let i = 0; i < 1500; i += 1) {
    summary.add(whole(`/bin/${i % 1200}`, i, { ...usage(i, i + 1), uid: i % 3, exitCode: i % 2 }))
  }
  summary.add({ kind: 'execFailed', timeNs: 0n, process: undefined })
  return summary
}

const userName = (uid: number): string | undefined => (uid === 0 ? 'root' : undefined)

test('the object of a summary is what the schema says, empty or full', () => {
  const check = schemaCheck(declarations)
  const time = '2026-01-02T03:04:05.678Z'
  for (const summary of [new Summary(), busy()]) {
    check(JSON.stringify({ time, ...summary.report({ seconds: 1.5, userName }) }))
  }
  const report = busy().report({ seconds: 1, userName })
  assert.throws(() => check(JSON.stringify({ time, ...report, surprise: 1 })))
  assert.throws(() => check(JSON.stringify({ time, ...report, mostRuns: [{ value: 1 }] })))
  const { lost: _lost, ...others } = report
  assert.throws(() => check(JSON.stringify({ time, ...others })))
})

test('the order of members is that of earlier versions', () => {
  assert.deepEqual(Object.keys(busy().report()), [
    'kind',
    'seconds',
    'processes',
    'processesPerSecond',
    'execs',
    'failedExecs',
    'lost',
    'mostRuns',
    'mostTime',
    'longest',
    'mostCpu',
    'mostMemory',
    'mostFailed',
    'users',
    'isCut',
  ])
})

test('a document of ECS has the report below quark, and beside it only fields of ECS', () => {
  for (const form of ['lean', 'full'] as const) {
    const report = busy().report({ seconds: 1.5, userName })
    const document = parse(summaryEcs(report, 1_700_000_000_000_000_000n, CONTEXT, { form }))
    for (const [path, value] of flatten(document)) if (!path.startsWith('quark.')) assertEcs(path, value)
    assert.equal(valueAt(document, 'event.kind'), 'metric')
    assert.equal(valueAt(document, 'event.duration'), 1_500_000_000)
    assert.equal(valueAt(document, 'host.hostname'), 'web-1')
    assert.equal(valueAt(document, 'quark.summary.processes.began'), 1500)
    assert.equal(valueAt(document, 'quark.summary.failed_execs'), 1)
    assert.equal(valueAt(document, 'quark.summary.is_cut'), true)
    const [first] = valueAt(document, 'quark.summary.most_cpu') as readonly object[]
    assert.deepEqual(Object.keys(first ?? {}), ['command', 'value', 'error_at_most'])
  }
})
