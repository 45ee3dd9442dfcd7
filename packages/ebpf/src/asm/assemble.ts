import { BuildError } from '../errors.js'
import { instructionText } from './disassemble.js'
import {
  ALU_CODES,
  BPF_ALU,
  BPF_ALU64,
  BPF_ATOMIC,
  BPF_CALL,
  BPF_END,
  BPF_EXIT,
  BPF_JA,
  BPF_JMP,
  BPF_JMP32,
  BPF_K,
  BPF_LDX,
  BPF_MEM,
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
  encodeInstruction,
  encodingProblem,
  instruction,
  JUMP_CODES,
  LD_IMM64,
  SIZE_CODES,
  SLOT_BYTES,
  type AccessSize,
  type AluOp,
  type Instruction,
  type JumpOp,
  type Register,
} from './isa.js'

/** A slot whose `ld_imm64` waits for the descriptor of a map. */
export interface MapReference {
  readonly slot: number
  readonly map: string
  /** Byte offset into the map's first value; absent when the map itself is meant. */
  readonly value?: number
}

/** Bytecode that lacks only the descriptors of its maps. */
export interface AssembledCode {
  readonly bytes: Uint8Array
  readonly maps: readonly MapReference[]
  /** Slots where subprograms start, ascending: where BTF function information must name a function, besides 0. */
  readonly functions: readonly number[]
  /** Slot of every label. */
  readonly labels: ReadonlyMap<string, number>
}

/** A field that `assemble` fills with the distance to a label, and whether the label starts a subprogram. */
interface Target {
  readonly label: string
  readonly field: 'off' | 'imm'
  readonly isFunction: boolean
}

interface Slot {
  readonly ins: Instruction
  readonly target?: Target
  /** An error in the arguments that the encoded fields do not show. */
  readonly problem?: string
}

/**
 * Writes eBPF instructions one after the other; every method but `assemble`, `aside`, `uniqueLabel` and `length`
 * appends and returns the assembler. `assemble` reports mistakes. Subprograms follow the main program, each beginning
 * at the label that `callFunction` or `loadFunction` names.
 */
export class Assembler {
  readonly #slots: Slot[] = []
  readonly #maps: MapReference[] = []
  readonly #labels = new Map<string, number>()
  readonly #duplicates: string[] = []
  readonly #asides: { readonly label: string; readonly emit: () => void }[] = []
  #uniqueCount = 0

  /** Slots of 8 bytes written so far. */
  get length(): number {
    return this.#slots.length
  }

  /** `dst = src`, all 64 bits. */
  mov(dst: Register, src: Register): this {
    return this.#add(BPF_ALU64 | BPF_MOV | BPF_X, { dst, src })
  }

  /** `dst = imm`, sign-extended to 64 bits. */
  movImm(dst: Register, imm: number): this {
    return this.#add(BPF_ALU64 | BPF_MOV | BPF_K, { dst, imm })
  }

  /** `dst = src`, the lower 32 bits; the upper ones become zero. */
  mov32(dst: Register, src: Register): this {
    return this.#add(BPF_ALU | BPF_MOV | BPF_X, { dst, src })
  }

  /** `dst = imm`, the upper 32 bits become zero. */
  movImm32(dst: Register, imm: number): this {
    return this.#add(BPF_ALU | BPF_MOV | BPF_K, { dst, imm })
  }

  /** `dst = imm` of 64 bits, signed or unsigned; takes two slots. */
  movImm64(dst: Register, imm: bigint | number): this {
    const valid = typeof imm === 'bigint' ? imm >= -(2n ** 63n) && imm < 2n ** 64n : Number.isSafeInteger(imm)
    const value = valid ? BigInt(imm) : 0n
    const lower = Number(BigInt.asIntN(32, value))
    const upper = Number(BigInt.asIntN(32, value >> 32n))
    const problem = `immediate is not a 64-bit integer (as a number, a safe one): ${imm}`
    return this.#addWide({ dst, imm: lower }, upper, valid ? {} : { problem })
  }

  /** `dst = dst op src`, 64 bits. */
  alu(op: AluOp, dst: Register, src: Register): this {
    return this.#add(BPF_ALU64 | ALU_CODES[op] | BPF_X, { dst, src })
  }

  /** `dst = dst op imm`, 64 bits; the immediate is sign-extended. */
  aluImm(op: AluOp, dst: Register, imm: number): this {
    return this.#add(BPF_ALU64 | ALU_CODES[op] | BPF_K, { dst, imm }, shiftProblem(op, imm, 64))
  }

  /** `dst = dst op src`, 32 bits; the upper 32 bits become zero. */
  alu32(op: AluOp, dst: Register, src: Register): this {
    return this.#add(BPF_ALU | ALU_CODES[op] | BPF_X, { dst, src })
  }

  /** `dst = dst op imm`, 32 bits; the upper 32 bits become zero. */
  alu32Imm(op: AluOp, dst: Register, imm: number): this {
    return this.#add(BPF_ALU | ALU_CODES[op] | BPF_K, { dst, imm }, shiftProblem(op, imm, 32))
  }

