import assert from 'node:assert/strict'
import { openSync, readdirSync, readFileSync } from 'node:fs'
import { fstatSync } from 'node:fs'
import {
  chars,
  decodeRecord,
  eq,
  type Fields,
  int,
  iterator,
  path,
  pathTail,
  probe,
  record,
  type RecordingProbe,
  type RecordOf,
  type Scalar,
  struct,
  u32,
  u64,
} from '../probe/index.js'
import type { PathStruct } from '../probe/index.js'
import { kernelPreempts } from '../kernel/preemption.js'
import { expectNoLeaks } from '../testing/descriptors.js'
import { kernelTest } from '../testing/kernel-test.js'
import { MAY_FOLLOW, openSession, renameProbe, type Task } from '../testing/process-probes.js'
import { Fd } from '../sys/fd.js'
import type { ProbeSession } from './session.js'

expectNoLeaks()

const SINCE = kernelPreempts() ? '6.10' : '5.8'
const task = struct<Task>('task_struct', 'task')

interface File {
  readonly f_inode: { readonly i_ino: Scalar }
  readonly f_path: PathStruct
}

const tasks = probe(
  {
    name: 't_tasks',
    hook: iterator('task', [task]),
    record: record(0x101, 'task', { pid: u32, tid: u32, comm: chars(16) }),
  },
  (p) => ({ fill: { pid: p.tgid, tid: p.pid, comm: p.comm } }),
)

const files = probe(
  {
    name: 't_files',
    hook: iterator('task_file', [task, int('fd', 4), struct<File>('file', 'file')]),
    record: record(0x102, 'file', { fd: u32, inode: u64, path: pathTail }),
  },
  (p, fd, file) => ({
    when: eq(p.tgid, process.pid),
    fill: { fd, inode: file.f_inode.i_ino, path: path(file.f_path, p.fs.root) },
  }),
)

function iterate<F extends Fields>(
  session: ProbeSession,
  declared: RecordingProbe<F>,
): RecordOf<RecordingProbe<F>['record']>[] {
  const records: RecordOf<RecordingProbe<F>['record']>[] = []
  const count = session.iterate(declared, {
    record: (_words, bytes, offset, length) =>
      records.push(decodeRecord(declared.record, bytes.subarray(offset, offset + length))),
  })
  assert.equal(count, records.length)
  return records
}

/** Threads of all processes but the first, as /proc has them. */
function countThreads(): number {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name) && name !== '1')
  return pids.reduce((sum, pid) => {
    try {
      return sum + readdirSync(`/proc/${pid}/task`).length
    } catch {
      return sum
    }
  }, 0)
}

kernelTest('an iterator finds every task of this machine, and this process by name', SINCE, () => {
  using session = openSession()
  assert.equal(session.attach(tasks).hook, 'iter/task')
  // Others come and go meanwhile. Some hosts show their programs no thread of the first process.
  for (let tries = 0; ; tries += 1) {
    const before = countThreads()
    const records = iterate(session, tasks).filter(({ pid }) => pid !== 1)
    const after = countThreads()
    const mine = records.find(({ pid, tid }) => pid === process.pid && tid === process.pid)
    assert.equal(mine?.comm, readFileSync('/proc/self/comm', 'utf8').trim())
    assert.equal(new Set(records.map(({ tid }) => tid)).size, records.length)
    const [least, most] = [Math.min(before, after), Math.max(before, after)]
    if (least <= records.length && records.length <= most) break
    assert.ok(tries < 20, `${before} threads, then ${records.length} tasks, then ${after} threads`)
  }
})

kernelTest('an iterator of open files has those of this process, with their paths', SINCE, () => {
  using session = openSession()
  session.attach(files)
  using file = new Fd(openSync('/proc/self/status', 'r'), 'a file')
  const records = iterate(session, files)
  const found = records.find(({ fd }) => fd === file.number)
  assert.equal(found?.inode, fstatSync(file.number, { bigint: true }).ino)
  if (MAY_FOLLOW) assert.match(found?.path?.path ?? '', /^\/proc\/\d+\/status$/)
})

kernelTest('what iterators write takes nothing of the ring, and is no gap in its numbers', SINCE, () => {
  using session = openSession()
  session.attach(tasks)
  const before = [...session.sequences()]
  assert.ok(iterate(session, tasks).length > 1)
  assert.ok(iterate(session, tasks).length > 1)
  assert.deepEqual([...session.sequences()], before)
  assert.equal(session.drain({ record: () => assert.fail('a record in the ring') }), 0)
})

kernelTest('only an attached iterator can be asked for its objects', SINCE, () => {
  using session = openSession()
  session.attach(renameProbe)
  const sink = { record: () => {} }
  assert.throws(() => session.iterate(tasks, sink), /Cannot iterate: probe "t_tasks" is no iterator/)
  assert.throws(() => session.iterate(renameProbe, sink), RangeError)
  const attached = session.attach(tasks)
  session.detachProbe(attached)
  assert.throws(() => session.iterate(tasks, sink), RangeError)
})
