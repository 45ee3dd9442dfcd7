import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { Worker } from 'node:worker_threads'
import { NotSupportedError, PrototypeError } from '../errors.js'
import { KernelError, VerifierError } from '../sys/errors.js'
import { probeFeature } from '../kernel/features.js'
import { kernelPreempts } from '../kernel/preemption.js'
import { eq, fentry, int, probe, record, struct, tracepoint, u32 } from '../probe/index.js'
import { expectNoLeaks } from '../testing/descriptors.js'
import { kernelTest } from '../testing/kernel-test.js'
import { kernelAtLeast } from '../sys/platform.js'
import {
  copyRecords,
  drainRecords,
  execProbe,
  exitProbe,
  forkProbe,
  MAY_FOLLOW,
  MAY_PROBE_READ,
  openSession,
  recordsOf,
  renameProbe,
  sessionProbe,
  type Task,
  WAYS,
} from '../testing/process-probes.js'

expectNoLeaks()

const PLAIN = { truncated: false, deleted: false }
const task = struct<Task>('task_struct', 'task')

/** The text of a NUL-separated argv. */
function argvOf(bytes: Uint8Array | undefined): string[] {
  return Buffer.from(bytes ?? [])
    .toString()
    .split('\0')
    .slice(0, -1)
}

function rename(comm: string): void {
  writeFileSync('/proc/self/comm', comm)
}

