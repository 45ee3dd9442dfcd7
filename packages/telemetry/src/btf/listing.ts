/** The data that the quark-btf command shows. */

import { arch } from 'node:os'
import { type Btf, BtfError, btfOfFile } from 'quark-ebpf'
import {
  chooseOffsets,
  makeOffsetEntry,
  type OffsetEntry,
  offsetEntryBtf,
  offsetTableText,
} from 'quark-ebpf/btf'
import { openKernelTypes } from './types.js'
import { knownOffsets } from './known-offsets.js'
import { BTF_TARGETS, type ResolvedTarget, resolveTarget } from './targets.js'

/** All targets as one kernel has them. */
export interface TargetListing {
  /** Where the kernel's types were found. */
  readonly source: string
  /** In the order of `BTF_TARGETS`. */
  readonly targets: readonly ResolvedTarget[]
}

/** A kernel of the known offsets. */
export type KnownKernel = Pick<OffsetEntry, 'name' | 'release' | 'architecture'>

/**
 * The targets of the running kernel, or of the one that a file describes.
 *
 * @param file raw BTF, or an ELF file with BTF
 * @throws {BtfError} when there are no types, or they cannot be read
 */
export function listTargets(file?: string): TargetListing {
  if (file === undefined) {
    const path = process.env['QUARK_BTF_PATH']
    const { btf, source } = openKernelTypes(path === '' ? undefined : path)
    return listing(btf, source)
  }
  return listing(btfOfFile(file), file)
}

/**
 * The kernel of the known offsets that would serve for a release of this architecture.
 *
 * @throws {BtfError} when none does
 */
export function listKnownTargets(version: string): TargetListing & { readonly kernel: KnownKernel } {
  const choice = chooseOffsets(knownOffsets(), version, arch())
  if (choice === undefined) {
    throw new BtfError(
      `No kernel of the known offsets serves for "${version}" on ${arch()}: make some with quark-btf -g`,
    )
  }
  const btf = offsetEntryBtf(choice.entry)
  return { ...listing(btf, btf.origin), kernel: choice.entry }
}

/**
 * An offset table with one kernel, as text for a file that `--btf` and `QUARK_BTF_PATH` take.
 *
 * @param file raw BTF, or an ELF file with BTF
 * @param kernel who built it, and its release as `uname -r` prints it there
 * @throws {BtfError} when the file has no BTF of a kernel
 */
export function offsetTableOf(
  file: string,
  kernel: { readonly name: string; readonly release: string },
): string {
  const entry = makeOffsetEntry(btfOfFile(file), kernel)
  return offsetTableText({ format: 1, kernels: [entry] })
}

function listing(btf: Btf, source: string): TargetListing {
  return { source, targets: BTF_TARGETS.map((target) => resolveTarget(btf, target)) }
}
