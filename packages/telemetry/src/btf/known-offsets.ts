import { existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type OffsetTable, parseOffsetTable } from 'quark-ebpf/btf'

/** Offsets of kernels that this package knows. Read anew with each call: it is needed once, if at all. */
export function knownOffsets(): OffsetTable {
  const path = knownOffsetsPath()
  return parseOffsetTable(readFileSync(path, 'utf8'), path)
}

/** A bundle that this module is a part of has the file beside itself; else it is found by the package's name. */
function knownOffsetsPath(): string {
  const beside = fileURLToPath(new URL('offsets.json', import.meta.url))
  if (existsSync(beside)) return beside
  return join(createRequire(import.meta.url).resolve('quark-telemetry/package.json'), '../data/offsets.json')
}
