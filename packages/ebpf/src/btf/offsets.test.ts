import assert from 'node:assert/strict'
import test from 'node:test'
import * as fc from 'fast-check'
import { BtfError } from '../errors.js'
import { Btf } from './btf.js'
import { chooseOffsets } from './offsets-choose.js'
import { offsetEntryBtf } from './offsets-encode.js'
import { btfArchitecture, makeOffsetEntry } from './offsets-make.js'
import { type OffsetEntry, parseOffsetTable } from './offsets.js'
import { BtfEncoder } from './testing/btf-encoder.js'

const SIGNED = 1

/** A kernel of a few types that has one of each sort: bit-fields, anonymous unions, typedefs, enums, prototypes. */
function smallKernel(): Btf {
  const b = new BtfEncoder()
  const int = b.int('int', 32, SIGNED)
  const char = b.int('char', 8, 0)
  const u64 = b.int('long long unsigned int', 64, 0)
  const name = b.array(char, 16)
  const kuid = b.typedef('kuid_t', b.struct('', 4, [{ name: 'val', type: int, offset: 0 }]))
  const caps = b.typedef('kernel_cap_t', b.struct('', 8, [{ name: 'val', type: u64, offset: 0 }]))
  const cred = b.struct('cred', 24, [
    { name: 'uid', type: kuid, offset: 64 },
    { name: 'cap_effective', type: caps, offset: 128 },
  ])
  const other = b.struct('elsewhere', 8, [{ name: 'unseen', type: u64, offset: 0 }])
  // Ids count up: two types on, so that the struct can point to itself.
  const task = b.struct(
    'task_struct',
    256,
    [
      { name: 'pid', type: int, offset: 32 },
      { name: 'comm', type: name, offset: 64 },
      { name: 'cred', type: 13, offset: 192 },
      { name: '', type: 15, offset: 256 },
      { name: 'in_execve', type: int, offset: ((1 << 24) | 325) >>> 0 },
      { name: 'mm', type: 14, offset: 384 },
    ],
    true,
  )
  assert.equal(b.pointer(b.const(cred)), 13)
  assert.equal(b.pointer(other), 14)
  assert.equal(b.union('', 8, [{ name: 'start_boottime', type: u64, offset: 0 }]), 15)
  const taskPointer = b.pointer(task)
  const string = b.pointer(b.const(char))
  b.func('wake_up_new_task', b.funcProto(0, [['p', taskPointer]]))
  const probeType = b.funcProto(0, [
    ['', b.pointer(0)],
    ['', taskPointer],
    ['', string],
  ])
  b.typedef('btf_trace_task_rename', b.pointer(probeType))
  b.enum('pid_type', [
    ['PIDTYPE_PID', 0],
    ['PIDTYPE_SID', 3],
  ])
  b.struct('pt_regs', 168, [{ name: 'orig_ax', type: u64, offset: 960 }])
  return Btf.parse(b.bytes(), 'the small kernel')
}

const ENTRY: OffsetEntry = {
  name: 'debian',
  release: '6.1.0-1-cloud-amd64',
  architecture: 'x64',
  structs: {},
  enums: {},
  functions: {},
  tracepoints: {},
}

test('makeOffsetEntry() keeps the members that probes touch, and dissolves anonymous unions', () => {
  const entry = makeOffsetEntry(smallKernel(), { name: 'small', release: '1.0.0-small' })
  assert.deepEqual(entry, {
    name: 'small',
    release: '1.0.0-small',
    architecture: 'x64',
    structs: {
      task_struct: {
        sizeBytes: 256,
        members: {
          pid: [4, 's4'],
          in_execve: [40, 's4', 5, 1],
          start_boottime: [32, 'u8'],
          comm: [8, '[16]u1'],
          cred: [24, '*=cred'],
          mm: [48, '*'],
        },
      },
      cred: { sizeBytes: 24, members: { uid: [8, '=kuid_t'], cap_effective: [16, '=8'] } },
      kuid_t: { sizeBytes: 4, members: { val: [0, 's4'] } },
      pt_regs: { sizeBytes: 168, members: { orig_ax: [120, 'u8'] } },
    },
    enums: { pid_type: { PIDTYPE_PID: 0, PIDTYPE_SID: 3 } },
    functions: { wake_up_new_task: [['p', '*=task_struct']] },
    tracepoints: {
      task_rename: [
        ['', '*=task_struct'],
        ['', '*u1'],
      ],
    },
  })
})

test('offsetEntryBtf() answers as the BTF that the entry was made from', () => {
  const original = smallKernel()
  const entry = makeOffsetEntry(original, { name: 'small', release: '1.0.0-small' })
  const btf = offsetEntryBtf(entry)
  const place = (from: Btf, struct: string, member: string): unknown => {
    const found = from.member(from.findStruct(struct) ?? 0, member)
    return found && { ...found, type: 0, sizeBytes: from.sizeOf(found.type) }
  }
  for (const member of ['pid', 'in_execve', 'start_boottime', 'comm', 'cred', 'mm', 'tgid']) {
    assert.deepEqual(place(btf, 'task_struct', member), place(original, 'task_struct', member), member)
  }
  assert.equal(btf.enumValue('pid_type', 'PIDTYPE_SID'), 3)
  const [p] = btf.findFunction('wake_up_new_task')?.parameters ?? []
  assert.equal(btf.typeName(p?.type ?? 0), 'struct task_struct *')
  assert.equal(btf.findTracepoint('task_rename')?.parameters.length, 2)
  // What is made of the copy is the copy.
  assert.deepEqual(makeOffsetEntry(btf, entry), entry)
})

