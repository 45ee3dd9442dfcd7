import {
  ALU_SYMBOLS,
  ATOMIC_NAMES,
  BPF_ABS,
  BPF_ALU,
  BPF_ALU64,
  BPF_ATOMIC,
  BPF_CALL,
  BPF_CMPXCHG,
  BPF_DW,
  BPF_END,
  BPF_EXIT,
  BPF_FETCH,
  BPF_IND,
  BPF_JA,
  BPF_JMP,
  BPF_JMP32,
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
  BPF_W,
  BPF_X,
  BPF_XCHG,
  decodeInstruction,
  helperName,
  JUMP_CODES,
  LD_IMM64,
  R10,
  SIZE_CODES,
  SLOT_BYTES,
  type Instruction,
} from './isa.js'

/** Names for numbers that the bytes alone do not explain. A name left `undefined` prints as the number. */
export interface DisassembleOptions {
  /** Name of the map behind a descriptor; unresolved code has 0 everywhere, so the slot is given too. */
  readonly mapName?: (fd: number, slot: number) => string | undefined
  /** C name of a helper; the kernel's own names unless given. */
  readonly helperName?: (id: number) => string | undefined
  /** Name of the kernel function with a BTF id. */
  readonly kfuncName?: (id: number) => string | undefined
}

const ALU_TEXT = new Map([...ALU_SYMBOLS].map(([symbol, { code, off }]) => [code | off, symbol]))
const JUMP_TEXT = new Map(Object.entries(JUMP_CODES).map(([symbol, code]) => [code, symbol]))
const ATOMIC_TEXT = new Map([...ATOMIC_NAMES].map(([symbol, { code, name }]) => [code, { symbol, name }]))
const SIZE_BITS = new Map(Object.entries(SIZE_CODES).map(([bytes, code]) => [code, Number(bytes) * 8]))

/**
 * Text of eBPF bytecode in the verifier's notation, one string per instruction (`ld_imm64` is one). Numbers after
 * `goto`, `pc` and `func` count slots from the next slot. An unknown instruction, or one whose text would not show the
 * contents of a field, prints as `.raw` and its 8 bytes, so that `parseAssembly` restores every input.
 *
 * @throws RangeError when the length is not a multiple of 8
 */
