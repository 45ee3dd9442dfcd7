import assert from 'node:assert/strict'
import { test } from 'node:test'
import { OptionError } from '../errors.js'
import type { BaseEvent } from '../event/event.js'
import type { EventSpec } from '../event/spec.js'
import { catalogue, type QuarkEvent } from '../kinds/index.js'
import type { EventFilter } from '../kinds/kind.js'
import { processOf } from '../kinds/process/testing/processes.js'
import { defaultAggregation, noAggregation } from '../kinds/index.js'
import type { Process } from '../process/process.js'
import { Tracking } from '../process/tracked/tracking.js'
import { eventsOf, insert, record, strings, testPipeline } from '../testing/process-records.js'
import { Filter } from './filter.js'
import type { Where } from './predicates.js'

const USERS: Readonly<Record<string, number>> = { root: 0, alice: 1000 }
const ID = '3f2a9c0e7d41b86510c2f7aa9e5d3b7c61f04e2a8d9b7350e1c6f4a2d8b90717'

type Asked = Parameters<Filter['wants']>[0]

function filterOf(where: Where, tracking?: Tracking): Filter {
  return new Filter(where, {
    events: catalogue.events,
    userId: (name) => USERS[name],
    userNames: () => Object.keys(USERS),
    tracking,
  })
}

function event(known: Partial<Process>, actions: readonly string[] = ['exec']): Asked {
  return { kind: 'process', actions, process: processOf({ pid: 9, ...known }) }
}

const exited = ['fork', 'exec', 'exit']
const failedExec = {
  kind: 'execFailed',
  pid: 9,
  tid: 9,
  errno: 2,
  filename: '/x',
  process: processOf({ pid: 9 }),
}
const threadExit = {
  kind: 'thread',
  action: 'exit',
  pid: 9,
  tid: 10,
  process: processOf({ pid: 9, comm: 'a' }),
}
const ofNobody = { kind: 'thread', action: 'fork', pid: 9, tid: 10, process: undefined }
const refused = { kind: 'connectionFailed', process: processOf({ pid: 9 }) }
const snapshot = { kind: 'snapshot', process: processOf({ pid: 9, uid: 1000 }) }

function connection(known: object): Asked {
  return { kind: 'connection', actions: ['connect'], ...known } as Asked
}

