import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { Ajv2020 } from 'ajv/dist/2020.js'
import * as fc from 'fast-check'
import { ACTIVITIES, type Activity, type ActivityType } from '../event/activity-spec.js'
import type { EventSpec } from '../event/spec.js'
import type { Process } from '../process/process.js'
import { baselineOf, baselineText, mergedBaseline, newIn, parseBaseline } from './baseline.js'
import { Collector, type CollectorLimits, type ReportedEvent } from './collector.js'
import { folderRows } from './folders.js'
import { MAX_ENTRIES, MAX_TREE, reportOf, type RunFacts, type RunReport } from './report.js'
import { reportSchema } from './schema.js'
import { reportMarkdown, reportText } from './text.js'
import { Texts } from './texts.js'
import { timelineOf } from './timeline.js'

/** A kind whose events are activities, as they are. */
const spec = { kind: 'did', activities: ({ did }: { did: Activity[] }) => did } as unknown as EventSpec

const MS = 1_000_000n

function collected(events: readonly object[], limits?: CollectorLimits): Collector {
  const collector = new Collector([spec], limits)
  for (const event of events) collector.add(event as ReportedEvent)
  return collector
}

/** A process that begins, executes, and ends if it has a status. */
function process(
  pid: number,
  ppid: number,
  { atMs = 0, status, ...more }: { atMs?: number; status?: number } & Partial<Process> = {},
): object {
  const timeNs = BigInt(atMs) * MS
  const actions = ['fork', 'exec', ...(status === undefined ? [] : ['exit'])]
  const ended = status === undefined ? {} : { exitCode: status, exitTimeNs: timeNs + 5n * MS }
  const known = { pid, ppid, comm: 'sh', exe: '/bin/sh', argv: ['sh', '-c', 'true'], startTimeNs: timeNs }
  return { kind: 'process', timeNs, actions, process: { ...known, ...ended, ...more } }
}

function did(pid: number, what: ActivityType, target: string, more: Partial<Activity> = {}): object {
  return { kind: 'did', timeNs: 0n, process: { pid }, did: [{ what, target, ...more }] }
}

/** Control characters but the end of a line, and marks of reading direction. */
const CODES = /(?!\n)[\p{Cc}\u200e\u200f\u2028-\u202e\u2066-\u2069]/u

const ajv = new Ajv2020({ strict: true, allErrors: true })
const published = new URL('../../report.schema.json', import.meta.url)

/** The schema, allowing no members beside those that it names. */
function closed(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(closed)
  if (typeof schema !== 'object' || schema === null) return schema
  const members = Object.fromEntries(Object.entries(schema).map(([key, value]) => [key, closed(value)]))
  return 'properties' in schema ? { ...members, additionalProperties: false } : members
}

const validate = ajv.compile(closed(reportSchema()) as object)

function checked(collector: Collector, facts?: RunFacts): RunReport {
  const report = reportOf(collector, facts)
  assert.ok(validate(JSON.parse(JSON.stringify(report))), ajv.errorsText(validate.errors))
  return report
}

test('report.schema.json is what the declaration says', () => {
  assert.deepEqual(JSON.parse(readFileSync(published, 'utf8')), reportSchema())
  const types = Object.keys(ACTIVITIES)
  const { $defs } = reportSchema() as { $defs: { activities: { properties: object } } }
  assert.deepEqual(Object.keys($defs.activities.properties), types)
})

test('the schema refuses what no report has', () => {
  const report = JSON.parse(JSON.stringify(reportOf(collected([process(1, 0)])))) as Record<string, unknown>
  assert.ok(validate(report))
  for (const change of [{ version: 2 }, { seconds: 'long' }, { surprise: 1 }, { steps: [{}] }]) {
    assert.ok(!validate({ ...report, ...change }), JSON.stringify(change))
  }
})

