/**
 * What was cut in the kernel, whole from /proc: only if it begins with what the kernel reported, so that nothing of
 * a later program or directory gets into an earlier record.
 */

import type { Complete } from '../../../../facts/rungs.js'
import { hasKernelPids } from '../../../../process/procfs/pids.js'
import { readBytes, readLink } from '../../../../process/procfs/read.js'
import type { ReadLimits } from '../../../../process/procfs/scan.js'

/** Completes records from /proc, unless its pids are others than those of records. */
export function completion(limits: ReadLimits): Complete {
  let isPossible: boolean | undefined
  return (fields, cut) => {
    isPossible ??= hasKernelPids()
    return isPossible ? completeFromProc(fields, cut, limits) : cut
  }
}

interface KnownPath {
  readonly path: Uint8Array
  readonly root?: Uint8Array | undefined
  readonly truncated: boolean
  readonly deleted?: boolean
}

const DELETED = ' (deleted)'

/**
 * Replaces the fields named in `cut` by what /proc has of the process, and returns the names of those that stay cut.
 * `fields` are those of a fork or exec record.
 */
export function completeFromProc(
  fields: Record<string, unknown>,
  cut: readonly string[],
  { maxArgvBytes, maxEnvBytes }: ReadLimits,
): string[] {
  const folder = `/proc/${String(fields['pid'])}`
  return cut.filter((name) => {
    const whole = (): unknown => {
      switch (name) {
        case 'cwd':
        case 'exe':
          return wholePath(fields[name] as KnownPath, folder, name)
        case 'argv':
          return wholeBytes(fields['argv'] as Buffer, fields['argvBytes'], `${folder}/cmdline`, maxArgvBytes)
        case 'env':
          return wholeBytes(fields['env'] as Buffer, fields['envBytes'], `${folder}/environ`, maxEnvBytes)
        default:
          return undefined
      }
    }
    const found = whole()
    if (found === undefined) return true
    fields[name] = found
    return false
  })
}

/** The whole path, when its last components are the known ones. */
function wholePath({ path, deleted }: KnownPath, folder: string, link: string): KnownPath | undefined {
  const root = readLink(`${folder}/root`)
  const target = readLink(`${folder}/${link}`)
  if (root === undefined || target === undefined) return undefined
  const plain = deleted === true && target.endsWith(DELETED) ? target.slice(0, -DELETED.length) : target
  if (!plain.endsWith(Buffer.from(path).toString('latin1'))) return undefined
  const inside = root === '/' ? plain : plain.startsWith(`${root}/`) ? plain.slice(root.length) : undefined
  if (inside === undefined) return undefined
  return {
    path: Buffer.from(inside, 'latin1'),
    root: Buffer.from(root, 'latin1'),
    truncated: false,
    deleted: deleted === true,
  }
}

/** As many bytes as are allowed, if they begin with the known ones and their number is the one from the kernel. */
function wholeBytes(
  known: Buffer,
  sizeBytes: unknown,
  file: string,
  maxBytes: number,
): Uint8Array | undefined {
  const found = readBytes(file, maxBytes)
  if (found === undefined || found.sizeBytes !== sizeBytes) return undefined
  if (found.bytes.length <= known.length || !known.equals(found.bytes.subarray(0, known.length))) {
    return undefined
  }
  // One byte more than may be kept: the encoder then marks the text as cut.
  return found.sizeBytes > maxBytes ? Buffer.concat([found.bytes, Buffer.alloc(1)]) : found.bytes
}
