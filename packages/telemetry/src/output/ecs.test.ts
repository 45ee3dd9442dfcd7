import assert from 'node:assert/strict'
import { test } from 'node:test'
import { EcsFlat } from '@elastic/ecs'
import * as fc from 'fast-check'
import type { ProcessAction } from '../event/event.js'
import type { Process } from '../process/process.js'
import type { EcsHost } from './ecs-host.js'
import type { EcsContext } from './ecs-process.js'
import { createEcs } from './ecs.js'
import { anyEvent, anyProcess, hostileText } from './testing/arbitraries.js'
import { matchGolden } from './testing/golden.js'
import { EVENTS, INIT, KILLED_SHELL, processOf, TIME_NS } from './testing/processes.js'

const HOST: EcsHost = {
  hostname: 'web-1',
  machineId: '0123456789abcdef0123456789abcdef',
  architecture: 'x86_64',
  bootId: '6a0f9a1c-0d3c-4a53-8d4e-0f3a5b1f7c11',
  ips: ['192.0.2.7', '2001:db8::7'],
  macs: ['00:00:5e:00:53:23'],
  kernelRelease: '6.12.1',
  osName: 'Debian GNU/Linux',
  osVersion: '12',
  osFull: 'Debian GNU/Linux 12',
  osId: 'debian',
}

const USERS = new Map([
  [0, 'root'],
  [1000, 'ann'],
])

const CONTEXT: EcsContext = {
  host: HOST,
  userName: (uid) => USERS.get(uid),
  groupName: (gid) => (gid === 2 ? 'bin' : undefined),
  lookup: tableOf([INIT, KILLED_SHELL]),
}

function tableOf(processes: readonly Process[]): (pid: number) => Process | undefined {
  return (pid) => processes.find((p) => p.pid === pid)
}

type Json = Readonly<Record<string, unknown>>

function parse(line: string): Json {
  return JSON.parse(line) as Json
}

/** The value at a dotted path. */
function valueAt(document: Json, path: string): unknown {
  return path.split('.').reduce<unknown>((value, key) => (value as Json | undefined)?.[key], document)
}

/** Values by dotted path; arrays are values. */
function flatten(document: Json, prefix = ''): [string, unknown][] {
  return Object.entries(document).flatMap(([key, value]) =>
    typeof value === 'object' && value !== null && !Array.isArray(value)
      ? flatten(value as Json, `${prefix}${key}.`)
      : [[prefix + key, value] as [string, unknown]],
  )
}

interface EcsField {
  readonly type: string
  readonly normalize: readonly string[]
  readonly pattern?: string
  readonly allowed_values?: readonly {
    readonly name: string
    readonly expected_event_types?: readonly string[]
  }[]
}

const FIELDS = EcsFlat as unknown as Readonly<Record<string, EcsField>>
const DATE = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z$/

const HAS_TYPE: Readonly<Record<string, (value: unknown) => boolean>> = {
  keyword: (value) => typeof value === 'string',
  wildcard: (value) => typeof value === 'string',
  ip: (value) => typeof value === 'string' && /^[\da-f.:]+$/.test(value),
  long: Number.isInteger,
  boolean: (value) => typeof value === 'boolean',
  date: (value) => typeof value === 'string' && DATE.test(value),
}

function assertEcs(path: string, value: unknown): void {
  const field = FIELDS[path]
  assert.ok(field, `${path} is not a field of ECS`)
  assert.equal(Array.isArray(value), field.normalize.includes('array'), `${path}: array or not`)
  for (const element of Array.isArray(value) ? value : [value]) {
    assert.ok(HAS_TYPE[field.type]?.(element), `${path} is to be ${field.type}: ${String(element)}`)
    if (field.pattern !== undefined) assert.match(String(element), new RegExp(field.pattern))
    if (field.allowed_values !== undefined) {
      assert.ok(
        field.allowed_values.some(({ name }) => name === element),
        `${path}: ${String(element)}`,
      )
    }
  }
}

test('createEcs() writes every kind of event', () => {
  matchGolden('events.ecs.ndjson', EVENTS.map(createEcs(CONTEXT)).join('\n') + '\n')
})

