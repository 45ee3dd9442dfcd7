import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { BtfError } from '../errors.js'
import { Btf } from './btf.js'
import { BtfEncoder, type EncodedMember } from './testing/btf-encoder.js'
import {
  BTF_KIND_ENUM,
  BTF_KIND_FLOAT,
  BTF_KIND_FWD,
  BTF_KIND_STRUCT,
  BTF_KIND_TYPEDEF,
  BTF_KIND_UNION,
  BTF_KIND_UNKN,
} from './types.js'

const SIGNED = 1
const CHAR = 2
const BOOL = 4

test('a name is found by kind, and only as a whole', () => {
  const e = new BtfEncoder()
  e.forward('sub_task')
  const forward = e.forward('task')
  const typedef = e.typedef('task', forward)
  const union = e.union('task', 8, [])
  const struct = e.struct('task', 8, [])
  e.struct('task', 16, [])
  e.struct('task_struct', 8, [])
  const btf = Btf.parse(e.bytes())
  assert.equal(btf.findType(BTF_KIND_FWD, 'task'), forward)
  assert.equal(btf.findType(BTF_KIND_TYPEDEF, 'task'), typedef)
  assert.equal(btf.findType(BTF_KIND_UNION, 'task'), union)
  assert.equal(btf.findType(BTF_KIND_STRUCT, 'task'), struct)
  assert.equal(btf.findStruct('task'), union)
  assert.equal(btf.findType(BTF_KIND_ENUM, 'task'), undefined)
  for (const name of ['tas', 'ask', 'struct', '', 'task\0task_struct', '\0task']) {
    assert.equal(btf.findStruct(name), undefined, JSON.stringify(name))
  }
})

test('a name that is stored twice is found in either place', () => {
  const e = new BtfEncoder()
  e.struct('ab', 1, [])
  const second = e.typedef('xy', 0)
  const bytes = e.bytes()
  // Both names become "ab", in neighbouring strings.
  bytes.write('ab', bytes.indexOf('\0xy\0') + 1)
  const btf = Btf.parse(bytes)
  assert.equal(btf.findStruct('ab'), 1)
  assert.equal(btf.findType(BTF_KIND_TYPEDEF, 'ab'), second)
})

test('void', () => {
  const btf = Btf.parse(new BtfEncoder().bytes())
  assert.equal(btf.typeCount, 0)
  assert.equal(btf.kindOf(0), BTF_KIND_UNKN)
  assert.equal(btf.nameOf(0), '')
  assert.equal(btf.typeName(0), 'void')
  assert.equal(btf.resolve(0), 0)
  assert.equal(btf.sizeOf(0), undefined)
  assert.equal(btf.pointee(0), undefined)
  assert.equal(btf.integer(0), undefined)
})

test('members are found through anonymous structs and unions', () => {
  const e = new BtfEncoder()
  const int = e.int('int', 32, SIGNED)
  const deep = e.struct('', 8, [
    { name: 'a', type: int, offset: 0 },
    { name: 'deep', type: int, offset: 32 },
  ])
  const union = e.union('', 8, [
    { name: 'alias', type: int, offset: 0 },
    { name: '', type: e.const(deep), offset: 0 },
  ])
  const named = e.struct('named', 4, [{ name: 'inside', type: int, offset: 0 }])
  const outer = e.struct('outer', 24, [
    { name: '', type: union, offset: 64 },
    { name: 'a', type: int, offset: 0 },
    { name: 'named', type: named, offset: 128 },
  ])
  const looked = e.typedef('outer_t', e.const(e.volatile(e.typeTag('rcu', outer))))
  const btf = Btf.parse(e.bytes())
  assert.deepEqual(btf.member(outer, 'deep'), { name: 'deep', type: int, bitOffset: 96, bitSize: 0 })
  assert.deepEqual(btf.member(outer, 'alias'), { name: 'alias', type: int, bitOffset: 64, bitSize: 0 })
  assert.deepEqual(btf.member(outer, 'a'), { name: 'a', type: int, bitOffset: 0, bitSize: 0 })
  assert.deepEqual(btf.member(looked, 'deep'), btf.member(outer, 'deep'))
  for (const absent of ['inside', 'dee', 'deeper', '']) assert.equal(btf.member(outer, absent), undefined)
  assert.equal(btf.member(int, 'a'), undefined)
  assert.equal(btf.member(0, 'a'), undefined)
})

