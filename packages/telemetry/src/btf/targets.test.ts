import assert from 'node:assert/strict'
import test from 'node:test'
import { offsetEntryBtf, type OffsetEntry } from 'quark-ebpf/btf'
import { BTF_TARGETS, btfOffset, missingTargets, resolveTarget } from './targets.js'

const ENTRY: OffsetEntry = {
  name: 'small',
  release: '4.0.0-small',
  architecture: 'x64',
  structs: {
    task_struct: {
      sizeBytes: 64,
      members: {
        pid: [4, 's4'],
        in_execve: [8, 'u4', 3, 1],
        odd: [9, 'u4', 1],
        fs: [16, '=fs_struct'],
        mm: [56, '*=fs_struct'],
        real_start_time: [48, 'u8'],
      },
    },
    fs_struct: { sizeBytes: 24, members: { pwd: [8, '=path'] } },
    path: { sizeBytes: 16, members: { dentry: [8, '*'] } },
  },
  enums: { pid_type: { PIDTYPE_SID: 3 } },
  functions: {},
  tracepoints: {},
}
const btf = offsetEntryBtf(ENTRY)

test('btfOffset() adds up members that lie in each other, and reads enumerators', () => {
  const cases: readonly (readonly [string, number | undefined])[] = [
    ['task_struct.pid', 4],
    ['task_struct.fs.pwd.dentry', 32],
    ['fs_struct.pwd.dentry', 16],
    ['pid_type.PIDTYPE_SID', 3],
    // Behind a pointer, a bit-field, not at a whole byte, and what does not exist.
    ['task_struct.mm.pwd', undefined],
    ['task_struct.in_execve', undefined],
    ['task_struct.odd', undefined],
    ['task_struct.pid.val', undefined],
    ['task_struct.tgid', undefined],
    ['pid_type.PIDTYPE_SID.more', undefined],
    ['task_struct', undefined],
    ['nothing.at_all', undefined],
    ['', undefined],
    ['.', undefined],
  ]
  for (const [dotted, offset] of cases) assert.equal(btfOffset(btf, dotted), offset, dotted)
})

test('resolveTarget() goes on to the alternatives', () => {
  const target = BTF_TARGETS.find(({ name }) => name === 'task_struct.start_boottime')
  assert.ok(target !== undefined)
  const { offset, found } = resolveTarget(btf, target)
  assert.deepEqual({ offset, found }, { offset: 48, found: 'task_struct.real_start_time' })
})

test('there are 51 targets, each once', () => {
  assert.equal(new Set(BTF_TARGETS.map(({ name }) => name)).size, 51)
  assert.equal(BTF_TARGETS.length, 51)
})

test('missingTargets() lets one of the two places of pids be missing, and nothing else', () => {
  const missing = (...absent: string[]): string[] =>
    missingTargets(
      BTF_TARGETS.map((target) => ({
        ...target,
        found: target.name,
        offset: absent.includes(target.name) ? undefined : 0,
      })),
    ).map(({ name }) => name)
  assert.deepEqual(missing(), [])
  assert.deepEqual(missing('task_struct.pids'), [])
  assert.deepEqual(missing('signal_struct.pids'), [])
  assert.deepEqual(missing('signal_struct.pids', 'task_struct.pids'), [
    'signal_struct.pids',
    'task_struct.pids',
  ])
  assert.deepEqual(missing('cred.uid'), ['cred.uid'])
  assert.deepEqual(missing('cred.uid', 'task_struct.pids'), ['cred.uid', 'task_struct.pids'])
})
