import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { BtfError } from '../errors.js'
import { Btf } from './btf.js'
import { BtfEncoder, encodeElf } from './testing/btf-encoder.js'
import { BTF_KIND_STRUCT, type BtfKind } from './types.js'

/** One type of each kind, each with whatever follows it, and a struct that is found only if all were skipped right. */
function everyKind(): BtfEncoder {
  const e = new BtfEncoder()
  const int = e.int('int', 32, 1)
  const pointer = e.pointer(int)
  e.array(int, 3)
  e.struct('s', 8, [
    { name: 'a', type: int, offset: 0 },
    { name: 'b', type: int, offset: 32 },
  ])
  e.union('u', 4, [{ name: 'a', type: int, offset: 0 }])
  e.enum('e', [
    ['E0', 0],
    ['E1', 1],
  ])
  e.forward('f')
  e.typedef('t', int)
  e.volatile(int)
  e.const(int)
  e.restrict(pointer)
  const proto = e.funcProto(int, [
    ['x', int],
    ['y', pointer],
  ])
  const func = e.func('fn', proto)
  const variable = e.variable('v', int)
  e.datasec('.data', 8, [variable])
  e.float('double', 8)
  e.declTag('tag', func, 0)
  e.typeTag('user', int)
  e.enum64('e64', [['E64', 1n << 40n]])
  e.struct('last', 1, [])
  return e
}

function throwsBtfError(run: () => unknown, message: RegExp): void {
  assert.throws(run, (error) => {
    assert.ok(error instanceof BtfError, String(error))
    assert.match(error.message, message)
    return true
  })
}

function changed(change: (bytes: Buffer) => void): Buffer {
  const bytes = everyKind().bytes()
  change(bytes)
  return bytes
}

test('every kind is skipped by its own size', () => {
  const btf = Btf.parse(everyKind().bytes())
  assert.equal(btf.typeCount, 20)
  assert.equal(btf.truncatedAtType, undefined)
  const kinds = Array.from({ length: 21 }, (_, id) => btf.kindOf(id))
  // A function comes after its prototype.
  assert.deepEqual(kinds, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 12, 14, 15, 16, 17, 18, 19, 4])
  assert.equal(btf.findType(BTF_KIND_STRUCT, 'last'), 20)
})

test('an unknown kind ends the index and is reported', () => {
  const e = new BtfEncoder()
  const known = e.struct('known', 4, [])
  const unknown = e.type('unknown', 20, 0)
  e.struct('later', 4, [])
  const btf = Btf.parse(e.bytes(), 'x')
  assert.equal(btf.truncatedAtType, unknown)
  assert.equal(btf.typeCount, 1)
  assert.equal(btf.findStruct('known'), known)
  assert.equal(btf.findStruct('later'), undefined)
  throwsBtfError(() => btf.kindOf(unknown), /^No type 2 in BTF of x: type 2 and later ones cannot be read/)
})

test('info bits without a meaning end the index, as they may change the size', () => {
  const btf = Btf.parse(changed((bytes) => bytes.writeUInt8(1, 24 + 4 + 2)))
  assert.equal(btf.truncatedAtType, 1)
  assert.equal(btf.typeCount, 0)
})

test('bytes at an odd address are read as well', () => {
  const bytes = everyKind().bytes()
  const shifted = Buffer.concat([Buffer.alloc(1), bytes]).subarray(1)
  assert.equal(Btf.parse(shifted).findStruct('last'), 20)
})

test('a longer header and a gap before the sections are skipped', () => {
  const bytes = everyKind().bytes()
  const longer = Buffer.concat([bytes.subarray(0, 24), Buffer.alloc(12), bytes.subarray(24)])
  longer.writeUInt32LE(32, 4)
  longer.writeUInt32LE(4, 8)
  longer.writeUInt32LE(longer.readUInt32LE(16) + 4, 16)
  assert.equal(Btf.parse(longer).findStruct('last'), 20)
})

test('the .BTF section of an ELF file is found', () => {
  const btf = Btf.parse(encodeElf('.BTF', everyKind().bytes()), 'vmlinux')
  assert.equal(btf.findStruct('last'), 20)
  assert.equal(btf.origin, 'vmlinux')
})

