/** A word that was loaded, on its way to the fields and temporaries that want it. */

import { type Assembler, R0, R9, type Register } from '../asm/index.js'
import type { Destination, LoadFrame } from './load-tree.js'
import type { NumberSize } from './nodes.js'
import type { ResolvedPath } from './resolved.js'

/** Where that is, counted from the scratch in R9. */
export function destination(frame: LoadFrame, to: Destination): number {
  return to.area === 'record' ? frame.recordOffset + to.offset : to.offset
}

/** Stores the loaded word in R0. */
export function emitNumber(frame: LoadFrame, path: ResolvedPath, to: readonly Destination[]): void {
  const { asm } = frame
  emitWiden(asm, path, Math.max(...to.map(({ sizeBytes }) => sizeBytes)))
  for (const one of to) asm.store(storeSize(one), R9, destination(frame, one), R0)
}

/**
 * R0 holds the loaded word: cuts out a bit-field, or carries the sign of a narrow number. The upper bits of an
 * argument that was not loaded from memory may be anything.
 */
function emitWiden(asm: Assembler, path: ResolvedPath, sizeBytes: number): void {
  if (path.bits !== undefined) {
    const { shift, width } = path.bits
    asm.aluImm('lsh', R0, 64 - shift - width)
    asm.aluImm(path.signed ? 'arsh' : 'rsh', R0, 64 - width)
  } else if ((path.signed || path.bare) && path.sizeBytes < sizeBytes) {
    const shift = 64 - path.sizeBytes * 8
    asm.aluImm('lsh', R0, shift).aluImm(path.signed ? 'arsh' : 'rsh', R0, shift)
  }
}

/** `dst` = the number at `base`, widened by its own sign. */
export function emitSignedLoad(
  asm: Assembler,
  dst: Register,
  base: Register,
  number: { readonly offset: number; readonly sizeBytes: NumberSize; readonly signed: boolean },
): void {
  const { offset, sizeBytes, signed } = number
  asm.load(sizeBytes, dst, base, offset)
  if (!signed || sizeBytes === 8) return
  const shift = 64 - sizeBytes * 8
  asm.aluImm('lsh', dst, shift).aluImm('arsh', dst, shift)
}

export function loadSize(path: ResolvedPath): 1 | 2 | 4 | 8 {
  return path.sizeBytes as 1 | 2 | 4 | 8
}

export function storeSize(to: Destination): 1 | 2 | 4 | 8 {
  return to.sizeBytes as 1 | 2 | 4 | 8
}
