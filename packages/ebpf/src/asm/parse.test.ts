import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { Assembler } from './assemble.js'
import { disassemble } from './disassemble.js'
import {
  encodeInstruction,
  SLOT_BYTES,
  type AccessSize,
  type AluOp,
  type Instruction,
  type JumpOp,
  type Register,
} from './isa.js'
import { parseAssembly } from './parse.js'

type Step = (asm: Assembler) => Assembler

const register = fc.constantFrom<Register>(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10)
const imm = fc.oneof(fc.integer({ min: -3, max: 3 }), fc.integer())
const off = fc.oneof(fc.integer({ min: -16, max: 16 }), fc.integer({ min: -0x8000, max: 0x7fff }))
const size = fc.constantFrom<AccessSize>(1, 2, 4, 8)
const bits = fc.constantFrom<16 | 32 | 64>(16, 32, 64)
const aluOps: AluOp[] = ['add', 'sub', 'mul', 'div', 'mod', 'and', 'or', 'xor', 'lsh', 'rsh', 'arsh']
const aluOp = fc.constantFrom(...aluOps)
const jumpOps: JumpOp[] = ['==', '!=', '>', '>=', '<', '<=', 's>', 's>=', 's<', 's<=', '&']
const jumpOp = fc.constantFrom(...jumpOps)
const label = fc.constantFrom('first', 'last')
const map = fc.constantFrom('events', 'scratch.0', '_')

function steps<T extends unknown[]>(
  write: (asm: Assembler, ...values: T) => Assembler,
  ...values: { [K in keyof T]: fc.Arbitrary<T[K]> }
): fc.Arbitrary<Step> {
  return fc.tuple<T>(...values).map((drawn) => (asm: Assembler) => write(asm, ...drawn))
}

/** Shifts go by less than the bits that there are. */
function distance(op: AluOp, value: number, bits: 32 | 64): number {
  return op === 'lsh' || op === 'rsh' || op === 'arsh' ? value & (bits - 1) : value
}

function fitting(size: AccessSize, value: number): number {
  return Number(BigInt.asIntN(size * 8, BigInt(value)))
}

const step: fc.Arbitrary<Step> = fc.oneof(
  steps((asm, dst, src) => asm.mov(dst, src), register, register),
  steps((asm, dst, value) => asm.movImm(dst, value), register, imm),
  steps((asm, dst, src) => asm.mov32(dst, src), register, register),
  steps((asm, dst, value) => asm.movImm32(dst, value), register, imm),
  steps(
    (asm, dst, value) => asm.movImm64(dst, value),
    register,
    fc.bigInt({ min: -(2n ** 63n), max: 2n ** 64n - 1n }),
  ),
  steps((asm, op, dst, src) => asm.alu(op, dst, src), aluOp, register, register),
  steps((asm, op, dst, value) => asm.aluImm(op, dst, distance(op, value, 64)), aluOp, register, imm),
  steps((asm, op, dst, src) => asm.alu32(op, dst, src), aluOp, register, register),
  steps((asm, op, dst, value) => asm.alu32Imm(op, dst, distance(op, value, 32)), aluOp, register, imm),
  steps((asm, dst) => asm.neg(dst), register),
  steps((asm, dst, width) => asm.toLittleEndian(dst, width), register, bits),
  steps((asm, dst, width) => asm.toBigEndian(dst, width), register, bits),
  steps((asm, bytes, dst, base, at) => asm.load(bytes, dst, base, at), size, register, register, off),
  steps((asm, bytes, base, at, src) => asm.store(bytes, base, at, src), size, register, off, register),
  steps(
    (asm, bytes, base, at, value) => asm.storeImm(bytes, base, at, fitting(bytes, value)),
    size,
    register,
    off,
    imm,
  ),
  steps(
    (asm, bytes, base, at, src) => asm.atomicAdd(bytes, base, at, src),
    fc.constantFrom<4 | 8>(4, 8),
    register,
    off,
    register,
  ),
  steps((asm, dst, name) => asm.loadMap(dst, name), register, map),
  steps((asm, dst, name, at) => asm.loadMapValue(dst, name, at), register, map, fc.nat()),
  steps((asm, dst, name) => asm.loadFunction(dst, name), register, label),
  steps((asm, id) => asm.call(id), fc.oneof(fc.integer({ min: 1, max: 211 }), imm)),
  steps((asm, name) => asm.callFunction(name), label),
  steps((asm, id) => asm.callKfunc('any', id), fc.integer({ min: 1 })),
  steps((asm, name) => asm.jump(name), label),
  steps((asm, op, dst, src, name) => asm.jumpIf(op, dst, src, name), jumpOp, register, register, label),
  steps((asm, op, dst, value, name) => asm.jumpIfImm(op, dst, value, name), jumpOp, register, imm, label),
  steps((asm, op, dst, src, name) => asm.jump32If(op, dst, src, name), jumpOp, register, register, label),
  steps((asm, op, dst, value, name) => asm.jump32IfImm(op, dst, value, name), jumpOp, register, imm, label),
  steps((asm) => asm.exit()),
)

