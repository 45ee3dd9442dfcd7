/** The kernel's BTF with other names in it, as a kernel has it in which something was renamed, or inlined. */

import { readFileSync } from 'node:fs'

const KERNEL_BTF = '/sys/kernel/btf/vmlinux'

/**
 * The BTF of this kernel in which `names` are gone: each begins with another letter. Ids of types stay, so that the
 * kernel takes programs that were made by it.
 */
export function renamedBtf(names: readonly string[]): Uint8Array {
  const bytes = readFileSync(KERNEL_BTF)
  const stringsAt = bytes.readUInt32LE(4) + bytes.readUInt32LE(16)
  for (const name of names) {
    const at = bytes.indexOf(`\0${name}\0`, stringsAt)
    if (at < 0) throw new Error(`Cannot rename "${name}": the BTF of this kernel has no such name`)
    bytes.write('?', at + 1)
  }
  return bytes
}