test('bit-fields in both encodings', () => {
  const e = new BtfEncoder()
  const int = e.int('unsigned int', 32, 0)
  const three = e.int('unsigned int', 3, 0, 4)
  const shifted = e.int('unsigned int', 8, 0, 1, 2)
  const inner = e.struct('', 4, [{ name: 'inner', type: int, offset: (5 << 24) | 9 }], true)
  const flagged = e.struct(
    'flagged',
    12,
    [
      { name: 'plain', type: int, offset: 32 },
      { name: 'bits', type: int, offset: (7 << 24) | 3 },
      { name: 'top', type: int, offset: 0xff000000 + 4 },
      { name: '', type: inner, offset: 64 },
    ],
    true,
  )
  const old = e.struct('old', 8, [
    { name: 'plain', type: int, offset: 0x01000020 },
    { name: 'bits', type: e.typedef('u3', three), offset: 35 },
    { name: 'shifted', type: shifted, offset: 40 },
  ])
  const btf = Btf.parse(e.bytes())
  const place = (id: number, name: string): (number | undefined)[] => {
    const member = btf.member(id, name)
    return [member?.bitOffset, member?.bitSize]
  }
  assert.deepEqual(place(flagged, 'plain'), [32, 0])
  assert.deepEqual(place(flagged, 'bits'), [3, 7])
  assert.deepEqual(place(flagged, 'top'), [4, 255])
  assert.deepEqual(place(flagged, 'inner'), [73, 5])
  assert.deepEqual(place(old, 'plain'), [0x01000020, 0])
  assert.deepEqual(place(old, 'bits'), [35, 3])
  assert.deepEqual(place(old, 'shifted'), [42, 8])
})

test('sizes, elements and pointers', () => {
  const e = new BtfEncoder()
  const int = e.int('int', 32, SIGNED)
  const struct = e.struct('s', 24, [])
  const grid = e.typedef('grid', e.array(e.const(e.array(struct, 3)), 5))
  const forward = e.forward('later')
  const pointer = e.typedef('p', e.pointer(e.const(e.typedef('s_t', struct))))
  const float = e.float('double', 8)
  const variable = e.variable('v', grid)
  const section = e.datasec('.data', 48, [variable])
  const proto = e.funcProto(0, [])
  const tag = e.declTag('note', struct, -1)
  const btf = Btf.parse(e.bytes())
  const sizes = [int, struct, grid, forward, pointer, float, variable, section, proto, tag].map((id) =>
    btf.sizeOf(id),
  )
  assert.deepEqual(sizes, [4, 24, 360, undefined, 8, 8, 360, 48, undefined, undefined])
  assert.equal(btf.pointee(pointer), struct)
  assert.equal(btf.pointee(struct), undefined)
  const row = btf.element(grid)
  assert.equal(row?.count, 5)
  assert.deepEqual(btf.element(row?.type ?? 0), { type: struct, count: 3 })
  assert.equal(btf.element(struct), undefined)
  assert.equal(btf.findType(BTF_KIND_FLOAT, 'double'), float)
})

test('integers', () => {
  const e = new BtfEncoder()
  const btfOf: [number, object | undefined][] = [
    [e.int('u64', 64, 0), { bits: 64, signed: false, bool: false, char: false }],
    [e.typedef('pid_t', e.int('int', 32, SIGNED)), { bits: 32, signed: true, bool: false, char: false }],
    [e.int('char', 8, SIGNED | CHAR), { bits: 8, signed: true, bool: false, char: true }],
    [e.const(e.int('_Bool', 8, BOOL)), { bits: 8, signed: false, bool: true, char: false }],
    [e.enum('e', [['A', 0]]), { bits: 32, signed: false, bool: false, char: false }],
    [e.enum('es', [['B', -1]], true), { bits: 32, signed: true, bool: false, char: false }],
    [e.enum64('el', [['C', -1n]], true), { bits: 64, signed: true, bool: false, char: false }],
    [e.float('float', 4), undefined],
    [e.pointer(0), undefined],
  ]
  const btf = Btf.parse(e.bytes())
  for (const [id, shape] of btfOf) assert.deepEqual(btf.integer(id), shape, btf.typeName(id))
})

