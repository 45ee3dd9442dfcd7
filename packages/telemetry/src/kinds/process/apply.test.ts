import assert from 'node:assert/strict'
import { test } from 'node:test'
import { TAIL_TRUNCATED } from 'quark-ebpf/probe'
import type { QuarkEvent } from '../index.js'
import type { CgroupNames } from '../../process/cgroup-names.js'
import type { ProcessEvent } from './events.js'
import { eventsOf, insert, record, strings, testPipeline } from '../../testing/process-records.js'
import { noAggregation } from '../index.js'
import { PROC_EVENT_GID, PROC_EVENT_SID, PROC_EVENT_UID } from './kernel-ids.js'
import { execLayout } from './records.js'
import { KILLED_BY_KERNEL, KILLED_BY_OOM, KILLED_BY_PROCESS } from './records.js'

const START = 1_000_000_000n
const who = (pid: number) => ({ pid, tid: pid, startBootNs: START + BigInt(pid) })
const inRoot = (path: string, root = '/') => ({ path, root, truncated: false, deleted: false })

function processEvents(events: readonly QuarkEvent[]): ProcessEvent[] {
  return events.filter((event) => event.kind === 'process')
}

/** The process of the last event of some records, nothing joined. */
function lastProcess(...records: Uint8Array[]): ProcessEvent['process'] {
  const events = processEvents(eventsOf(testPipeline({ aggregation: noAggregation() }), records))
  const last = events.at(-1)
  assert.ok(last)
  return last.process
}

test('a child has its image, cwd and cgroup from its parent until a record has its own', () => {
  const pipeline = testPipeline()
  pipeline.tables.table<CgroupNames>('cgroup').set(7, '/user')
  const events = processEvents(
    eventsOf(pipeline, [
      record('exec', 1, {
        ...who(1),
        cgroupId: 7n,
        comm: 'sh',
        exe: inRoot('/bin/sh', '/jail'),
        cwd: inRoot('/work', '/jail'),
        argv: strings('sh', '-c', 'x'),
        argvBytes: 7,
        env: strings('A=1'),
        envBytes: 4,
      }),
      record('fork', 2, { ...who(2), ppid: 1, comm: 'sh' }),
      record('fork', 3, { ...who(3), ppid: 99, comm: 'sh', cwd: inRoot('/') }),
    ]),
  )
  const facts = events.map(({ process: { exe, cwd, root, argv, env, argvSizeBytes, cgroup } }) => {
    return { exe, cwd, root, argv, env, argvSizeBytes, cgroup }
  })
  const shell = {
    exe: '/bin/sh',
    cwd: '/work',
    root: '/jail',
    argv: ['sh', '-c', 'x'],
    env: ['A=1'],
    argvSizeBytes: 7,
    cgroup: '/user',
  }
  const unknown = {
    exe: undefined,
    cwd: '/',
    root: '/',
    argv: undefined,
    env: undefined,
    argvSizeBytes: undefined,
    cgroup: undefined,
  }
  assert.deepEqual(facts, [shell, shell, unknown])
})

test('an exec without cwd and a new name without comm leave none behind', () => {
  const events = processEvents(
    eventsOf(testPipeline(), [
      record('fork', 2, { ...who(2), ppid: 1, comm: 'sh', cwd: inRoot('/work', '/jail') }),
      record('exec', 2, { ...who(2), comm: 'ls' }),
      record('comm', 2, who(2)),
    ]),
  )
  const { cwd, root, comm } = events.at(-1)!.process
  assert.deepEqual({ cwd, root, comm }, { cwd: undefined, root: undefined, comm: undefined })
})

test('a child has the image that its parent had when it was made, though an exec joined an older record', () => {
  const events = processEvents(
    eventsOf(testPipeline(), [
      record('exec', 1, { ...who(1), exe: inRoot('/bin/sh') }),
      record('fork', 2, { ...who(2), ppid: 1 }),
      record('fork', 3, { ...who(3), ppid: 2 }),
      record('exec', 4, { ...who(2), exe: inRoot('/bin/late') }),
      record('fork', 5, { ...who(4), ppid: 2 }),
    ]),
  )
  assert.deepEqual(
    events.map(({ actions, process }) => [process.pid, actions.length, process.exe]),
    [
      [1, 1, '/bin/sh'],
      [2, 2, '/bin/late'],
      [3, 1, '/bin/sh'],
      [4, 1, '/bin/late'],
    ],
  )
})

