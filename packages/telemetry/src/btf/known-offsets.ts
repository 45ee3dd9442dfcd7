import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { type OffsetTable, parseOffsetTable } from 'quark-ebpf/btf'

/** Offsets of kernels that this package knows. Read anew with each call: it is needed once, if at all. */
export function knownOffsets(): OffsetTable {
  // By the package's name, as this module may be a part of a bundle somewhere else.
  const path = join(
    createRequire(import.meta.url).resolve('quark-telemetry/package.json'),
    '../data/offsets.json',
  )
  return parseOffsetTable(readFileSync(path, 'utf8'), path)
}