/** Events that pass, and events that do not. */
const CASES: readonly [where: Where, yes: readonly Asked[], no: readonly Asked[]][] = [
  [
    { ppid: 7 },
    [event({ ppid: 7 }), event({ ppid: 1, creatorPid: 7 }), event({}), ofNobody],
    [event({ ppid: 8 })],
  ],
  [{ ppid: [7, 8] }, [event({ ppid: 7 }), event({ ppid: 8 })], [event({ ppid: 9 })]],
  [{ user: 'alice' }, [event({ uid: 1000, euid: 0 }), snapshot], [event({ uid: 0, euid: 1000 }), event({})]],
  [{ user: ['root', 5] }, [event({ uid: 0 }), event({ uid: 5 })], [event({ uid: 1000 })]],
  [
    { uid: '10-20' },
    [event({ uid: 10 }), event({ uid: 20 })],
    [event({ uid: 9 }), event({ uid: 21 }), event({})],
  ],
  [
    { uid: ['-5', 7, '9-'] },
    [event({ uid: 0 }), event({ uid: 7 }), event({ uid: 4294967295 })],
    [event({ uid: 6 })],
  ],
  [{ comm: 'py*' }, [event({ comm: 'python' })], [event({ comm: 'sh' }), event({}), ofNobody]],
  [{ comm: ['sh', 'b?'] }, [event({ comm: 'sh' }), event({ comm: 'bc' })], [event({ comm: 'bash' })]],
  [{ exe: '/usr/**' }, [event({ exe: '/usr/bin/x' })], [event({ exe: '/bin/x' }), event({})]],
  [{ exe: 'x' }, [event({ exe: '/usr/bin/x' })], [event({ exe: '/x/y' })]],
  [{ cwd: '/home/*' }, [event({ cwd: '/home/a' })], [event({ cwd: '/home/a/b' }), event({})]],
  [
    { cgroup: '/a/b/' },
    [event({ cgroup: '/a/b' }), event({ cgroup: '/a/b/c' })],
    [event({ cgroup: '/a/bc' }), event({ cgroup: '/a' }), event({})],
  ],
  [{ cgroup: '/' }, [event({ cgroup: '/' }), event({ cgroup: '/a' })], [event({})]],
  [
    { container: ID.slice(0, 12) },
    [event({ cgroup: `/system.slice/docker-${ID}.scope` }), event({ cgroup: `/docker/${ID}/x` })],
    [event({ cgroup: `/docker/${'a'.repeat(64)}` }), event({ cgroup: '/' }), event({})],
  ],
  [{ event: 'process' }, [event({})], [snapshot, threadExit, failedExec]],
  [{ event: ['snapshot', 'thread'] }, [snapshot, threadExit], [event({}), failedExec]],
  [
    { action: 'exit' },
    [event({}, exited), threadExit],
    [event({}, ['exec']), snapshot, failedExec, ofNobody],
  ],
  [
    { action: ['idChange', 'fork'] },
    [event({}, exited), event({}, ['idChange']), ofNobody],
    [event({}, ['exec'])],
  ],
  [
    { failed: true },
    [event({ exitCode: 3 }, exited), event({ exitSignal: 9 }, ['exit']), failedExec, refused],
    [event({ exitCode: 0 }, exited), event({}, ['exec']), event({}, ['exit']), snapshot, threadExit],
  ],
  [{ failed: false }, [event({ exitCode: 0 }, exited), event({ exitCode: 3 }, exited)], []],
  [
    { longerThanMs: 1.5 },
    [event({ durationNs: 1_500_001n }, exited)],
    [
      event({ durationNs: 1_500_000n }, exited),
      event({ durationNs: 9_000_000n }, ['exec']),
      event({}, exited),
      snapshot,
    ],
  ],
  [
    { port: 443 },
    [
      connection({ remotePort: 443 }),
      connection({ localPort: 443 }),
      { kind: 'listener', localPort: 443 } as Asked,
    ],
    [connection({ remotePort: 80, localPort: 4430 }), connection({}), event({}), ofNobody],
  ],
  [
    { port: ['8000-8999', 22, '60000-'] },
    [8000, 8999, 22, 65_535].map((remotePort) => connection({ remotePort })),
    [7999, 9000, 21, 59_999].map((remotePort) => connection({ remotePort })),
  ],
  [
    { host: ['10.0.0.0/8', '2001:db8::/32'] },
    ['10.1.2.3', '::ffff:10.1.2.3', '2001:db8::7'].map((remoteIp) => connection({ remoteIp })),
    [
      connection({ remoteIp: '11.0.0.1' }),
      connection({ remoteIp: '::1' }),
      // This end is not whom it talks to.
      connection({ localIp: '10.1.2.3', remoteIp: '11.0.0.1' }),
      connection({}),
      event({}),
    ],
  ],
  [{ host: '*' }, [], [connection({ remoteIp: '10.1.2.3' })]],
  [
    { host: '::1', port: 80 },
    [connection({ remoteIp: '::1', remotePort: 80 })],
    [connection({ remoteIp: '::1' })],
  ],
  [
    { comm: 'sh', user: 'root', action: 'exec' },
    [event({ comm: 'sh', uid: 0 })],
    [event({ comm: 'sh', uid: 1 }), event({ comm: 'x', uid: 0 }), event({ comm: 'sh', uid: 0 }, ['exit'])],
  ],
]

for (const [where, yes, no] of CASES) {
  test(`filter ${JSON.stringify(where)}`, () => {
    const filter = filterOf(where)
    for (const one of yes) assert.equal(filter.wants(one), true, JSON.stringify(one, plain))
    for (const one of no) assert.equal(filter.wants(one), false, JSON.stringify(one, plain))
    assert.deepEqual([filter.passed, filter.refused], [yes.length, no.length])
    // Losses pass whatever is wanted.
    assert.equal(filter.wants({ kind: 'lost' }), true)
    assert.deepEqual([filter.passed, filter.refused], [yes.length, no.length])
  })
}

interface NamedEvent extends BaseEvent {
  readonly kind: 'named'
  readonly name: string | undefined
  readonly answers: readonly string[] | undefined
  readonly file: string | undefined
}

const NAMED: EventSpec<NamedEvent> = {
  kind: 'named',
  doc: 'Something with a name',
  subject: () => 0,
  fields: {
    name: { type: 'string', doc: 'it', roles: ['dnsName', 'host'] },
    answers: { type: 'strings', doc: 'its addresses', roles: ['host'] },
    file: { type: 'string', doc: 'where it is', roles: ['path'] },
  },
}

