import { BuildError } from '../errors.js'
import type { AssembledCode, MapReference } from './assemble.js'
import {
  ALU_SYMBOLS,
  ATOMIC_NAMES,
  BPF_ABS,
  BPF_ALU,
  BPF_ALU64,
  BPF_ATOMIC,
  BPF_CALL,
  BPF_CMPXCHG,
  BPF_END,
  BPF_EXIT,
  BPF_FETCH,
  BPF_IND,
  BPF_JA,
  BPF_JMP,
  BPF_JMP32,
  BPF_K,
  BPF_LD,
  BPF_LDX,
  BPF_MEM,
  BPF_MEMSX,
  BPF_MOV,
  BPF_NEG,
  BPF_PSEUDO_CALL,
  BPF_PSEUDO_FUNC,
  BPF_PSEUDO_KFUNC_CALL,
  BPF_PSEUDO_MAP_FD,
  BPF_PSEUDO_MAP_VALUE,
  BPF_ST,
  BPF_STX,
  BPF_X,
  BPF_XCHG,
  decodeInstruction,
  encodeInstruction,
  encodingProblem,
  instruction,
  JUMP_CODES,
  LD_IMM64,
  SIZE_CODES,
  SLOT_BYTES,
  type Instruction,
} from './isa.js'

/** What one line means. */
interface Line {
  readonly slots: readonly Instruction[]
  readonly map?: Omit<MapReference, 'slot'>
  /** Distance from the next slot to a subprogram. */
  readonly functionAt?: number
  /** The fields come from bytes and may hold anything. */
  readonly isRaw?: boolean
}

/** A notation of an instruction; `read` gets the groups of `pattern` and returns undefined if they do not fit it. */
interface Rule {
  readonly pattern: RegExp
  readonly read: (...groups: string[]) => Line | undefined
}

const SIZE_BY_BITS = new Map(
  Object.entries(SIZE_CODES).map(([bytes, code]) => [`${Number(bytes) * 8}`, code]),
)
const JUMP_BY_SYMBOL = new Map(Object.entries(JUMP_CODES))
const ATOMIC_BY_NAME = new Map([...ATOMIC_NAMES.values()].map(({ code, name }) => [name, code]))

const REG = 'r(\\d+)'
const BITS = '(8|16|32|64)'
const WIDE_BITS = '(32|64)'
const PLACE = '\\(r(\\d+) ([+-]\\d+)\\)'
const DISTANCE = '([+-]\\d+)'
const NUMBER = '(-?\\d+)'
const HEX32 = '0x([0-9a-f]{1,8})'

function rule(pattern: string, read: Rule['read']): Rule {
  return { pattern: new RegExp(`^${pattern}$`), read }
}

function one(opcode: number, fields: Partial<Instruction> = {}): Line {
  return { slots: [instruction(opcode, fields)] }
}

function wide(dst: string, src: number, lower: number, upper: number, rest: Omit<Line, 'slots'> = {}): Line {
  const first = instruction(LD_IMM64, { dst: Number(dst), src, imm: lower })
  return { slots: [first, instruction(0, { imm: upper })], ...rest }
}

/** An unsigned 32-bit number as the signed field that holds it; larger ones stay and are refused later. */
function toImm(value: number): number {
  return value <= 0xffff_ffff ? value | 0 : value
}

const WIDE_RULES: readonly Rule[] = [
  rule(`${REG} = 0x([0-9a-f]{1,16}) ll`, (dst, hex) => {
    const value = BigInt(`0x${hex}`)
    return wide(dst, 0, Number(BigInt.asIntN(32, value)), Number(BigInt.asIntN(32, value >> 32n)))
  }),
  rule(`${REG} = map\\[fd:${NUMBER}\\] ll`, (dst, fd) => wide(dst, BPF_PSEUDO_MAP_FD, Number(fd), 0)),
  rule(`${REG} = map\\[fd:${NUMBER}\\]\\+(\\d+) ll`, (dst, fd, value) =>
    wide(dst, BPF_PSEUDO_MAP_VALUE, Number(fd), toImm(Number(value))),
  ),
  rule(`${REG} = map\\[([^\\]]+)\\] ll`, (dst, map) => wide(dst, BPF_PSEUDO_MAP_FD, 0, 0, { map: { map } })),
  rule(`${REG} = map\\[([^\\]]+)\\]\\+(\\d+) ll`, (dst, map, offset) => {
    const value = Number(offset)
    return wide(dst, BPF_PSEUDO_MAP_VALUE, 0, toImm(value), { map: { map, value } })
  }),
  rule(`${REG} = func${DISTANCE} ll`, (dst, distance) =>
    wide(dst, BPF_PSEUDO_FUNC, Number(distance), 0, { functionAt: Number(distance) }),
  ),
]