  /** `dst = -dst`, 64 bits. */
  neg(dst: Register): this {
    return this.#add(BPF_ALU64 | BPF_NEG, { dst })
  }

  /** Converts between the machine's byte order and little-endian, and zeroes the bits above `bits`. */
  toLittleEndian(dst: Register, bits: 16 | 32 | 64): this {
    return this.#add(BPF_ALU | BPF_END | BPF_K, { dst, imm: bits })
  }

  /** Converts between the machine's byte order and big-endian, and zeroes the bits above `bits`. */
  toBigEndian(dst: Register, bits: 16 | 32 | 64): this {
    return this.#add(BPF_ALU | BPF_END | BPF_X, { dst, imm: bits })
  }

  /** `dst = *(base + off)` of `size` bytes, zero-extended. */
  load(size: AccessSize, dst: Register, base: Register, off: number): this {
    return this.#add(BPF_LDX | BPF_MEM | SIZE_CODES[size], { dst, src: base, off })
  }

  /** `*(base + off) = src`, the lower `size` bytes. */
  store(size: AccessSize, base: Register, off: number, src: Register): this {
    return this.#add(BPF_STX | BPF_MEM | SIZE_CODES[size], { dst: base, src, off })
  }

  /** `*(base + off) = imm` of `size` bytes; 8 bytes get the sign-extended immediate. */
  storeImm(size: AccessSize, base: Register, off: number, imm: number): this {
    const span = 2 ** (size * 8)
    const fits = imm >= -span / 2 && imm < span
    const problem = `immediate does not fit ${size} bytes: ${imm}`
    return this.#add(BPF_ST | BPF_MEM | SIZE_CODES[size], { dst: base, off, imm }, fits ? {} : { problem })
  }

  /** `*(base + off) += src`, atomically. */
  atomicAdd(size: 4 | 8, base: Register, off: number, src: Register): this {
    return this.#add(BPF_STX | BPF_ATOMIC | SIZE_CODES[size], { dst: base, src, off, imm: ALU_CODES.add })
  }

  /** `dst =` the map of that name, for helpers that take one; takes two slots. */
  loadMap(dst: Register, map: string): this {
    this.#maps.push({ slot: this.length, map })
    return this.#addWide({ dst, src: BPF_PSEUDO_MAP_FD }, 0)
  }

  /**
   * `dst =` the address `offset` bytes into the first value of an array map; takes two slots.
   * Needs Linux 5.2.
   */
  loadMapValue(dst: Register, map: string, offset: number): this {
    this.#maps.push({ slot: this.length, map, value: offset })
    return this.#addWide({ dst, src: BPF_PSEUDO_MAP_VALUE }, offset)
  }

