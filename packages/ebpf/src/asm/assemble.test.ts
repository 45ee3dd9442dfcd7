import assert from 'node:assert/strict'
import { test } from 'node:test'
import { BuildError } from '../errors.js'
import { Assembler, resolveMaps } from './assemble.js'
import { disassemble } from './disassemble.js'
import { BPF_FUNC_loop, BPF_FUNC_probe_read_kernel } from './helper-ids.js'
import { R0, R1, R10, R2, R3, R4, R5, R6, R7, R8, R9, type JumpOp, type Register } from './isa.js'

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex')
}

function assembled(write: (asm: Assembler) => Assembler): string {
  return hex(write(new Assembler()).assemble().bytes)
}

// The bytes are those of LLVM's BPF assembler for the same text, where it has such text.
const ENCODINGS: readonly (readonly [text: string, bytes: string, write: (asm: Assembler) => Assembler])[] = [
  ['r1 = r2', 'bf21000000000000', (asm) => asm.mov(R1, R2)],
  ['r1 = -5', 'b7010000fbffffff', (asm) => asm.movImm(R1, -5)],
  ['w3 = w4', 'bc43000000000000', (asm) => asm.mov32(R3, R4)],
  ['w3 = 7', 'b403000007000000', (asm) => asm.movImm32(R3, 7)],
  [
    'r1 = 0x1122334455667788 ll',
    '18010000887766550000000044332211',
    (asm) => asm.movImm64(R1, 0x1122334455667788n),
  ],
  ['r1 = 0xffffffffffffffff ll', '18010000ffffffff00000000ffffffff', (asm) => asm.movImm64(R1, -1)],
  [
    'r9 = 0x8000000000000000 ll',
    '18090000000000000000000000000080',
    (asm) => asm.movImm64(R9, 0x8000_0000_0000_0000n),
  ],
  ['r9 = 0xffffffff ll', '18090000ffffffff0000000000000000', (asm) => asm.movImm64(R9, 0xffff_ffff)],
  ['r1 += r2', '0f21000000000000', (asm) => asm.alu('add', R1, R2)],
  ['r1 -= 1', '1701000001000000', (asm) => asm.aluImm('sub', R1, 1)],
  ['r2 *= r3', '2f32000000000000', (asm) => asm.alu('mul', R2, R3)],
  ['r2 /= 10', '370200000a000000', (asm) => asm.aluImm('div', R2, 10)],
  ['r3 %= r4', '9f43000000000000', (asm) => asm.alu('mod', R3, R4)],
  ['r3 &= 255', '57030000ff000000', (asm) => asm.aluImm('and', R3, 255)],
  ['r4 |= r5', '4f54000000000000', (asm) => asm.alu('or', R4, R5)],
  ['r4 ^= -1', 'a7040000ffffffff', (asm) => asm.aluImm('xor', R4, -1)],
  ['r5 <<= 3', '6705000003000000', (asm) => asm.aluImm('lsh', R5, 3)],
  ['r5 >>= r6', '7f65000000000000', (asm) => asm.alu('rsh', R5, R6)],
  ['r6 s>>= 63', 'c70600003f000000', (asm) => asm.aluImm('arsh', R6, 63)],
  ['w7 += w8', '0c87000000000000', (asm) => asm.alu32('add', R7, R8)],
  ['w7 s>>= 31', 'c40700001f000000', (asm) => asm.alu32Imm('arsh', R7, 31)],
  ['r8 = -r8', '8708000000000000', (asm) => asm.neg(R8)],
  ['r1 = le16 r1', 'd401000010000000', (asm) => asm.toLittleEndian(R1, 16)],
  ['r1 = be32 r1', 'dc01000020000000', (asm) => asm.toBigEndian(R1, 32)],
  ['r1 = be64 r1', 'dc01000040000000', (asm) => asm.toBigEndian(R1, 64)],
  ['r1 = *(u8 *)(r2 +1)', '7121010000000000', (asm) => asm.load(1, R1, R2, 1)],
  ['r1 = *(u16 *)(r2 -2)', '6921feff00000000', (asm) => asm.load(2, R1, R2, -2)],
  ['r1 = *(u32 *)(r2 +32767)', '6121ff7f00000000', (asm) => asm.load(4, R1, R2, 32767)],
  ['r1 = *(u64 *)(r10 -8)', '79a1f8ff00000000', (asm) => asm.load(8, R1, R10, -8)],
  ['*(u8 *)(r10 -1) = r9', '739affff00000000', (asm) => asm.store(1, R10, -1, R9)],
  ['*(u64 *)(r10 -32768) = r1', '7b1a008000000000', (asm) => asm.store(8, R10, -32768, R1)],
  ['*(u32 *)(r10 -4) = 42', '620afcff2a000000', (asm) => asm.storeImm(4, R10, -4, 42)],
  ['*(u64 *)(r10 -16) = -1', '7a0af0ffffffffff', (asm) => asm.storeImm(8, R10, -16, -1)],
  ['lock *(u64 *)(r1 +8) += r2', 'db21080000000000', (asm) => asm.atomicAdd(8, R1, 8, R2)],
  ['lock *(u32 *)(r1 +0) += r2', 'c321000000000000', (asm) => asm.atomicAdd(4, R1, 0, R2)],
  ['call bpf_probe_read_kernel#113', '8500000071000000', (asm) => asm.call(BPF_FUNC_probe_read_kernel)],
  ['call kfunc unknown#70000', '8520000070110100', (asm) => asm.callKfunc('bpf_task_acquire', 70_000)],
  ['exit', '9500000000000000', (asm) => asm.exit()],
]