test('an environment that was not asked for is unknown, an empty one is empty', () => {
  const values = { ...who(1), argv: strings('a'), env: new Uint8Array(0), envBytes: 500 }
  const empty = lastProcess(record('exec', 1, values))
  assert.deepEqual([empty.env, empty.envTruncated, empty.envSizeBytes], [[], false, 500])
  const exec = Buffer.from(record('exec', 1, values))
  // A limit of 0 cuts everything.
  exec.writeUInt32LE(TAIL_TRUNCATED, execLayout.at.env)
  const process = lastProcess(exec)
  assert.deepEqual(
    [process.env, process.envTruncated, process.envSizeBytes, process.argv],
    [undefined, false, undefined, ['a']],
  )
})

test('of a path that is too long the lower part is kept, with a mark', () => {
  const cut = { path: '/opt/late/program', truncated: true, deleted: false }
  const process = lastProcess(record('exec', 1, { ...who(1), exe: cut, cwd: { ...cut, path: '/work' } }))
  const { exe, exeTruncated, cwd, cwdTruncated, root } = process
  assert.deepEqual(
    { exe, exeTruncated, cwd, cwdTruncated, root },
    { exe: '.../opt/late/program', exeTruncated: true, cwd: '.../work', cwdTruncated: true, root: undefined },
  )
  // Where the process's root was reached, nothing of the path is missing.
  const whole = lastProcess(record('exec', 1, { ...who(1), exe: { ...inRoot('/a'), truncated: true } }))
  assert.deepEqual(
    [whole.exe, whole.exeTruncated, whole.cwd, whole.cwdTruncated],
    ['/a', false, undefined, false],
  )
})

test('strings that were cut are reported and counted', () => {
  const exec = Buffer.from(
    record('exec', 1, {
      ...who(1),
      cwd: { ...inRoot('/a'), truncated: true },
      exe: { ...inRoot('/b'), truncated: true, deleted: true },
      argv: strings('ab', 'cd'),
      argvBytes: 900,
    }),
  )
  exec.writeUInt32LE((exec.readUInt32LE(execLayout.at.argv) | TAIL_TRUNCATED) >>> 0, execLayout.at.argv)
  const pipeline = testPipeline()
  const [event] = processEvents(eventsOf(pipeline, [exec]))
  assert.ok(event)
  const { argv, argvTruncated, argvSizeBytes, argvBytes, exeDeleted, root } = event.process
  assert.deepEqual(
    { argv, argvTruncated, argvSizeBytes, argvBytes, exeDeleted, root },
    {
      argv: ['ab', 'cd'],
      argvTruncated: true,
      argvSizeBytes: 900,
      argvBytes: Uint8Array.from(strings('ab', 'cd')),
      exeDeleted: true,
      root: undefined,
    },
  )
  const { truncatedArgv, truncatedEnv, truncatedPaths } = pipeline.tables.processes
  assert.deepEqual([truncatedArgv, truncatedEnv, truncatedPaths], [1, 0, 2])
})

test('how a process ended', async (t) => {
  // oxfmt-ignore
  const cases = [
    { name: 'exit(0)',                   leader: 0,      group: 0,     flags: 0, code: 0,         signal: undefined, core: false },
    { name: 'exit(255)',                 leader: 0xff00, group: 0,     flags: 0, code: 255,       signal: undefined, core: false },
    { name: 'exit_group(3)',             leader: 0,      group: 0x300, flags: 4, code: 3,         signal: undefined, core: false },
    { name: 'group code without flag',   leader: 0x100,  group: 0x300, flags: 8, code: 1,         signal: undefined, core: false },
    { name: 'SIGKILL',                   leader: 9,      group: 9,     flags: 4, code: undefined, signal: 9,         core: false },
    { name: 'SIGSEGV with a core',       leader: 0,      group: 0x8b,  flags: 4, code: undefined, signal: 11,        core: true },
  ]
  for (const { name, leader, group, flags, code, signal, core } of cases) {
    await t.test(name, () => {
      const process = lastProcess(
        record('exit', START + 50n, {
          ...who(1),
          leaderExitCode: leader,
          groupExitCode: group,
          signalFlags: flags,
        }),
      )
      assert.deepEqual(
        [process.exitCode, process.exitSignal, process.coreDumped, process.durationNs],
        [code, signal, core, 49n],
      )
    })
  }
})

