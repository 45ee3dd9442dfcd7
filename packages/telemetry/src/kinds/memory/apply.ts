/** Events out of records about memory. */

import type { Made } from '../../event/forms.js'
import type { RecordGroup } from '../../event/raw.js'
import { s64At, TailReader, u32At, u64At } from '../../event/record-fields.js'
import { actorOf } from '../../process/actor.js'
import type { Tables } from '../kind.js'
import { CALLS, type ExecutableMemoryEvent } from './events.js'
import { executableLayout, executableMapLayout, IMPLIED, PROT_WRITE } from './records.js'

/** Both records begin with the same fields. */
const { at } = executableMapLayout
const SEGMENT = executableLayout.at.segment

/** What both records have; undefined for a call that is none. */
function commonOf(group: RecordGroup, tables: Tables) {
  const call = CALLS[u32At(group, at.by)]
  if (call === undefined) return undefined
  const protection = u32At(group, at.protection)
  const sizeBytes = s64At(group, at.sizeBytes)
  return {
    kind: 'executableMemory' as const,
    ...actorOf(group, at, tables),
    call,
    writable: (protection & PROT_WRITE) !== 0,
    implied: (protection & IMPLIED) !== 0,
    address: u64At(group, at.address),
    sizeBytes: call !== 'shmat' && sizeBytes >= 0 && Number.isSafeInteger(sizeBytes) ? sizeBytes : undefined,
    file: undefined,
    segment: undefined,
  }
}

/** A process made memory executable. */
export function applyExecutable(group: RecordGroup, tables: Tables): Made<ExecutableMemoryEvent> | undefined {
  if (!group.next()) return undefined
  const common = commonOf(group, tables)
  return common?.call === 'shmat' ? { ...common, segment: u32At(group, SEGMENT) } : common
}

/** A process mapped memory that is executable. */
export function applyExecutableMap(
  group: RecordGroup,
  tables: Tables,
): Made<ExecutableMemoryEvent> | undefined {
  if (!group.next()) return undefined
  const common = commonOf(group, tables)
  if (common === undefined || u32At(group, at.isOfFile) === 0) return common
  return { ...common, file: new TailReader(group, executableMapLayout).path(at.file) }
}