for (const way of WAYS) {
  const minKernel = way.loop === 'helper' ? '5.17' : '5.8'
  const named = `${way.flavor}, ${way.loop}`

  kernelTest(`a process is recorded from fork to exit (${named})`, minKernel, () => {
    using session = openSession(way)
    session.attach(forkProbe)
    session.attach(execProbe)
    const { missing } = session.attach(exitProbe)
    const args = ['-c', 'exit 7', '', 'two words', 'é']
    const { pid } = spawnSync('/bin/sh', args, { cwd: '/proc/sys', argv0: 'sh' })
    const records = copyRecords(session)
    const [fork, ...moreForks] = recordsOf(records, forkProbe).filter((record) => record.pid === pid)
    const [exec, ...moreExecs] = recordsOf(records, execProbe).filter((record) => record.pid === pid)
    const [exit, ...moreExits] = recordsOf(records, exitProbe).filter((record) => record.pid === pid)
    assert.deepEqual([moreForks, moreExecs, moreExits], [[], [], []])
    assert.ok(fork !== undefined && exec !== undefined && exit !== undefined)
    const pathOf = (path: string) => (MAY_FOLLOW ? { path, root: '/', ...PLAIN } : undefined)
    assert.deepEqual([fork.parentPid, fork.tid, fork.inExecve], [process.pid, pid, 0])
    const { argv, exe, ...rest } = exec
    assert.deepEqual(argvOf(argv), ['sh', ...args])
    assert.deepEqual(fork.cwd, pathOf(process.cwd()))
    if (MAY_FOLLOW) assert.match(exe?.path ?? '', /^\/(usr\/)?bin\/\w+$/)
    else assert.equal(exe, undefined)
    assert.deepEqual(
      { ...rest, cpu: 0, seq: 0, timeNs: 0n, groups: [] },
      {
        type: 2,
        cpu: 0,
        seq: 0,
        timeNs: 0n,
        pid,
        oldPid: BigInt(pid),
        parentPid: process.pid,
        inExecve: 1,
        oomScore: rest.oomScore,
        oomScoreWide: BigInt(rest.oomScore),
        gone: 0n,
        comm: 'sh',
        cwd: pathOf('/proc/sys'),
        groups: [],
      },
    )
    assert.deepEqual([exit.exitCode, exit.groupDead], [7 << 8, missing.length === 0 ? 1n : 0n])
    assert.ok(fork.timeNs < exec.timeNs && exec.timeNs < exit.timeNs)
  })

  kernelTest(`a negative number keeps its sign in wider fields (${named})`, minKernel, async () => {
    using session = openSession(way)
    session.attach(execProbe)
    session.attach(forkProbe)
    const { pid } = spawnSync('/bin/sh', ['-c', 'echo 321 > /proc/self/oom_score_adj && exec true'])
    const worker = new Worker('0', { eval: true })
    await once(worker, 'exit')
    const records = copyRecords(session)
    const forks = recordsOf(records, forkProbe)
    const execs = recordsOf(records, execProbe)
    const last = execs.findLast((record) => record.pid === pid)
    assert.deepEqual([last?.comm, last?.oomScore, last?.oomScoreWide], ['true', 321, 321n])
    // A thread that is not the first has no signal to send when it ends.
    const thread = forks.find((record) => record.pid === process.pid && record.tid !== process.pid)
    assert.ok(thread !== undefined)
    const { exitSignal, exitSignalWide, exitSignalUnsigned } = thread
    assert.deepEqual([exitSignal, exitSignalWide, exitSignalUnsigned], [-1, -1n, 2n ** 64n - 1n])
  })

  kernelTest(`numbers come from an array in kernel memory, up to the limit (${named})`, minKernel, () => {
    using session = openSession(way)
    session.attach(execProbe)
    const before = process.getgroups?.() ?? []
    const groupsOf = (groups: number[]): number[] | undefined => {
      process.setgroups?.(groups)
      const { pid } = spawnSync('true')
      return drainRecords(session, execProbe).find((record) => record.pid === pid)?.groups
    }
    if (!MAY_PROBE_READ) {
      assert.equal(groupsOf(before), undefined)
      return
    }
    try {
      assert.deepEqual(groupsOf([7, 70_000, 4_294_967_290]), [7, 70_000, 4_294_967_290])
      assert.deepEqual(groupsOf([1, 2, 3, 4, 5, 6]), [1, 2, 3, 4])
      assert.deepEqual(groupsOf([]), [])
    } finally {
      process.setgroups?.(before)
    }
  })

  kernelTest(`a string comes from kernel memory, up to the limit (${named})`, minKernel, () => {
    using session = openSession(way)
    session.attach(renameProbe)
    const before = readFileSync('/proc/self/comm', 'utf8').trim()
    for (const comm of ['fifteen letters', 'abc', 'é']) rename(comm)
    rename(before)
    // Strings of less than a word are read by probe_read only.
    const long = (text: string): string | undefined => (MAY_FOLLOW ? text : undefined)
    const short = (text: string): string | undefined => (MAY_PROBE_READ ? text.slice(0, 3) : undefined)
    assert.deepEqual(
      drainRecords(session, renameProbe).map((record) => [record.before, record.comm, record.short]),
      [
        [before, long('fifteen letters'), short('fif')],
        ['fifteen letters', long('abc'), short('abc')],
        ['abc', long('é'), short('é')],
        ['é', long(before), short(before)],
      ],
    )
  })

  kernelTest(`a filter sees the packet and the task that sends (${named})`, minKernel, () => {
    using session = openSession(way, way.flavor === 'direct' ? { flavors: ['direct', 'probeRead'] } : {})
    const attached = session.attach(sessionProbe)
    const flavor = probeFeature('getCurrentTaskBtf').supported ? way.flavor : 'probeRead'
    assert.deepEqual([attached.hook, attached.flavor], ['socket_filter/proc_connector', flavor])
    const { pid } = spawnSync('setsid', ['true'])
    const records = drainRecords(session, sessionProbe).filter((record) => record.pid === pid)
    assert.deepEqual(
      records.map(({ what, beyond }) => [what, beyond]),
      [[0x80, 0]],
    )
  })
}

for (const flavor of MAY_PROBE_READ ? (['direct', 'probeRead'] as const) : (['direct'] as const)) {
  kernelTest(`with stand-ins every process is recorded once, too (${flavor})`, '6.10', () => {
    using session = openSession({ flavor, loop: 'bounded' }, { preemptible: true })
    for (const declared of [forkProbe, execProbe, exitProbe].map((one) => session.load(one)))
      declared.attach()
    const pids = Array.from({ length: 50 }, () => spawnSync('true').pid)
    const skipped = session.recursionMisses()
    session.detach()
    const records = copyRecords(session)
    const recorded = {
      forks: recordsOf(records, forkProbe).map(({ pid }) => pid),
      execs: recordsOf(records, execProbe).map(({ pid }) => pid),
      exits: recordsOf(records, exitProbe).map(({ pid }) => pid),
    }
    for (const [kind, all] of Object.entries(recorded)) {
      const seen = all.filter((pid) => pids.includes(pid))
      assert.deepEqual(seen, [...new Set(seen)], `${kind} are recorded twice`)
      assert.ok(seen.length + skipped >= pids.length, `${kind}: ${seen.length} recorded, ${skipped} skipped`)
      if (!kernelAtLeast('6.19')) assert.equal(seen.length, pids.length, kind)
    }
  })
}