test('who sent the signal that ended a process', () => {
  const comm = { killerPid: 7, killerUid: 1000, killerComm: 'kill' }
  const byProcess = { by: 'process', pid: 7, uid: 1000, comm: 'kill' }
  const nobody = { pid: undefined, uid: undefined, comm: undefined }
  const cases = [
    { status: 15, killedBy: KILLED_BY_PROCESS, killer: byProcess },
    { status: 9, killedBy: KILLED_BY_PROCESS | KILLED_BY_OOM, killer: byProcess },
    { status: 9, killedBy: KILLED_BY_KERNEL | KILLED_BY_OOM, killer: { by: 'oomKiller', ...nobody } },
    { status: 9, killedBy: KILLED_BY_OOM, killer: { by: 'oomKiller', ...nobody } },
    // It was to make room, and ended for another reason.
    { status: 11, killedBy: KILLED_BY_KERNEL | KILLED_BY_OOM, killer: { by: 'kernel', ...nobody } },
    { status: 15, killedBy: KILLED_BY_OOM, killer: undefined },
    { status: 15, killedBy: 0, killer: undefined },
    { status: 0x300, killedBy: KILLED_BY_PROCESS, killer: undefined },
  ]
  for (const { status, killedBy, killer } of cases) {
    for (const name of ['exit', 'exitUsage'] as const) {
      const process = lastProcess(
        record(name, START + 50n, { ...who(1), leaderExitCode: status, killedBy, ...comm }),
      )
      assert.deepEqual(process.killer, killer, `${name} ${status} ${killedBy}`)
    }
  }
})

test('a process that has a name of 15 bytes for its killer has all of it', () => {
  const killed = { ...who(1), leaderExitCode: 9, killedBy: KILLED_BY_PROCESS, killerComm: 'fifteen-letters' }
  assert.equal(lastProcess(record('exit', START + 50n, killed)).killer?.comm, 'fifteen-letters')
})

test('a running process has not ended', () => {
  const process = lastProcess(record('fork', 5, who(1)))
  assert.deepEqual(
    [process.exitCode, process.exitSignal, process.coreDumped, process.exitTimeNs, process.durationNs],
    [undefined, undefined, false, undefined, undefined],
  )
})

test('an exit of an unknown process has what its record knows', () => {
  const process = lastProcess(record('exit', START + 9n, { ...who(5), ppid: 1, pgid: 2, sid: 3 }))
  assert.deepEqual(
    [process.pid, process.ppid, process.pgid, process.sid, process.uid, process.comm, process.capEffective],
    [5, 1, 2, 3, undefined, undefined, undefined],
  )
})

test('usage counts a leader that ended before the last thread', () => {
  const usage = { groupRunNs: 100n, taskRunNs: 10n, leaderRunNs: 1n, groupUserNs: 1n, peakRssPages: 2n }
  const ofLeader = lastProcess(record('exitUsage', 5, { ...who(1), ...usage, groupReadBytes: 4n }))
  const ofThread = lastProcess(record('exitUsage', 5, { ...who(1), tid: 9, ...usage, leaderWriteBytes: 6n }))
  assert.deepEqual(ofLeader.usage, {
    userTimeNs: 110n,
    systemTimeNs: 0n,
    peakRssBytes: 8192,
    readBytes: 4n,
    writeBytes: 0n,
  })
  assert.deepEqual([ofThread.usage?.userTimeNs, ofThread.usage?.writeBytes], [111n, 6n])
})

test('an id change has the ids before and after', async (t) => {
  const ids = (n: number) => ({ uid: n, euid: n, suid: n, gid: n + 1, egid: n + 1, sgid: n + 1, sid: n + 2 })
  await t.test('of a known process', () => {
    const [, event] = processEvents(
      eventsOf(testPipeline(), [
        record('exec', 1, { ...who(1), ...ids(10) }),
        record('idChange', 2, { ...who(1), ...ids(20), what: PROC_EVENT_GID }),
        record('idChange', 3, { ...who(1), ...ids(30), what: PROC_EVENT_UID }),
      ]),
    )
    assert.deepEqual(event?.idChange, { changed: ['uid', 'gid'], from: ids(10), to: ids(30) })
    assert.equal(event?.process.uid, 30)
  })
  await t.test('of an unknown one', () => {
    const [event] = processEvents(
      eventsOf(testPipeline(), [record('idChange', 2, { ...who(1), ...ids(20), what: PROC_EVENT_SID })]),
    )
    assert.deepEqual(event?.idChange, { changed: ['sid'], from: {}, to: ids(20) })
  })
  await t.test('by a thread, which has its own name and start', () => {
    const pipeline = testPipeline({ aggregation: noAggregation() })
    const [, event] = processEvents(
      eventsOf(pipeline, [
        record('exec', 1, { ...who(1), ...ids(10), comm: 'caf\u00e9' }),
        record('idChange', 2, {
          pid: 1,
          tid: 5,
          startBootNs: 7n,
          ...ids(20),
          comm: 'worker',
          what: PROC_EVENT_UID,
        }),
      ]),
    )
    assert.deepEqual(
      [event?.process.comm, event?.process.startTimeNs, event?.process.uid],
      ['caf\u00e9', START + 1n, 20],
    )
    assert.equal(pipeline.tables.processes.size, 1)
  })
})

