import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmdirSync, rmSync, statSync, unlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { NotSupportedError } from '../errors.js'
import { type FeatureName, probeFeature } from '../kernel/features.js'
import { kernelPreempts } from '../kernel/preemption.js'
import {
  add,
  and,
  bootNs,
  type CallRegisters,
  callArgument,
  constant,
  currentPidTgid,
  currentTask,
  eq,
  fentry,
  fexit,
  int,
  isCall,
  kprobe,
  kretprobe,
  mul,
  ne,
  pair,
  pointer,
  type Probe,
  probe,
  record,
  s32,
  s64,
  type Scalar,
  stringTail,
  struct,
  sysEnter,
  sysExit,
  u32,
  u64,
  userString,
} from '../probe/index.js'
import { kernelAtLeast } from '../sys/platform.js'
import { expectNoLeaks } from '../testing/descriptors.js'
import { excuseFor, kernelTest } from '../testing/kernel-test.js'
import { drainRecords, openSession, type Task } from '../testing/process-probes.js'

expectNoLeaks()

const ENOTEMPTY = 39
const ENOENT = 2
const returns = int('result', 4)

interface Inode {
  readonly i_ino: Scalar
}

/** Before, vfs_rmdir has no first argument, and compilers put it into its callers. */
const SINCE = '5.12'

const args = [pointer('idmap'), struct<Inode>('inode', 'dir')] as const

/** Programs of functions may be preempted, which they can forbid since 6.10. */
function needs(t: TestContext, ...features: readonly FeatureName[]): boolean {
  const excuse = features
    .map((name) => excuseFor(probeFeature(name)))
    .find((reason) => reason !== 'none needed')
  if (excuse !== undefined) t.skip(`not on this kernel: ${excuse}`)
  return excuse === undefined
}

/** Whether this kernel takes probes of such hooks; that it refuses them for want of 6.10 is checked. */
function attaches(declared: Probe): boolean {
  if (!kernelPreempts() || kernelAtLeast('6.10')) return true
  using session = openSession()
  assert.throws(() => session.attach(declared), NotSupportedError)
  return false
}

interface Folders {
  readonly inode: number
  readonly empty: string
  readonly full: string
}

/** Removes a folder that is empty, and tries to remove one that is not. */
function removeFolders(): Folders {
  const root = mkdtempSync(join(tmpdir(), 'quark-results-'))
  const [empty, full] = [join(root, 'empty'), join(root, 'full')]
  mkdirSync(empty)
  mkdirSync(join(full, 'inner'), { recursive: true })
  const { ino } = statSync(root)
  rmdirSync(empty)
  assert.throws(() => rmdirSync(full), { code: 'ENOTEMPTY' })
  rmSync(root, { recursive: true })
  return { inode: ino, empty, full }
}

const mine = eq(currentTask<Task>().tgid, process.pid)
const resultRecord = record(0x301, 'result', { result: s32, wide: s64, dir: u64 })

kernelTest('fexit has the result, with its sign, and the arguments', SINCE, (t) => {
  if (!needs(t, 'fexit')) return
  const declared = probe(
    { name: 't_fexit', hook: fexit('vfs_rmdir', args, returns), record: resultRecord },
    (_idmap, dir, result) => ({ when: mine, fill: { result, wide: result, dir: dir.i_ino } }),
  )
  if (!attaches(declared)) return
  using session = openSession()
  assert.equal(session.attach(declared).hook, 'fexit/vfs_rmdir')
  const { inode } = removeFolders()
  const [done, refused] = drainRecords(session, declared)
  assert.deepEqual([done?.result, done?.wide, done?.dir], [0, 0n, BigInt(inode)])
  assert.deepEqual(
    [refused?.result, refused?.wide, refused?.dir],
    [-ENOTEMPTY, -BigInt(ENOTEMPTY), BigInt(inode)],
  )
  t.diagnostic(`fexit/vfs_rmdir returned ${done?.result} and ${refused?.result}`)
})

kernelTest('kretprobe has the result, with its sign', SINCE, (t) => {
  if (!needs(t, 'kretprobe', 'probeReadKernel')) return
  const declared = probe(
    { name: 't_kretprobe', hook: kretprobe('vfs_rmdir', returns), record: resultRecord },
    (result) => ({
      when: mine,
      fill: { result, wide: result },
      lacks: { dir: 'arguments are gone at a return' },
    }),
  )
  using session = openSession()
  const attached = session.attach(declared)
  assert.equal(attached.hook, 'kretprobe/vfs_rmdir')
  assert.deepEqual(attached.missing, [{ field: 'dir', reason: 'arguments are gone at a return' }])
  removeFolders()
  const [done, refused] = drainRecords(session, declared)
  assert.deepEqual([done?.result, done?.wide], [0, 0n])
  assert.deepEqual([refused?.result, refused?.wide], [-ENOTEMPTY, -BigInt(ENOTEMPTY)])
  t.diagnostic(`kretprobe/vfs_rmdir returned ${done?.result} and ${refused?.result}`)
})