test('enumerators', () => {
  const e = new BtfEncoder()
  e.struct('not_an_enum', 4, [{ name: 'X', type: 0, offset: 9 }])
  e.enum('plain', [
    ['ZERO', 0],
    ['HIGH', 0xffffffff],
  ])
  e.enum('signed', [['MINUS', -2]], true)
  e.enum('', [['HIDDEN', 17]])
  e.enum64('wide', [
    ['BIG', 1n << 52n],
    ['LOW', 0xffffffffn],
  ])
  e.enum64('wide_signed', [['VERY_LOW', -(1n << 40n)]], true)
  const btf = Btf.parse(e.bytes())
  assert.equal(btf.enumValue('plain', 'ZERO'), 0)
  assert.equal(btf.enumValue('plain', 'HIGH'), 0xffffffff)
  assert.equal(btf.enumValue('signed', 'MINUS'), -2)
  assert.equal(btf.enumValue('wide', 'BIG'), 2 ** 52)
  assert.equal(btf.enumValue('wide', 'LOW'), 0xffffffff)
  assert.equal(btf.enumValue('wide_signed', 'VERY_LOW'), -(2 ** 40))
  assert.equal(btf.enumValue('plain', 'MINUS'), undefined)
  assert.equal(btf.enumValue('absent', 'ZERO'), undefined)
  assert.equal(btf.enumValue('plain', ''), undefined)
  assert.equal(btf.findEnumValue('HIDDEN'), 17)
  assert.equal(btf.findEnumValue('VERY_LOW'), -(2 ** 40))
  assert.equal(btf.findEnumValue('ZERO'), 0)
  assert.equal(btf.findEnumValue('X'), undefined)
  assert.equal(btf.findEnumValue(''), undefined)
})

test('functions and tracepoints', () => {
  const e = new BtfEncoder()
  const int = e.int('int', 32, SIGNED)
  const pid = e.typedef('pid_t', int)
  const task = e.pointer(e.struct('task_struct', 8, []))
  const anything = e.pointer(0)
  const func = e.func(
    'do_it',
    e.funcProto(int, [
      ['task', task],
      ['old_pid', pid],
    ]),
  )
  const typed = (name: string, parameters: [string, number][]): number =>
    e.typedef(`btf_trace_${name}`, e.pointer(e.funcProto(0, parameters)))
  const bare = [
    ['', anything],
    ['', task],
    ['', pid],
  ] as [string, number][]
  const exec = typed('exec', bare)
  e.func(
    '__traceiter_exec',
    e.funcProto(int, [
      ['__data', anything],
      ['p', task],
      ['old_pid', pid],
    ]),
  )
  typed('old', bare)
  typed('none', [['', anything]])
  typed('direct', [['', task]])
  e.typedef('btf_trace_odd', int)
  e.func('broken', int)
  e.func(
    'printk',
    e.funcProto(int, [
      ['', task],
      ['', 0],
    ]),
  )
  const btf = Btf.parse(e.bytes())

  const found = btf.findFunction('do_it')
  assert.deepEqual(
    { ...found },
    {
      id: func,
      name: 'do_it',
      parameters: [
        { name: 'task', type: task },
        { name: 'old_pid', type: pid },
      ],
      returnType: int,
    },
  )
  assert.equal(String(found), '(struct task_struct *task, pid_t old_pid)')
  const tracepoint = btf.findTracepoint('exec')
  assert.equal(tracepoint?.id, exec)
  assert.equal(tracepoint?.name, 'exec')
  assert.equal(tracepoint?.returnType, 0)
  assert.equal(String(tracepoint), '(struct task_struct *p, pid_t old_pid)')
  assert.equal(String(btf.findTracepoint('old')), '(struct task_struct *, pid_t)')
  assert.equal(String(btf.findTracepoint('none')), '(void)')
  assert.equal(String(btf.findFunction('printk')), '(struct task_struct *, ...)')
  assert.equal(String(btf.findTracepoint('direct')), '(struct task_struct *)')
  assert.equal(btf.findTracepoint('absent'), undefined)
  assert.equal(btf.findTracepoint('odd'), undefined)
  assert.equal(btf.findFunction('btf_trace_exec'), undefined)
  assert.throws(() => btf.findFunction('broken'), BtfError)
})

