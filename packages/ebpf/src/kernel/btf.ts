import { fstatSync } from 'node:fs'
import { Btf } from '../btf/index.js'
import { KERNEL_BTF_PATH, readKernelBtf } from './btf-files.js'
import { EbpfError } from '../errors.js'
import { Fd } from '../sys/fd.js'
import { mapForGood } from '../sys/memory.js'

let mapping: Uint8Array | undefined
let last: WeakRef<Btf> | undefined

/**
 * The running kernel's BTF. Needs Linux 5.4, built with CONFIG_DEBUG_INFO_BTF, and no privilege. Since 6.16 it is
 * mapped: its 6 MB stay the kernel's memory and are not copied. All callers share one object while any of them holds
 * it.
 *
 * @throws {BtfError} when the kernel has none
 */
export function kernelBtf(): Btf {
  let btf = last?.deref()
  if (btf === undefined) {
    mapping ??= mapKernelBtf()
    btf =
      mapping === undefined
        ? Btf.parse(readKernelBtf(), KERNEL_BTF_PATH)
        : Btf.parse(mapping, KERNEL_BTF_PATH)
    last = new WeakRef(btf)
  }
  return btf
}

/** Undefined when the file cannot be mapped. */
function mapKernelBtf(): Uint8Array | undefined {
  let fd: Fd
  try {
    fd = Fd.openFile(KERNEL_BTF_PATH, 'r', 'BTF of the kernel')
  } catch {
    return undefined
  }
  try {
    return mapForGood(fd, fstatSync(fd.number).size, 'BTF of the kernel')
  } catch (error) {
    if (error instanceof EbpfError) return undefined
    throw error
  } finally {
    fd.close()
  }
}