const broken: [string, Uint8Array, RegExp][] = [
  ['nothing', new Uint8Array(0), /^Broken BTF in x: 0 bytes cannot hold a header$/],
  ['text', Buffer.from('this is no BTF, not at all'), /^No BTF in x: it starts with neither/],
  ['big-endian', changed((b) => b.writeUInt16BE(0xeb9f, 0)), /big-endian, only little-endian/],
  ['version', changed((b) => b.writeUInt8(2, 2)), /version 2, not 1/],
  ['short header', changed((b) => b.writeUInt32LE(20, 4)), /header of 20 bytes/],
  ['long header', changed((b) => b.writeUInt32LE(0xffffffff, 4)), /header of 4294967295 bytes/],
  ['type section outside', changed((b) => b.writeUInt32LE(0xfffffffc, 8)), /type section .* does not fit/],
  ['string section outside', changed((b) => b.writeUInt32LE(0xffff, 20)), /string section .* does not fit/],
  ['type section of odd size', changed((b) => b.writeUInt32LE(17, 12)), /17 bytes is not whole words/],
  ['type section cut', changed((b) => b.writeUInt32LE(12, 12)), /ends inside type 1$/],
  ['type section cut between words', changed((b) => b.writeUInt32LE(20, 12)), /ends inside type 2$/],
  ['kind 0', changed((b) => b.writeUInt32LE(0, 28)), /type 1 has kind 0/],
  ['no strings', changed((b) => b.writeUInt32LE(0, 20)), /does not start and end with NUL/],
  ['string section unterminated', changed((b) => b.writeUInt8(65, b.length - 1)), /start and end with NUL/],
  ['ELF header cut', encodeElf('.BTF', Buffer.alloc(0)).subarray(0, 60), /it ends inside its header/],
  ['ELF without .BTF', encodeElf('.BTF.ext', Buffer.alloc(64)), /^No \.BTF section with contents in x/],
  ['ELF with stripped .BTF', encodeElf('.BTF', Buffer.alloc(64), 8), /^No \.BTF section with contents/],
  [
    'ELF with cut section table',
    encodeElf('.BTF', Buffer.alloc(64)).subarray(0, 300),
    /section table .* does not fit/,
  ],
  [
    '32-bit ELF',
    Buffer.concat([Buffer.from('7f454c460101', 'hex'), Buffer.alloc(64)]),
    /64-bit little-endian/,
  ],
]
for (const [name, bytes, message] of broken) {
  test(`broken: ${name}`, () => throwsBtfError(() => Btf.parse(bytes, 'x'), message))
}

test('broken: ELF section outside', () => {
  const elf = encodeElf('.BTF', Buffer.alloc(64))
  // The size of the last section header, which is the last one in the file.
  elf.writeUInt32LE(0xffff, elf.length - 64 + 32)
  throwsBtfError(() => Btf.parse(elf, 'x'), /a section of 65535 bytes at \d+ does not fit into \d+ bytes$/)
})

/** Asks everything there is to ask; only BtfError may come out. */
function interrogate(bytes: Uint8Array): void {
  const attempt = (question: () => unknown): void => {
    try {
      question()
    } catch (error) {
      if (!(error instanceof BtfError)) throw error
    }
  }
  attempt(() => {
    const btf = Btf.parse(bytes)
    for (const name of ['s', 'last', 'e', 'a', 'fn', '']) {
      for (let kind = 0; kind < 20; kind++) attempt(() => btf.findType(kind as BtfKind, name))
      attempt(() => String(btf.findFunction(name)))
      attempt(() => String(btf.findTracepoint(name)))
      attempt(() => btf.enumValue(name, 'E1'))
      attempt(() => btf.findEnumValue(name))
    }
    for (let id = 0; id <= btf.typeCount + 1; id++) {
      attempt(() => btf.nameOf(id))
      attempt(() => btf.typeName(id))
      attempt(() => btf.sizeOf(id))
      attempt(() => btf.integer(id))
      attempt(() => btf.element(id))
      attempt(() => btf.pointee(id))
      attempt(() => btf.member(id, 'a'))
      attempt(() => btf.member(id, 'absent'))
    }
  })
}

test('property: random bytes behind a right header throw nothing but BtfError', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 400 }), fc.nat(400), (body, typesSize) => {
      const header = Buffer.alloc(24)
      header.writeUInt32LE(0x0001eb9f, 0)
      const size = Math.min(body.length, typesSize) & ~3
      const words = [24, 0, size, size, body.length - size]
      words.forEach((word, index) => header.writeUInt32LE(word, 4 + index * 4))
      interrogate(Buffer.concat([header, body, Buffer.alloc(1)]))
      interrogate(body)
    }),
  )
})

test('property: changed and cut BTF throws nothing but BtfError', () => {
  const whole = everyKind().bytes()
  const elf = encodeElf('.BTF', whole)
  const change = fc.tuple(fc.nat(), fc.oneof(fc.nat(24), fc.nat(255)))
  fc.assert(
    fc.property(
      fc.boolean(),
      fc.array(change, { maxLength: 6 }),
      fc.option(fc.nat()),
      (isElf, changes, cut) => {
        const bytes = Buffer.from(isElf ? elf : whole)
        for (const [at, value] of changes) bytes[at % bytes.length] = value
        interrogate(cut === null ? bytes : bytes.subarray(0, cut % bytes.length))
      },
    ),
    { numRuns: 1000 },
  )
})