test('type names', () => {
  const e = new BtfEncoder()
  const int = e.int('int', 32, SIGNED)
  const char = e.int('char', 8, SIGNED)
  const struct = e.struct('s', 8, [])
  const callback = e.pointer(e.funcProto(int, [['s', e.pointer(struct)]]))
  const names: [number, string][] = [
    [e.array(e.int('unsigned int', 32, 0), 4), 'unsigned int[4]'],
    [e.pointer(e.const(char)), 'const char *'],
    [e.const(e.pointer(char)), 'char *const'],
    [e.pointer(e.const(e.pointer(e.volatile(char)))), 'volatile char *const *'],
    [e.restrict(e.pointer(struct)), 'struct s *restrict'],
    [e.pointer(e.typeTag('user', struct)), 'struct s *'],
    [e.pointer(e.pointer(e.forward('u', true))), 'union u **'],
    [e.pointer(e.forward('f')), 'struct f *'],
    [e.union('', 4, []), 'union (anonymous)'],
    [e.enum('e', []), 'enum e'],
    [e.enum64('e64', []), 'enum e64'],
    [e.array(e.array(int, 3), 2), 'int[2][3]'],
    [e.array(e.pointer(int), 2), 'int *[2]'],
    [e.pointer(e.array(int, 2)), 'int (*)[2]'],
    [callback, 'int (*)(struct s *s)'],
    [e.pointer(e.funcProto(0, [])), 'void (*)(void)'],
    [e.pointer(e.funcProto(0, [['then', callback]])), 'void (*)(int (*then)(...))'],
    [e.const(0), 'const void'],
  ]
  const btf = Btf.parse(e.bytes())
  for (const [id, name] of names) assert.equal(btf.typeName(id), name)
})

test('cycles and missing types are BtfErrors', () => {
  const e = new BtfEncoder()
  const self = e.typedef('self', 1)
  const array = e.array(2, 2)
  const nested = e.struct('nested', 8, [
    { name: '', type: 3, offset: 0 },
    { name: '', type: 3, offset: 0 },
  ])
  const dangling = e.pointer(99)
  const pointers = e.pointer(5)
  const btf = Btf.parse(e.bytes(), 'x')
  const endless = { name: 'BtfError', message: 'Broken BTF in x: type 1 leads through more than 64 types' }
  assert.throws(() => btf.resolve(self), endless)
  assert.equal(btf.typeName(self), 'self')
  assert.throws(() => btf.typeName(pointers), BtfError)
  assert.throws(() => btf.sizeOf(array), BtfError)
  assert.equal(btf.member(nested, 'absent'), undefined)
  const missing = { name: 'BtfError', message: 'No type 99 in BTF of x: its last type is 5' }
  assert.throws(() => btf.pointee(dangling), missing)
  for (const id of [-1, 1.5, 6, NaN]) assert.throws(() => btf.kindOf(id), BtfError)
})

test('a name too long to be one is a BtfError', () => {
  const e = new BtfEncoder()
  const longest = e.struct('x'.repeat(4096), 1, [])
  const longer = e.struct('x'.repeat(4097), 1, [])
  const btf = Btf.parse(e.bytes())
  assert.equal(btf.nameOf(longest).length, 4096)
  assert.throws(() => btf.nameOf(longer), { name: 'BtfError', message: /has 4097 bytes$/ })
})

test('property: every type and member comes back as it was written', () => {
  const member = fc.record({ offset: fc.nat(0xffff), flagged: fc.nat(31) })
  const structs = fc.uniqueArray(
    fc.record({
      name: fc.stringMatching(/^[a-c_]{1,4}$/),
      kindFlag: fc.boolean(),
      size: fc.nat(0xffff),
      members: fc.dictionary(fc.stringMatching(/^[a-c_]{1,3}$/), member, { maxKeys: 6 }),
    }),
    { selector: (struct) => struct.name, maxLength: 8 },
  )
  fc.assert(
    fc.property(structs, (structs) => {
      const e = new BtfEncoder()
      const int = e.int('int', 32, SIGNED)
      const ids = structs.map(({ name, size, members, kindFlag }) => {
        const list = Object.entries(members).map(([name, { offset, flagged }]): EncodedMember => ({
          name,
          type: int,
          offset: kindFlag ? (flagged << 24) | offset : offset,
        }))
        return e.struct(name, size, list, kindFlag)
      })
      const btf = Btf.parse(e.bytes())
      structs.forEach(({ name, size, members, kindFlag }, index) => {
        assert.equal(btf.findStruct(name), ids[index])
        assert.equal(btf.sizeOf(index + 2), size)
        for (const [name, { offset, flagged }] of Object.entries(members)) {
          const expected = { name, type: int, bitOffset: offset, bitSize: kindFlag ? flagged : 0 }
          assert.deepEqual(btf.member(index + 2, name), expected)
        }
      })
    }),
  )
})
