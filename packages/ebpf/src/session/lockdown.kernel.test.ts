import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after } from 'node:test'
import type { Btf } from '../btf/index.js'
import { kernelBtf } from '../kernel/btf.js'
import { cstring, eq, kernelString, probe, record, stringTail, struct, tracepoint } from '../probe/index.js'
import { expectNoLeaks } from '../testing/descriptors.js'
import { kernelTest } from '../testing/kernel-test.js'
import {
  drainRecords,
  execProbe,
  forkProbe,
  openSession,
  sessionProbe,
  type Task,
} from '../testing/process-probes.js'

expectNoLeaks()

const top = realpathSync(mkdtempSync(join(tmpdir(), 'lockdown-')))
after(() => rmSync(top, { recursive: true }))

const renameProbe = probe(
  {
    name: 't_rename',
    hook: tracepoint('task_rename', [struct<Task>('task_struct', 'task'), cstring('comm')]),
    record: record(6, 't_rename', { cut: stringTail(8), whole: stringTail(16), long: stringTail(4096) }),
  },
  (task, comm) => ({
    when: eq(task.tgid, process.pid),
    fill: { cut: kernelString(comm), whole: kernelString(comm), long: kernelString(comm) },
  }),
)

const truePath = realpathSync('/bin/true')

for (const loop of ['helper', 'bounded'] as const) {
  // Addresses can be cast since 6.2.
  kernelTest(`paths and strings are read without probe_read (${loop})`, '6.2', () => {
    using session = openSession({ flavor: 'direct', loop }, { probeRead: false })
    const { missing } = session.attach(execProbe)
    assert.deepEqual(
      missing.map(({ field }) => field),
      ['gone', 'groups'],
    )
    session.attach(forkProbe)
    session.attach(renameProbe)
    for (const sizeBytes of [1, 7, 8, 31, 32, 39, 40, 41, 100, 254, 255]) {
      const cwd = join(top, 'n'.repeat(sizeBytes), 'x')
      mkdirSync(cwd, { recursive: true })
      const { pid } = spawnSync('true', ['argument'], { cwd })
      const record = drainRecords(session, execProbe).findLast((candidate) => candidate.pid === pid)
      const plain = { root: '/', truncated: false, deleted: false }
      assert.deepEqual(record?.cwd, { path: cwd, ...plain })
      assert.deepEqual(record?.exe, { path: truePath, ...plain })
      assert.equal(Buffer.from(record?.argv ?? []).toString(), 'true\0argument\0')
    }
    const before = readFileSync('/proc/self/comm', 'utf8').trim()
    const names = ['fifteen letters', 'eight by', 'seven b', 'é']
    for (const name of [...names, before]) writeFileSync('/proc/self/comm', name)
    const records = drainRecords(session, renameProbe)
    assert.deepEqual(
      records.slice(0, names.length).map(({ cut, whole, long }) => [cut, whole, long]),
      names.map((name) => [Buffer.from(name).subarray(0, 7).toString(), name, name]),
    )
  })
}

kernelTest('a filter needs no probe_read where programs may know the current task', '6.2', () => {
  using session = openSession({ flavor: 'direct', loop: 'helper' }, { probeRead: false })
  assert.equal(session.attach(sessionProbe).flavor, 'direct')
  const { pid } = spawnSync('setsid', ['true'])
  assert.ok(drainRecords(session, sessionProbe).some((record) => record.pid === pid))
})

kernelTest('where addresses cannot be cast, only what lies behind them is missing', '5.8', () => {
  using session = openSession(
    { flavor: 'direct', loop: 'bounded' },
    { btf: withoutCasts(), probeRead: false },
  )
  const { missing } = session.attach(execProbe)
  assert.deepEqual(
    missing.map(({ field }) => field),
    ['gone', 'cwd', 'exe', 'groups'],
  )
  const { pid } = spawnSync('true', ['argument'])
  const record = drainRecords(session, execProbe).find((candidate) => candidate.pid === pid)
  assert.deepEqual([record?.comm, record?.cwd, record?.exe], ['true', undefined, undefined])
  assert.equal(Buffer.from(record?.argv ?? []).toString(), 'true\0argument\0')
})

/** This kernel's BTF as of before 6.2, in this respect. */
function withoutCasts(): Btf {
  const btf = kernelBtf()
  const find = btf.findFunction.bind(btf)
  btf.findFunction = (name) => (name === 'bpf_rdonly_cast' ? undefined : find(name))
  return btf
}
