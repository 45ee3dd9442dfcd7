export { Assembler, resolveMaps, type AssembledCode, type MapReference } from './assemble.js'
export { disassemble, type DisassembleOptions } from './disassemble.js'
export * from './helper-ids.js'
export {
  helperName,
  R0,
  R1,
  R2,
  R3,
  R4,
  R5,
  R6,
  R7,
  R8,
  R9,
  R10,
  type AccessSize,
  type AluOp,
  type JumpOp,
  type Register,
} from './isa.js'
export { parseAssembly } from './parse.js'