export function disassemble(bytes: Uint8Array, options: DisassembleOptions = {}): string[] {
  if (bytes.length % SLOT_BYTES !== 0) {
    throw new RangeError(`Bytecode is a multiple of ${SLOT_BYTES} bytes long, got: ${bytes.length}`)
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const slots = bytes.length / SLOT_BYTES
  const lines: string[] = []
  for (let slot = 0; slot < slots; slot++) {
    const first = decodeInstruction(view, slot)
    const second = slot + 1 < slots ? decodeInstruction(view, slot + 1) : undefined
    const wide = second && wideText(first, second, slot, options)
    if (wide !== undefined) slot++
    lines.push(wide ?? instructionText(first, options) ?? rawText(view, slot))
  }
  return lines
}

/**
 * Text of a one-slot instruction, or `undefined` when it has none.
 *
 * @internal
 */
export function instructionText(ins: Instruction, options: DisassembleOptions = {}): string | undefined {
  if (ins.dst > R10 || ins.src > R10) return undefined
  switch (ins.opcode & 0x07) {
    case BPF_ALU:
    case BPF_ALU64:
      return aluText(ins)
    case BPF_JMP:
    case BPF_JMP32:
      return jumpText(ins, options)
    default:
      return memoryText(ins)
  }
}

function rawText(view: DataView, slot: number): string {
  const bytes = Array.from({ length: SLOT_BYTES }, (_, i) => view.getUint8(slot * SLOT_BYTES + i))
  return `.raw ${bytes.map((byte) => byte.toString(16).padStart(2, '0')).join(' ')}`
}

function wideText(
  first: Instruction,
  second: Instruction,
  slot: number,
  options: DisassembleOptions,
): string | undefined {
  const { dst, src, off, imm } = first
  if (first.opcode !== LD_IMM64 || dst > R10 || off !== 0) return undefined
  if (second.opcode !== 0 || second.dst !== 0 || second.src !== 0 || second.off !== 0) return undefined
  const upper = second.imm
  const map = (): string => `map[${options.mapName?.(imm, slot) ?? `fd:${imm}`}]`
  switch (src) {
    case 0: {
      const value = (BigInt.asUintN(32, BigInt(upper)) << 32n) | BigInt.asUintN(32, BigInt(imm))
      return `r${dst} = 0x${value.toString(16)} ll`
    }
    case BPF_PSEUDO_MAP_FD:
      return upper === 0 ? `r${dst} = ${map()} ll` : undefined
    case BPF_PSEUDO_MAP_VALUE:
      return `r${dst} = ${map()}+${upper >>> 0} ll`
    case BPF_PSEUDO_FUNC:
      return upper === 0 ? `r${dst} = func${signed(imm)} ll` : undefined
    default:
      return undefined
  }
}

function aluText({ opcode, dst, src, off, imm }: Instruction): string | undefined {
  const is64 = (opcode & 0x07) === BPF_ALU64
  const letter = is64 ? 'r' : 'w'
  const to = `${letter}${dst}`
  const operation = opcode & 0xf0
  const fromRegister = (opcode & BPF_X) !== 0
  if (operation === BPF_END) {
    if (src !== 0 || off !== 0 || ![16, 32, 64].includes(imm) || (is64 && fromRegister)) return undefined
    return `r${dst} = ${is64 ? 'bswap' : fromRegister ? 'be' : 'le'}${imm} r${dst}`
  }
  if (operation === BPF_NEG) {
    return fromRegister || src !== 0 || off !== 0 || imm !== 0 ? undefined : `${to} = -${to}`
  }
  if (fromRegister ? imm !== 0 : src !== 0) return undefined
  if (operation === BPF_MOV && fromRegister && (off === 8 || off === 16 || (off === 32 && is64))) {
    return `${to} = (s${off})${letter}${src}`
  }
  const symbol = off === 0 || off === 1 ? ALU_TEXT.get(operation | off) : undefined
  return symbol === undefined
    ? undefined
    : join(to, `${symbol}=`, fromRegister ? `${letter}${src}` : `${imm}`)
}

function jumpText(ins: Instruction, options: DisassembleOptions): string | undefined {
  const { opcode, dst, src, off, imm } = ins
  const is64 = (opcode & 0x07) === BPF_JMP
  const fromRegister = (opcode & BPF_X) !== 0
  const condition = JUMP_TEXT.get(opcode & 0xf0)
  if (condition !== undefined) {
    if (fromRegister ? imm !== 0 : src !== 0) return undefined
    const letter = is64 ? 'r' : 'w'
    const right = fromRegister ? `${letter}${src}` : `0x${(imm >>> 0).toString(16)}`
    return `if ${letter}${dst} ${condition} ${right} goto ${signed(off)}`
  }
  if (dst !== 0) return undefined
  switch (opcode) {
    case BPF_JMP | BPF_JA:
      return src === 0 && imm === 0 ? `goto ${signed(off)}` : undefined
    case BPF_JMP32 | BPF_JA:
      return src === 0 && off === 0 ? `gotol ${signed(imm)}` : undefined
    case BPF_JMP | BPF_CALL:
      return off === 0 ? callText(src, imm, options) : undefined
    case BPF_JMP | BPF_EXIT:
      return src === 0 && off === 0 && imm === 0 ? 'exit' : undefined
    default:
      return undefined
  }
}

function callText(kind: number, imm: number, options: DisassembleOptions): string | undefined {
  switch (kind) {
    case 0:
      return `call ${(options.helperName ?? helperName)(imm) ?? 'unknown'}#${imm}`
    case BPF_PSEUDO_CALL:
      return `call pc${signed(imm)}`
    case BPF_PSEUDO_KFUNC_CALL:
      return `call kfunc ${options.kfuncName?.(imm) ?? 'unknown'}#${imm}`
    default:
      return undefined
  }
}

function memoryText(ins: Instruction): string | undefined {
  const { opcode, dst, src, off, imm } = ins
  const size = opcode & 0x18
  const bits = SIZE_BITS.get(size)
  switch (opcode & ~0x18) {
    case BPF_LDX | BPF_MEM:
      return imm === 0 ? `r${dst} = ${memory('u', bits, src, off)}` : undefined
    case BPF_LDX | BPF_MEMSX:
      return imm === 0 && size !== BPF_DW ? `r${dst} = ${memory('s', bits, src, off)}` : undefined
    case BPF_ST | BPF_MEM:
      return src === 0 ? `${memory('u', bits, dst, off)} = ${imm}` : undefined
    case BPF_STX | BPF_MEM:
      return imm === 0 ? `${memory('u', bits, dst, off)} = r${src}` : undefined
    case BPF_STX | BPF_ATOMIC:
      return size === BPF_W || size === BPF_DW ? atomicText(ins, size === BPF_DW) : undefined
    case BPF_LD | BPF_ABS:
      return size !== BPF_DW && dst === 0 && src === 0 && off === 0
        ? `r0 = *(u${bits} *)skb[${imm}]`
        : undefined
    case BPF_LD | BPF_IND:
      return size !== BPF_DW && dst === 0 && off === 0
        ? `r0 = *(u${bits} *)skb[r${src} ${signed(imm)}]`
        : undefined
    default:
      return undefined
  }
}

function atomicText({ dst, src, off, imm }: Instruction, is64: boolean): string | undefined {
  const target = memory('u', is64 ? 64 : 32, dst, off)
  const atomic = is64 ? 'atomic64' : 'atomic'
  const pointer = target.slice(1)
  if (imm === BPF_XCHG) return `r${src} = ${atomic}_xchg(${pointer}, r${src})`
  if (imm === BPF_CMPXCHG) return `r0 = ${atomic}_cmpxchg(${pointer}, r0, r${src})`
  const operation = ATOMIC_TEXT.get(imm & ~BPF_FETCH)
  if (operation === undefined) return undefined
  return (imm & BPF_FETCH) === 0
    ? `lock ${join(target, `${operation.symbol}=`, `r${src}`)}`
    : `r${src} = ${atomic}_fetch_${operation.name}(${pointer}, r${src})`
}

function memory(sign: 'u' | 's', bits: number | undefined, base: number, off: number): string {
  return `*(${sign}${bits} *)(r${base} ${signed(off)})`
}

function join(...words: string[]): string {
  return words.join(' ')
}

function signed(value: number): string {
  return value < 0 ? `${value}` : `+${value}`
}
