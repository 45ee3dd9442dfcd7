/** What lies in several pieces of user memory, as writev(2) is given them. */

import {
  BPF_FUNC_probe_read_kernel,
  BPF_FUNC_probe_read_user,
  R0,
  R1,
  R2,
  R3,
  R7,
  R8,
  R9,
  R10,
} from '../../asm/index.js'
import { type Operand, operandNode } from '../expr.js'
import type { ExprNode } from '../nodes.js'
import {
  RECORD_OFFSET,
  TEMP_CURSOR,
  TEMP_DENTRY,
  TEMP_FLAGS,
  TEMP_NEXT,
  TEMP_PATH_LENGTH,
} from '../scratch.js'
import { TAIL_FAILED, TAIL_TRUNCATED } from './descriptor.js'
import { COUNTER_SLOT, emitTailEnd, type TailFrame, type TailPlace } from './frame.js'
import type { TailSource, TailWriter } from './tail.js'

/** Pieces that are read; more are cut off. */
const MAX_PIECES = 8
/** `struct iovec`: address and length. */
const IOVEC_BYTES = 16
/** One of them, on its way. */
const IOVEC_SLOT = -16
/** Bytes of the piece that are still to be copied. */
const TEMP_LEFT = TEMP_DENTRY

/**
 * The user memory of the current task that `count` iovecs at `address` describe, one piece behind the other, cut at
 * `maxBytes` and after 8 pieces. What could not be read ends it: it is then marked as truncated, or as unreadable if
 * nothing was read before.
 */
export function userIovec(address: Operand, count: Operand, maxBytes?: number): TailSource<'bytes'> {
  const inputs = [operandNode(address), operandNode(count)]
  return source('userIovec', inputs, maxBytes, { emit: emitterOf(BPF_FUNC_probe_read_user) })
}

/** Iovecs that the kernel has copied, as `struct iov_iter` refers to them. */
export interface KernelIovec {
  /** Of the first iovec, in kernel memory. */
  readonly address: Operand
  readonly count: Operand
  /** In place of iovecs: the address of the only piece, unless that is 0. */
  readonly start: Operand
  /** Bytes of the only piece. */
  readonly length: Operand
}

/**
 * The user memory that iovecs in kernel memory describe, or one piece; else as `userIovec`. Needs a kernel that lets programs
 * call probe_read_kernel.
 */
export function kernelIovec(
  { address, count, start, length }: KernelIovec,
  maxBytes?: number,
): TailSource<'bytes'> {
  const inputs = [address, count, start, length].map(operandNode)
  return source('kernelIovec', inputs, maxBytes, {
    emit: emitterOf(BPF_FUNC_probe_read_kernel),
    refusal: ({ probeRead }) => (probeRead ? undefined : NO_READ),
  })
}

const NO_READ = 'this kernel refuses bpf_probe_read_kernel (lockdown=confidentiality)'

function source(
  kind: string,
  inputs: readonly ExprNode[],
  maxBytes: number | undefined,
  writer: TailWriter,
): TailSource<'bytes'> {
  return { kind, fills: 'bytes', maxBytes, inputs, writer }
}

/** Labels that the parts of the code share. */
interface Labels {
  /** All pieces that there are have been copied. */
  readonly end: string
  /** A piece could not be read, or there is no room for more. */
  readonly cut: string
}

/** The code of a tail whose iovecs are read by a helper. */
function emitterOf(readIovec: number): TailWriter['emit'] {
  return (frame, place, inputs) => emitPieces(frame, place, inputs, readIovec)
}

/**
 * The temporaries are the address of the first iovec, and how many there are; for what may be one piece, also the address
 * and length of that.
 */
