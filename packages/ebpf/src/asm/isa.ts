/**
 * The eBPF instruction set, as the kernel's include/uapi/linux/bpf.h and bpf_common.h number it.
 *
 * One slot is 8 bytes, little-endian (the only byte order this package supports):
 *
 * ```
 *  byte 0    byte 1        byte 2..3   byte 4..7
 * ┌────────┬──────┬──────┬───────────┬───────────┐
 * │ opcode │ dst  │ src  │ off (s16) │ imm (s32) │
 * └────────┴──────┴──────┴───────────┴───────────┘
 *           bit 0-3 4-7
 * ```
 *
 * An opcode of the classes ALU, ALU64, JMP and JMP32, and one of the classes LD, LDX, ST and STX:
 *
 * ```
 *   7    4  3   2  0           7   5  4  3  2  0
 * ┌──────┬───┬──────┐        ┌──────┬──────┬──────┐
 * │  op  │ X │class │        │ mode │ size │class │
 * └──────┴───┴──────┘        └──────┴──────┴──────┘
 * ```
 *
 * `ld_imm64` alone takes two slots; the second holds the upper 32 bits in its imm and zeros elsewhere.
 */
import * as helperIds from './helper-ids.js'

/** Instruction class: the deprecated packet loads, and `ld_imm64`. */
export const BPF_LD = 0x00
/** Instruction class: load from memory. */
export const BPF_LDX = 0x01
/** Instruction class: store an immediate. */
export const BPF_ST = 0x02
/** Instruction class: store a register, and atomic operations. */
export const BPF_STX = 0x03
/** Instruction class: 32-bit arithmetic; the upper half of the destination becomes zero. */
export const BPF_ALU = 0x04
/** Instruction class: jumps that compare 64 bits, calls and exit. */
export const BPF_JMP = 0x05
/** Instruction class: jumps that compare 32 bits. Needs Linux 5.1. */
export const BPF_JMP32 = 0x06
/** Instruction class: 64-bit arithmetic. */
export const BPF_ALU64 = 0x07

/** Second operand is the immediate. */
export const BPF_K = 0x00
/** Second operand is the source register. */
export const BPF_X = 0x08

/** Access size: 4 bytes. */
export const BPF_W = 0x00
/** Access size: 2 bytes. */
export const BPF_H = 0x08
/** Access size: 1 byte. */
export const BPF_B = 0x10
/** Access size: 8 bytes. */
export const BPF_DW = 0x18

/** Access mode: the 64-bit immediate of `ld_imm64`. */
export const BPF_IMM = 0x00
/** Access mode: packet bytes at a constant offset (old socket filters). */
export const BPF_ABS = 0x20
/** Access mode: packet bytes at register plus constant (old socket filters). */
export const BPF_IND = 0x40
/** Access mode: memory at register plus off. */
export const BPF_MEM = 0x60
/** Access mode: memory at register plus off, sign-extended. Needs Linux 6.6. */
export const BPF_MEMSX = 0x80
/** Access mode: atomic read-modify-write; imm holds the operation. */
export const BPF_ATOMIC = 0xc0

/** Arithmetic: negate. */
export const BPF_NEG = 0x80
/** Arithmetic: copy. */
export const BPF_MOV = 0xb0
/** Arithmetic: byte order conversion; imm holds the width in bits. */
export const BPF_END = 0xd0
/** Jump: always. */
export const BPF_JA = 0x00
/** Jump class: call; the source register field selects what imm means: a helper, a subprogram or a kfunc. */
export const BPF_CALL = 0x80
/** Jump class: return from the program or subprogram. */
export const BPF_EXIT = 0x90

/** Atomic: exchange, a fetch by itself. */
export const BPF_XCHG = 0xe1
/** Atomic: compare with R0 and exchange, a fetch by itself. */
export const BPF_CMPXCHG = 0xf1
/** Atomic: flag that also returns the old value in the source register. Needs Linux 5.12. */
export const BPF_FETCH = 0x01

/** Source field of `ld_imm64`: imm is a map's descriptor. */
export const BPF_PSEUDO_MAP_FD = 1
/** Source field of `ld_imm64`: address inside the first value of an array map. Needs Linux 5.2. */
export const BPF_PSEUDO_MAP_VALUE = 2
/** Source field of `ld_imm64`: address of a subprogram, for callbacks. Needs Linux 5.13. */
export const BPF_PSEUDO_FUNC = 4
/** Source field of a call: imm is the distance to a subprogram. */
export const BPF_PSEUDO_CALL = 1
/** Source field of a call: imm is the BTF id of a kernel function. Needs Linux 5.13. */
export const BPF_PSEUDO_KFUNC_CALL = 2

/** Opcode of `ld_imm64`. */
export const LD_IMM64 = BPF_LD | BPF_IMM | BPF_DW
/** Bytes of one instruction slot. */
export const SLOT_BYTES = 8

/** A register number; R10 is the read-only frame pointer. */
export type Register = 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9 | 10

/** Return value of calls and of the program. */
export const R0: Register = 0
/** First argument, lost by calls. */
export const R1: Register = 1
/** Second argument, lost by calls. */
export const R2: Register = 2
/** Third argument, lost by calls. */
export const R3: Register = 3
/** Fourth argument, lost by calls. */
export const R4: Register = 4
/** Fifth argument, lost by calls. */
export const R5: Register = 5
/** Kept across calls. */
export const R6: Register = 6
/** Kept across calls. */
export const R7: Register = 7
/** Kept across calls. */
export const R8: Register = 8
/** Kept across calls. */
export const R9: Register = 9
/** Frame pointer, read only; the stack is the 512 bytes below it. */
export const R10: Register = 10

