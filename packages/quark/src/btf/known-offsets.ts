import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { type OffsetTable, parseOffsetTable } from '@quark/ebpf/btf'

/** Offsets of kernels that this package knows. Read anew with each call: it is needed once, if at all. */
export function knownOffsets(): OffsetTable {
  // By the package's name, as this module may be a part of a bundle somewhere else.
  const path = new URL('data/offsets.json', import.meta.resolve('quark/package.json'))
  return parseOffsetTable(readFileSync(path, 'utf8'), fileURLToPath(path))
}
