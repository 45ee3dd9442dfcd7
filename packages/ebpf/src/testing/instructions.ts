/*
 * Just enough encoding for the programs of the kernel tests. One instruction is 8 bytes:
 *
 *   opcode 8 | dst 4, src 4 | offset 16 | immediate 32
 */

/** One instruction, or two for a 64-bit immediate. */
export type Instruction = readonly number[]

function encode(opcode: number, dst: number, src: number, offset: number, immediate: number): Instruction {
  const view = new DataView(new ArrayBuffer(8))
  view.setUint8(0, opcode)
  view.setUint8(1, dst | (src << 4))
  view.setInt16(2, offset, true)
  view.setInt32(4, immediate, true)
  return [...new Uint8Array(view.buffer)]
}

/** dst = immediate */
export function move(dst: number, immediate: number): Instruction {
  return encode(0xb7, dst, 0, 0, immediate)
}

/** dst = src */
export function copy(dst: number, src: number): Instruction {
  return encode(0xbf, dst, src, 0, 0)
}

/** dst += immediate */
export function add(dst: number, immediate: number): Instruction {
  return encode(0x07, dst, 0, 0, immediate)
}

/** dst = the map of a descriptor */
export function mapAddress(dst: number, fd: number): Instruction {
  return [...encode(0x18, dst, 1, 0, fd), ...encode(0, 0, 0, 0, 0)]
}

/** dst = u32 at src + offset */
export function load32(dst: number, src: number, offset: number): Instruction {
  return encode(0x61, dst, src, offset, 0)
}

/** dst = u64 at src + offset */
export function load64(dst: number, src: number, offset: number): Instruction {
  return encode(0x79, dst, src, offset, 0)
}

/** u64 at dst + offset = immediate */
export function store64(dst: number, offset: number, immediate: number): Instruction {
  return encode(0x7a, dst, 0, offset, immediate)
}

/** u64 at dst + offset = src */
export function storeRegister64(dst: number, offset: number, src: number): Instruction {
  return encode(0x7b, dst, src, offset, 0)
}

/** u64 at dst + offset += src, atomically */
export function atomicAdd64(dst: number, offset: number, src: number): Instruction {
  return encode(0xdb, dst, src, offset, 0)
}

/** if dst == immediate, skip `count` instructions */
export function skipIfEqual(dst: number, immediate: number, count: number): Instruction {
  return encode(0x15, dst, 0, count, immediate)
}

/** if dst > immediate, skip `count` instructions */
export function skipIfGreater(dst: number, immediate: number, count: number): Instruction {
  return encode(0x25, dst, 0, count, immediate)
}

/** if dst < immediate, skip `count` instructions */
export function skipIfLess(dst: number, immediate: number, count: number): Instruction {
  return encode(0xa5, dst, 0, count, immediate)
}

/** calls the BPF helper of that number */
export function callHelper(number: number): Instruction {
  return encode(0x85, 0, 0, 0, number)
}

/** ends the program with r0 */
export function exit(): Instruction {
  return encode(0x95, 0, 0, 0, 0)
}

/** The code of a program. */
export function program(...instructions: readonly Instruction[]): Uint8Array {
  return Uint8Array.from(instructions.flat())
}

/** The smallest program: it returns `value`. */
export function returns(value: number): Uint8Array {
  return program(move(0, value), exit())
}