function emitPieces(
  frame: TailFrame,
  place: TailPlace,
  [address = 0, count = 0, ...one]: readonly number[],
  readIovec: number,
): void {
  const { asm } = frame
  const [piece, end, cut] = ['piece', 'end', 'cut'].map((name) => asm.uniqueLabel(name)) as [
    string,
    string,
    string,
  ]
  const labels = { end, cut }
  asm.storeImm(8, R9, TEMP_FLAGS, 0).storeImm(8, R9, TEMP_PATH_LENGTH, 0).storeImm(8, R10, COUNTER_SLOT, 0)

  asm.label(piece)
  asm.load(8, R8, R10, COUNTER_SLOT).load(8, R1, R9, count).jumpIf('>=', R8, R1, end)
  asm.jumpIfImm('>=', R8, MAX_PIECES, cut)
  const [start, length] = one
  const copy = asm.uniqueLabel('copy')
  if (start !== undefined && length !== undefined) emitOnly(frame, { start, length, copy })
  emitReadIovec(frame, address, labels, readIovec)
  asm.label(copy)
  emitCopy(frame, place, labels)
  asm.load(8, R8, R10, COUNTER_SLOT).aluImm('add', R8, 1).store(8, R10, COUNTER_SLOT, R8)
  asm.load(8, R1, R9, TEMP_FLAGS).jumpIfImm('==', R1, 0, piece)
  asm.jump(end)

  asm.label(cut).storeImm(8, R9, TEMP_FLAGS, TAIL_TRUNCATED)
  asm.load(8, R1, R9, TEMP_PATH_LENGTH).jumpIfImm('!=', R1, 0, end)
  asm.storeImm(8, R9, TEMP_FLAGS, TAIL_FAILED)
  asm.label(end).load(8, R7, R9, TEMP_PATH_LENGTH)
  emitTailEnd(frame, place)
}

/** Where the only piece is, unless that is 0; a jump to `copy` then. */
interface Only {
  readonly start: number
  readonly length: number
  readonly copy: string
}

function emitOnly({ asm }: TailFrame, { start, length, copy }: Only): void {
  const several = asm.uniqueLabel('several')
  asm.load(8, R1, R9, start).jumpIfImm('==', R1, 0, several)
  asm.store(8, R9, TEMP_NEXT, R1).load(8, R1, R9, length).store(8, R9, TEMP_LEFT, R1)
  asm.jump(copy).label(several)
}

/** TEMP_NEXT and TEMP_LEFT = address and length of the piece that R8 numbers. */
function emitReadIovec({ asm }: TailFrame, address: number, { cut }: Labels, readIovec: number): void {
  asm.aluImm('mul', R8, IOVEC_BYTES).load(8, R3, R9, address).alu('add', R3, R8)
  asm.mov(R1, R10).aluImm('add', R1, IOVEC_SLOT).movImm(R2, IOVEC_BYTES).call(readIovec)
  asm.jumpIfImm('!=', R0, 0, cut)
  asm.load(8, R1, R10, IOVEC_SLOT).store(8, R9, TEMP_NEXT, R1)
  asm.load(8, R1, R10, IOVEC_SLOT + 8).store(8, R9, TEMP_LEFT, R1)
}

/**
 * Appends the piece by powers of two, from the largest on: the verifier knows each length, and so where it ends. It
 * does not see that two lengths together are within a bound.
 */
function emitCopy(frame: TailFrame, { maxBytes, before }: TailPlace, { cut }: Labels): void {
  const { asm, fixedSizeBytes } = frame
  const fits = asm.uniqueLabel('fits')
  asm.load(8, R7, R9, TEMP_PATH_LENGTH).jumpIfImm('>', R7, maxBytes, cut)
  asm.movImm(R1, maxBytes).alu('sub', R1, R7)
  asm.load(8, R2, R9, TEMP_LEFT).jumpIf('<=', R2, R1, fits)
  asm.store(8, R9, TEMP_LEFT, R1).storeImm(8, R9, TEMP_FLAGS, TAIL_TRUNCATED)
  asm.label(fits)
  for (let bit = Math.floor(Math.log2(Math.max(1, maxBytes))); bit >= 0; bit -= 1) {
    const length = 2 ** bit
    const next = asm.uniqueLabel('next')
    asm.load(8, R1, R9, TEMP_LEFT).aluImm('and', R1, length).jumpIfImm('==', R1, 0, next)
    asm.load(8, R7, R9, TEMP_PATH_LENGTH).jumpIfImm('>', R7, maxBytes - length, cut)
    asm.load(8, R2, R9, TEMP_CURSOR).jumpIfImm('>', R2, before, cut)
    asm.mov(R1, R9).alu('add', R1, R2).alu('add', R1, R7)
    asm.aluImm('add', R1, RECORD_OFFSET + fixedSizeBytes)
    asm.movImm(R2, length).load(8, R3, R9, TEMP_NEXT).call(BPF_FUNC_probe_read_user)
    asm.jumpIfImm('!=', R0, 0, cut)
    asm.aluImm('add', R7, length).store(8, R9, TEMP_PATH_LENGTH, R7)
    asm.load(8, R1, R9, TEMP_NEXT).aluImm('add', R1, length).store(8, R9, TEMP_NEXT, R1)
    asm.label(next)
  }
}