test('names change, and an exec gives a new one', () => {
  const fork = record('fork', 1, { ...who(1), comm: 'bash' })
  const rename = record('comm', 2, { ...who(1), comm: 'n\u00e4me' })
  const exec = record('exec', 3, { ...who(1), comm: 'ls' })
  assert.equal(lastProcess(fork, rename).comm, 'n\u00e4me')
  assert.equal(lastProcess(fork, rename, exec).comm, 'ls')
  assert.equal(
    lastProcess(fork, record('comm', 2, { ...who(1), comm: 'sixteen-letters-' })).comm,
    'sixteen-letters',
  )
})

test('an event keeps its process as it was', () => {
  const pipeline = testPipeline({ aggregation: noAggregation() })
  const events = processEvents(
    eventsOf(pipeline, [
      record('fork', 1, { ...who(1), comm: 'a', uid: 1 }),
      record('exec', 2, { ...who(1), comm: 'b', uid: 2, exe: inRoot('/b') }),
      record('exit', 3, { ...who(1), leaderExitCode: 0x100 }),
    ]),
  )
  assert.deepEqual(
    events.map(({ process: { comm, uid, exe, exitCode } }) => [comm, uid, exe, exitCode]),
    [
      ['a', 1, undefined, undefined],
      ['b', 2, '/b', undefined],
      ['b', 2, '/b', 1],
    ],
  )
})

test('the wall clock may be set: times that were reported stay', () => {
  const pipeline = testPipeline({ aggregation: noAggregation(), bootEpochNs: 1_000_000n })
  const events: QuarkEvent[] = []
  insert(pipeline, record('fork', START + 1n, who(1)))
  pipeline.flush(events)
  pipeline.tables.timeBase.bootEpochNs = 5_000_000n
  insert(pipeline, record('exit', START + 9n, who(1)))
  pipeline.flush(events)
  const [fork, exit] = processEvents(events)
  assert.deepEqual(
    [fork?.timeNs, exit?.timeNs, exit?.process.startTimeNs, exit?.process.exitTimeNs],
    [START + 1_000_001n, START + 5_000_009n, START + 1_000_001n, START + 5_000_009n],
  )
  assert.equal(fork?.process.entityId, exit?.process.entityId)
})

