import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import {
  add,
  chars,
  type Chars,
  probe,
  type Scalar,
  s64,
  struct,
  tracepoint,
  u32,
  u64,
  record,
} from '../probe/index.js'
import { kernelTest } from '../testing/kernel-test.js'
import { drainRecords, FLAVORS, openSession } from '../testing/process-probes.js'

interface Id {
  readonly val: Scalar
}

interface Task {
  readonly pid: Scalar
  readonly tgid: Scalar
  readonly group_leader: Task
  readonly real_parent: Task
  readonly comm: Chars
  readonly in_execve: Scalar
  readonly exit_signal: Scalar
  readonly start_time: Scalar
  readonly cred: {
    readonly uid: Id
    readonly gid: Id
    readonly cap_effective: Chars
    readonly cap_bset: Chars
  }
  readonly signal: {
    readonly oom_score_adj: Scalar
    readonly tty: { readonly index: Scalar; readonly driver: { readonly major: Scalar } }
  }
}

/** Loads of every sort. */
const loadsProbe = probe(
  {
    name: 't_loads',
    hook: tracepoint('sched_process_exec', [struct<Task>('task_struct', 'task')]),
    record: record(1, 't_loads', {
      pid: u32,
      parentPid: u32,
      parentComm: chars(16),
      grandparentPid: u64,
      leaderPid: u32,
      leaderPidWide: u64,
      leaderPidMore: u64,
      leaderInExecve: u32,
      leaderExitSignal: s64,
      leaderStartNs: u64,
      oomScore: s64,
      uid: u32,
      gid: u32,
      effective: u64,
      bounding: u64,
      ttyIndex: u32,
      ttyMajor: u32,
    }),
  },
  (task) => {
    const { cred, signal, group_leader: leader, real_parent: parent } = task
    return {
      fill: {
        pid: task.tgid,
        parentPid: parent.tgid,
        parentComm: parent.comm,
        grandparentPid: parent.real_parent.tgid,
        leaderPid: leader.pid,
        leaderPidWide: leader.pid,
        leaderPidMore: add(leader.pid, 1),
        leaderInExecve: leader.in_execve,
        leaderExitSignal: leader.exit_signal,
        leaderStartNs: leader.start_time,
        oomScore: signal.oom_score_adj,
        uid: cred.uid.val,
        gid: cred.gid.val,
        effective: cred.cap_effective,
        bounding: cred.cap_bset,
        ttyIndex: signal.tty.index,
        ttyMajor: signal.tty.driver.major,
      },
    }
  },
)

/** Children inherit it. */
function withOomScore<T>(score: number, action: () => T): T {
  const file = '/proc/self/oom_score_adj'
  const before = readFileSync(file)
  writeFileSync(file, String(score))
  try {
    return action()
  } finally {
    writeFileSync(file, before)
  }
}

/** `tty_nr` of proc(5). */
function hasTerminal(): boolean {
  const afterName = readFileSync('/proc/self/stat', 'latin1').split(') ').at(-1) ?? ''
  return afterName.split(' ')[4] !== '0'
}

kernelTest('loads give the same in each flavour', '5.8', () => {
  const sessions = FLAVORS.map((flavor) => openSession(undefined, { flavors: [flavor] }))
  for (const session of sessions) session.attach(loadsProbe)
  const { pid } = withOomScore(321, () => spawnSync('true', { uid: 33, gid: 44 }))
  const recorded = sessions.map((session) =>
    drainRecords(session, loadsProbe)
      .filter((record) => record.pid === pid)
      .map(({ seq: _seq, timeNs: _timeNs, ...record }) => record),
  )
  for (const session of sessions) session.close()
  for (const records of recorded) assert.deepEqual(records, recorded[0])
  const last = recorded[0]?.at(-1)
  assert.ok(last !== undefined)
  assert.deepEqual(
    { ...last, leaderStartNs: 0n, bounding: 0n },
    {
      type: 1,
      cpu: last.cpu,
      pid,
      parentPid: process.pid,
      parentComm: last.parentComm,
      grandparentPid: BigInt(process.ppid),
      leaderPid: pid,
      leaderPidWide: BigInt(pid),
      leaderPidMore: BigInt(pid + 1),
      leaderInExecve: 1,
      leaderExitSignal: 17n,
      leaderStartNs: 0n,
      oomScore: 321n,
      uid: 33,
      gid: 44,
      effective: 0n,
      bounding: 0n,
      ttyIndex: hasTerminal() ? last.ttyIndex : 0,
      ttyMajor: hasTerminal() ? last.ttyMajor : 0,
    },
  )
  assert.ok(last.leaderStartNs > 0n && last.bounding > 0n)
})