kernelTest('a probe is attached in the first flavour that is accepted', '5.5', () => {
  using session = openSession()
  const { hook, flavor, missing, info } = session.attach(execProbe)
  assert.deepEqual([hook, flavor], ['tp_btf/sched_process_exec', 'direct'])
  assert.equal(missing[0]?.reason, 'no struct signal_struct.no_such_member')
  const forbidden = MAY_PROBE_READ ? [] : MAY_FOLLOW ? ['groups'] : ['cwd', 'exe', 'groups']
  assert.deepEqual(
    missing.map(({ field }) => field),
    ['gone', ...forbidden],
  )
  assert.equal(info().name, 't_exec')
  assert.equal(session.attached.length, 1)
  assert.equal(typeof session.recursionMisses(), 'number')
  using other = openSession({ flavor: 'probeRead', loop: 'bounded' })
  if (MAY_PROBE_READ) {
    assert.deepEqual(other.attach(execProbe).hook, 'raw_tp/sched_process_exec')
    assert.ok(other.attached.every((attached) => attached.flavor === 'probeRead'))
  } else {
    assert.throws(() => other.attach(execProbe), VerifierError)
  }
})

kernelTest('a hook with another prototype is refused with both, and the session stays usable', '5.8', () => {
  using session = openSession()
  session.attach(renameProbe)
  const wrong = probe(
    {
      name: 'wrong',
      hook: tracepoint('sched_process_exec', [struct<Task>('file'), int('old_pid', 4)]),
      record: record(6, 'wrong', { pid: u32 }),
    },
    (file) => ({ fill: { pid: file.tgid } }),
  )
  assert.throws(
    () => session.attach(wrong),
    (error) =>
      error instanceof PrototypeError &&
      error.code === 'ERR_EBPF_PROTOTYPE' &&
      error.message.includes('declared (struct file *file, 4-byte integer old_pid)') &&
      /actual \(struct task_struct \*p, pid_t old_pid, struct linux_binprm \*bprm\)/.test(error.message),
  )
  assert.deepEqual(
    session.attached.map(({ probe: { name } }) => name),
    ['t_rename'],
  )
  rename(readFileSync('/proc/self/comm', 'utf8').trim())
  assert.equal(drainRecords(session, renameProbe).length, 1)
})

kernelTest('a hook that this kernel lacks is not supported', '5.8', () => {
  using session = openSession()
  for (const hook of [tracepoint('no_such_tracepoint', []), fentry('no_such_function', [])]) {
    const declared = probe({ name: 'nowhere', hook, record: record(6, 'nowhere', {}) }, () => ({ fill: {} }))
    assert.throws(() => session.attach(declared), NotSupportedError)
  }
})

kernelTest('a function can be hooked, or the refusal says why', '5.8', () => {
  using session = openSession()
  const declared = probe(
    { name: 'wake_up', hook: fentry('wake_up_new_task', [task]), record: record(6, 'wake_up', { pid: u32 }) },
    (p) => ({
      when: eq(p.pid, p.tgid),
      fill: { pid: p.tgid },
    }),
  )
  if (kernelPreempts() && !kernelAtLeast('6.10')) {
    // A task may be preempted in such a hook, and programs can forbid that since 6.10.
    assert.throws(() => session.attach(declared), NotSupportedError)
    return
  }
  if (!probeFeature('fentry').supported) {
    assert.throws(
      () => session.attach(declared),
      (error) => error instanceof KernelError && /"wake_up|"t_|wake_up_new_task/.test(error.message),
    )
    assert.deepEqual(session.attached, [])
    return
  }
  assert.equal(session.attach(declared).hook, 'fentry/wake_up_new_task')
  const { pid } = spawnSync('true')
  assert.ok(drainRecords(session, declared).some((record) => record.pid === pid))
})