for (const [text, bytes, write] of ENCODINGS) {
  test(`encodes ${text}`, () => {
    assert.equal(assembled(write), bytes)
    assert.deepEqual(disassemble(write(new Assembler()).assemble().bytes), [text])
  })
}

const CONDITIONS: readonly (readonly [op: JumpOp, opcode: number])[] = [
  ['==', 0x15],
  ['!=', 0x55],
  ['>', 0x25],
  ['>=', 0x35],
  ['<', 0xa5],
  ['<=', 0xb5],
  ['s>', 0x65],
  ['s>=', 0x75],
  ['s<', 0xc5],
  ['s<=', 0xd5],
  ['&', 0x45],
]

for (const [op, opcode] of CONDITIONS) {
  test(`encodes a jump on ${op} in both classes, with register and immediate`, () => {
    const code = new Assembler()
      .jumpIfImm(op, R1, -1, 'end')
      .jumpIf(op, R1, R2, 'end')
      .jump32IfImm(op, R1, -1, 'end')
      .jump32If(op, R1, R2, 'end')
      .label('end')
      .exit()
      .assemble()
    const two = (value: number): string => value.toString(16).padStart(2, '0')
    assert.equal(
      hex(code.bytes),
      `${two(opcode)}010300ffffffff${two(opcode | 8)}21020000000000` +
        `${two(opcode + 1)}010100ffffffff${two((opcode | 8) + 1)}21000000000000` +
        '9500000000000000',
    )
    assert.deepEqual(disassemble(code.bytes).slice(0, 4), [
      `if r1 ${op} 0xffffffff goto +3`,
      `if r1 ${op} r2 goto +2`,
      `if w1 ${op} 0xffffffff goto +1`,
      `if w1 ${op} w2 goto +0`,
    ])
  })
}

test('jumps forward and back over two-slot instructions', () => {
  const code = new Assembler()
    .label('start')
    .jump('end')
    .movImm64(R1, 1)
    .jump('start')
    .label('end')
    .exit()
    .assemble()
  assert.equal(
    hex(code.bytes),
    ['0500030000000000', '18010000010000000000000000000000', '0500fcff00000000', '9500000000000000'].join(''),
  )
  assert.deepEqual(
    [...code.labels],
    [
      ['start', 0],
      ['end', 4],
    ],
  )
})