/** Two-operand arithmetic, except copying. */
export type AluOp = 'add' | 'sub' | 'mul' | 'div' | 'mod' | 'and' | 'or' | 'xor' | 'lsh' | 'rsh' | 'arsh'
/** Condition of a jump; `s` compares signed, `&` is true when a common bit is set. */
export type JumpOp = '==' | '!=' | '>' | '>=' | '<' | '<=' | 's>' | 's>=' | 's<' | 's<=' | '&'
/** Bytes of one memory access. */
export type AccessSize = 1 | 2 | 4 | 8

/** Operation bits of an arithmetic opcode. */
export const ALU_CODES: Readonly<Record<AluOp, number>> = {
  add: 0x00,
  sub: 0x10,
  mul: 0x20,
  div: 0x30,
  or: 0x40,
  and: 0x50,
  lsh: 0x60,
  rsh: 0x70,
  mod: 0x90,
  xor: 0xa0,
  arsh: 0xc0,
}

/** Operation bits of a conditional jump's opcode. */
export const JUMP_CODES: Readonly<Record<JumpOp, number>> = {
  '==': 0x10,
  '>': 0x20,
  '>=': 0x30,
  '&': 0x40,
  '!=': 0x50,
  's>': 0x60,
  's>=': 0x70,
  '<': 0xa0,
  '<=': 0xb0,
  's<': 0xc0,
  's<=': 0xd0,
}

/** Size bits of a memory access's opcode. */
export const SIZE_CODES: Readonly<Record<AccessSize, number>> = { 1: BPF_B, 2: BPF_H, 4: BPF_W, 8: BPF_DW }

/** How text writes arithmetic before its `=`: the operation bits, and off (1 means a signed division). */
export const ALU_SYMBOLS: ReadonlyMap<string, { readonly code: number; readonly off: number }> = new Map([
  ['', { code: BPF_MOV, off: 0 }],
  ['+', { code: ALU_CODES.add, off: 0 }],
  ['-', { code: ALU_CODES.sub, off: 0 }],
  ['*', { code: ALU_CODES.mul, off: 0 }],
  ['/', { code: ALU_CODES.div, off: 0 }],
  ['s/', { code: ALU_CODES.div, off: 1 }],
  ['%', { code: ALU_CODES.mod, off: 0 }],
  ['s%', { code: ALU_CODES.mod, off: 1 }],
  ['|', { code: ALU_CODES.or, off: 0 }],
  ['&', { code: ALU_CODES.and, off: 0 }],
  ['^', { code: ALU_CODES.xor, off: 0 }],
  ['<<', { code: ALU_CODES.lsh, off: 0 }],
  ['>>', { code: ALU_CODES.rsh, off: 0 }],
  ['s>>', { code: ALU_CODES.arsh, off: 0 }],
])

/** The operations that have an atomic form, under the symbol of their plain form. */
export const ATOMIC_NAMES: ReadonlyMap<string, { readonly code: number; readonly name: string }> = new Map([
  ['+', { code: ALU_CODES.add, name: 'add' }],
  ['|', { code: ALU_CODES.or, name: 'or' }],
  ['&', { code: ALU_CODES.and, name: 'and' }],
  ['^', { code: ALU_CODES.xor, name: 'xor' }],
])

/** One slot, its fields apart. Register fields hold 0 to 15 in bytes of unknown origin. */
export interface Instruction {
  readonly opcode: number
  readonly dst: number
  readonly src: number
  /** Signed 16-bit. */
  readonly off: number
  /** Signed 32-bit. */
  readonly imm: number
}

/** An instruction whose unnamed fields are zero. */
export function instruction(opcode: number, fields: Partial<Omit<Instruction, 'opcode'>> = {}): Instruction {
  return { opcode, dst: 0, src: 0, off: 0, imm: 0, ...fields }
}

/** Writes one instruction into its slot. Fields that are too large are cut: check them before. */
export function encodeInstruction(
  view: DataView,
  slot: number,
  { opcode, dst, src, off, imm }: Instruction,
): void {
  const at = slot * SLOT_BYTES
  view.setUint8(at, opcode)
  view.setUint8(at + 1, (src << 4) | dst)
  view.setInt16(at + 2, off, true)
  view.setInt32(at + 4, imm, true)
}

/** Reads the instruction in one slot. */
export function decodeInstruction(view: DataView, slot: number): Instruction {
  const at = slot * SLOT_BYTES
  const registers = view.getUint8(at + 1)
  return {
    opcode: view.getUint8(at),
    dst: registers & 0x0f,
    src: registers >> 4,
    off: view.getInt16(at + 2, true),
    imm: view.getInt32(at + 4, true),
  }
}

/** Why an instruction cannot be encoded; `undefined` if it can. */
export function encodingProblem({ dst, src, off, imm }: Instruction): string | undefined {
  for (const register of [dst, src]) {
    if (!isIntegerIn(register, 0, R10)) return `there is no register ${register}, use R0 to R10`
  }
  if (!isIntegerIn(off, -0x8000, 0x7fff)) return `offset is not a signed 16-bit integer: ${off}`
  if (!isIntegerIn(imm, -0x8000_0000, 0x7fff_ffff)) {
    return `immediate is not a signed 32-bit integer (movImm64 loads larger ones): ${imm}`
  }
  return undefined
}

function isIntegerIn(value: number, low: number, high: number): boolean {
  return Number.isInteger(value) && value >= low && value <= high
}

const HELPER_NAMES: ReadonlyMap<number, string> = new Map(
  Object.entries(helperIds).map(([name, id]) => [id, name.replace('BPF_FUNC_', 'bpf_')]),
)

/** The C name of a BPF helper, as `bpf_map_lookup_elem` for 1. */
export function helperName(id: number): string | undefined {
  return HELPER_NAMES.get(id)
}