test('the schema fits any report', () => {
  const activity = fc.record({
    what: fc.constantFrom(...(Object.keys(ACTIVITIES) as ActivityType[])),
    target: fc.string({ unit: 'binary' }),
    detail: fc.option(fc.string(), { nil: undefined }),
    failed: fc.boolean(),
    sentBytes: fc.option(fc.nat(), { nil: undefined }),
  })
  const pid = fc.integer({ min: 1, max: 9 })
  const event = fc.oneof(
    fc
      .tuple(pid, pid, fc.option(fc.nat(255), { nil: undefined }))
      .map(([own, parent, status]) => process(own, parent, status === undefined ? {} : { status })),
    fc.tuple(pid, fc.array(activity)).map(([own, list]) => ({
      kind: 'did',
      timeNs: 0n,
      process: { pid: own },
      did: list,
    })),
  )
  fc.assert(
    fc.property(fc.array(event, { maxLength: 40 }), (events) => {
      const collector = collected(events)
      const report = checked(collector, { command: ['x'], cwd: '/w', created: 3, exitCode: 1 })
      for (const text of [reportText(report), reportMarkdown(report)]) {
        assert.doesNotMatch(text, CODES)
      }
      assert.doesNotThrow(() => JSON.stringify(timelineOf(collector)))
      const baseline = baselineOf(collector)
      assert.deepEqual(parseBaseline(baselineText(baseline), 'file'), baseline)
    }),
  )
})

test('a process belongs to the package in its environment or an ancestor’s, else to a part of the command', () => {
  const env = [
    'npm_package_name=left-pad',
    'npm_package_version=1.2.3',
    'npm_lifecycle_event=postinstall',
    'A=b',
  ]
  const collector = collected([
    process(1, 0, { exe: '/usr/bin/node', argv: ['node', '/usr/bin/npm', 'ci'] }),
    process(2, 1, { env }),
    process(3, 2, { env: ['CLEAN=1'] }),
    process(4, 1, { exe: '/usr/bin/git' }),
    process(5, 4),
  ])
  const { steps, tree } = checked(collector)
  assert.deepEqual(
    steps.map(({ name, processes }) => [name, processes]),
    [
      ['npm', 1],
      ['left-pad postinstall', 2],
      ['git', 2],
    ],
  )
  assert.equal(tree[0]?.children?.[0]?.children?.[0]?.step, 'left-pad postinstall')
})

test('a part of a command is named by its script, whatever runs that', () => {
  const rows: [exe: string, argv: string[], name: string][] = [
    ['/usr/bin/node', ['node', '/usr/bin/npm', 'ci'], 'npm'],
    ['/usr/bin/env', ['/usr/bin/env', 'node', '/usr/bin/npm', 'ci'], 'npm'],
    ['/usr/bin/env', ['env', '-i', 'A=1', 'make', 'all'], 'make'],
    ['/usr/bin/env', ['env'], 'env'],
    ['/bin/sh', ['sh', '-c', 'true'], 'sh'],
    ['/usr/bin/python3.11', ['python3', 'tool.py'], 'tool.py'],
    ['/usr/bin/git', ['git', 'clone'], 'git'],
  ]
  for (const [exe, argv, name] of rows) {
    assert.equal(checked(collected([process(1, 0, { exe, argv })])).steps[0]?.name, name)
  }
})

test('each program that a process executes is in the report, not the last one alone', () => {
  const first = process(1, 0, { exe: '/opt/evil' })
  const second = {
    ...process(1, 0, { exe: '/bin/true', status: 0 }),
    actions: ['exec', 'exit'],
  }
  const collector = collected([first, second])
  const { executables, tree } = checked(collector)
  assert.deepEqual(
    executables.map(({ path }) => path),
    ['/opt/evil', '/bin/true'],
  )
  assert.equal(tree[0]?.exe, '/bin/true')
  assert.deepEqual(baselineOf(collector).steps, {
    evil: { executables: ['/bin/true', '/opt/evil'], hosts: [], paths: [] },
  })
})

