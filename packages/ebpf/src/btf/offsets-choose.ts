/** Chooses the entry of an offset table that describes a kernel. */

import type { OffsetEntry, OffsetTable } from './offsets.js'

/** An entry, and why it is the right one. */
export interface OffsetChoice {
  readonly entry: OffsetEntry
  /** `exact`: the releases are equal. `prefix`: the entry is for all releases that begin like this one. */
  readonly rule: 'exact' | 'prefix'
}

/** The shortest prefix that distinguishes releases: three numbers, and the separator before a vendor's suffix. */
const LONG_ENOUGH = /^\d+\.\d+\.\d+[-.+]/

/**
 * The entry for a kernel, if there is one. Wrong offsets silently make wrong records, so nothing is guessed: the
 * architecture must be equal, and the release must equal the entry's or, if that ends with `*`, begin with the part
 * before it. An equal release wins, then the longest prefix.
 *
 * @param release as `uname -r` prints it
 */
export function chooseOffsets(
  { kernels }: OffsetTable,
  release: string,
  architecture: string,
): OffsetChoice | undefined {
  const candidates = kernels.filter((entry) => entry.architecture === architecture)
  const exact = candidates.find((entry) => entry.release === release)
  if (exact !== undefined) return { entry: exact, rule: 'exact' }
  const [longest] = candidates
    .filter((entry) => coversByPrefix(entry.release, release))
    .sort((a, b) => b.release.length - a.release.length)
  return longest === undefined ? undefined : { entry: longest, rule: 'prefix' }
}

function coversByPrefix(pattern: string, release: string): boolean {
  const prefix = pattern.slice(0, -1)
  return pattern.endsWith('*') && LONG_ENOUGH.test(prefix) && release.startsWith(prefix)
}