test('places subprograms after the program and points calls and callbacks at them', () => {
  const code = new Assembler()
    .callFunction('twice')
    .movImm(R1, 8)
    .loadFunction(R2, 'body')
    .call(BPF_FUNC_loop)
    .exit()
    .label('body')
    .movImm(R0, 0)
    .exit()
    .label('twice')
    .exit()
    .assemble()
  assert.deepEqual(disassemble(code.bytes), [
    'call pc+7',
    'r1 = 8',
    'r2 = func+3 ll',
    'call bpf_loop#181',
    'exit',
    'r0 = 0',
    'exit',
    'exit',
  ])
  assert.equal(hex(code.bytes.subarray(0, 8)), '8510000007000000')
  assert.equal(hex(code.bytes.subarray(16, 32)), '18420000030000000000000000000000')
  assert.deepEqual(code.functions, [6, 8])
})

test('records where maps are loaded, and resolves them into a copy', () => {
  const code = new Assembler()
    .movImm(R0, 0)
    .loadMap(R1, 'events')
    .loadMapValue(R2, 'settings', 0x1234)
    .loadMap(R3, 'events')
    .assemble()
  assert.deepEqual(code.maps, [
    { slot: 1, map: 'events' },
    { slot: 3, map: 'settings', value: 0x1234 },
    { slot: 5, map: 'events' },
  ])
  const before = hex(code.bytes)
  const bytes = resolveMaps(code, (map) => (map === 'events' ? 0x0abc : 5))
  assert.equal(hex(code.bytes), before)
  assert.equal(
    hex(bytes.subarray(8)),
    [
      '18110000bc0a00000000000000000000',
      '18220000050000000000000034120000',
      '18130000bc0a00000000000000000000',
    ].join(''),
  )
})

test('refuses to resolve a map to something that is no descriptor', () => {
  const code = new Assembler().loadMap(R1, 'events').assemble()
  assert.throws(() => resolveMaps(code, () => -1), { name: 'RangeError', message: /"events".*: -1$/ })
  assert.throws(() => resolveMaps(code, () => Number.NaN), RangeError)
})

test('counts slots, not instructions', () => {
  const asm = new Assembler()
  assert.equal(asm.length, 0)
  assert.equal(asm.movImm(R1, 1).length, 1)
  assert.equal(asm.movImm64(R1, 1).length, 3)
  assert.equal(asm.loadMap(R1, 'map').length, 5)
})

test('writes asides behind the function, nested ones too; without emitAsides their labels are undefined', () => {
  const rare = (asm: Assembler): Assembler =>
    asm
      .jumpIfImm('==', R1, 0, 'rare')
      .aside('rare', () => {
        asm.movImm(R0, 1).jumpIfImm('==', R2, 0, 'rarer').exit()
        asm.aside('rarer', () => asm.movImm(R0, 2).exit())
      })
      .movImm(R0, 0)
      .exit()
  assert.deepEqual(disassemble(rare(new Assembler()).emitAsides().assemble().bytes), [
    'if r1 == 0x0 goto +2',
    'r0 = 0',
    'exit',
    'r0 = 1',
    'if r2 == 0x0 goto +1',
    'exit',
    'r0 = 2',
    'exit',
  ])
  assert.throws(() => rare(new Assembler()).assemble(), /label "rare", which is not defined/)
})

test('returns each unique label once', () => {
  const asm = new Assembler()
  const names = [asm.uniqueLabel(), asm.uniqueLabel(), asm.uniqueLabel('loop'), asm.uniqueLabel('loop')]
  assert.equal(new Set(names).size, 4)
  assert.match(names[2] ?? '', /^loop/)
})