test('files: inside of the working directory counted, temporary ones counted, others listed', () => {
  const collector = collected([
    process(1, 0),
    did(1, 'created', '/w/inside'),
    did(1, 'created', '/tmp/gone'),
    did(1, 'changed', '/tmp/gone'),
    did(1, 'removed', '/tmp/gone'),
    did(1, 'created', '/home/gone'),
    did(1, 'removed', '/home/gone'),
    did(1, 'created', '/home/kept'),
    did(1, 'created', '/tmp/again'),
    did(1, 'removed', '/tmp/again'),
    did(1, 'created', '/tmp/again'),
  ])
  const report = checked(collector, { cwd: '/w' })
  assert.deepEqual(
    report.activities.created?.map(({ target }) => target),
    ['/home/kept', '/tmp/again'],
  )
  assert.deepEqual(Object.keys(report.activities), ['created'])
  assert.equal(report.filesInside, 1)
  assert.equal(report.filesTemporary, 3)
  // What is removed elsewhere was there, so that a baseline has it.
  assert.ok(baselineOf(collector, { cwd: '/w' }).steps['sh']?.paths.includes('/home/gone'))
})

test('any number of temporary files takes no room', () => {
  const collector = collected([process(1, 0)], { maxActivities: 4, maxTextChars: 2000 })
  for (let i = 0; i < 1000; i += 1) {
    collector.add(did(1, 'created', `/tmp/cc${i}.s`) as ReportedEvent)
    collector.add(did(1, 'removed', `/tmp/cc${i}.s`) as ReportedEvent)
  }
  const { isComplete, filesTemporary, missing } = checked(collector)
  assert.deepEqual([isComplete, filesTemporary, missing], [true, 1000, []])
})

test('what has no room is counted, and the report says so', () => {
  const processes = Array.from({ length: 9 }, (_, i) =>
    process(i + 1, i === 0 ? 0 : 1, { argv: ['x', `${i}`.repeat(2000)] }),
  )
  const activities = Array.from({ length: 9 }, (_, i) => did(1, 'contacted', `host${i}:1`))
  const few = { maxProcesses: 5, maxActivities: 4, maxTextChars: 3500 }
  const { missing, isComplete, processes: counts } = checked(collected([...processes, ...activities], few))
  assert.equal(isComplete, false)
  assert.equal(counts.seen, 9)
  assert.match(missing.join('\n'), /^4 processes are too many for the report$/m)
  assert.match(missing.join('\n'), /^\d activities are too many for the report$/m)
  assert.match(missing.join('\n'), /^3 commands are too long for the report$/m)
})

test('lists are cut, and what they lack is counted', () => {
  const processes = Array.from({ length: MAX_TREE + 10 }, (_, i) =>
    process(i + 1, i === 0 ? 0 : 1, { exe: `/bin/tool${i}` }),
  )
  const chain = Array.from({ length: 300 }, (_, i) => process(10_000 + i, i === 0 ? 0 : 9_999 + i))
  const activities = Array.from({ length: MAX_ENTRIES + 5 }, (_, i) => did(1, 'contacted', `host${i}:1`))
  const report = checked(collected([...processes, ...activities]))
  assert.equal(report.isComplete, true)
  const leftOut = { tree: 10, running: MAX_TREE + 10 - MAX_ENTRIES, contacted: 5 }
  assert.deepEqual(report.leftOut, {
    ...leftOut,
    executables: leftOut.running,
    steps: leftOut.running,
  })
  assert.match(reportText(report), /\n {2}… 985 more\n/)
  assert.equal(
    checked(collected(chain)).leftOut.tree,
    200,
    'nor is the tree deeper than readers of JSON take',
  )
})

test('a pid that comes again is another process, also where there is no room for it', () => {
  const events = [process(7, 0, { status: 0 }), process(7, 0, { status: 3 })]
  assert.equal(checked(collected(events)).tree.length, 2)
  const { tree } = checked(collected(events, { maxProcesses: 1 }))
  assert.deepEqual(
    tree.map(({ exitCode }) => exitCode),
    [0],
  )
})

const HOSTILE = '`|</details><script>@x\n# y\u001b[2J\u202e```` ![a](b)'