test('reads back everything the assembler writes, with its maps and subprograms', () => {
  fc.assert(
    fc.property(fc.array(step, { minLength: 1, maxLength: 20 }), (program) => {
      const asm = new Assembler().label('first')
      for (const write of program) write(asm)
      const code = asm.label('last').exit().assemble()
      const lines = disassemble(code.bytes, {
        mapName: (_fd, slot) => code.maps.find((reference) => reference.slot === slot)?.map,
      })
      assert.ok(!lines.some((line) => line.startsWith('.raw')), lines.join('\n'))
      const parsed = parseAssembly(lines.join('\n'))
      assert.deepEqual(parsed.bytes, code.bytes)
      assert.deepEqual(parsed.maps, code.maps)
      assert.deepEqual(parsed.functions, code.functions)
    }),
    { numRuns: 2000 },
  )
})

// Mostly empty fields, because most instructions forbid what they do not use.
const anyInstruction: fc.Arbitrary<Instruction> = fc.record({
  opcode: fc.integer({ min: 0, max: 255 }),
  dst: fc.integer({ min: 0, max: 11 }),
  src: fc.oneof({ weight: 2, arbitrary: fc.constant(0) }, fc.integer({ min: 0, max: 11 })),
  off: fc.oneof({ weight: 2, arbitrary: fc.constant(0) }, fc.constantFrom(1, 8, 16, 32), off),
  imm: fc.oneof({ weight: 2, arbitrary: fc.constant(0) }, fc.constantFrom(16, 32, 64, 0x41, 0xe1, 0xf1), imm),
})

const anyBytes = fc.oneof(
  fc.array(anyInstruction, { maxLength: 12 }).map((list) => {
    const bytes = new Uint8Array(list.length * SLOT_BYTES)
    const view = new DataView(bytes.buffer)
    for (const [slot, ins] of list.entries()) encodeInstruction(view, slot, ins)
    return bytes
  }),
  fc
    .uint8Array({ maxLength: 12 * SLOT_BYTES })
    .map((bytes) => bytes.slice(0, bytes.length - (bytes.length % SLOT_BYTES))),
)

test('restores any bytes from their text', () => {
  fc.assert(
    fc.property(anyBytes, (bytes) => {
      assert.deepEqual(parseAssembly(disassemble(bytes)).bytes, bytes)
    }),
    { numRuns: 5000 },
  )
})

test('restores every opcode with every kind of operand', () => {
  for (let opcode = 0; opcode < 256; opcode++) {
    for (const operands of [
      { dst: 0, src: 0, off: 0, imm: 0 },
      { dst: 1, src: 2, off: 0, imm: 0 },
      { dst: 1, src: 0, off: 0, imm: -64 },
      { dst: 1, src: 0, off: 0, imm: 64 },
      { dst: 10, src: 10, off: -8, imm: 0 },
      { dst: 1, src: 2, off: 1, imm: 0xa1 },
      { dst: 0, src: 1, off: 0, imm: 7 },
      { dst: 0, src: 2, off: 0, imm: 7 },
      { dst: 1, src: 2, off: 16, imm: 0 },
    ]) {
      const bytes = new Uint8Array(SLOT_BYTES)
      encodeInstruction(new DataView(bytes.buffer), 0, { opcode, ...operands })
      assert.deepEqual(parseAssembly(disassemble(bytes)).bytes, bytes)
    }
  }
})

test('skips blank lines and surrounding space', () => {
  const { bytes } = parseAssembly('\n  r0 = 0\n\n\texit \n')
  assert.deepEqual(disassemble(bytes), ['r0 = 0', 'exit'])
})

test('names the line that it cannot read', () => {
  const refuse = (text: string, message: RegExp): void =>
    assert.throws(() => parseAssembly(text), { name: 'BuildError', message })
  refuse('exit\nr1 = banana', /^Line 2 is not an instruction: r1 = banana$/)
  refuse('if r1 ~ r2 goto +1', /^Line 1 is not an instruction/)
  refuse('r1 = r11', /^Line 1 .*no register 11/)
  refuse('r1 = 2147483648', /^Line 1 .*32-bit.*: 2147483648$/)
  refuse('goto +32768', /16-bit.*: 32768$/)
  refuse('r1 = *(s64 *)(r2 +0)', /not an instruction/)
  refuse('r1 += w2', /not an instruction/)
})