test('reaches exactly as far as 16 bits allow', () => {
  const far = (distance: number): Assembler => {
    const asm = new Assembler().jump('end')
    for (let i = 0; i < distance; i++) asm.movImm(R0, 0)
    return asm.label('end').exit()
  }
  assert.equal(hex(far(32767).assemble().bytes.subarray(0, 8)), '0500ff7f00000000')
  assert.throws(() => far(32768).assemble(), {
    name: 'BuildError',
    message: /^Instruction 0 .*label "end": .*: 32768$/,
  })
})

const BROKEN: readonly (readonly [what: string, message: RegExp, write: (asm: Assembler) => Assembler])[] = [
  ['an undefined label', /^Instruction 1 .*"nowhere".*not defined/, (asm) => asm.exit().jump('nowhere')],
  ['an undefined subprogram', /"nowhere".*not defined/, (asm) => asm.loadFunction(R1, 'nowhere').exit()],
  ['a label defined twice', /"here".*more than once/, (asm) => asm.label('here').exit().label('here').exit()],
  [
    'a jump past the end',
    /^Instruction 0 .*"end".*no instruction follows/,
    (asm) => asm.jump('end').label('end'),
  ],
  [
    'an immediate above int32',
    /^Instruction 0 \(r1 = 2147483648\): .*32-bit/,
    (asm) => asm.movImm(R1, 2 ** 31),
  ],
  ['an immediate below int32', /32-bit.*: -2147483649$/, (asm) => asm.aluImm('add', R1, -(2 ** 31) - 1)],
  ['a byte that is none', /does not fit 1 bytes: 256$/, (asm) => asm.storeImm(1, R10, -1, 256)],
  ['a negative number too low', /does not fit 2 bytes: -32769$/, (asm) => asm.storeImm(2, R10, -2, -32769)],
  ['a shift by a word', /shift must be from 0 to 63: 64$/, (asm) => asm.aluImm('lsh', R1, 64)],
  ['a shift by half a word', /shift must be from 0 to 31: 32$/, (asm) => asm.alu32Imm('rsh', R1, 32)],
  ['a shift backwards', /shift must be from 0 to 63: -1$/, (asm) => asm.aluImm('arsh', R1, -1)],
  ['a fractional immediate', /32-bit.*: 1.5$/, (asm) => asm.storeImm(4, R10, -4, 1.5)],
  ['an offset above int16', /^Instruction 1 .*16-bit.*: 32768$/, (asm) => asm.exit().load(8, R1, R2, 32768)],
  ['an offset below int16', /16-bit.*: -32769$/, (asm) => asm.store(8, R1, -32769, R2)],
  ['a wide immediate above 64 bits', /^Instruction 0: .*64-bit/, (asm) => asm.movImm64(R1, 2n ** 64n)],
  ['a wide immediate below 64 bits', /64-bit/, (asm) => asm.movImm64(R1, -(2n ** 63n) - 1n)],
  ['a wide immediate that lost precision', /64-bit/, (asm) => asm.movImm64(R1, 2 ** 53)],
  ['a register that does not exist', /no register 11/, (asm) => asm.mov(11 as Register, R1)],
  ['a kfunc without id', /kfunc "bpf_gone" .*: 0$/, (asm) => asm.callKfunc('bpf_gone', 0)],
]

for (const [what, message, write] of BROKEN) {
  test(`refuses ${what}, but only when assembling`, () => {
    const asm = write(new Assembler())
    assert.throws(
      () => asm.assemble(),
      (error) => error instanceof BuildError && message.test(error.message),
    )
  })
}

test('can be continued after assembling', () => {
  const asm = new Assembler().loadMap(R1, 'a').label('x')
  const first = asm.assemble()
  const second = asm.loadMap(R2, 'b').label('y').exit().assemble()
  assert.equal(first.bytes.length, 16)
  assert.equal(first.maps.length, 1)
  assert.equal(first.labels.size, 1)
  assert.equal(second.bytes.length, 40)
  assert.equal(second.maps.length, 2)
})
