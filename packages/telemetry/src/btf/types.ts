/** Finds the types of the running kernel, also if it has no BTF of its own. */

import { existsSync, readFileSync } from 'node:fs'
import { arch, release } from 'node:os'
import { type Btf, BtfError, btfOfFile, kernelBtf } from 'quark-ebpf'
import {
  btfArchitecture,
  chooseOffsets,
  offsetEntryBtf,
  type OffsetTable,
  parseOffsetTable,
} from 'quark-ebpf/btf'
import { knownOffsets } from './known-offsets.js'

/** The types of a kernel, and how they were found. */
export interface KernelTypes {
  readonly btf: Btf
  /** For a report: the file, or the entry of the offset table with the rule that chose it. */
  readonly source: string
  /** Types of a table only give offsets: programs that the kernel checks against BTF need the kernel's own. */
  readonly isTable: boolean
}

/** What the search depends on; the defaults are those of this machine. */
export interface KernelTypesOptions {
  /** The kernel's own BTF. */
  readonly kernelPath?: string
  readonly release?: string
  readonly architecture?: string
  readonly table?: OffsetTable
}

const KERNEL_BTF_PATH = '/sys/kernel/btf/vmlinux'

/** Where distributions put kernels with debug information. */
function debugFiles(kernel: string): string[] {
  return [
    `/boot/vmlinux-${kernel}`,
    `/lib/modules/${kernel}/vmlinux-${kernel}`,
    `/lib/modules/${kernel}/build/vmlinux`,
    `/usr/lib/modules/${kernel}/kernel/vmlinux`,
    `/usr/lib/debug/boot/vmlinux-${kernel}`,
    `/usr/lib/debug/boot/vmlinux-${kernel}.debug`,
    `/usr/lib/debug/lib/modules/${kernel}/vmlinux`,
  ]
}

/**
 * The types of the running kernel: from `path` and nowhere else when it is given (BTF, an ELF file with BTF, or an
 * offset table), else from the kernel, from where distributions put its debug information, or from the known offsets.
 *
 * @throws {BtfError} when none is there, saying how to make one, and when the file is broken or of another architecture
 */
export function openKernelTypes(path?: string, options: KernelTypesOptions = {}): KernelTypes {
  const kernel = options.release ?? release()
  const architecture = options.architecture ?? arch()
  if (path !== undefined) return fromFile(path, kernel, architecture)
  let problem: BtfError | undefined
  for (const file of [options.kernelPath ?? KERNEL_BTF_PATH, ...debugFiles(kernel)]) {
    if (!existsSync(file)) continue
    try {
      const btf = file === KERNEL_BTF_PATH ? kernelBtf() : btfOfFile(file)
      return { btf, source: file, isTable: false }
    } catch (error) {
      // A vmlinux without BTF is no reason to stop looking.
      if (!(error instanceof BtfError)) throw error
      problem ??= error
    }
  }
  return fromTable(
    { table: options.table ?? knownOffsets(), where: 'the known offsets', problem },
    kernel,
    architecture,
  )
}

function fromFile(path: string, kernel: string, architecture: string): KernelTypes {
  if (startsAsJson(path)) {
    const table = parseOffsetTable(readFileSync(path, 'utf8'), `"${path}"`)
    return fromTable({ table, where: `"${path}"` }, kernel, architecture)
  }
  const btf = btfOfFile(path)
  const found = btfArchitecture(btf)
  if (found !== undefined && found !== architecture) {
    throw new BtfError(
      `Cannot use the BTF of "${path}": it is of a kernel for ${found}, and this is ${architecture}`,
    )
  }
  return { btf, source: path, isTable: false }
}

function startsAsJson(path: string): boolean {
  try {
    return readFileSync(path).subarray(0, 64).toString('latin1').trimStart().startsWith('{')
  } catch {
    // The next reader reports what is wrong.
    return false
  }
}

interface TableSource {
  readonly table: OffsetTable
  readonly where: string
  /** Why the BTF that there is cannot be used. */
  readonly problem?: BtfError | undefined
}

function fromTable(
  { table, where, problem }: TableSource,
  kernel: string,
  architecture: string,
): KernelTypes {
  const choice = chooseOffsets(table, kernel, architecture)
  if (choice === undefined) {
    throw new BtfError(
      `The types of this kernel (${kernel}, ${architecture}) are not known: ${problem?.message ?? 'it has no BTF'}, and ` +
        `${where} do not cover it ` +
        `(with its debug information make BTF: pahole --btf_encode_detached=FILE vmlinux; then give --btf FILE or set ` +
        'QUARK_BTF_PATH)',
      { cause: problem },
    )
  }
  const { entry, rule } = choice
  const reason = rule === 'exact' ? 'the same release' : `covers ${entry.release}`
  return {
    btf: offsetEntryBtf(entry),
    source: `${where}: ${entry.name} ${entry.release} (${reason})`,
    isTable: true,
  }
}
