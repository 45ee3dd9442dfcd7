/**
 * Runs generated programs over memory of a test's making, with no kernel: what the verifier would refuse, such as a place
 * of the stack that is read before it was written, or a register that a call has spoiled, is an error.
 */

import {
  type AssembledCode,
  BPF_FUNC_get_current_task,
  BPF_FUNC_get_current_task_btf,
  BPF_FUNC_get_smp_processor_id,
  BPF_FUNC_ktime_get_boot_ns,
  BPF_FUNC_map_delete_elem,
  BPF_FUNC_map_lookup_elem,
  BPF_FUNC_map_update_elem,
  BPF_FUNC_probe_read_kernel,
  BPF_FUNC_probe_read_user,
  BPF_FUNC_ringbuf_output,
} from '../../asm/index.js'
import {
  ALU_CODES,
  BPF_CALL,
  BPF_EXIT,
  BPF_JA,
  BPF_MOV,
  BPF_NEG,
  BPF_PSEUDO_KFUNC_CALL,
  BPF_PSEUDO_MAP_VALUE,
  decodeInstruction,
  type Instruction,
  JUMP_CODES,
  LD_IMM64,
  SIZE_CODES,
} from '../../asm/isa.js'
import type { ProbeMap } from '../nodes.js'

const CLASS = { LDX: 1, ST: 2, STX: 3, ALU: 4, JMP: 5, ALU64: 7 }
const STACK = 0x1000_0000n
const STACK_BYTES = 512
const CONTEXT = 0x1100_0000n
const SCRATCH = 0x2000_0000n
const MAP_HANDLES = 0x3000_0000n
const MAP_VALUES = 0x4000_0000n

interface Region {
  readonly base: bigint
  readonly bytes: Uint8Array
  /** Which bytes were written; all of them where this is absent. */
  readonly written?: Uint8Array
}

/** The entries of a map: values by the hexadecimal text of their keys. */
export type FakeEntries = Map<string, Region>

export interface MachineOptions {
  /** Words that the hook passes. */
  readonly context: readonly bigint[]
  readonly currentTask?: bigint
  /** Memory of the kernel, by address. */
  readonly kernel: ReadonlyMap<bigint, Uint8Array>
  readonly user?: ReadonlyMap<bigint, Uint8Array>
  readonly maps?: readonly ProbeMap[]
  readonly scratchBytes: number
}

export class Machine {
  /** The records that were sent. */
  readonly records: Uint8Array[] = []
  /** Loads from places where there is no memory. */
  faults = 0
  /** Loads from kernel memory. */
  loads = 0
  readonly entries = new Map<string, FakeEntries>()
  readonly #options: MachineOptions
  readonly #maps: readonly ProbeMap[]
  readonly #regions: Region[]
  #nextValue = MAP_VALUES

  constructor(options: MachineOptions) {
    this.#options = options
    this.#maps = options.maps ?? []
    for (const { name } of this.#maps) this.entries.set(name, new Map())
    const context = new Uint8Array(BigUint64Array.from(options.context).buffer)
    this.#regions = [
      { base: CONTEXT, bytes: context },
      { base: SCRATCH, bytes: new Uint8Array(options.scratchBytes) },
    ]
  }

