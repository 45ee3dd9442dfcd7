/** How a finished record goes to the reader of an iterator: framed, since a read returns several of them. */

import { type Assembler, BPF_FUNC_seq_write, R0, R1, R2, R3, R6, R7, R9, R10 } from '../asm/index.js'
import type { Btf } from '../btf/index.js'
import { BuildError } from '../errors.js'
import { RECORD_OFFSET, TEMP_CURSOR } from './scratch.js'

/** In front of each record: its length (u32), and four unused bytes. The record is padded to 8 bytes. */
export const READER_HEADER_BYTES = 8

/** Where that is kept until it is written. */
const HEADER_SLOT = -8

/** The sizes of the record that is written. */
interface Sizes {
  readonly fixedSizeBytes: number
  readonly maxSizeBytes: number
}

/**
 * Writes the record behind R9, or goes to `leave`: if its buffer is full, the kernel discards the partial output and
 * runs the program again for the same object.
 */
export function emitToReader(asm: Assembler, { fixedSizeBytes, maxSizeBytes }: Sizes, btf: Btf): void {
  const seq = offsetOfFile(btf)
  asm
    .load(8, R7, R9, TEMP_CURSOR)
    .jumpIfImm('>', R7, maxSizeBytes - fixedSizeBytes, 'leave')
    .aluImm('add', R7, fixedSizeBytes)
  asm.store(8, R10, HEADER_SLOT, R7)
  emitFile(asm, seq)
  asm.mov(R2, R10).aluImm('add', R2, HEADER_SLOT).movImm(R3, READER_HEADER_BYTES).call(BPF_FUNC_seq_write)
  asm.jumpIfImm('!=', R0, 0, 'leave')
  asm.aluImm('add', R7, 7).aluImm('and', R7, -8)
  emitFile(asm, seq)
  asm.mov(R2, R9).aluImm('add', R2, RECORD_OFFSET).mov(R3, R7).call(BPF_FUNC_seq_write)
}

/** R1 = the file, from the first argument of every iterator. */
function emitFile(asm: Assembler, offset: number): void {
  asm.load(8, R1, R6, 0).load(8, R1, R1, offset)
}

function offsetOfFile(btf: Btf): number {
  const meta = btf.findStruct('bpf_iter_meta')
  const member = meta === undefined ? undefined : btf.member(meta, 'seq')
  if (member === undefined) throw new BuildError('Cannot compile an iterator: no struct bpf_iter_meta.seq')
  return member.bitOffset / 8
}