test('a path of which a secret is gone does not pass, and is counted', () => {
  const filterOf = (isRedacted: boolean): Filter =>
    new Filter(
      { path: '/tmp/*.key' },
      {
        events: [NAMED as EventSpec],
        userId: () => undefined,
        userNames: () => [],
        tracking: undefined,
        isRedacted,
      },
    )
  const asked = (file: string): Asked => ({ kind: 'named', file }) as unknown as Asked
  const redacted = filterOf(true)
  assert.equal(redacted.wants(asked('/tmp/[REDACTED:0123456789ab]')), false)
  assert.equal(redacted.wants(asked('/tmp/[REDACTED:0123456789ab].key')), true)
  assert.equal(redacted.wants(asked('/tmp/x')), false)
  assert.deepEqual([redacted.refused, redacted.undecided, redacted.passed], [2, 1, 1])
  const live = filterOf(false)
  assert.equal(live.wants(asked('/tmp/[REDACTED:0123456789ab]')), false)
  assert.deepEqual([live.refused, live.undecided], [1, 0])
})

test('names of hosts and of DNS are those of the fields that are declared to be some', () => {
  const filter = (where: Where): Filter =>
    new Filter(where, {
      events: [NAMED as EventSpec],
      userId: () => undefined,
      userNames: () => [],
      tracking: undefined,
    })
  const wants = (where: Where, known: Partial<NamedEvent>): boolean =>
    filter(where).wants({ kind: 'named', ...known } as Asked)
  for (const [where, known, is] of [
    [{ dnsName: '*.example.org' }, { name: 'WWW.Example.org.' }, true],
    [{ dnsName: 'WWW.example.ORG.' }, { name: 'www.example.org' }, true],
    [{ dnsName: ['a', '*.net'] }, { name: 'x.net' }, true],
    [{ dnsName: '*.example.org' }, { name: 'example.org' }, false],
    [{ dnsName: '.' }, { name: '.' }, true],
    [{ path: '/etc/**' }, { file: '/etc/a/b' }, true],
    [{ path: '*.conf' }, { file: '/etc/a/b.conf' }, true],
    [{ path: ['/var/*', '/etc/*'] }, { file: '/etc/a/b' }, false],
    [{ path: '*' }, { file: undefined }, false],
    [{ dnsName: '*' }, { name: undefined }, false],
    [{ dnsName: '*' }, { answers: ['x'] }, false],
    [{ host: 'www.example.org' }, { name: 'www.Example.org' }, true],
    [{ host: '10.0.0.0/8' }, { name: 'www.example.org', answers: ['192.0.2.1', '10.0.0.1'] }, true],
    [{ host: '10.0.0.0/8' }, { name: '10.example.org', answers: [] }, false],
  ] as [Where, Partial<NamedEvent>, boolean][]) {
    assert.equal(wants(where, known), is, JSON.stringify([where, known]))
  }
})

function plain(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? String(value) : value
}

test('a user that there is not is refused, and a similar one is suggested', () => {
  const refused = (user: string, message: RegExp): void =>
    void assert.throws(
      () => filterOf({ user }),
      (error) => error instanceof OptionError && error.option === 'where.user' && message.test(error.message),
    )
  refused('alise', /there is no user "alise": did you mean "alice"\?/)
  refused('nobody-at-all', /give a name of \/etc\/passwd, or a uid/)
})

const S = 1_000_000_000

/** A shell that makes a child, which executes something and fails. */
const shell = { pid: 10, tid: 10, startBootNs: BigInt(S), ppid: 1, pgid: 10, sid: 10, uid: 1000 }
const child = {
  pid: 20,
  tid: 20,
  startBootNs: BigInt(2 * S),
  ppid: 10,
  creatorPid: 10,
  pgid: 10,
  sid: 10,
  uid: 0,
}
const LIVES = [
  record('exec', S, { ...shell, comm: 'sh', argv: strings('sh') }, { seq: 1 }),
  record('fork', 2 * S, { ...child, comm: 'sh' }, { seq: 2 }),
  record('exec', 2 * S + 1, { ...child, comm: 'false', argv: strings('false') }, { seq: 3 }),
  record('exit', 2 * S + 2, { ...child, groupExitCode: 256, leaderExitCode: 256 }, { seq: 4 }),
  // Two records are missing.
  record('exit', 4 * S, { ...shell }, { seq: 7 }),
]