  /**
   * `dst =` the address of the subprogram at `label`, for callbacks; takes two slots. The verifier takes it only
   * from programs loaded with BTF function information. Needs Linux 5.13.
   */
  loadFunction(dst: Register, label: string): this {
    return this.#addWide({ dst, src: BPF_PSEUDO_FUNC }, 0, {
      target: { label, field: 'imm', isFunction: true },
    })
  }

  /** Calls the helper with that number. */
  call(helper: number): this {
    return this.#add(BPF_JMP | BPF_CALL, { imm: helper })
  }

  /** Calls the subprogram at `label`. */
  callFunction(label: string): this {
    const target: Target = { label, field: 'imm', isFunction: true }
    return this.#add(BPF_JMP | BPF_CALL, { src: BPF_PSEUDO_CALL }, { target })
  }

  /**
   * Calls the kernel function with that id in the kernel's own BTF; the name is for messages.
   * Needs Linux 5.13.
   */
  callKfunc(name: string, btfId: number): this {
    const problem = `kfunc "${name}" has no valid BTF id: ${btfId}`
    const fields = { src: BPF_PSEUDO_KFUNC_CALL, imm: btfId }
    return this.#add(BPF_JMP | BPF_CALL, fields, btfId > 0 ? {} : { problem })
  }

  /** Continues at `label`. */
  jump(label: string): this {
    return this.#jump(BPF_JMP | BPF_JA, {}, label)
  }

  /** Continues at `label` if `dst op src`, 64 bits. */
  jumpIf(op: JumpOp, dst: Register, src: Register, label: string): this {
    return this.#jump(BPF_JMP | JUMP_CODES[op] | BPF_X, { dst, src }, label)
  }

  /** Continues at `label` if `dst op imm`, 64 bits; the immediate is sign-extended, also for unsigned `op`. */
  jumpIfImm(op: JumpOp, dst: Register, imm: number, label: string): this {
    return this.#jump(BPF_JMP | JUMP_CODES[op] | BPF_K, { dst, imm }, label)
  }

  /** Continues at `label` if `dst op src`, the lower 32 bits. Needs Linux 5.1. */
  jump32If(op: JumpOp, dst: Register, src: Register, label: string): this {
    return this.#jump(BPF_JMP32 | JUMP_CODES[op] | BPF_X, { dst, src }, label)
  }

  /** Continues at `label` if `dst op imm`, the lower 32 bits. Needs Linux 5.1. */
  jump32IfImm(op: JumpOp, dst: Register, imm: number, label: string): this {
    return this.#jump(BPF_JMP32 | JUMP_CODES[op] | BPF_K, { dst, imm }, label)
  }

  /** Returns R0 from the program or subprogram. */
  exit(): this {
    return this.#add(BPF_JMP | BPF_EXIT, {})
  }

  /** Names the next instruction. */
  label(name: string): this {
    if (this.#labels.has(name)) this.#duplicates.push(name)
    this.#labels.set(name, this.length)
    return this
  }

  /** A label name that this assembler has not given out before; it still has to be placed with `label`. */
  uniqueLabel(prefix = 'label'): string {
    return `${prefix}@${++this.#uniqueCount}`
  }

  /**
   * Keeps code for later: `emitAsides` writes it, beginning at `label`. For a program that has not run for a while, the
   * CPU's branch predictor expects that no conditional jump is taken: the common case should fall through, and the rest
   * be kept aside.
   */
  aside(label: string, emit: () => void): this {
    this.#asides.push({ label, emit })
    return this
  }

  /** Writes the code that `aside` kept; call it after the `exit` of each function. */
  emitAsides(): this {
    for (let aside = this.#asides.shift(); aside !== undefined; aside = this.#asides.shift()) {
      this.label(aside.label)
      aside.emit()
    }
    return this
  }

  /**
   * The bytecode of everything written so far.
   *
   * @throws BuildError naming the instruction by its slot, as the verifier does, when a label is undefined,
   *   defined twice or out of reach, or a register, offset or immediate cannot be encoded
   */
  assemble(): AssembledCode {
    const duplicate = this.#duplicates[0]
    if (duplicate !== undefined) throw new BuildError(`Label "${duplicate}" is defined more than once`)
    const bytes = new Uint8Array(this.length * SLOT_BYTES)
    const view = new DataView(bytes.buffer)
    const functions = new Set<number>()
    for (const [index, slot] of this.#slots.entries()) {
      const target = slot.target && this.#slotOf(slot.target.label, index)
      const ins = slot.target ? { ...slot.ins, [slot.target.field]: (target ?? 0) - index - 1 } : slot.ins
      const problem = slot.problem ?? encodingProblem(ins)
      if (problem !== undefined) {
        const what = slot.target ? `, to label "${slot.target.label}"` : ''
        throw new BuildError(`Instruction ${index}${describe(ins)}${what}: ${problem}`)
      }
      if (slot.target?.isFunction && target !== undefined) functions.add(target)
      encodeInstruction(view, index, ins)
    }
    return {
      bytes,
      maps: [...this.#maps],
      functions: [...functions].sort((a, b) => a - b),
      labels: new Map(this.#labels),
    }
  }

  #slotOf(label: string, index: number): number {
    const slot = this.#labels.get(label)
    if (slot === undefined) {
      throw new BuildError(`Instruction ${index} refers to label "${label}", which is not defined`)
    }
    if (slot >= this.length) {
      throw new BuildError(`Instruction ${index} refers to label "${label}", which no instruction follows`)
    }
    return slot
  }

  #jump(opcode: number, fields: Partial<Instruction>, label: string): this {
    return this.#add(opcode, fields, { target: { label, field: 'off', isFunction: false } })
  }

  #addWide(fields: Partial<Instruction>, upper: number, rest: Omit<Slot, 'ins'> = {}): this {
    return this.#add(LD_IMM64, fields, rest).#add(0, { imm: upper })
  }

  #add(opcode: number, fields: Partial<Instruction>, rest: Omit<Slot, 'ins'> = {}): this {
    this.#slots.push({ ins: instruction(opcode, fields), ...rest })
    return this
  }
}

/** The problem of a shift whose distance the verifier would refuse. */
function shiftProblem(op: AluOp, imm: number, bits: number): Omit<Slot, 'ins'> {
  const isShift = op === 'lsh' || op === 'rsh' || op === 'arsh'
  return isShift && (imm < 0 || imm >= bits)
    ? { problem: `a shift must be from 0 to ${bits - 1}: ${imm}` }
    : {}
}

function describe(ins: Instruction): string {
  const text = instructionText(ins)
  return text === undefined ? '' : ` (${text})`
}

/**
 * The bytecode with the descriptors of its maps filled in: a copy, ready to load.
 *
 * @param fdOf descriptor of the map of that name
 * @throws RangeError when `fdOf` returns something that is not a descriptor
 */
export function resolveMaps(code: AssembledCode, fdOf: (map: string) => number): Uint8Array {
  const bytes = code.bytes.slice()
  const view = new DataView(bytes.buffer)
  for (const { slot, map } of code.maps) {
    const fd = fdOf(map)
    if (!Number.isInteger(fd) || fd < 0 || fd > 0x7fff_ffff) {
      throw new RangeError(`Map "${map}" needs an open descriptor, got: ${fd}`)
    }
    view.setInt32(slot * SLOT_BYTES + 4, fd, true)
  }
  return bytes
}