const JUMP_RULES: readonly Rule[] = [
  rule('exit', () => one(BPF_JMP | BPF_EXIT)),
  rule(`goto ${DISTANCE}`, (off) => one(BPF_JMP | BPF_JA, { off: Number(off) })),
  rule(`gotol ${DISTANCE}`, (imm) => one(BPF_JMP32 | BPF_JA, { imm: Number(imm) })),
  rule(`if ([rw])(\\d+) (\\S+) \\1(\\d+) goto ${DISTANCE}`, (letter, dst, op, src, off) =>
    condition(letter, op, BPF_X, { dst: Number(dst), src: Number(src), off: Number(off) }),
  ),
  rule(`if ([rw])(\\d+) (\\S+) ${HEX32} goto ${DISTANCE}`, (letter, dst, op, imm, off) =>
    condition(letter, op, BPF_K, { dst: Number(dst), imm: Number.parseInt(imm, 16) | 0, off: Number(off) }),
  ),
  rule(`call pc${DISTANCE}`, (distance) => {
    const imm = Number(distance)
    return { ...one(BPF_JMP | BPF_CALL, { src: BPF_PSEUDO_CALL, imm }), functionAt: imm }
  }),
  rule(`call kfunc \\S+#${NUMBER}`, (id) =>
    one(BPF_JMP | BPF_CALL, { src: BPF_PSEUDO_KFUNC_CALL, imm: Number(id) }),
  ),
  rule(`call \\S+#${NUMBER}`, (id) => one(BPF_JMP | BPF_CALL, { imm: Number(id) })),
]

function condition(
  letter: string,
  op: string,
  source: number,
  fields: Partial<Instruction>,
): Line | undefined {
  const code = JUMP_BY_SYMBOL.get(op)
  return code === undefined ? undefined : one((letter === 'r' ? BPF_JMP : BPF_JMP32) | code | source, fields)
}

const MEMORY_RULES: readonly Rule[] = [
  rule(`${REG} = \\*\\(([us])${BITS} \\*\\)${PLACE}`, (dst, sign, bits, src, off) => {
    if (sign === 's' && bits === '64') return undefined
    const mode = sign === 's' ? BPF_MEMSX : BPF_MEM
    return access(BPF_LDX | mode, bits, { dst: Number(dst), src: Number(src), off: Number(off) })
  }),
  rule(`\\*\\(u${BITS} \\*\\)${PLACE} = ${NUMBER}`, (bits, dst, off, imm) =>
    access(BPF_ST | BPF_MEM, bits, { dst: Number(dst), off: Number(off), imm: Number(imm) }),
  ),
  rule(`\\*\\(u${BITS} \\*\\)${PLACE} = ${REG}`, (bits, dst, off, src) =>
    access(BPF_STX | BPF_MEM, bits, { dst: Number(dst), src: Number(src), off: Number(off) }),
  ),
  rule(`lock \\*\\(u${WIDE_BITS} \\*\\)${PLACE} (\\S)= ${REG}`, (bits, dst, off, symbol, src) =>
    atomic(bits, dst, off, src, ATOMIC_NAMES.get(symbol)?.code),
  ),
  rule(`${REG} = atomic(?:64)?_xchg\\(\\(u${WIDE_BITS} \\*\\)${PLACE}, r\\1\\)`, (src, bits, dst, off) =>
    atomic(bits, dst, off, src, BPF_XCHG),
  ),
  rule(`r0 = atomic(?:64)?_cmpxchg\\(\\(u${WIDE_BITS} \\*\\)${PLACE}, r0, ${REG}\\)`, (bits, dst, off, src) =>
    atomic(bits, dst, off, src, BPF_CMPXCHG),
  ),
  rule(
    `${REG} = atomic(?:64)?_fetch_(\\w+)\\(\\(u${WIDE_BITS} \\*\\)${PLACE}, r\\1\\)`,
    (src, name, bits, dst, off) => {
      const code = ATOMIC_BY_NAME.get(name)
      return atomic(bits, dst, off, src, code === undefined ? undefined : code | BPF_FETCH)
    },
  ),
  rule(`r0 = \\*\\(u(8|16|32) \\*\\)skb\\[${NUMBER}\\]`, (bits, imm) =>
    access(BPF_LD | BPF_ABS, bits, { imm: Number(imm) }),
  ),
  rule(`r0 = \\*\\(u(8|16|32) \\*\\)skb\\[${REG} ${DISTANCE}\\]`, (bits, src, imm) =>
    access(BPF_LD | BPF_IND, bits, { src: Number(src), imm: Number(imm) }),
  ),
]

