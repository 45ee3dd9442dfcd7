import { type Address, addressOf, bpfSyscall, type Result } from './libc.js'

export const BPF_MAP_CREATE = 0
export const BPF_MAP_LOOKUP_ELEM = 1
export const BPF_MAP_UPDATE_ELEM = 2
export const BPF_MAP_DELETE_ELEM = 3
export const BPF_MAP_GET_NEXT_KEY = 4
export const BPF_PROG_LOAD = 5
export const BPF_PROG_TEST_RUN = 10
export const BPF_OBJ_GET_INFO_BY_FD = 15
export const BPF_PROG_QUERY = 16
export const BPF_RAW_TRACEPOINT_OPEN = 17
export const BPF_BTF_LOAD = 18
export const BPF_MAP_FREEZE = 22
export const BPF_MAP_LOOKUP_BATCH = 24
export const BPF_LINK_CREATE = 28
export const BPF_ITER_CREATE = 33

/** Longest name of a program or map; the kernel's field has one more byte for the end. */
const NAME_LENGTH = 15

/**
 * A `union bpf_attr` under construction. The kernel accepts trailing zeros that it does not know, so one size
 * serves every command. Buffers that the attr points to stay alive as long as the attr does.
 */
export class BpfAttr {
  static readonly SIZE_BYTES = 144
  readonly bytes = new Uint8Array(BpfAttr.SIZE_BYTES)
  readonly #view = new DataView(this.bytes.buffer)
  readonly #pinned: Uint8Array[] = []

  /** Sets 4 bytes at `offset`; -1 stands for all ones. */
  u32(offset: number, value: number): this {
    this.#view.setUint32(offset, value, true)
    return this
  }

  /** Sets 8 bytes at `offset`. */
  u64(offset: number, value: bigint): this {
    this.#view.setBigUint64(offset, value, true)
    return this
  }

  /** Points the 8 bytes at `offset` to `target`, or to nothing when it is empty. */
  pointer(offset: number, target: Uint8Array): this {
    if (target.byteLength > 0) {
      this.#pinned.push(target)
      this.u64(offset, addressOf(target) satisfies Address)
    }
    return this
  }

  /** Sets a program or map name at `offset`. */
  name(offset: number, name: string): this {
    this.bytes.set(new TextEncoder().encode(objectName(name)), offset)
    return this
  }

  /** The 4 bytes at `offset`, which some commands write. */
  readU32(offset: number): number {
    return this.#view.getUint32(offset, true)
  }
}

/** A name that the kernel takes: letters, digits and underscores, at most 15 of them. */
export function objectName(name: string): string {
  return name.replaceAll(/[^A-Za-z0-9_]/g, '_').slice(0, NAME_LENGTH)
}

/** Runs a command of bpf(2). Returns the result or the negative errno. */
export function bpf(command: number, attr: BpfAttr): Result {
  return bpfSyscall(command, attr.bytes)
}

/** The bytes of a C string with its end. */
export function cString(text: string): Uint8Array {
  return new TextEncoder().encode(`${text}\0`)
}
