/**
 * The BTF with which a program must be loaded if it passes one of its functions to bpf_loop: the verifier requires a
 * function type for each. All of them are `static int f(void)` here.
 */

import { bpf, BPF_BTF_LOAD, BpfAttr } from '../sys/bpf.js'
import { Fd } from '../sys/fd.js'
import { checked } from '../sys/permission.js'

const BTF_MAGIC = 0xeb9f
const HEADER_BYTES = 24
const BTF_KIND_INT = 1
const BTF_KIND_FUNC = 12
const BTF_KIND_FUNC_PROTO = 13
/** Bytes of one `struct bpf_func_info`: instruction offset and type id. */
export const FUNCTION_INFO_BYTES = 8

const INT_TYPE = 1
const PROTO_TYPE = 2
const FIRST_FUNCTION_TYPE = 3

/**
 * Loads BTF for a program whose functions begin at instructions 0 and `starts`.
 *
 * @throws {KernelError} when the kernel refuses. Needs Linux 4.18.
 */
export function loadFunctionBtf(starts: readonly number[]): { readonly fd: Fd; readonly info: Uint8Array } {
  const functions = [0, ...starts]
  const bytes = encodeBtf(functions.map((_, index) => `f${index}`))
  const attr = new BpfAttr().pointer(0, bytes).u32(16, bytes.byteLength)
  const number = checked('Cannot describe functions', 'bpf(BPF_BTF_LOAD)', bpf(BPF_BTF_LOAD, attr))
  const info = new Uint32Array(functions.flatMap((start, index) => [start, FIRST_FUNCTION_TYPE + index]))
  return { fd: new Fd(number, 'function BTF'), info: new Uint8Array(info.buffer) }
}

function encodeBtf(names: readonly string[]): Uint8Array {
  const strings = Buffer.from(`\0int\0${names.map((name) => `${name}\0`).join('')}`)
  const word = (...values: number[]): Buffer => Buffer.from(Uint32Array.from(values).buffer)
  const types = [
    // name, kind and vlen, size, then encoding: signed, 32 bits
    word(strings.indexOf('int'), BTF_KIND_INT << 24, 4, (1 << 24) | 32),
    word(0, BTF_KIND_FUNC_PROTO << 24, INT_TYPE),
    // vlen 0 makes a function static
    ...names.map((name) => word(strings.indexOf(`\0${name}\0`) + 1, BTF_KIND_FUNC << 24, PROTO_TYPE)),
  ]
  const typeBytes = Buffer.concat(types)
  const header = Buffer.alloc(HEADER_BYTES)
  header.writeUInt16LE(BTF_MAGIC, 0)
  header.writeUInt8(1, 2)
  header.writeUInt32LE(HEADER_BYTES, 4)
  header.writeUInt32LE(typeBytes.length, 12)
  header.writeUInt32LE(typeBytes.length, 16)
  header.writeUInt32LE(strings.length, 20)
  return Buffer.concat([header, typeBytes, strings])
}