function access(opcode: number, bits: string, fields: Partial<Instruction>): Line | undefined {
  const size = SIZE_BY_BITS.get(bits)
  return size === undefined ? undefined : one(opcode | size, fields)
}

function atomic(
  bits: string,
  dst: string,
  off: string,
  src: string,
  imm: number | undefined,
): Line | undefined {
  if (imm === undefined) return undefined
  return access(BPF_STX | BPF_ATOMIC, bits, { dst: Number(dst), src: Number(src), off: Number(off), imm })
}

const ALU_RULES: readonly Rule[] = [
  rule('([rw])(\\d+) = -\\1\\2', (letter, dst) => one(aluClass(letter) | BPF_NEG, { dst: Number(dst) })),
  rule(`${REG} = (le|be|bswap)(16|32|64) r\\1`, (dst, order, bits) => {
    const opcode = order === 'bswap' ? BPF_ALU64 : order === 'be' ? BPF_ALU | BPF_X : BPF_ALU
    return one(opcode | BPF_END, { dst: Number(dst), imm: Number(bits) })
  }),
  rule('([rw])(\\d+) = \\(s(8|16|32)\\)\\1(\\d+)', (letter, dst, bits, src) => {
    if (letter === 'w' && bits === '32') return undefined
    const fields = { dst: Number(dst), src: Number(src), off: Number(bits) }
    return one(aluClass(letter) | BPF_MOV | BPF_X, fields)
  }),
  rule('([rw])(\\d+) (\\S*)= \\1(\\d+)', (letter, dst, symbol, src) =>
    arithmetic(letter, symbol, BPF_X, { dst: Number(dst), src: Number(src) }),
  ),
  rule(`([rw])(\\d+) (\\S*)= ${NUMBER}`, (letter, dst, symbol, imm) =>
    arithmetic(letter, symbol, BPF_K, { dst: Number(dst), imm: Number(imm) }),
  ),
]

function aluClass(letter: string): number {
  return letter === 'r' ? BPF_ALU64 : BPF_ALU
}

function arithmetic(
  letter: string,
  symbol: string,
  source: number,
  fields: Partial<Instruction>,
): Line | undefined {
  const op = ALU_SYMBOLS.get(symbol)
  return op && one(aluClass(letter) | op.code | source, { ...fields, off: op.off })
}

const RAW_RULE = rule('\\.raw((?: [0-9a-f]{2}){8})', (text) => {
  const bytes = Uint8Array.from(text.trim().split(' '), (byte) => Number.parseInt(byte, 16))
  return { slots: [decodeInstruction(new DataView(bytes.buffer), 0)], isRaw: true }
})

const RULES = [...WIDE_RULES, ...JUMP_RULES, ...MEMORY_RULES, ...ALU_RULES, RAW_RULE]

/**
 * The bytecode of text as `disassemble` prints it, one instruction a line; blank lines are skipped. Named maps
 * become map references, `map[fd:7]` keeps its number. There are no labels.
 *
 * @throws BuildError naming the line that is not an instruction or has a number that does not fit
 */
export function parseAssembly(text: string | readonly string[]): AssembledCode {
  const slots: Instruction[] = []
  const maps: MapReference[] = []
  const functions = new Set<number>()
  const lines = typeof text === 'string' ? text.split('\n') : text
  for (const [index, source] of lines.entries()) {
    if (source.trim() === '') continue
    const line = parseLine(source.trim())
    if (line === undefined) throw new BuildError(`Line ${index + 1} is not an instruction: ${source.trim()}`)
    const problem = line.isRaw
      ? undefined
      : line.slots.map(encodingProblem).find((found) => found !== undefined)
    if (problem !== undefined) throw new BuildError(`Line ${index + 1} (${source.trim()}): ${problem}`)
    if (line.map) maps.push({ slot: slots.length, ...line.map })
    if (line.functionAt !== undefined) functions.add(slots.length + 1 + line.functionAt)
    slots.push(...line.slots)
  }
  const bytes = new Uint8Array(slots.length * SLOT_BYTES)
  const view = new DataView(bytes.buffer)
  for (const [slot, ins] of slots.entries()) encodeInstruction(view, slot, ins)
  return { bytes, maps, functions: [...functions].sort((a, b) => a - b), labels: new Map() }
}

function parseLine(text: string): Line | undefined {
  for (const { pattern, read } of RULES) {
    const match = pattern.exec(text)
    if (match) return read(...match.slice(1))
  }
  return undefined
}