test('what is left out changes the table of processes all the same, and is counted', () => {
  const filter = filterOf({ comm: 'false' })
  const pipeline = testPipeline({ filter })
  const events = eventsOf(pipeline, LIVES)
  const [lost, failed, ...others] = [...events].sort((a, b) => (a.kind < b.kind ? -1 : 1))
  assert.equal(lost?.kind, 'lost')
  assert.equal(failed?.process?.comm, 'false')
  // The event of the shell was left out, and yet it is the parent.
  assert.equal(failed?.relatives?.parent?.comm, 'sh')
  assert.deepEqual(others, [])
  const all = eventsOf(testPipeline(), LIVES)
  assert.equal(filter.refused, all.length - events.length)
  assert.equal(pipeline.tables.processes.lookup(10)?.comm, 'sh')
  assert.notEqual(pipeline.tables.processes.lookup(10)?.exitTimeNs, undefined)
})

test('an event that is left out is not built, and its relatives are not looked up', () => {
  const built = (where: Where): number => {
    const pipeline = testPipeline({ filter: filterOf(where), aggregation: noAggregation() })
    const { processes } = pipeline.tables
    let lookups = 0
    const lookup = processes.lookup.bind(processes)
    processes.lookup = (pid) => {
      lookups += 1
      return lookup(pid)
    }
    eventsOf(pipeline, LIVES)
    return lookups
  }
  assert.equal(built({ user: 5 }), 0)
  assert.ok(built({ user: 0 }) > 0)
})

test('filters of the joined event see all of it', () => {
  for (const [aggregation, actions] of [
    [defaultAggregation(), ['fork', 'exec', 'exit']],
    [noAggregation(), ['exit']],
  ] as const) {
    const pipeline = testPipeline({ filter: filterOf({ failed: true }), aggregation })
    const events = eventsOf(pipeline, LIVES).filter(({ kind }) => kind === 'process')
    assert.deepEqual(
      events.map((one) => one.kind === 'process' && one.actions),
      [actions],
    )
  }
})

const tree = (trees: ConstructorParameters<typeof Tracking>[0]): EventFilter =>
  filterOf({}, new Tracking(trees)) as EventFilter

/** 30 is found, and makes 31, which makes 32 and ends; 40 does the same beside them. */
function familyEvents(filter: EventFilter, aggregation = defaultAggregation()): QuarkEvent[] {
  const pipeline = testPipeline({ filter, snapshotEvents: true, aggregation })
  const of = (pid: number, ppid: number, second: number) => ({
    pid,
    tid: pid,
    startBootNs: BigInt(second * S),
    ppid,
    creatorPid: ppid,
    pgid: pid,
    sid: pid,
  })
  // The child is found before its parent.
  insert(pipeline, record('snapshot', 5 * S, of(41, 40, 2)))
  insert(pipeline, record('snapshot', 5 * S, of(30, 1, 1)))
  insert(pipeline, record('snapshot', 5 * S, of(40, 1, 1)))
  pipeline.applyScan()
  const lives = [
    record('fork', 6 * S, of(31, 30, 6)),
    record('fork', 7 * S, of(32, 31, 7)),
    record('exit', 7 * S + 5, of(31, 30, 6)),
    // Its parent has ended: it is that of init now.
    record('exec', 8 * S, { ...of(32, 1, 7), comm: 'orphan' }),
    record('fork', 8 * S + 1, of(42, 41, 8)),
    record('exit', 9 * S, of(42, 41, 8)),
  ]
  return eventsOf(pipeline, lives)
}

function pidsIn(events: readonly QuarkEvent[]): number[] {
  return [...new Set(events.flatMap(({ process }) => process?.pid ?? []))].sort((a, b) => a - b)
}

for (const aggregation of [defaultAggregation(), noAggregation()]) {
  test('a tree has what is found of it, and all that is made in it, also when parents end first', () => {
    const events = (treeOf: readonly number[], excludePids?: readonly number[]): number[] =>
      pidsIn(familyEvents(tree({ treeOf, excludePids }), aggregation))
    assert.deepEqual(events([30]), [30, 31, 32])
    assert.deepEqual(events([40]), [40, 41, 42])
    assert.deepEqual(events([30, 41]), [30, 31, 32, 41, 42])
    // One that comes only later, as in a replay.
    assert.deepEqual(events([31]), [31, 32])
    assert.deepEqual(events([], [40]), [30, 31, 32])
    assert.deepEqual(events([], [31]), [30, 40, 41, 42])
    // What is left out is so in a tree that is followed.
    assert.deepEqual(events([30], [31]), [30])
    assert.deepEqual(events([99]), [])
  })
}

