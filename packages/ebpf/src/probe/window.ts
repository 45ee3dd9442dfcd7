/**
 * Kernel memory at addresses that the verifier does not know, read without bpf_probe_read_kernel, which a kernel in
 * lockdown=confidentiality refuses: the address is cast to a structure that holds nothing but a long array of bytes
 * there. Loads through such a pointer read 0 from a bad address, as all loads through BTF pointers do.
 */

import { type Assembler, R1, R2 } from '../asm/index.js'
import type { Btf } from '../btf/index.js'

/** A byte array within a structure of the running kernel. */
export interface Window {
  /** Type id of the structure. */
  readonly type: number
  readonly offset: number
  readonly sizeBytes: number
}

/** Bytes that a name needs: NAME_MAX, and its NUL. */
const NAME_BYTES = 256

/** The first bytes of an executable (`linux_binprm.buf`): 256 of them on all kernels that can cast. */
export function findWindow(btf: Btf): Window | undefined {
  const type = btf.findStruct('linux_binprm')
  const buffer = type === undefined ? undefined : btf.member(type, 'buf')
  if (type === undefined || buffer === undefined) return undefined
  const sizeBytes = btf.sizeOf(buffer.type) ?? 0
  return sizeBytes < NAME_BYTES ? undefined : { type, offset: buffer.bitOffset / 8, sizeBytes: NAME_BYTES }
}

/** R0 + `window.offset` = the memory at the address in R1. Overwrites R1 to R5. */
export function emitWindow(asm: Assembler, castId: number, window: Window): void {
  asm.aluImm('sub', R1, window.offset).movImm(R2, window.type).callKfunc('bpf_rdonly_cast', castId)
}