test('hostile names are no Markdown, no HTML and no codes of a terminal', () => {
  const env = [`npm_package_name=${HOSTILE}`, 'npm_lifecycle_event=x']
  const collector = collected([
    process(1, 0, { argv: ['sh', HOSTILE] }),
    process(2, 1, { env, argv: undefined, exe: undefined, comm: HOSTILE, status: 1 } as object),
    ...(Object.keys(ACTIVITIES) as ActivityType[]).map((what) =>
      did(2, what, `/${HOSTILE}`, { detail: HOSTILE }),
    ),
  ])
  const report = checked(collector, {
    command: [HOSTILE],
    missing: [HOSTILE],
    limits: [HOSTILE],
    newBehaviour: [{ step: HOSTILE, isNewStep: true, what: 'paths', value: HOSTILE }],
  })
  const markdown = reportMarkdown(report)
  const bare = markdown
    .replaceAll(/^(`{3,})text\n[^]*?\n\1$/gm, '')
    .replaceAll(/(?<!`)(`+)(?!`)[^\n]*?(?<!`)\1(?!`)/g, '')
  assert.doesNotMatch(bare, /script|@x|\[a\]|# y/)
  assert.equal((bare.match(/<\/details>/g) ?? []).length, 2)
  for (const text of [markdown, reportText(report)]) assert.doesNotMatch(text, CODES)
})

test('texts have a largest size, whatever a command does', () => {
  const long = (i: number): string => `/${`${i}`.padStart(1000, '`')}`
  const collector = collected([
    ...Array.from({ length: 3000 }, (_, i) => {
      const env = [`npm_package_name=${long(i)}`, 'npm_lifecycle_event=x']
      return process(i + 1, i === 0 ? 0 : 1 + Math.floor(i / 2), { env, argv: [long(i)] })
    }),
    ...(Object.keys(ACTIVITIES) as ActivityType[]).flatMap((what) =>
      Array.from({ length: 1500 }, (_, i) => did(i + 1, what, long(i), { detail: long(i) })),
    ),
  ])
  const many = Array.from({ length: 3000 }, (_, i) => long(i))
  const report = checked(collector, {
    command: many,
    missing: many,
    limits: many,
    newBehaviour: many.map((value) => ({ step: value, isNewStep: true, what: 'paths', value })),
  })
  assert.ok(reportText(report).length < 128 << 10)
  assert.ok(reportMarkdown(report).length < 256 << 10)
})

test('folders stand for paths where there are too many', () => {
  const rows = (paths: readonly string[], most: number): string[] =>
    folderRows(paths, (path) => path, most).map(({ path, count }) => `${path} ${count}`)
  assert.deepEqual(rows([], 3), [])
  assert.deepEqual(rows(['/a/b', '/c'], 3), ['/a/b 1', '/c 1'])
  const many = Array.from({ length: 50 }, (_, i) => `/home/ann/.npm/_cacache/${i}`)
  assert.deepEqual(rows([...many, '/etc/cron.d/x'], 3), ['/etc/cron.d/x 1', '/home/ann/.npm/_cacache/ 50'])
  assert.deepEqual(rows([...many, '/home/ann/.npm/_cacache'], 3), ['/home/ann/.npm/_cacache/ 51'])
})

test('folders have all paths, and no more rows than there is room for', () => {
  const path = fc
    .array(fc.constantFrom('a', 'b', '', 'c'), { maxLength: 5 })
    .map((parts) => `/${parts.join('/')}`)
  fc.assert(
    fc.property(fc.array(path), fc.integer({ min: 1, max: 9 }), (paths, most) => {
      const rows = folderRows(paths, (one) => one, most)
      assert.ok(rows.length <= most)
      assert.equal(
        rows.reduce((sum, { count }) => sum + count, 0),
        paths.length,
      )
    }),
  )
})

test('texts give their room back', () => {
  const texts = new Texts(200)
  const [a, again] = [texts.keep('a'), texts.keep('a')]
  assert.equal(a, again)
  assert.equal(texts.keep('x'.repeat(200)), undefined)
  assert.equal(typeof texts.keep('b'), 'number')
  assert.equal(typeof texts.keep('c'), 'number')
  assert.equal(texts.keep('d'), undefined)
  texts.release(a as number)
  assert.equal(texts.keep('d'), undefined, 'it is used once more')
  texts.release(a as number)
  assert.equal(texts.at(texts.keep('d') as number), 'd')
})

const STEP = { executables: ['/bin/sh'], hosts: ['a:1'], paths: ['~/x', '\n', '"', ' y', '# z', '[w]'] }

test('a baseline is lines that can be merged in any order', () => {
  const baseline = { version: 1, steps: { 'left-pad postinstall': STEP, npm: STEP } } as const
  const text = baselineText(baseline)
  assert.match(text, /^# quark-mon baseline 1\n\n\[left-pad postinstall\]\nran {7}\/bin\/sh\ncontacted a:1\n/)
  const sorted = { ...STEP, paths: STEP.paths.toSorted() }
  const expected = { version: 1, steps: { 'left-pad postinstall': sorted, npm: sorted } }
  assert.deepEqual(parseBaseline(text, 'file'), expected)
  const [heading, ...lines] = text.trimEnd().split('\n')
  const twice = [heading, '', '<- a comment'.replace('<-', '#'), ...lines, ...lines].join('\r\n')
  assert.deepEqual(parseBaseline(twice, 'file'), expected)
})

test('what is no baseline is refused, with the line', () => {
  const heading = '# quark-mon baseline 1\n'
  const rows: [string, RegExp][] = [
    ['', /line 1: it does not begin with/],
    ['{}', /line 1: it does not begin with/],
    ['# quark-mon baseline 2\n', /line 1: /],
    [`${heading}ran /x`, /line 2: it is before the first \[step\]/],
    [`${heading}[a]\nate /x`, /line 3: a line begins with ran, contacted, touched or \[/],
    [`${heading}[a]\nran "/x`, /line 3: what begins with a quotation mark/],
    [`${heading}<<<<<<< HEAD\n`, /line 2: /],
  ]
  for (const [text, message] of rows) {
    assert.throws(() => parseBaseline(text, 'b'), { code: 'ERR_QUARK_BASELINE', message }, text)
  }
})

test('names of steps are no members that objects have already', () => {
  const text = '# quark-mon baseline 1\n[__proto__]\nran /x\n[constructor]\nran /y\n'
  const baseline = parseBaseline(text, 'file')
  assert.equal(baselineText(baseline), text.replaceAll(/^\[/gm, '\n[').replaceAll('ran /', 'ran       /'))
  const none = { version: 1, steps: {} } as const
  assert.deepEqual(
    newIn(baseline, none).map(({ step, isNewStep }) => [step, isNewStep]),
    [
      ['__proto__', true],
      ['constructor', true],
    ],
  )
  assert.deepEqual(newIn(baseline, mergedBaseline(none, baseline)), [])
})

test('in a row of a timeline spans hold each other or are apart, whatever the processes', () => {
  const times = fc.record({
    parent: fc.nat(20),
    atMs: fc.nat(30),
    ms: fc.option(fc.nat(20), { nil: undefined }),
  })
  fc.assert(
    fc.property(fc.array(times, { maxLength: 20 }), (list) => {
      const events = list.map(({ parent, atMs, ms }, i) =>
        process(i + 1, Math.min(parent, i), {
          atMs,
          ...(ms === undefined ? {} : { exitCode: 0, exitTimeNs: BigInt(atMs + ms) * MS }),
        }),
      )
      const spans = timelineOf(collected(events)).traceEvents.filter(({ ph }) => ph === 'X')
      assert.equal(spans.length, events.length)
      for (const [i, a] of spans.entries()) {
        for (const b of spans.slice(i + 1)) {
          if (a.tid !== b.tid) continue
          const [first, second] = a.ts <= b.ts ? [a, b] : [b, a]
          const [ends, end] = [first.ts + (first.dur ?? 0), second.ts + (second.dur ?? 0)]
          const isNested = ends <= second.ts || end <= ends || (first.ts === second.ts && ends <= end)
          assert.ok(isNested, JSON.stringify([first, second]))
        }
      }
    }),
  )
})

test('what runs one after the other is in one row, below what created it', () => {
  const collector = collected([
    process(1, 0, { atMs: 0, exitTimeNs: 100n * MS }),
    process(2, 1, { atMs: 1, status: 0 }),
    process(3, 1, { atMs: 10, status: 0 }),
    process(4, 1, { atMs: 12, status: 0 }),
  ])
  const rows = timelineOf(collector).traceEvents.flatMap(({ ph, tid }) => (ph === 'X' ? tid : []))
  assert.deepEqual(rows, [1, 1, 1, 2])
})
