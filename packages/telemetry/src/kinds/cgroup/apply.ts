/** Applies records of cgroups: they name the ids in other records. */

import { TAIL_LENGTH_MASK, TAIL_TRUNCATED } from 'quark-ebpf/probe'
import type { RecordGroup } from '../../event/raw.js'
import { stringTail, textOf } from '../../event/record-text.js'
import type { CgroupNames } from '../../process/cgroup-names.js'
import type { Tables } from '../kind.js'
import { cgroupMkdirLayout } from './records.js'

const ID = cgroupMkdirLayout.at.id >> 2
const HIERARCHY = cgroupMkdirLayout.at.hierarchy >> 2
const PATH = cgroupMkdirLayout.at.path >> 2

/** The tracepoints have this much room for a path and its end (TRACE_CGROUP_PATH_LEN in kernel/cgroup/cgroup-internal.h). */
const TRACE_PATH_BYTES = 1024

/** A cgroup was made. */
export function applyCgroupMkdir(group: RecordGroup, tables: Tables): undefined {
  if (!group.next()) return
  const names = namesIn(tables)
  const path = names.takes(hierarchyOf(group)) ? pathOf(group) : undefined
  if (path !== undefined) names.set(idOf(group), path)
}

/** A cgroup was renamed: the record is laid out as one of a new cgroup. */
export function applyCgroupRename(group: RecordGroup, tables: Tables): undefined {
  if (!group.next()) return
  const names = namesIn(tables)
  const path = names.takes(hierarchyOf(group)) ? pathOf(group) : undefined
  if (path !== undefined) names.rename(idOf(group), path)
}

function namesIn(tables: Tables): CgroupNames {
  return tables.table('cgroup')
}

function idOf({ words, offsetBytes }: RecordGroup): number {
  const w = (offsetBytes >> 2) + ID
  return (words[w] as number) + (words[w + 1] as number) * 2 ** 32
}

function hierarchyOf({ words, offsetBytes }: RecordGroup): number {
  return words[(offsetBytes >> 2) + HIERARCHY] as number
}

/** Undefined when the name could not be read, or not to its end: that would be the name of another one. */
function pathOf(group: RecordGroup): string | undefined {
  const descriptor = group.words[(group.offsetBytes >> 2) + PATH] as number
  const length = descriptor & TAIL_LENGTH_MASK
  if (length === 0 || length >= TRACE_PATH_BYTES - 1 || (descriptor & TAIL_TRUNCATED) !== 0) return undefined
  return stringTail(textOf(group), cgroupMkdirLayout.fixedSizeBytes, descriptor)
}