  /** Puts an entry into a map. */
  put(map: ProbeMap, key: Uint8Array, value: Uint8Array): void {
    const region = { base: this.#nextValue, bytes: Uint8Array.from(value) }
    this.#nextValue += BigInt(value.length + 16)
    this.#regions.push(region)
    this.entries.get(map.name)?.set(Buffer.from(key).toString('hex'), region)
  }

  /** Runs a program from its begin to its exit. */
  run(code: AssembledCode): void {
    new Run(this, code).start()
  }

  helper(id: number, args: readonly (bigint | undefined)[], regions: readonly Region[]): bigint {
    const [first = 0n, second = 0n, third = 0n, fourth = 0n] = args
    switch (id) {
      case BPF_FUNC_get_smp_processor_id:
        return 0n
      case BPF_FUNC_ktime_get_boot_ns:
        return 1n
      case BPF_FUNC_get_current_task:
      case BPF_FUNC_get_current_task_btf:
        return this.#options.currentTask ?? 0n
      case BPF_FUNC_probe_read_kernel:
      case BPF_FUNC_probe_read_user: {
        const from =
          id === BPF_FUNC_probe_read_kernel ? this.#options.kernel : (this.#options.user ?? new Map())
        const bytes = this.#fetch(from, third, Number(second))
        this.write(first, bytes ?? new Uint8Array(Number(second)), regions)
        return bytes === undefined ? -14n : 0n
      }
      case BPF_FUNC_ringbuf_output:
        this.records.push(this.read(second, Number(third), regions))
        return 0n
      case BPF_FUNC_map_lookup_elem:
        return this.#entriesOf(first).get(this.#keyOf(first, second, regions))?.base ?? 0n
      case BPF_FUNC_map_delete_elem:
        this.#entriesOf(first).delete(this.#keyOf(first, second, regions))
        return 0n
      case BPF_FUNC_map_update_elem: {
        const map = this.#mapOf(first)
        const key = this.#keyOf(first, second, regions)
        if (fourth === 1n && this.#entriesOf(first).has(key)) return -17n
        this.put(map, Buffer.from(key, 'hex'), this.read(third, map.value.sizeBytes, regions))
        return 0n
      }
      default:
        throw new Error(`The machine has no helper ${id}`)
    }
  }

  /** A load of a program: kernel memory that is none is 0. */
  read(address: bigint, size: number, own: readonly Region[]): Uint8Array {
    const region = find([...this.#regions, ...own], address, size)
    if (region !== undefined) {
      const at = Number(address - region.base)
      if (region.written?.subarray(at, at + size).includes(0) === true) {
        throw new Error(`Reads ${size} bytes of the stack at ${at - STACK_BYTES}, which were not written`)
      }
      return region.bytes.slice(at, at + size)
    }
    return this.#fetch(this.#options.kernel, address, size) ?? new Uint8Array(size)
  }

  write(address: bigint, bytes: Uint8Array, own: readonly Region[]): void {
    const region = find([...this.#regions, ...own], address, bytes.length)
    if (region === undefined) throw new Error(`Writes to 0x${address.toString(16)}, where there is nothing`)
    region.bytes.set(bytes, Number(address - region.base))
    region.written?.fill(1, Number(address - region.base), Number(address - region.base) + bytes.length)
  }

  mapHandle(name: string): bigint {
    return MAP_HANDLES + BigInt(this.#maps.findIndex((map) => map.name === name))
  }

  #fetch(memory: ReadonlyMap<bigint, Uint8Array>, address: bigint, size: number): Uint8Array | undefined {
    this.loads += 1
    const regions = [...memory].map(([base, bytes]) => ({ base, bytes }))
    const region = find(regions, address, size)
    if (region === undefined) {
      this.faults += 1
      return undefined
    }
    return region.bytes.slice(Number(address - region.base), Number(address - region.base) + size)
  }

  #mapOf(handle: bigint): ProbeMap {
    const map = this.#maps[Number(handle - MAP_HANDLES)]
    if (map === undefined) throw new Error('That is no map')
    return map
  }

  #entriesOf(handle: bigint): FakeEntries {
    return this.entries.get(this.#mapOf(handle).name) ?? new Map()
  }

  #keyOf(handle: bigint, address: bigint, regions: readonly Region[]): string {
    return Buffer.from(this.read(address, this.#mapOf(handle).key.sizeBytes, regions)).toString('hex')
  }
}

function find(regions: readonly Region[], address: bigint, size: number): Region | undefined {
  return regions.find(
    ({ base, bytes }) => address >= base && address + BigInt(size) <= base + BigInt(bytes.length),
  )
}

const ALU_NAMES = new Map(Object.entries(ALU_CODES).map(([name, code]) => [code, name]))
const JUMP_NAMES = new Map(Object.entries(JUMP_CODES).map(([name, code]) => [code, name]))
const SIZES = new Map(Object.entries(SIZE_CODES).map(([size, code]) => [code, Number(size)]))

/** One run of a program: registers, stack, and where it is. */
class Run {
  readonly #machine: Machine
  readonly #view: DataView
  readonly #maps: ReadonlyMap<number, AssembledCode['maps'][number]>
  readonly #registers: (bigint | undefined)[] = Array.from({ length: 11 })
  readonly #own: Region[]
  #at = 0

  constructor(machine: Machine, code: AssembledCode) {
    this.#machine = machine
    this.#view = new DataView(code.bytes.buffer, code.bytes.byteOffset)
    this.#maps = new Map(code.maps.map((reference) => [reference.slot, reference]))
    const written = new Uint8Array(STACK_BYTES)
    this.#own = [{ base: STACK, bytes: new Uint8Array(STACK_BYTES), written }]
    this.#registers[1] = CONTEXT
    this.#registers[10] = STACK + BigInt(STACK_BYTES)
  }

  start(): void {
    for (let steps = 0; steps < 1_000_000; steps += 1) {
      const ins = decodeInstruction(this.#view, this.#at)
      this.#at += 1
      if (ins.opcode === (CLASS.JMP | BPF_EXIT)) {
        this.#read(0)
        return
      }
      this.#step(ins)
    }
    throw new Error('The program does not end')
  }

  #read(register: number): bigint {
    const value = this.#registers[register]
    if (value === undefined) throw new Error(`Slot ${this.#at - 1} reads r${register}, which has no value`)
    return value
  }

  #set(register: number, value: bigint): void {
    this.#registers[register] = BigInt.asUintN(64, value)
  }

  #step(ins: Instruction): void {
    const { opcode, dst, src, off, imm } = ins
    if (opcode === LD_IMM64) {
      this.#loadWide(ins)
      return
    }
    const size = SIZES.get(opcode & 0x18) ?? 0
    switch (opcode & 0x07) {
      case CLASS.LDX:
        this.#set(dst, number(this.#machine.read(this.#read(src) + BigInt(off), size, this.#own)))
        return
      case CLASS.ST:
        this.#machine.write(this.#read(dst) + BigInt(off), bytesOf(BigInt(imm), size), this.#own)
        return
      case CLASS.STX: {
        const address = this.#read(dst) + BigInt(off)
        const isAtomic = (opcode & 0xe0) === 0xc0
        const before = isAtomic ? number(this.#machine.read(address, size, this.#own)) : 0n
        this.#machine.write(address, bytesOf(before + this.#read(src), size), this.#own)
        return
      }
      case CLASS.ALU:
      case CLASS.ALU64:
        this.#alu(ins, (opcode & 0x07) === CLASS.ALU64)
        return
      case CLASS.JMP:
        this.#jump(ins)
        return
      default:
        throw new Error(`The machine knows no opcode 0x${opcode.toString(16)}`)
    }
  }

  #loadWide({ dst, src, imm }: Instruction): void {
    const upper = decodeInstruction(this.#view, this.#at)
    const reference = this.#maps.get(this.#at - 1)
    this.#at += 1
    if (src === BPF_PSEUDO_MAP_VALUE) this.#set(dst, SCRATCH + BigInt(reference?.value ?? 0))
    else if (reference !== undefined) this.#set(dst, this.#machine.mapHandle(reference.map))
    else this.#set(dst, (BigInt(upper.imm) << 32n) | BigInt(imm >>> 0))
  }

  #alu({ opcode, dst, src, imm }: Instruction, isWide: boolean): void {
    const bits = isWide ? 64 : 32
    const operand = BigInt.asUintN(bits, (opcode & 0x08) === 0 ? BigInt(imm) : this.#read(src))
    const code = opcode & 0xf0
    if (code === BPF_MOV) {
      this.#set(dst, operand)
      return
    }
    const value = BigInt.asUintN(bits, this.#read(dst))
    if (code === BPF_NEG) {
      this.#set(dst, BigInt.asUintN(bits, -value))
      return
    }
    this.#set(dst, BigInt.asUintN(bits, aluOf(ALU_NAMES.get(code) ?? '', value, operand, bits)))
  }

  #jump(ins: Instruction): void {
    const { opcode, dst, src, off, imm } = ins
    const code = opcode & 0xf0
    if (code === BPF_CALL) {
      this.#call(ins)
      return
    }
    if (code === BPF_JA) {
      this.#at += off
      return
    }
    const operand = BigInt.asUintN(64, (opcode & 0x08) === 0 ? BigInt(imm) : this.#read(src))
    if (holds(JUMP_NAMES.get(code) ?? '', this.#read(dst), operand)) this.#at += off
  }

  #call({ src, imm }: Instruction): void {
    const args = this.#registers.slice(1, 6)
    const isKfunc = src === BPF_PSEUDO_KFUNC_CALL
    // The only one that expressions call is the cast, which gives back its address.
    const result = isKfunc ? this.#read(1) : this.#machine.helper(imm, args, this.#own)
    for (let register = 1; register <= 5; register += 1) this.#registers[register] = undefined
    this.#set(0, result)
  }
}

function aluOf(name: string, value: bigint, operand: bigint, bits: number): bigint {
  switch (name) {
    case 'add':
      return value + operand
    case 'sub':
      return value - operand
    case 'mul':
      return value * operand
    case 'and':
      return value & operand
    case 'or':
      return value | operand
    case 'lsh':
      return value << (operand & BigInt(bits - 1))
    case 'rsh':
      return value >> (operand & BigInt(bits - 1))
    case 'arsh':
      return BigInt.asIntN(bits, value) >> (operand & BigInt(bits - 1))
    default:
      throw new Error(`The machine cannot ${name}`)
  }
}

function holds(name: string, value: bigint, operand: bigint): boolean {
  switch (name) {
    case '==':
      return value === operand
    case '!=':
      return value !== operand
    case '<':
      return value < operand
    case '<=':
      return value <= operand
    case '>':
      return value > operand
    case '>=':
      return value >= operand
    case '&':
      return (value & operand) !== 0n
    default:
      throw new Error(`The machine cannot compare by ${name}`)
  }
}

function number(bytes: Uint8Array): bigint {
  return bytes.reduceRight((value, byte) => (value << 8n) | BigInt(byte), 0n)
}

function bytesOf(value: bigint, size: number): Uint8Array {
  return Uint8Array.from({ length: size }, (_, index) => Number((value >> BigInt(index * 8)) & 0xffn))
}
