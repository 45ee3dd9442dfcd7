/** What records of cgroups mean: names for the ids in other records. */

import { TAIL_LENGTH_MASK } from 'quark-ebpf/probe'
import type { RecordGroup } from '../../event/raw.js'
import { stringTail, textOf } from '../../event/record-text.js'
import type { CgroupNames } from '../../process/cgroup-names.js'
import type { Tables } from '../kind.js'
import { cgroupMkdirLayout } from './records.js'

const ID = cgroupMkdirLayout.at.id >> 2
const PATH = cgroupMkdirLayout.at.path >> 2

/** A cgroup was made. */
export function applyCgroupMkdir(group: RecordGroup, tables: Tables): undefined {
  if (!group.next()) return
  const path = pathOf(group)
  if (path !== undefined) namesIn(tables).set(idOf(group), path)
}

/** A cgroup was renamed: the record is laid out as one of a new cgroup. */
export function applyCgroupRename(group: RecordGroup, tables: Tables): undefined {
  if (!group.next()) return
  const path = pathOf(group)
  if (path !== undefined) namesIn(tables).rename(idOf(group), path)
}

function namesIn(tables: Tables): CgroupNames {
  return tables.table('cgroup')
}

function idOf({ words, offsetBytes }: RecordGroup): number {
  const w = (offsetBytes >> 2) + ID
  return (words[w] as number) + (words[w + 1] as number) * 2 ** 32
}

/** Undefined when the name could not be read. */
function pathOf(group: RecordGroup): string | undefined {
  const descriptor = group.words[(group.offsetBytes >> 2) + PATH] as number
  if ((descriptor & TAIL_LENGTH_MASK) === 0) return undefined
  return stringTail(textOf(group), cgroupMkdirLayout.fixedSizeBytes, descriptor)
}