test('of a process whose fork was lost, the parent says to which tree it belongs', () => {
  const pipeline = testPipeline({ filter: tree({ treeOf: [30], excludePids: undefined }) })
  insert(pipeline, record('snapshot', 5 * S, { ...shell, pid: 30, tid: 30 }))
  pipeline.applyScan()
  const events = eventsOf(pipeline, [
    record('exec', 6 * S, { ...child, ppid: 30, comm: 'unseen' }),
    record('exec', 6 * S, { ...child, pid: 21, tid: 21, ppid: 1, comm: 'other' }),
  ])
  assert.deepEqual(
    events.map(({ process }) => process?.comm),
    ['unseen'],
  )
})

test('trees are left out and taken in again while records come', () => {
  const tracking = new Tracking({ treeOf: [], excludePids: [] })
  const pipeline = testPipeline({
    filter: filterOf({}, tracking) as EventFilter,
    aggregation: noAggregation(),
  })
  const { processes } = pipeline.tables
  insert(pipeline, record('snapshot', 5 * S, { ...shell, pid: 30, tid: 30 }))
  pipeline.applyScan()
  const exec = (pid: number, ppid: number, second: number): number[] =>
    pidsIn(
      eventsOf(pipeline, [
        record('fork', second * S, {
          ...child,
          pid,
          tid: pid,
          startBootNs: BigInt(second * S),
          ppid,
          creatorPid: ppid,
        }),
      ]),
    )
  assert.deepEqual(exec(31, 30, 6), [31])
  assert.equal(tracking.exclude(30, processes, false), true)
  assert.equal(tracking.exclude(99, processes, false), false)
  assert.deepEqual(exec(32, 31, 7), [])
  assert.equal(tracking.exclude(32, processes, false), true)
  assert.deepEqual(exec(33, 32, 8), [])
  // The inner tree stays left out.
  assert.equal(tracking.include(30, processes, false), true)
  assert.equal(tracking.include(30, processes, false), false)
  assert.deepEqual(exec(34, 31, 9), [34])
  assert.deepEqual(exec(35, 33, 10), [])
  assert.equal(tracking.include(32, processes, false), true)
  assert.deepEqual(exec(36, 33, 11), [36])
})

test('a followed process that is gone without the record of its end counts for a while only', () => {
  const tracking = new Tracking({ treeOf: [process.pid, 0x7fff_fff0], excludePids: undefined })
  const pipeline = testPipeline({ filter: filterOf({}, tracking) as EventFilter })
  const { processes } = pipeline.tables
  for (const pid of [process.pid, 0x7fff_fff0]) {
    insert(pipeline, record('snapshot', 5 * S, { ...shell, pid, tid: pid }))
  }
  pipeline.applyScan()
  pipeline.begin()
  assert.equal(tracking.treeSize(processes, true, 10_000), 2)
  assert.equal(tracking.treeSize(processes, true, 11_000), 2)
  assert.equal(tracking.treeSize(processes, true, 12_000), 1)
  // In a replay, what runs here says nothing.
  const replayed = new Tracking({ treeOf: [0x7fff_fff0], excludePids: undefined })
  replayed.begin(processes)
  assert.equal(replayed.treeSize(processes, false, 10_000), 2)
  assert.equal(replayed.treeSize(processes, false, 99_000), 2)
})

test('ancestors are matched by name or program, as far as parents are known', () => {
  const found = (ancestor: string | readonly string[]): number[] => {
    const pipeline = testPipeline({ filter: filterOf({ ancestor }), snapshotEvents: true })
    const of = (pid: number, ppid: number, comm: string) => ({
      pid,
      tid: pid,
      startBootNs: BigInt(pid * S),
      ppid,
      creatorPid: ppid,
      pgid: pid,
      sid: 1,
      comm,
    })
    for (const known of [
      of(1, 0, 'init'),
      of(3, 1, 'sshd'),
      of(4, 3, 'bash'),
      of(5, 4, 'make'),
      of(6, 1, 'cron'),
    ])
      insert(pipeline, record('snapshot', 50 * S, known))
    pipeline.applyScan()
    return pidsIn(eventsOf(pipeline, [record('fork', 60 * S, { ...of(60, 5, 'make') })]))
  }
  assert.deepEqual(found('sshd'), [4, 5, 60])
  assert.deepEqual(found('ba*'), [5, 60])
  assert.deepEqual(found(['cron', 'make']), [60])
  assert.deepEqual(found('init'), [3, 4, 5, 6, 60])
  assert.deepEqual(found('/usr/sbin/sshd'), [])
})