const pairRecord = record(0x302, 'pair', { result: s32, dir: u64, startNs: u64 })
const kept = { dir: u64, startNs: u64 }

const functionPairs = [
  { features: ['fentry', 'fexit'], entry: fentry('vfs_rmdir', args), exit: fexit('vfs_rmdir', [], returns) },
  {
    features: ['kprobe', 'kretprobe', 'probeReadKernel'],
    entry: kprobe('vfs_rmdir', args),
    exit: kretprobe('vfs_rmdir', returns),
  },
] as const

for (const { features, entry, exit } of functionPairs) {
  kernelTest(`a pair of ${entry.kind} and ${exit.kind} is one record`, SINCE, (t) => {
    if (!needs(t, ...features)) return
    const removal = pair(
      { name: 't_rmdir', entry, exit, kept, record: pairRecord },
      (_idmap, dir) => ({ when: mine, keep: { dir: dir.i_ino, startNs: bootNs() } }),
      (begun, result) => ({ fill: { result, dir: begun.dir, startNs: begun.startNs } }),
    )
    if (!attaches(removal.entry)) return
    using session = openSession()
    session.attach(removal.exit)
    session.attach(removal.entry)
    const { inode } = removeFolders()
    const records = drainRecords(session, removal.exit)
    const [done, refused] = records
    assert.deepEqual([done?.result, done?.dir], [0, BigInt(inode)])
    assert.deepEqual([refused?.result, refused?.dir], [-ENOTEMPTY, BigInt(inode)])
    for (const { startNs, timeNs } of records) assert.ok(startNs > 0n && startNs <= timeNs)
    assert.deepEqual([...session.map(removal.calls).keys()], [])
    t.diagnostic(
      `pair ${entry.kind}+${exit.kind} of vfs_rmdir: ${records.length} records, results ${done?.result} and ${refused?.result}`,
    )
  })
}

const callRecord = record(0x303, 'call', { tid: u32, result: s32, startNs: u64, path: stringTail(256) })

/** unlink(2), whichever call the C library makes of it. */
function unlinks(wanted: (call: CallRegisters) => Scalar = () => constant(1)) {
  const path = (call: CallRegisters): Scalar =>
    add(
      mul(isCall(call, 'unlink'), callArgument(call, 0)),
      mul(isCall(call, 'unlinkat'), callArgument(call, 1)),
    )
  return pair(
    {
      name: 't_unlink',
      entry: sysEnter(['unlink', 'unlinkat']),
      exit: sysExit(['unlink', 'unlinkat']),
      kept: { startNs: u64, path: u64 },
      record: callRecord,
    },
    (call) => ({ when: and(mine, wanted(call)), keep: { startNs: bootNs(), path: path(call) } }),
    (begun, _call, result) => ({
      when: ne(result, -ENOENT),
      fill: { tid: currentPidTgid(), result, startNs: begun.startNs, path: userString(begun.path) },
    }),
  )
}

kernelTest(
  'a pair of system calls is one record, and leaves no key in the map if the record is not wanted',
  '5.11',
  (t) => {
    const removal = unlinks()
    using session = openSession()
    session.attach(removal.exit)
    session.attach(removal.entry)
    const file = join(tmpdir(), `quark-unlinked-${process.pid}`)
    writeFileSync(file, '')
    unlinkSync(file)
    assert.throws(() => unlinkSync(file), { code: 'ENOENT' })
    const records = drainRecords(session, removal.exit)
    assert.deepEqual(
      records.map(({ tid, result, path }) => [tid, result, path]),
      [[process.pid, 0, file]],
    )
    for (const { startNs, timeNs } of records) assert.ok(startNs > 0n && startNs < timeNs)
    assert.deepEqual([...session.map(removal.calls).keys()], [])
    t.diagnostic(`pair sysEnter+sysExit of unlink: ${records.length} record`)
  },
)

kernelTest('an exit without a wanted entry is no record', '5.11', () => {
  const removal = unlinks(() => constant(0))
  using session = openSession()
  session.attach(removal.exit)
  session.attach(removal.entry)
  const file = join(tmpdir(), `quark-unlinked-${process.pid}`)
  writeFileSync(file, '')
  unlinkSync(file)
  assert.deepEqual(drainRecords(session, removal.exit), [])
})