test('btfArchitecture() goes by the registers', () => {
  assert.equal(btfArchitecture(smallKernel()), 'x64')
  const b = new BtfEncoder()
  const int = b.int('int', 32, SIGNED)
  b.struct('pt_regs', 8, [{ name: 'syscallno', type: int, offset: 0 }])
  const arm = Btf.parse(b.bytes())
  assert.equal(btfArchitecture(arm), 'arm64')
  assert.throws(() => makeOffsetEntry(arm, ENTRY), BtfError)
  assert.equal(btfArchitecture(Btf.parse(new BtfEncoder().bytes())), undefined)
})

test('chooseOffsets() takes an equal release, or one that an entry vouches for, and never guesses', () => {
  const kernels = [
    { ...ENTRY, release: '6.1.0-*' },
    { ...ENTRY, release: '6.1.0-2-*' },
    { ...ENTRY, release: '6.1.0-2-cloud-amd64' },
    { ...ENTRY, release: '6.1.0-3-arm64', architecture: 'arm64' as const },
    { ...ENTRY, release: '6*' },
    { ...ENTRY, release: '5.10.0' },
    { ...ENTRY, release: '5.15.*' },
  ]
  const choice = (release: string, architecture = 'x64'): unknown => {
    const chosen = chooseOffsets({ format: 1, kernels }, release, architecture)
    return chosen && [chosen.entry.release, chosen.rule]
  }
  assert.deepEqual(choice('6.1.0-2-cloud-amd64'), ['6.1.0-2-cloud-amd64', 'exact'])
  assert.deepEqual(choice('6.1.0-2-amd64'), ['6.1.0-2-*', 'prefix'])
  assert.deepEqual(choice('6.1.0-9-amd64'), ['6.1.0-*', 'prefix'])
  assert.deepEqual(choice('6.1.0-3-arm64', 'arm64'), ['6.1.0-3-arm64', 'exact'])
  assert.equal(choice('6.1.0-2-cloud-amd64', 'arm64'), undefined)
  assert.equal(choice('6.2.0-1-amd64'), undefined)
  assert.equal(choice('5.10.0-9-amd64'), undefined)
  // A prefix of two numbers would cover kernels that differ.
  assert.equal(choice('5.15.7'), undefined)
})

test('parseOffsetTable() reads what it should, and says where a table is broken', () => {
  const text = (kernels: unknown, format = 1): string => JSON.stringify({ format, kernels })
  const entry = makeOffsetEntry(smallKernel(), { name: 'small', release: '1.0.0-small' })
  assert.deepEqual(parseOffsetTable(text([entry]), 'table').kernels, [entry])
  const task = (member: unknown): unknown => ({
    ...ENTRY,
    structs: { task_struct: { sizeBytes: 8, members: { pid: member } } },
  })
  const cases: readonly [string, RegExp][] = [
    ['{', /it is not JSON/],
    [text([], 2), /its format is 2, not 1/],
    [text({}), /kernels has to be a list/],
    [text([{ ...ENTRY, name: '' }]), /kernels\[0\]\.name has to be a text/],
    [text([{ ...ENTRY, architecture: 'mips' }]), /kernels\[0\]\.architecture has to be x64 or arm64/],
    [text([task([0])]), /task_struct\.members\.pid has to be a type/],
    [text([task([0.5, 's4'])]), /pid has to be a whole number/],
    [text([task([0, 's3'])]), /pid has to be a type/],
    [text([task([0, '[16]'])]), /pid has to be a type/],
    [text([task([0, 's4', 1])]), /pid has to be two or four values/],
    [text([{ ...ENTRY, functions: { f: [['p']] } }]), /functions\.f has to be a type/],
  ]
  for (const [broken, message] of cases) {
    assert.throws(() => parseOffsetTable(broken, 'table'), { name: 'BtfError', message }, broken)
  }
})

test('a type that no struct of the table has is refused', () => {
  const structs = { task_struct: { sizeBytes: 8, members: { mm: [0, '*=mm_struct'] as const } } }
  assert.throws(() => offsetEntryBtf({ ...ENTRY, structs }), /has no type "=mm_struct"/)
})

test('parseOffsetTable() and offsetEntryBtf() throw nothing but BtfError on any JSON', () => {
  const key = fc.constantFrom(
    'name',
    'release',
    'architecture',
    'structs',
    'enums',
    'functions',
    'tracepoints',
  )
  const value = fc.oneof(fc.jsonValue(), fc.constantFrom({}, 'x64', { a: { sizeBytes: 1, members: {} } }))
  fc.assert(
    fc.property(fc.array(fc.dictionary(key, value), { maxLength: 2 }), (kernels) => {
      try {
        parseOffsetTable(JSON.stringify({ format: 1, kernels }), 'table').kernels.forEach(offsetEntryBtf)
      } catch (error) {
        assert.ok(error instanceof BtfError, String(error))
      }
    }),
  )
})