test('records that stand alone', async (t) => {
  await t.test('threads', () => {
    const thread = { pid: 1, tid: 2, startBootNs: START + 1n, threadStartBootNs: START + 5n, comm: 'worker' }
    const events = eventsOf(testPipeline(), [
      record('fork', 1, who(1)),
      record('threadFork', 2, thread),
      record('threadExit', 3, { ...thread, exitCode: 0x200 }),
    ])
    const threads = events.filter((event) => event.kind === 'thread')
    assert.deepEqual(
      threads.map(({ process, relatives, ...event }) => ({
        ...event,
        parent: process?.pid,
        hasRelatives: relatives !== undefined,
      })),
      [
        {
          kind: 'thread',
          action: 'fork',
          timeNs: 2n,
          pid: 1,
          tid: 2,
          comm: 'worker',
          exitCode: undefined,
          parent: 1,
          hasRelatives: true,
        },
        {
          kind: 'thread',
          action: 'exit',
          timeNs: 3n,
          pid: 1,
          tid: 2,
          comm: 'worker',
          exitCode: 2,
          parent: 1,
          hasRelatives: true,
        },
      ],
    )
  })
  await t.test('failed execs', () => {
    const failed = { pid: 1, tid: 1, startBootNs: START, result: -2 }
    const events = eventsOf(testPipeline(), [
      record('execFailed', 1, { ...failed, filename: '/nowhere' }),
      record('execFailed', 2, failed),
    ])
    const common = { kind: 'execFailed', pid: 1, tid: 1, errno: 2, process: undefined }
    assert.deepEqual(events, [
      { ...common, timeNs: 1n, filename: '/nowhere' },
      { ...common, timeNs: 2n, filename: undefined },
    ])
  })
  await t.test('a cgroup without a name is not the one before', () => {
    const pipeline = testPipeline({ aggregation: noAggregation() })
    pipeline.tables.table<CgroupNames>('cgroup').set(5, '/a')
    const events = eventsOf(pipeline, [
      record('exec', 1, { ...who(1), cgroupId: 5n }),
      record('fork', 2, { ...who(2), ppid: 1, cgroupId: 6n }),
      record('exec', 3, { ...who(1), cgroupId: 6n }),
      record('exec', 4, { ...who(1), cgroupId: 5n }),
      record('exec', 5, { ...who(1), cgroupId: 0n }),
    ])
    assert.deepEqual(
      processEvents(events).map(({ process }) => process.cgroup),
      ['/a', undefined, undefined, '/a', '/a'],
    )
  })
  await t.test('names of cgroups of another hierarchy, and names that were cut', () => {
    const pipeline = testPipeline({ aggregation: noAggregation() })
    pipeline.tables.table<CgroupNames>('cgroup').source = { hierarchyId: 0, isFromNamespace: false }
    const long = `/${'x'.repeat(1022)}`
    const events = eventsOf(pipeline, [
      record('cgroupMkdir', 1, { id: 5n, hierarchy: 0, path: '/a' }),
      record('cgroupMkdir', 2, { id: 5n, hierarchy: 9, path: '/other' }),
      record('cgroupRename', 3, { id: 5n, hierarchy: 9, path: '/renamed' }),
      record('cgroupMkdir', 3, { id: 6n, hierarchy: 0, path: long }),
      record('exec', 4, { ...who(1), cgroupId: 5n }),
      record('exec', 5, { ...who(1), cgroupId: 6n }),
    ])
    assert.deepEqual(
      processEvents(events).map(({ process }) => process.cgroup),
      ['/a', undefined],
    )
  })
  await t.test('names of cgroups', () => {
    const pipeline = testPipeline()
    const events = eventsOf(pipeline, [
      record('cgroupMkdir', 1, { id: 5n, hierarchy: 0, path: '/a/b' }),
      record('cgroupRename', 2, { id: 5n, hierarchy: 0, path: '/a/c' }),
      record('fork', 3, { ...who(1), cgroupId: 5n }),
    ])
    assert.deepEqual(
      processEvents(events).map(({ process }) => process.cgroup),
      ['/a/c'],
    )
  })
})

test('a snapshot updates the table, and is emitted when asked for', async (t) => {
  const values = {
    pid: 9,
    tid: 9,
    startBootNs: 1_230_000_000n,
    ppid: 1,
    pgid: 9,
    sid: 8,
    uid: 7,
    comm: 'init',
    exe: inRoot('/sbin/init'),
    cwd: inRoot('/'),
    argv: strings('init', 'splash'),
    argvBytes: 12,
    cgroup: '/init.scope',
  }
  const facts = (process: ProcessEvent['process'] | undefined) => {
    const { ppid, sid, uid, comm, exe, cwd, argv, env, cgroup, startTimeNs } = process ?? {}
    return { ppid, sid, uid, comm, exe, cwd, argv, env, cgroup, startTimeNs }
  }
  const expected = {
    ppid: 1,
    sid: 8,
    uid: 7,
    comm: 'init',
    exe: '/sbin/init',
    cwd: '/',
    argv: ['init', 'splash'],
    env: undefined,
    cgroup: '/init.scope',
    startTimeNs: 1_230_000_000n,
  }
  await t.test('silently', () => {
    const pipeline = testPipeline()
    assert.deepEqual(eventsOf(pipeline, [record('snapshot', 5, values)]), [])
    assert.deepEqual(facts(pipeline.tables.processes.lookup(9)), expected)
  })
  await t.test('as an event', () => {
    const pipeline = testPipeline({ snapshotEvents: true })
    const [event] = eventsOf(pipeline, [record('snapshot', 5, values)])
    assert.deepEqual([event?.kind, event?.timeNs, facts(event?.process)], ['snapshot', 5n, expected])
  })
  await t.test('what was seen before stays', () => {
    const pipeline = testPipeline()
    eventsOf(pipeline, [
      record('exec', 4, {
        pid: 9,
        tid: 9,
        startBootNs: 1_234_567_890n,
        uid: 50,
        comm: 'new',
        exe: inRoot('/new'),
      }),
      record('snapshot', 5, values),
    ])
    const process = pipeline.tables.processes.lookup(9)
    assert.deepEqual(
      [process?.uid, process?.comm, process?.exe, process?.cwd, process?.cgroup, process?.startTimeNs],
      [50, 'new', '/new', '/', '/init.scope', 1_234_567_890n],
    )
  })
})
