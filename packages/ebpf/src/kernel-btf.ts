import { fstatSync, openSync } from 'node:fs'
import { Btf } from './btf/index.js'
import { KERNEL_BTF_PATH } from './btf/kernel.js'
import { EbpfError } from './errors.js'
import { Fd } from './sys/fd.js'
import { MappedMemory } from './sys/memory.js'

let last: WeakRef<Btf> | undefined

/**
 * The running kernel's BTF, as `Btf.kernel()`, but faster: kernels since 6.16 let it be mapped, where reading
 * takes a system call per page. Shared by all callers while one of them holds it.
 *
 * @throws {BtfError} when the kernel has none
 */
export function kernelBtf(): Btf {
  let btf = last?.deref()
  if (btf === undefined) {
    const bytes = mappedCopy()
    btf = bytes === undefined ? Btf.kernel() : Btf.parse(bytes, KERNEL_BTF_PATH)
    last = new WeakRef(btf)
  }
  return btf
}

/** A copy, since nothing must look at a mapping that is gone; undefined when the file cannot be mapped. */
function mappedCopy(): Uint8Array | undefined {
  let number: number
  try {
    number = openSync(KERNEL_BTF_PATH, 'r')
  } catch {
    return undefined
  }
  const sizeBytes = fstatSync(number).size
  const fd = new Fd(number, 'BTF of the kernel')
  try {
    using memory = MappedMemory.map(fd, sizeBytes, {
      what: 'BTF of the kernel',
      writable: false,
      isPrivate: true,
    })
    return memory.bytes.slice()
  } catch (error) {
    if (error instanceof EbpfError) return undefined
    throw error
  } finally {
    fd.close()
  }
}