test('createEcs() writes only fields of ECS, with their types, and its own under quark', () => {
  fc.assert(
    fc.property(anyEvent, fc.array(anyProcess), hostileText, (event, others, name) => {
      const related = others.map((p, i) => ({ ...p, pid: i }))
      const ecs = createEcs({
        ...CONTEXT,
        userName: () => name,
        groupName: () => name,
        lookup: tableOf(related),
      })
      const line = ecs(event)
      assert.doesNotMatch(line, /[\p{Cc}\p{Cs}\p{Bidi_Control}\u2028\u2029]/u)
      for (const [path, value] of flatten(parse(line))) {
        if (!path.startsWith('quark.')) assertEcs(path, value)
      }
    }),
  )
})

test('createEcs() uses only the event types that ECS expects of the category process', () => {
  const expected = FIELDS['event.category']?.allowed_values?.find(({ name }) => name === 'process')
  assert.ok(expected?.expected_event_types)
  for (const event of EVENTS) {
    const types = valueAt(parse(createEcs(CONTEXT)(event)), 'event.type') as readonly string[]
    assert.ok(types.length > 0)
    for (const type of types) assert.ok(expected.expected_event_types.includes(type), type)
  }
})

test('createEcs() names actions and types', async (t) => {
  const cases: { actions: ProcessAction[]; action: string; types: string[] }[] = [
    { actions: ['fork'], action: 'process-forked', types: ['start'] },
    { actions: ['exec'], action: 'process-executed', types: ['start'] },
    { actions: ['exit'], action: 'process-exited', types: ['end'] },
    { actions: ['fork', 'exec', 'exit'], action: 'process-forked-executed-exited', types: ['start', 'end'] },
    { actions: ['fork', 'idChange'], action: 'process-forked', types: ['start', 'change'] },
    { actions: ['idChange'], action: 'process-id-changed', types: ['change'] },
    { actions: ['commChange'], action: 'process-renamed', types: ['change'] },
    { actions: ['idChange', 'commChange'], action: 'process-id-changed-renamed', types: ['change'] },
  ]
  for (const { actions, action, types } of cases) {
    await t.test(actions.join(' and '), () => {
      const event = { kind: 'process', actions, timeNs: TIME_NS, process: INIT, idChange: undefined } as const
      const document = parse(createEcs(CONTEXT)(event))
      assert.equal(valueAt(document, 'event.action'), action)
      assert.deepEqual(valueAt(document, 'event.type'), types)
      assert.deepEqual(valueAt(document, 'quark.actions'), actions)
    })
  }
})

test('createEcs() does not take a later process for the parent', () => {
  const child = processOf({ pid: 20, ppid: 10, sid: 10, pgid: 10, startTimeNs: TIME_NS })
  const cases = [
    { startTimeNs: TIME_NS + 1_000_000_000n, parent: undefined },
    // The child's start, when it is from /proc, is cut to 10 ms.
    { startTimeNs: TIME_NS + 9_000_000n, parent: 'sh' },
    { startTimeNs: TIME_NS - 1n, parent: 'sh' },
  ]
  for (const { startTimeNs, parent } of cases) {
    const lookup = tableOf([processOf({ pid: 10, comm: 'sh', startTimeNs })])
    const document = parse(
      createEcs({ ...CONTEXT, lookup })({ kind: 'snapshot', timeNs: TIME_NS, process: child }),
    )
    assert.equal(valueAt(document, 'process.parent.pid'), 10)
    assert.equal(valueAt(document, 'process.parent.name'), parent)
    assert.equal(valueAt(document, 'process.session_leader.name'), parent)
    // A group can be led by a process that is younger than a member.
    assert.equal(valueAt(document, 'process.group_leader.name'), 'sh')
  }
})

test('createEcs() tells sessions with a terminal from those without', () => {
  const cases = [
    { tty: [0, 0], interactive: false, major: undefined },
    { tty: [136, 0], interactive: true, major: 136 },
    { tty: [143, 255], interactive: true, major: 143 },
    { tty: [4, 64], interactive: true, major: 4 },
    { tty: [5, 1], interactive: false, major: 5 },
  ] as const
  for (const { tty, interactive, major } of cases) {
    const process = processOf({ pid: 1, ttyMajor: tty[0], ttyMinor: tty[1] })
    const document = parse(createEcs(CONTEXT)({ kind: 'snapshot', timeNs: TIME_NS, process }))
    assert.equal(valueAt(document, 'process.interactive'), interactive)
    assert.equal(valueAt(document, 'process.tty.char_device.major'), major)
  }
})

test('createEcs() leaves out the host when it is not given', () => {
  const { userName, groupName, lookup } = CONTEXT
  const document = parse(createEcs({ userName, groupName, lookup })(EVENTS[0]!))
  assert.equal(document['host'], undefined)
})
