import { readFileSync } from 'node:fs'
import { Btf } from '../btf/index.js'
import { BtfError } from '../errors.js'

/** Where the running kernel offers its own BTF. Needs Linux 5.4. */
export const KERNEL_BTF_PATH = '/sys/kernel/btf/vmlinux'

/**
 * The BTF in a file: raw, or in the `.BTF` section of an ELF file (vmlinux).
 *
 * @throws {BtfError} when the file cannot be read (`cause` says why) or has no BTF that can be read
 */
export function btfOfFile(path: string): Btf {
  return Btf.parse(bytesOf(path), path)
}

function bytesOf(path: string): Uint8Array {
  try {
    return readFileSync(path)
  } catch (cause) {
    throw new BtfError(
      `Cannot read BTF from "${path}": ${reasonOf(cause)} (give a raw BTF file, or an ELF file with a .BTF section)`,
      { cause },
    )
  }
}

/**
 * Reads the running kernel's BTF.
 *
 * @throws {BtfError} with `cause` when the kernel offers none or it cannot be read
 */
export function readKernelBtf(path: string = KERNEL_BTF_PATH): Uint8Array {
  try {
    return readFileSync(path)
  } catch (cause) {
    const reason = reasonOf(cause)
    throw new BtfError(
      reason === 'ENOENT'
        ? `This kernel has no BTF: ${path} does not exist ` +
            '(needs Linux 5.4 or newer, built with CONFIG_DEBUG_INFO_BTF, and a mounted /sys)'
        : `Cannot read the BTF of this kernel from ${path}: ${reason}`,
      { cause },
    )
  }
}

function reasonOf(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause)
  return 'code' in cause && typeof cause.code === 'string' ? cause.code : cause.message
}
